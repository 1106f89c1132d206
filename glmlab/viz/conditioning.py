"""The digits that are left at a condition number κ(X), and at κ(X)²."""

from os.path import commonprefix

import numpy as np

from glmlab.words import list_text

from .interactive import bokeh_figure, place_slider
from .picture import Picture
from .style import BOKEH_DASHES, BOKEH_MARKERS, COLOURS, new_figure, nth

EPS = np.finfo(float).eps
MOST = 16  # digits that float64 can show
TITLE = "An error like κ(X)² loses twice as many digits as one like κ(X)"
YLABEL = "correct digits of β (0: none)"
# relative error of an answer from rounding: of a method that works on X, and of one that works on XᵀX
BOUNDS = {"ε κ(X)": lambda kappa: kappa * EPS, "ε κ(X)²": lambda kappa: kappa**2 * EPS}


def digits_left(kappas, answers, truth, *, start=1e6):
    """Correct digits of computed coefficients against κ(X), with a slider that works without a kernel.

    kappas   (m,) condition numbers, increasing
    answers  {method: (m, p)}, the coefficients that each method computed at each κ
    truth    (p,) the exact coefficients, the same at every κ
    start    the κ at which the slider starts; the finding is about this κ

    Digits are −log10 of the relative error ‖b − β‖ / ‖β‖, at least 0 and at most 16.
    """
    kappas, truth = _increasing(kappas), np.asarray(truth, dtype=float)
    answers = {name: _of_shape(name, b, (len(kappas), len(truth))) for name, b in answers.items()}
    digits = {name: _digits(b, truth) for name, b in answers.items()}
    at = int(np.argmin(np.abs(np.log(kappas / start))))
    finding = _finding(kappas, digits, at)
    alt = f"Correct digits against the condition number on a logarithmic axis, one falling curve each. {finding}"
    return Picture(_static(kappas, digits), alt, finding, _moving(kappas, answers, truth, digits, at))


def _increasing(kappas):
    kappas = np.asarray(kappas, dtype=float)
    if kappas.ndim != 1 or len(kappas) < 2 or not (kappas[0] >= 1 and np.all(np.diff(kappas) > 0)):
        raise ValueError("kappas must be two or more condition numbers, at least 1 and increasing")
    return kappas


def _of_shape(name, answer, shape):
    answer = np.asarray(answer, dtype=float)
    if answer.shape != shape:
        raise ValueError(f"the answers of {name} have shape {answer.shape}; {shape} is needed, one row for each κ")
    return answer


def _digits(answers, truth):
    """(m,) digits; an answer that is not finite has none."""
    error = np.linalg.norm(answers - truth, axis=1) / np.linalg.norm(truth)
    return np.nan_to_num(np.clip(-np.log10(np.maximum(error, 10.0**-MOST)), 0, MOST))


def _power(kappa):
    """1e6 for a million, 1 for one."""
    return f"{kappa:.0e}".replace("e+0", "e").replace("e+", "e").removesuffix("e0")


def _finding(kappas, digits, at):
    left = [f"{d[at]:.1f} digits with {name}" for name, d in digits.items()]
    gone = {name: _power(kappas[np.argmax(d < 0.5)]) for name, d in digits.items() if d.min() < 0.5}
    lost = [f"with {name} from {kappa} on" for name, kappa in gone.items()]
    none = f" No digit is left {list_text(lost)}." if lost else ""
    return f"At κ(X) = {_power(kappas[at])} rounding leaves {list_text(left)}.{none}"


def _static(kappas, digits):
    fig, ax = new_figure()
    for k, (name, error) in enumerate(BOUNDS.items()):
        look = {"color": "#777777", "lw": 1.2, "marker": "", "ls": ("-", ":")[k]}
        ax.plot(kappas, -np.log10(error(kappas)), label=f"estimate {name}", **look)
    for k, (name, d) in enumerate(digits.items()):
        ax.plot(kappas, d, label=name, color=nth(COLOURS, k))
    ax.set(xscale="log", ylim=(-0.5, MOST + 0.5), xlabel="condition number κ(X)", ylabel=YLABEL)
    ax.set_title(TITLE)
    fig.legend(loc="outside lower center", ncols=3)
    return fig


