"""The lab as a reader meets it: Debian's Chromium opens what `make lab` serves, runs notebooks, and looks.

`make browser` runs this and keeps screenshots in build/browser. At the end the same looks are taken at a notebook that
has defects: a cell that fails, one that warns, figures that are missing or empty, a slider without effect, a pane that
is blocked and one that is blank, scripts that complain, a foreign host. Each must be seen.
"""

import shutil
from contextlib import contextmanager
from dataclasses import dataclass

import nbformat
import pytest
from lab_page import PANEL, SECONDS, LabPage, has_number
from lab_server import CLONE, Lab, clone_into
from nbformat.v4 import new_code_cell, new_notebook

from glmlab.classroom.panes import PANES
from tools.notebooks import with_ids

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]
SHOTS = CLONE / "build" / "browser"


@dataclass(frozen=True)
class Notebook:
    """A notebook of the course, one of its exercises, a wrong answer and what is said of it, a right one."""

    name: str
    exercise: str
    wrong: str
    verdict: str
    right: str


START = Notebook(
    "00_start_here.ipynb", "total",
    "def total(chunks):\n    return sum(chunk.sum() for chunk in chunks)",
    "yours fails: right for one chunk: for one chunk of 5 rows it gave",
    "def total(chunks):\n    return sum(np.vdot(chunk, chunk) for chunk in chunks)",
)
LATER = Notebook(
    "03_gradient_descent.ipynb", "safe_step",
    "def safe_step(H):\n    return 1 / np.linalg.eigvalsh(H)[-1] - 1e-8",
    "yours fails: as safe for a hundred million rows",
    "def safe_step(H):\n    return 1 / np.linalg.norm(H, 2)",
)


@contextmanager
def opened(chromium, clone):
    """The lab of a clone, at scale ci, and a page of the browser on it. Its last look is kept, whatever happened."""
    lab = Lab(clone, GLMLAB_SCALE="ci")
    context = chromium.new_context(viewport={"width": 1600, "height": 1000})
    page = LabPage(context.new_page(), lab)
    try:
        yield page
    finally:
        shoot(page, f"{clone.name}-last")
        context.close()
        lab.stop()


@pytest.fixture
def course(chromium, tmp_path):
    """The lab with the whole course. At the end the console is clean and nothing has left the machine."""
    shutil.copytree(CLONE / "notebooks", clone_into(tmp_path) / "notebooks", dirs_exist_ok=True)
    with opened(chromium, tmp_path) as lab:
        yield lab
        nothing_complained(lab)
        nothing_left(lab)


def shoot(lab, name: str):
    """Keep a screenshot."""
    lab.page.screenshot(path=SHOTS / f"{name}.png")


# --- what must hold of a notebook that has run

def no_cell_failed(lab):
    assert lab.errors() == []
    assert all(map(has_number, lab.prompts())), lab.prompts()


def figure_is_seen(lab, cell: str, seconds=SECONDS):
    """The cell shows a picture, and no picture of it is empty."""
    lab.cell(cell).scroll_into_view_if_needed()
    lab.until(lambda: lab.pictures(cell) and all(lab.pictures(cell)), f"{cell} does not show its figure", seconds)


def sliders_move(lab, cell: str, seconds=SECONDS) -> int:
    """An arrow key moves each slider of a cell, and the view with it; returns how many there are."""
    for slider in lab.sliders(cell):
        before = lab.view(cell)
        at_the_end = slider.get_attribute("aria-valuenow") == slider.get_attribute("aria-valuemax")
        assert slider.get_attribute("tabindex") == "0", "the Tab key reaches it"
        slider.focus()
        lab.page.keyboard.press("ArrowLeft" if at_the_end else "ArrowRight")
        lab.until(lambda before=before: lab.view(cell) != before, f"the view of {cell} does not respond", seconds)
    return len(lab.sliders(cell))


def pane_opens(lab, route: str, seconds=SECONDS):
    """A pane of dask's dashboard shows a plot."""
    lab.until(lambda: lab.pane(route), f"the pane {route} is not open", seconds)


def pane_draws(lab, route: str, seconds=SECONDS):
    """There is colour in the plot: work was done."""
    lab.until(lambda: max(lab.pane(route), default=0) > 0.002, f"the pane {route} is blank", seconds)


def nothing_complained(lab):
    assert lab.complaints == []


