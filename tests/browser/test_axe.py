"""axe-core reads every kind of page. Nothing critical or serious is ours; what is others' is listed with its reason.

An entry of a list that hits nothing any more fails, too: it must leave the list.
"""

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from lab_page import has_number
from lab_server import CLONE, clone_into
from test_lab_in_a_browser import opened

from glmlab.classroom.export import export
from glmlab.classroom.panes import PANES

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]
PACKAGE = "axe_playwright_python"  # it brings axe-core along
INSTALL = f"the package {PACKAGE} is not installed; type: make setup"
WIDE, PHONE = 1440, 390  # CSS pixels
SECONDS = 30  # for a view to answer a key, beside a lot of other work


@dataclass(frozen=True)
class Known:
    """A fault of software that we use: axe's rule, a selector of the elements or of what holds them, the reason."""

    rule: str
    where: str
    why: str


IN_THE_LAB = [
    Known("aria-allowed-attr", "jp-button", "JupyterLab's toolbars: aria-pressed on buttons that are no switches"),
    Known("aria-input-field-name", ".cm-content", "JupyterLab names no code editor"),
    Known("aria-required-children", ".jp-WindowedPanel-viewport", "JupyterLab's cells are a feed of no articles"),
    Known("button-name", ".jp-collapseHeadingButton", "JupyterLab's button that folds a section has no words"),
]

