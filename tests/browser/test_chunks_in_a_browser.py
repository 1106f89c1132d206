"""The slider of chunks and the task stream in pages of their own, as they stand in executed HTML, with no kernel."""

import pytest

from glmlab import viz
from glmlab.viz import interactive

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
DRAWN = "(canvases) => canvases.map((canvas) => canvas.toDataURL()).join()"
PREDICTED = {k: (0.001, 0.001 * k, 0.064 / k) for k in (1, 2, 4, 8, 16, 64)}


def opened(context, picture, file, monkeypatch, trouble):
    monkeypatch.setattr(interactive, "_loaded", False)  # this page needs BokehJS itself
    file.write_text(f"<!doctype html><meta charset=utf-8>{picture._repr_html_()}")
    page = context.new_page()
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or trouble.append(request.url))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(file.as_uri())
    page.locator("canvas").first.wait_for(state="attached")
    page.wait_for_timeout(1000)
    return page


def test_the_slider_answers_to_the_keyboard(chromium, tmp_path, monkeypatch):
    picture, trouble, said = viz.chunk_curve(1000, PREDICTED, {8: 0.02}), [], []
    with chromium.new_context() as context:
        page = opened(context, picture, tmp_path / "chunks.html", monkeypatch, trouble)
        handle = page.locator("[role=slider]").first
        handle.focus()
        for value in ("8", "16"):
            assert [handle.get_attribute(name) for name in ("aria-label", "aria-valuetext")] == ["Chunks", value]
            said.append((page.locator("[role=status]").text_content(), page.locator("canvas").evaluate_all(DRAWN)))
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(500)
        page.screenshot(path=tmp_path / "chunks.png", full_page=True)
    assert trouble == []
    (first, one), (second, two) = said
    assert first.startswith("8 chunks of about 125 rows: predicted 17 ms = 1 ms for the round + 8 ms for tasks + 8 ms")
    assert "measured 20 ms" in first and second.startswith("16 chunks") and "measured" not in second
    assert one != two


def test_a_task_stream_is_drawn_and_grows_when_asked(chromium, tmp_path, monkeypatch):
    steps = ({"action": "compute", "start": 1.0, "stop": 1.2},)
    records = [{"key": f"kernel-{k}", "worker": f"tcp://{k}", "thread": 7, "startstops": steps} for k in range(2)]
    picture, trouble = viz.task_stream({"a": records, "b": records}), []
    with chromium.new_context() as context:
        page = opened(context, picture, tmp_path / "stream.html", monkeypatch, trouble)
        before = page.locator("canvas").evaluate_all(DRAWN)
        page.get_by_title("Zoom In (x-axis)").first.click()
        page.wait_for_timeout(500)
        assert page.locator("canvas").evaluate_all(DRAWN) != before
        page.screenshot(path=tmp_path / "stream.png", full_page=True)
    assert trouble == []