def nothing_left(lab):
    assert lab.hosts <= {"", "127.0.0.1"}


# --- the course

def runs(lab, notebook: Notebook):
    """Run All as shipped: no cell fails, every figure is seen."""
    lab.open(notebook.name)
    assert lab.in_the_way() == []
    lab.run_all()
    no_cell_failed(lab)
    figures = lab.tagged("figure")
    assert figures
    for cell in figures:
        figure_is_seen(lab, cell)
        shoot(lab, f"{notebook.name[:2]}-{cell}")


def answers_are_judged(lab, notebook: Notebook):
    """A wrong answer is told why, a right one accepted."""
    [written] = lab.tagged("exercise", f"def {notebook.exercise}(")
    check = lab.tagged("check", notebook.exercise)[0]
    for kind, source, said in (("wrong", notebook.wrong, notebook.verdict), ("right", notebook.right, "right, all")):
        lab.type_into(written, source)
        lab.run(written)
        assert said in lab.run(check)
        shoot(lab, f"{notebook.name[:2]}-{kind}")


def test_00_runs_shows_its_work_judges_answers_and_is_reset(course):
    runs(course, START)
    answers_are_judged(course, START)
    panes_draw(course)
    is_reset(course, START)


def panes_draw(lab):
    """00 again: a client opens the panes, eight naps are drawn in them, and closing the client leaves words."""
    lab.run("c00-010")
    for route in PANES:
        pane_opens(lab, route)
    lab.run("c00-015")
    for route in PANES:
        pane_draws(lab, route)
    shoot(lab, "00-panes")
    lab.run("c00-041")
    lab.until(lambda: not any(map(lab.pane, PANES)), "the panes of a closed client stay open")


def is_reset(lab, notebook: Notebook):
    """The words of 00: save, reset, reload. The fresh copy is on the page and on disk, ours is beside it."""
    copy = lab.lab.clone / "my" / notebook.name
    [written] = lab.tagged("exercise", f"def {notebook.exercise}(")
    lab.page.keyboard.press("Control+s")
    lab.until(lambda: "np.vdot(chunk" in copy.read_text(), "the notebook is not saved")
    lab.type_into("c00-029", 'reset("00")')
    said = lab.run("c00-029")
    assert "kept beside it as 00_start_here.old-1.ipynb" in said and "File → Reload Notebook from Disk" in said
    lab.cell("c00-029").get_by_role("button", name="Show the fresh copy here").click()
    lab.page.get_by_role("button", name="Reload", exact=True).click()
    lab.until(lambda: "NotImplementedError" in lab.cell(written).text_content(), "the fresh copy is not on the page")
    shoot(lab, "00-reset")
    assert copy.read_bytes() == (CLONE / "notebooks" / notebook.name).read_bytes()
    assert "np.vdot(chunk" in copy.with_name("00_start_here.old-1.ipynb").read_text()


def test_a_later_notebook_runs_its_sliders_move_and_answers_are_judged(course):
    runs(course, LATER)
    moved = {cell: sliders_move(course, cell) for cell in course.tagged("figure") if course.sliders(cell)}
    assert moved
    for cell in moved:
        course.cell(cell).scroll_into_view_if_needed()
        shoot(course, f"{LATER.name[:2]}-{cell}-moved")
    answers_are_judged(course, LATER)


def test_a_figure_and_the_panes_share_a_small_window(course):
    """06 as far as its slider, in the window of the README's picture: docs/lab.png is a copy of this screenshot."""
    course.page.set_viewport_size({"width": 1280, "height": 720})
    course.open("06_certificates.ipynb")
    course.run_above("core-bounds")
    course.run("core-bounds")
    figure_is_seen(course, "core-bounds")
    for route in PANES:
        pane_opens(course, route)
    pane_draws(course, "individual-task-stream")
    course.cell("core-bounds").locator(".cm-scroller").evaluate("code => code.scrollLeft = 0")
    course.cell("core-bounds").locator("img").first.evaluate("figure => figure.scrollIntoView({block: 'end'})")
    shoot(course, "lab")


def test_nothing_is_hidden_at_the_right_of_a_small_window(course):
    """The file browser is closed; code, and the ledger with its certified gaps, are as narrow as their cells."""
    course.page.set_viewport_size({"width": 1280, "height": 720})
    course.open(START.name)
    assert not course.shows_files()
    course.run_all()
    no_cell_failed(course)
    assert course.cut_off() == []
    assert "certified gap" in course.page.locator("table.glmlab").last.text_content()
    shoot(course, "00-small")