# What axe finds below a node, without the pages in its frames: faults of nobody's list, and how often each entry hits.
FAULTS = """async ([root, known]) => {
  const options = {resultTypes: ["violations"], elementRef: true, iframes: false};
  const {violations} = await axe.run(root ?? document, options);
  const ours = [], hits = known.map(() => 0);
  for (const {id, impact, nodes} of violations) {
    if (!["critical", "serious"].includes(impact)) continue;
    for (const {element, html, failureSummary} of nodes) {
      const k = known.findIndex(([rule, where]) => rule === id && element.closest(where));
      if (k < 0) ours.push(`${id}: ${html.slice(0, 200)} ${failureSummary}`); else hits[k] += 1;
    }
  }
  return {ours, hits};
}"""
# The element that has the focus, through shadow roots.
FOCUS = """() => {
  let here = document.activeElement;
  while (here.shadowRoot?.activeElement) here = here.shadowRoot.activeElement;
  return here;
}"""
SHOWN = "handle => handle.getRootNode().querySelector('.bk-slider-value').textContent"


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core. Where it is not installed the test is skipped; in continuous integration it fails."""
    found = find_spec(PACKAGE)
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(INSTALL)
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def page(chromium):
    """A page that notes what it fetches, in `page.fetched`."""
    with chromium.new_context() as context:
        page = context.new_page()
        page.fetched = []
        page.on("request", lambda request: page.fetched.append(request.url))
        yield page


def faults(frame, axe, known=(), root=None) -> tuple[list[str], list[int]]:
    """What is critical or serious in a page or frame, or below one element of it: ours, and the hits of each entry."""
    frame.evaluate(axe)
    found = frame.evaluate(FAULTS, [root, [[entry.rule, entry.where] for entry in known]])
    return found["ours"], found["hits"]


def all_open(page, file: Path):
    """Open a file, draw its views and unfold what is folded, so that axe reads all of it."""
    page.goto(file.as_uri())
    views = page.locator("figure [id^=view-]")
    for k in range(views.count()):
        views.nth(k).locator("canvas").first.wait_for(state="attached")
    page.evaluate("document.querySelectorAll('article details, main details').forEach((fold) => fold.open = true)")


# --- the book


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_the_pages_of_the_book(axe, site, page, width):
    page.set_viewport_size({"width": width, "height": 900})
    notebooks = "notebooks/00_start_here notebooks/03_gradient_descent notebooks/07_families_and_penalties"
    for name in f"index benchmarks teaching glossary families search api/index api/fitting {notebooks}".split():
        all_open(page, site / f"{name}.html")
        assert faults(page, axe)[0] == [], name


def test_the_front_page_is_short_on_a_phone(site, page):
    page.set_viewport_size({"width": PHONE, "height": 900})
    page.goto((site / "index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollHeight") < 5000


def test_tab_reaches_a_slider_and_arrows_move_it(site, page):
    page.goto((site / "notebooks" / "03_gradient_descent.html").as_uri())
    page.locator(".noUi-handle").first.wait_for(state="attached")
    for _ in range(400):
        page.keyboard.press("Tab")
        focus = page.evaluate_handle(FOCUS).as_element()
        if focus.get_attribute("role") == "slider":
            break
    slider_moves(page, focus)


def slider_moves(page, handle):
    """A slider has a name, it says the value that it shows, and an arrow key changes both."""
    assert handle.get_attribute("aria-label")
    assert handle.get_attribute("aria-valuetext") == (before := handle.evaluate(SHOWN))
    at_the_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    page.keyboard.press("ArrowLeft" if at_the_end else "ArrowRight")
    page.wait_for_function(
        f"([handle, old]) => ({SHOWN})(handle) !== old", arg=[handle, before], timeout=1000 * SECONDS
    )
    assert handle.get_attribute("aria-valuetext") == handle.evaluate(SHOWN)


# --- an exported notebook


def test_an_exported_notebook(axe, page, tmp_path):
    (tmp_path / "my").mkdir()
    shutil.copy(CLONE / "notebooks" / "03_gradient_descent.ipynb", tmp_path / "my")
    file = export("03", my=tmp_path / "my", rerun=True)
    for width in (WIDE, PHONE):
        page.set_viewport_size({"width": width, "height": 900})
        all_open(page, file)
        assert faults(page, axe)[0] == []
    assert {url for url in page.fetched if not url.startswith("data:")} == {file.as_uri()}
    images = page.locator("figure img").evaluate_all("all => all.map((image) => image.naturalWidth)")
    formulas = page.locator("math").evaluate_all("all => all.map((formula) => formula.getBoundingClientRect().width)")
    assert len(images) >= 3 and all(images) and len(formulas) > 100 and all(formulas)
    page.locator(".noUi-handle").first.focus()
    slider_moves(page, page.locator(".noUi-handle").first.element_handle())


# --- the lab


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    """The lab with the whole course."""
    clone = clone_into(tmp_path_factory.mktemp("clone"))
    shutil.copytree(CLONE / "notebooks", clone / "notebooks", dirs_exist_ok=True)
    with opened(chromium, clone) as lab:
        yield lab


@pytest.mark.parametrize("name", ["00_start_here.ipynb", "03_gradient_descent.ipynb"])
def test_a_notebook_in_the_lab(axe, lab, name):
    lab.open(name)
    hits = [0] * len(IN_THE_LAB)
    lab.run_all()
    assert all(map(has_number, lab.prompts()))
    for cell in [None, *lab.tagged("figure"), *lab.tagged("check")]:
        if cell:
            lab.cell(cell).scroll_into_view_if_needed()
        root = lab.cell(cell).element_handle() if cell else None
        ours, found = faults(lab.page.main_frame, axe, IN_THE_LAB, root)
        assert ours == [], cell
        hits = [old + new for old, new in zip(hits, found, strict=True)]
    assert [entry for entry, count in zip(IN_THE_LAB, hits, strict=True) if not count] == []


def test_the_frames_of_the_panes(axe, lab):
    lab.open("00_start_here.ipynb")
    frames = [frame for frame in lab.page.frames if "/glmlab/panes/" in frame.url]
    assert sorted(frame.frame_element().get_attribute("title") for frame in frames) == sorted(
        f"Dask: {name}" for name in PANES.values()
    )
    for frame in frames:
        assert faults(frame, axe)[0] == [], frame.url


# --- the looks themselves

FAULTY = """<!doctype html><html lang="en"><title>Faults</title><main><h1>Faults</h1><img src="data:,"><iframe></iframe>
<p style="color: #999">pale</p><div role="slider" tabindex="0" aria-valuenow="1"></div><button></button></main>"""


def test_faults_are_seen_and_so_is_an_entry_without_one(axe, page):
    page.set_content(FAULTY)
    known = [Known("button-name", "main", "a button"), Known("button-name", "form", "no such button")]
    ours, hits = faults(page, axe, known)
    assert sorted(fault.split(":")[0] for fault in ours) == [
        "aria-input-field-name",
        "color-contrast",
        "frame-title",
        "image-alt",
    ]
    assert hits == [1, 0]
