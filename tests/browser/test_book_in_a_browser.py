"""The book as a reader opens it: from the disk, wide and on a phone. Nothing is fetched or cut off; sliders move."""

from pathlib import Path

import pytest

from tools import book

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
SHOTS = book.ROOT / "build" / "browser"  # kept, to be looked at
WIDE, PHONE = 1440, 390  # CSS pixels
AT_HOME = ("file:", "data:", "blob:")

# What sticks out of the page to the right, but for what lies in a box that scrolls by itself.
STICKS_OUT = """() => {
  const width = document.documentElement.clientWidth;
  const boxed = (e) => e && e.tagName != "ARTICLE"
    && (["auto", "scroll"].includes(getComputedStyle(e).overflowX) || boxed(e.parentElement));
  const found = [...document.querySelectorAll("article *")].filter((e) => {
    const { width: own, right } = e.getBoundingClientRect();
    return own > 0 && right > width + 1 && !boxed(e.parentElement);
  }).map((e) => e.outerHTML.slice(0, 120));
  const page = document.documentElement.scrollWidth;
  return page > width ? [`the page is ${page} wide, the window ${width}`, ...found] : found;
}"""
# Figures that a reader would see only in part: each must be as narrow as the box it stands in.
CUT_OFF = """() => [...document.querySelectorAll("article figure img, article figure .bk-Figure")]
  .filter((e) => e.getBoundingClientRect().width > e.closest("figure").getBoundingClientRect().width + 1)
  .map((e) => e.alt || e.className)"""
# All that a view of Bokeh shows: its words and its pixels, through its shadow roots.
SHOWN = """(view) => {
  const inside = (node) => [node, ...(node.shadowRoot ? inside(node.shadowRoot) : []),
                            ...[...(node.children ?? [])].flatMap(inside)];
  return inside(view).filter((e) => e.tagName == "CANVAS" || e.getAttribute?.("role") == "status")
    .map((e) => e.tagName == "CANVAS" ? e.toDataURL() : e.textContent).join();
}"""

VALUE = "handle => handle.getRootNode().querySelector('.bk-slider-value').textContent"  # that a slider shows


@pytest.fixture
def page(chromium):
    """A page that fails its test where something is fetched from elsewhere or an error is reported."""
    with chromium.new_context() as context:
        page, trouble = context.new_page(), []
        page.on("request", lambda request: request.url.startswith(AT_HOME) or trouble.append(request.url))
        page.on("requestfailed", lambda request: trouble.append(f"{request.url}: {request.failure}"))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("console", lambda message: message.type == "error" and trouble.append(message.text))
        yield page
        assert trouble == []


def pages_of(site: Path) -> list[Path]:
    """Everything that a reader can open; themes keep templates among the static files."""
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]


def views(page):
    """The views of Bokeh on this page, drawn."""
    found = page.locator("figure [id^=view-]")
    for k in range(found.count()):
        found.nth(k).locator("canvas").first.wait_for(state="attached")
    return [found.nth(k) for k in range(found.count())]


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_every_page_fits_the_window_and_fetches_nothing(site, page, width):
    page.set_viewport_size({"width": width, "height": 900})
    SHOTS.mkdir(parents=True, exist_ok=True)
    for path in pages_of(site):
        page.goto(path.as_uri())
        views(page)
        assert page.evaluate(STICKS_OUT) == [], path.name
        assert page.evaluate(CUT_OFF) == [], path.name
        if path.parent.name == "notebooks":
            page.screenshot(path=SHOTS / f"book-{path.stem}-{width}.png", full_page=True)


def test_every_slider_answers_to_the_keyboard_at_every_step(site, page):
    steps = 0
    for path in sorted((site / "notebooks").glob("*.html")):
        page.goto(path.as_uri())
        for view in views(page):
            for handle in view.locator(".noUi-handle").all():
                steps += walk(page, view, handle)
    assert steps


def walk(page, view, handle) -> int:
    """Press a slider's key from its first value to its last; the view must change with each. Returns the steps."""
    handle.focus()
    handle.press("Home")
    page.wait_for_function("e => e.getAttribute('aria-valuenow') == e.getAttribute('aria-valuemin')",
                           arg=handle.element_handle())
    steps, last = 0, handle.get_attribute("aria-valuemax")
    while (value := handle.get_attribute("aria-valuenow")) != last:
        before = view.evaluate(SHOWN)
        handle.press("ArrowRight")
        page.wait_for_function("([e, old]) => e.getAttribute('aria-valuenow') != old",
                               arg=[handle.element_handle(), value])
        page.wait_for_function(f"([e, old]) => ({SHOWN})(e) != old", arg=[view.element_handle(), before])
        assert handle.get_attribute("aria-valuetext") == handle.evaluate(VALUE), "what is said is what is shown"
        steps += 1
    return steps


def test_a_solution_opens_at_a_click(site, page):
    page.goto((site / "notebooks" / "00_start_here.html").as_uri())
    summary, source = page.get_by_text("Solution", exact=True), page.get_by_text("def total").last
    assert source.is_hidden()
    summary.click()
    assert source.is_visible()


def test_the_search_finds_a_word(site, page):
    page.goto((site / "search.html").as_uri() + "?q=certificate")
    page.locator("#search-results ul.search li a").first.wait_for()
