"""The switch between penalties in a page of its own, as it stands in executed HTML: keys alone work it, no kernel."""

import numpy as np
import pytest

from glmlab import viz
from glmlab.viz import interactive

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
DRAWN = "(canvases) => canvases.map((canvas) => canvas.toDataURL()).join()"


def test_the_switch_answers_to_the_keyboard(chromium, tmp_path, monkeypatch):
    monkeypatch.setattr(interactive, "_loaded", False)  # this page needs BokehJS itself
    lams, plain = np.geomspace(1, 1_000, 9), np.array([2.0, -1.0, 0.5])
    lasso = np.sign(plain) * np.maximum(np.abs(plain) - lams[:, None] / 400, 0)
    paths = {"L1": (lams, lasso), "ridge": (lams, plain / (1 + lams[:, None] / 30))}
    file = tmp_path / "switch.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{viz.penalty_paths(paths, plain)._repr_html_()}")
    with chromium.new_context() as context:
        page, trouble, said = context.new_page(), [], []
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or trouble.append(request.url))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.goto(file.as_uri())
        page.locator("input[type=radio]").first.focus()
        page.locator("canvas").first.wait_for(state="attached")
        for chosen in ("L1", "ridge", "no penalty"):
            assert page.get_by_label(chosen, exact=True).is_checked()
            said.append((page.locator("[role=status]").text_content(), page.locator("canvas").evaluate_all(DRAWN)))
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(500)
        assert trouble == []
    words, drawings = zip(*said, strict=True)
    assert [text.split(":")[0].split(" a ")[0] for text in words] == ["L1", "ridge", "Without"]
    assert len(set(drawings)) == 3
