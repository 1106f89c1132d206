"""What objects show of themselves: the certified gap comes early, words stay whole, HTML brings no colours along."""

import doctest
import math
import re
from html.parser import HTMLParser

import dask.array as da
import numpy as np
import pytest
from naive import PseudoHuber, random_problem

import glmlab
from glmlab import L1, Certificate, Objective, Zero, as_chunks, certify, cross_validate_path, fit, infer, words
from glmlab.cards import WIDTH
from glmlab.machine.costmodel import CostModel
from glmlab.machine.memory import MemoryPlan
from glmlab.solvers.result import Row, Trace
from glmlab.teaching import Ledger, machine

SMOOTH = random_problem("logistic", Zero(), seed=3, n=120, intercept=True)
SPARSE = SMOOTH._replace(penalty=L1(2.0))
COUNTS = random_problem("poisson", Zero(), seed=4, n=300)
GAP = r"\d\.?\d*e-\d\d"


class Page(HTMLParser):
    """The tables of a page: their captions, and their rows as lists of the cells' texts. Unclosed tags are seen."""

    def __init__(self, source):
        super().__init__()
        self.captions, self.rows, self.open, self.styles = [], [], [], []
        self.feed(source)
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
            self.styles.append(dict(attributes)["style"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open[-1] == "caption":
            self.captions.append(text)
        else:
            self.rows[-1][-1] += text


def noisy_counts():
    """Negative binomial counts, whose α can be found."""
    rng = np.random.default_rng(5)
    return COUNTS.X, rng.negative_binomial(2, 0.3, size=len(COUNTS.y)).astype(float)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """{name: an object that shows itself}."""
    smooth, (X, y) = SMOOTH.fit(), SMOOTH.data[:2]
    inference, sparse = infer(smooth, *SMOOTH.data), SPARSE.fit()
    book = Ledger(tmp_path_factory.mktemp("course") / "ledger.json")
    book.add("newton", passes=4, gap=3.2e-11)
    book.fill("post: ADMM, λ = 7.2", gap=0.012, note="a replay <here>, with rows that were drawn anew")
    lazy = as_chunks(da.from_array(X, chunks=(60, -1)), y)
    return {
        "result": smooth, "sparse result": sparse, "coefficients": sparse.coefficients(),
        "certificate": smooth.certificate, "trace": sparse.trace,
        "path": glmlab.path(X, y, family="logistic", n_lams=3),
        "validation": cross_validate_path(X, y, family="logistic", n_lams=3, cv=2),
        "inference": inference, "bins": glmlab.calibration(inference, bins=3),
        "profile": glmlab.fit_negative_binomial(*noisy_counts()),
        "chunks": as_chunks(X, y, intercept=True, chunks=50), "chunks on dask": lazy,
        "objective": Objective("logistic", lazy), "audit": glmlab.check_penalty(L1(1.0)),
        "ledger": book, "machine": machine(),
        "memory": MemoryPlan(rows=2**23, workers=2, share=2**22, chunk=2**20, limit=2**30, room=2**29),
        "cost": CostModel(1e-3, 2e-4, 3e9, 4e9, cores=2),
    }  # fmt: skip


NAMES = ["result", "sparse result", "coefficients", "certificate", "trace", "path", "validation", "inference", "bins",
         "profile", "chunks", "chunks on dask", "objective", "audit", "ledger", "machine", "memory",
         "cost"]  # fmt: skip
CARDS = ["result", "sparse result", "certificate", "path", "validation", "profile", "machine"]


def test_the_list_of_names_is_complete(shown):
    assert list(shown) == NAMES


def test_the_examples_of_words_hold():
    assert doctest.testmod(words).failed == 0 < doctest.testmod(words).attempted


# --- HTML that reads well in every theme ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_html_is_a_table_with_a_title_and_brings_no_colour_along(shown, name):
    html = shown[name]._repr_html_()
    page = Page(html)
    assert page.captions and page.rows and html.startswith("<table") and "max-width:100%" in html
    styles = " ".join(re.findall(r"style='([^']*)'", html))
    faint = "1px solid color-mix(in srgb, currentColor 20%, transparent)"
    assert faint in styles
    assert not re.search(r"colou?r|background|#|rgb|hsl|solid", styles.replace(faint, ""))


@pytest.mark.parametrize("name", NAMES)
def test_words_stand_to_the_left_and_wrap_and_numbers_to_the_right(shown, name):
    page = Page(shown[name]._repr_html_())
    texts = [text for row in page.rows for text in row]
    for text, style in zip(texts, page.styles, strict=True):
        left = "text-align:left;white-space:normal" in style
        assert left or "text-align:right" in style
        assert left or "white-space:nowrap" in style or " " in text or not re.search(r"\d", text), text


def test_what_a_user_wrote_is_escaped(shown):
    html = shown["ledger"]._repr_html_()
    assert "a replay &lt;here&gt;" in html and "<here>" not in html


# --- the certified gap ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["result", "sparse result", "certificate", "trace", "path", "profile", "ledger"])
def test_the_gap_is_shown_as_text_and_as_html(shown, name):
    what = shown[name]
    for page in (repr(what), " ".join(sum(Page(what._repr_html_()).rows, []))):
        said = " ".join(page.split())
        assert re.search(GAP, said) and "gap" in said


@pytest.mark.parametrize("name", ["ledger", "trace"])
def test_the_gap_is_the_first_column_after_the_name(shown, name):
    what = shown[name]
    assert Page(what._repr_html_()).rows[0][1] == "certified gap"
    assert re.split(r"\s{2,}", repr(what).splitlines()[1])[1] == "certified gap"


def test_the_ledgers_gap_stands_in_the_row_of_its_method(shown):
    book = shown["ledger"]
    [row] = [row for row in Page(book._repr_html_()).rows if row[0] == "newton"]
    [line] = [line for line in repr(book).splitlines() if line.startswith("newton")]
    assert row[1] == line.split()[1] == "3.2e-11" and row[2] == line.split()[2] == "4"


def test_a_note_stands_below_its_row_and_across_the_table(shown):
    book = shown["ledger"]
    note = "a replay <here>, with rows that were drawn anew"
    rows, lines = Page(book._repr_html_()).rows, repr(book).splitlines()
    assert rows[[row[0] for row in rows].index("post: ADMM, λ = 7.2") + 1] == [note]
    [at] = [k for k, line in enumerate(lines) if line.startswith("post: ADMM, λ = 7.2")]
    assert lines[at + 1].strip() == note


def test_a_certificate_without_a_bound_says_why():
    unproved = certify(*SMOOTH.data, np.zeros(4), family=PseudoHuber())
    assert not np.isfinite(unproved.bound)
    for page in (repr(unproved), unproved._repr_html_()):
        said = " ".join(page.split())
        assert "no bound could be proved" in said and unproved.kind in said and not re.search(r"\b(inf|nan)\b", said)


def test_a_long_trace_shows_its_ends():
    rows = [Row(k, float(k), k, k / 8, 1.0, 0.5**k, np.nan) for k in range(40)]
    rows[-1] = rows[-1]._replace(relative=2e-12)
    long, short = Trace(rows), Trace(rows[:13])
    assert len(short) == len(repr(short).splitlines()) - 2, "a title and headings"
    lines, cells = repr(long).splitlines(), Page(long._repr_html_()).rows
    assert [line.split()[0] for line in lines[2:]] == [row[0] for row in cells[1:]]
    assert [row[0] for row in cells[1:]] == [*"012345", "…", *map(str, range(34, 40))]
    assert cells[-1][1] == "2.0e-12" and cells[1][1] == "?" and "40 rows" in lines[0]
    assert repr(Trace()).splitlines()[0] == "Trace, 0 rows"


def test_of_many_coefficients_zeros_are_counted_and_the_middle_is_left_out():
    rng = np.random.default_rng(0)
    X, wide = rng.normal(size=(300, 60)), rng.normal(size=(300, 100))
    found = fit(X, X[:, 7] - X[:, 50] + wide[:, 0], family="gaussian", penalty=L1(300.0)).coefficients()
    lines, kept = repr(found).splitlines(), np.flatnonzero(found.values)
    assert 0 < len(kept) < 20 and lines[0] == f"Coefficients, {len(kept)} of 60 are not 0"
    assert [line.split()[0] for line in lines[2:]] == [f"x{j + 1}" for j in kept]
    names = [row[0] for row in Page(fit(wide, X[:, 0], family="gaussian").coefficients()._repr_html_()).rows[1:]]
    assert names == [*(f"x{j}" for j in range(1, 16)), "…", *(f"x{j}" for j in range(86, 101))]


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_no_repr_speaks_of_numpys_classes(shown, name):
    assert not re.search(r"np\.|numpy\.|array\(|<glmlab", repr(shown[name]))


@pytest.mark.parametrize("solver", ["newton", "gradient_descent", "lbfgs", "fista"])
def test_the_numbers_of_a_result_are_plain(solver):
    result = SMOOTH.fit(solver=solver, tol=1e-6)
    plain = (bool, int, float, str, tuple)
    numbers = [*result.certificate, *result.certificate.step, *result.certificate.within, *result.trace[-1]]
    assert {type(number) for number in numbers} <= set(plain)
    assert type(result.intercept) is type(result.objective) is float


@pytest.mark.parametrize("name", CARDS)
def test_lines_of_a_card_are_short_and_no_word_is_cut(shown, name):
    what = shown[name]
    lines = repr(what).splitlines()
    assert max(map(len, lines)) <= WIDTH
    said = " ".join(repr(what).split())
    for entry, value in what.summary().items():
        assert f"{entry} {value}" in said


def test_the_certificate_is_still_a_tuple_and_a_sentence(shown):
    certificate = shown["certificate"]
    assert certificate == Certificate(*certificate) and str(certificate).startswith("F(β) − F* ≤ ")


# --- one and many -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "says"),
    [
        ([120], "InMemory: 120 rows x 4 columns + intercept in 1 chunk"),
        ([60, 60], "InMemory: 120 rows x 4 columns + intercept in 2 chunks"),
    ],
)
def test_chunks_are_counted_as_one_counts(chunks, says):
    rows = as_chunks(SMOOTH.X, SMOOTH.y, intercept=True, chunks=chunks)
    assert repr(rows) == says and says in repr(Objective("logistic", rows))
    assert ["chunks", f"{len(chunks)}, of {chunks[0]} rows"] in Page(rows._repr_html_()).rows


def test_one_row_and_one_column_are_singular():
    assert repr(as_chunks([[2.0]], [1.0])) == "InMemory: 1 row x 1 column in 1 chunk"
    assert ["chunks", "1, of 1 row"] in Page(as_chunks([[2.0]], [1.0])._repr_html_()).rows


def test_objects_of_one_say_so():
    """One path of one fit, one pass, one coefficient: no noun in any card is a plural after the number 1."""
    X, y = np.linspace(-1, 1, 40)[:, None], np.sin(np.arange(40.0))
    result = fit(X, y, family="gaussian")
    cards = [result, result.certificate, infer(result, X, y), glmlab.path(X, y, family="gaussian", lams=[0.1]),
             cross_validate_path(X, y, family="gaussian", lams=[0.1, 0.01], cv=2)]  # fmt: skip
    for card in cards:
        wrong = re.search(r"(?<![\d.,])1 (?!(?:is|pass)\b)\w+s\b", repr(card))
        assert not wrong, wrong
    with pytest.raises(ValueError, match="X has 2 columns, but the model has 1 coefficient$"):
        result.predict(np.ones((3, 2)))


def card(what):
    """{name: value} of the card that an object shows."""
    return dict(Page(what._repr_html_()).rows)


@pytest.mark.parametrize(("room", "says"), [(2**22, "it fits"), (2**22 - 1, "it does not fit")])
def test_the_card_of_a_plan_for_memory_says_what_its_sentence_says(room, says):
    plan = MemoryPlan(rows=2**23, workers=2, share=2**22, chunk=2**20, limit=math.inf, room=room)
    shown = card(plan)
    assert shown["X"] == "8.00 MiB on 2 workers" and shown["a worker"].startswith("4.00 MiB of X")
    assert shown["its limit"] == "without end" and shown["largest chunk"] == "1.00 MiB"
    assert shown["X.persist()"].startswith(says) and says in repr(plan)


def test_the_card_of_a_cost_model_has_every_number_of_its_sentence():
    model = CostModel(1e-3, 2e-4, 3e9, 4e9, cores=1, row=5e-9, bus=6e9, inline=True, call=7e-6)
    shown = card(model)
    assert [*shown] == ["a round", "a task", "a core", "cores", "memory", "one chunk"]
    numbers = [re.findall(r"[\d.]+ (?:ms|µs|ns|Gflop/s|GB/s)", text) for text in (repr(model), str(shown))]
    assert len(numbers[0]) == 7 and set(numbers[0]) == set(numbers[1])
    assert "each of 1 core," in repr(model)
    assert card(model._replace(bus=math.inf, inline=False))["memory"] == "as fast as the cores"


@pytest.mark.parametrize(
    ("workers", "says"),
    [
        (1, "X has 8 B, 8 B for its 1 worker, which has no limit and room without end of it: it fits"),
        (2, "X has 8 B, 8 B for each of 2 workers, which have no limit and room without end of it: it fits"),
    ],
)
def test_a_plan_for_memory_counts_workers(workers, says):
    assert says in repr(MemoryPlan(rows=8, workers=workers, share=8, chunk=4, limit=np.inf, room=np.inf))
