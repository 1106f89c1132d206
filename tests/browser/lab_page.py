"""JupyterLab in a browser as a reader meets it: what one can do there, and what one sees."""

import json
import re
import time
from urllib.parse import urlparse

PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
FRAME = 'iframe[src*="glmlab/panes"][src$="{}"]'
SECONDS = 400  # the longest that anything may take beside a lot of other work; nothing waits longer than it must

# What a run of ours may leave in the console: (where it comes from, what it says).
TOLERATED = [
    # Dask's own page of a plot, when the scheduler behind it ends, as the last cell of a notebook asks it to: its
    # connection is lost, and its attempts to open another fail. Our frame drops the page within a second.
    (r"/proxy/\d+/individual-", r"Lost websocket connection|Failed to repull session Disconnected|not connected so "
                                r"cannot send|Still in CONNECTING state|already in CLOSING or CLOSED state|"
                                r"WebSocket connection to .* failed"),
]

# For each view the share that has a colour: axes, letters and grids are grey. Bokeh lays several canvases over each
# other, most of them empty, in a shadow root of their own.
COLOURED = """(canvases) => {
  const share = (canvas) => {
    if (!canvas.width || !canvas.height) return 0;
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let k = 0; k < data.length; k += 4) {
      const [r, g, b] = [data[k], data[k + 1], data[k + 2]];
      count += data[k + 3] > 0 && Math.max(r, g, b) - Math.min(r, g, b) > 40;
    }
    return 4 * count / data.length;
  };
  const views = new Map();
  for (const canvas of canvases) {
    const view = canvas.getRootNode();
    views.set(view, Math.max(share(canvas), views.get(view) || 0));
  }
  return [...views.values()];
}"""
WIDTHS = "(images) => images.map((image) => image.complete ? image.naturalWidth : 0)"
DRAWN = "(canvases) => canvases.map((canvas) => canvas.toDataURL())"
# What is wider than its box, and so hidden at the right until one scrolls.
CUT_OFF = """(boxes) => boxes.filter((box) => box.scrollWidth > box.clientWidth + 1)
  .map((box) => box.textContent.slice(0, 60))"""