def test_the_line_below_a_notebook_leads_to_the_next_and_back(course):
    course.open(START.name)
    for text, name in (("01 data creation", "01_data_creation.ipynb"), ("00 start here", START.name)):
        link = course.page.locator(PANEL).get_by_role("link", name=text).last
        link.scroll_into_view_if_needed()
        link.click()
        course.until(lambda name=name: course.is_open(name), f"{name} is not open")
        shoot(course, f"{name[:2]}-from-a-link")


def test_no_code_is_hidden_at_the_right_of_a_small_window(course):
    course.page.set_viewport_size({"width": 1280, "height": 720})
    for path in sorted((CLONE / "notebooks").glob("*.ipynb"), key=longest_line)[-3:]:
        course.open(path.name)
        assert course.cut_off() == [], path.name


def longest_line(path):
    """The length of the longest line of code in a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    return max(len(line) for cell in cells if cell.cell_type == "code" for line in cell.source.splitlines())


# --- the looks themselves

DEFECTS = {
    "client": ("", "from glmlab.machine import cluster\nclient = cluster.client()"),
    "work": ("", "import time\nclient.gather(client.map(time.sleep, [0.2] * 8));"),
    "absent": ("figure", "print('no figure')"),
    "empty": ("figure", "from IPython.display import HTML\nHTML('<img src=\"data:image/png;base64,\">')"),
    "still": ("figure", "HTML('<canvas></canvas><p role=\"slider\" tabindex=\"0\">a slider</p>')"),
    "warns": ("", "import sys\nprint('a warning', file=sys.stderr)"),
    "broken": ("", "1 / 0"),
    "last": ("", "client.close()"),
}


def write_defects(folder):
    """A notebook that has all the defects."""
    cells = [new_code_cell(source, metadata={"id": name, "tags": tags.split()})
             for name, (tags, source) in DEFECTS.items()]
    nbformat.write(with_ids(new_notebook(cells=cells)), folder / START.name)


def spoil_panes(page):
    """One of dask's plots cannot be had, another stays empty."""
    page.route("**/proxy/*/individual-progress", lambda route: route.abort())
    empty = {"body": "<!doctype html><canvas></canvas>", "content_type": "text/html"}
    page.route("**/proxy/*/individual-workers-memory", lambda route: route.fulfill(**empty))


def misbehave(page):
    """A script complains, another fails, a third asks a foreign host (which the browser does not let it reach)."""
    page.route("http://192.0.2.1/", lambda route: route.abort())
    page.evaluate("""() => {
      console.error("complains");
      setTimeout(() => { throw new Error("fails"); });
      fetch("http://192.0.2.1/").catch(() => null);
    }""")


@pytest.fixture
def defective(chromium, tmp_path):
    """The lab with that notebook only."""
    write_defects(clone_into(tmp_path) / "notebooks")
    with opened(chromium, tmp_path) as lab:
        yield lab


def test_every_defect_is_seen(defective):
    lab = defective
    spoil_panes(lab.page)
    lab.open(START.name)
    lab.run_all()
    shoot(lab, "defects")
    assert [error.split(":")[0] for error in lab.errors()] == ["warns", "broken"]
    assert "[ ]" in lab.prompts()[-1]
    pane_draws(lab, "individual-task-stream")
    pane_opens(lab, "individual-workers-memory")
    for look, what, complaint in (
        (figure_is_seen, "absent", "absent does not show its figure"),
        (figure_is_seen, "empty", "empty does not show its figure"),
        (figure_is_seen, "still", "still does not show its figure"),
        (sliders_move, "still", "the view of still does not respond"),
        (pane_opens, "individual-progress", "the pane individual-progress is not open"),
        (pane_draws, "individual-workers-memory", "the pane individual-workers-memory is blank"),
    ):
        with pytest.raises(AssertionError, match=complaint):
            look(lab, what, seconds=1)
    misbehave(lab.page)
    for word in ("complains", "fails", "192.0.2.1"):
        lab.until(lambda word=word: word in str(lab.complaints), f"no complaint holds {word!r}")
    with pytest.raises(AssertionError):
        nothing_complained(lab)
    with pytest.raises(AssertionError):
        nothing_left(lab)