# Runs when the slider moves. texts, kappas and digits are arguments, with one entry for each place of the slider.
MOVE = """
const k = slider.value;
line.location = kappas[k];
dots.data = {x: digits.map(() => kappas[k]), y: digits.map((d) => d[k]), color: dots.data.color};
words.text = texts[k];
"""


def _moving(kappas, answers, truth, digits, at):
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CustomJS, Div, Span

    fig = _curves(kappas, digits)
    line = Span(location=kappas[at], dimension="height", line_dash="dashed", line_color="black")
    fig.add_layout(line)
    colours = [nth(COLOURS, k) for k in range(len(digits))]
    here = {"x": [kappas[at]] * len(digits), "y": [d[at] for d in digits.values()], "color": colours}
    dots = ColumnDataSource(here)
    fig.scatter("x", "y", source=dots, size=14, fill_color="color", line_color="black", line_width=2)
    texts = _texts(kappas, answers, truth, digits, at)
    words = Div(text=texts[at], sizing_mode="stretch_width")
    slider = place_slider([_power(kappa) for kappa in kappas], at, "Condition number κ(X)")
    data = {"kappas": kappas.tolist(), "digits": [d.tolist() for d in digits.values()], "texts": texts}
    move = CustomJS(args={**data, "line": line, "dots": dots, "words": words, "slider": slider}, code=MOVE)
    slider.js_on_change("value", move)
    return column(slider, words, fig, sizing_mode="stretch_width", max_width=780)


def _curves(kappas, digits):
    labels = {"x_axis_label": "condition number κ(X)", "y_axis_label": YLABEL}
    fig = bokeh_figure(x_axis_type="log", y_range=(-0.5, MOST + 0.5), tools="", title=TITLE, **labels)
    fig.height = 320
    for k, (name, d) in enumerate(digits.items()):
        look = {"color": nth(COLOURS, k), "legend_label": name}
        fig.line(kappas, d, line_dash=nth(BOKEH_DASHES, k), line_width=2, **look)
        fig.scatter(kappas, d, marker=nth(BOKEH_MARKERS, k), size=6, **look)
    fig.add_layout(fig.legend[0], "below")
    fig.legend.location, fig.legend.orientation, fig.legend.spacing = "left", "horizontal", 20
    fig.legend.label_text_font_size = "11pt"
    return fig


def _texts(kappas, answers, truth, digits, at):
    """For each κ a text with the correct digits of one coefficient: the one with the largest error at the start."""
    first = next(iter(answers.values()))
    j = int(np.argmax(np.nan_to_num(np.abs(first[at] - truth))))
    exact = _decimal(truth[j])
    texts = []
    for k, kappa in enumerate(kappas):
        rows = [_row(f"β<sub>{j}</sub>", exact, exact, "as it was made")]
        rows += [
            _row(name, _decimal(b[k, j]), exact, f"{digits[name][k]:.1f} digits of β") for name, b in answers.items()
        ]
        head = f"κ(X) = {_power(kappa)}, κ(XᵀX) = {_power(kappa**2)}. Correct digits are bold and underlined."
        table = f"<table style='border-spacing:10px 2px'>{''.join(rows)}</table>"
        texts.append(f"<div role='status' style='font-size:12pt'>{head}{table}</div>")
    return texts


def _decimal(value):
    return f"{value:.15f}" if abs(value) < 1e5 else f"{value:.9e}"


def _row(name, number, exact, remark):
    right = commonprefix([number, exact])
    right = right if any(digit in right for digit in "123456789") else ""  # "0." alone is not a correct digit
    wrong = number.removeprefix(right)
    marked = f"<b style='border-bottom:2px solid'>{right}</b><span style='opacity:0.75'>{wrong}</span>"
    cell = f"<td><code style='font-size:inherit'>{marked}</code></td>"
    return f"<tr><th scope='row' style='text-align:left'>{name}</th>{cell}<td>{remark}</td></tr>"