class LabPage:
    """A browser's page on a running lab. Cells are named by their ids in the notebook as shipped.

    Text is read with `text_content`: JupyterLab lays out only what is in view, and `inner_text` of the rest is empty.
    """

    def __init__(self, page, lab):
        self.page, self.lab = page, lab
        self.complaints, self.hosts = [], set()
        page.set_default_timeout(1000 * SECONDS)
        page.on("console", lambda said: said.type == "error" and self._note(said.location["url"], said.text))
        page.on("pageerror", lambda error: self._note(error.stack or "", f"{error.name}: {error.message}"))
        page.on("websocket", lambda socket: self.hosts.add(host(socket.url)))
        page.context.on("request", lambda request: self.hosts.add(host(request.url)))

    def _note(self, where: str, words: str):
        """Keep a complaint, but for what is tolerated."""
        if not any(re.search(place, where) and re.search(known, words) for place, known in TOLERATED):
            self.complaints.append(f"{words} ({where})")

    def until(self, condition, complaint: str, seconds=SECONDS):
        """Wait until `condition()` is true; AssertionError if it never is."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"after {seconds} s: {complaint}"
            self.page.wait_for_timeout(200)

    # --- what one does

    def open(self, name: str):
        """Open the address that the lab prints, then a notebook, and wait for its kernel."""
        self.page.goto(re.search(r"http://127\.0\.0\.1:\S+token=\w+", self.lab.output())[0])
        self.page.locator(PANEL).wait_for()
        if not self.is_open(name):
            if not self.shows_files():
                self.page.locator(".lm-TabBar-tab[data-id=filebrowser]").click()
            self.page.locator(".jp-DirListing-item", has_text=name).dblclick()
        self.until(lambda: self.is_open(name), f"{name} is not open")
        self.cells = json.loads((self.lab.clone / "my" / name).read_text())["cells"]
        self.until(lambda: self._cells().count() == len(self.cells), f"{name} is not complete on the page")
        self.until(self._kernel_is_ready, f"{name} has no kernel")

    def menu(self, *path: str):
        """Choose from the menu bar."""
        for name in path:
            self.page.get_by_role("menuitem", name=re.compile(rf"^{name}")).click()

    def run_all(self):
        """Run → Run All Cells, and wait until no cell is running: all have run, or one has failed."""
        self.menu("Run", "Run All Cells")
        self.until(self._has_run, "Run All does not end")

    def select(self, cell: str):
        """Click into a cell, and look where the click went, because outputs above may push cells about."""
        focused = self.cell(cell).locator(".cm-editor.cm-focused")
        while not focused.count():
            self.cell(cell).locator(".cm-content").click()
            self.page.wait_for_timeout(200)

    def type_into(self, cell: str, source: str):
        """Replace what stands in a cell."""
        self.select(cell)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)

    def run(self, cell: str) -> str:
        """Run one cell; returns what it printed."""
        prompt = self.cell(cell).locator(".jp-InputPrompt")
        before = prompt.text_content()
        self.select(cell)
        self.page.keyboard.press("Control+Enter")
        self.until(lambda: prompt.text_content() != before and has_number(prompt.text_content()), f"{cell} goes on")
        return self.cell(cell).locator(".jp-OutputArea").first.text_content()

    def run_above(self, cell: str):
        """Run → Run All Above Selected Cell, and wait until no cell is running."""
        self.select(cell)
        self.menu("Run", "Run All Above Selected Cell")
        self.until(self._has_run, f"the cells above {cell} do not end")

    # --- what one sees

    def cell(self, name: str):
        """A cell, by its id."""
        return self._cells().nth([cell["id"] for cell in self.cells].index(name))

    def is_open(self, name: str) -> bool:
        """Is it the notebook in view?"""
        return self.page.locator(f'.lm-TabBar-tab.jp-mod-current:has-text("{name}")').count() > 0

    def shows_files(self) -> bool:
        """Is the file browser open?"""
        return self.page.locator(".jp-DirListing").first.is_visible()

    def cut_off(self) -> list[str]:
        """The beginnings of code and of outputs that are wider than the cell."""
        found = []
        for k in range(len(self.cells)):
            self._cells().nth(k).scroll_into_view_if_needed()
            found += self._cells().nth(k).locator(".cm-scroller, .jp-OutputArea-output").evaluate_all(CUT_OFF)
        return found

    def tagged(self, tag: str, within="") -> list[str]:
        """The ids of the cells with a tag, in order; only those whose source holds the words `within`."""
        return [cell["id"] for cell in self.cells
                if tag in cell["metadata"].get("tags", []) and within in "".join(cell["source"])]

    def in_the_way(self) -> list[str]:
        """Dialogs and notices that nobody asked for."""
        return self.page.locator(".jp-Dialog, .Toastify__toast").all_text_contents()

    def prompts(self) -> list[str]:
        """What stands before each code cell: [ ]: has not run, [*]: is running, [7]: has run."""
        return self.page.locator(f"{PANEL} .jp-CodeCell .jp-InputPrompt").all_text_contents()

    def errors(self) -> list[str]:
        """Tracebacks and all else that cells wrote to stderr, but for cells that are meant to fail."""
        kinds = ", ".join(f'[data-mime-type="application/vnd.jupyter.{kind}"]' for kind in ("error", "stderr"))
        meant = set(self.tagged("raises-exception"))
        return [f"{cell['id']}: {text[-500:]}"
                for k, cell in enumerate(self.cells) if cell["id"] not in meant
                for text in self._cells().nth(k).locator(kinds).all_text_contents()]

    def pictures(self, cell: str) -> list[float]:
        """How much there is to see of each picture of a cell: an image's width, a view's coloured share."""
        output = self.cell(cell).locator(".jp-OutputArea")
        return output.locator("img").evaluate_all(WIDTHS) + output.locator("canvas").evaluate_all(COLOURED)

    def view(self, cell: str) -> list[str]:
        """What the moving views of a cell show now."""
        return self.cell(cell).locator(".jp-OutputArea canvas").evaluate_all(DRAWN)

    def sliders(self, cell: str) -> list:
        """The handles of a cell's sliders."""
        return self.cell(cell).locator('.jp-OutputArea [role="slider"]').all()

    def pane(self, route: str) -> list[float]:
        """The coloured share of each view in a pane of dask's dashboard."""
        plot = self.page.frame_locator(FRAME.format(route)).frame_locator("iframe")
        return plot.locator("canvas").evaluate_all(COLOURED)

    def _has_run(self) -> bool:
        prompts = "".join(self.prompts())
        return "*" not in prompts and has_number(prompts)

    def _cells(self):
        return self.page.locator(f"{PANEL} .jp-Notebook .jp-Cell")

    def _kernel_is_ready(self) -> bool:
        toolbar = self.page.locator(f"{PANEL} .jp-NotebookPanel-toolbar")
        return "No Kernel" not in toolbar.text_content() and toolbar.locator('[data-status="idle"]').count() > 0


def has_number(prompt: str) -> bool:
    """Does a prompt say that its cell has run?"""
    return bool(re.search(r"\d", prompt))


def host(url: str) -> str:
    """The machine that an address names; "" for what is in the page itself."""
    return "" if url.startswith(("data:", "blob:", "about:")) else urlparse(url).hostname
