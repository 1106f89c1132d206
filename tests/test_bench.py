"""The benchmark: what is compared is the same problem, and the tables say what the rows say."""

import json
from pathlib import Path

import numpy as np
import pytest

from glmlab import L1, certify, fit
from glmlab.bench import entries, harness, problems, report, shipped, targets
from glmlab.bench.__main__ import main
from glmlab.bench.entries import ENTRIES, Entry
from glmlab.bench.harness import Wish
from glmlab.bench.problems import PROBLEMS, Posed, posed
from glmlab.bench.targets import Side, Target
from glmlab.rows.threads import cores
from glmlab.viz.style import DASHES, MARKERS


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A problem at 2,000 rows, posed once."""
    root, made = tmp_path_factory.mktemp("bench"), {}

    def pose(name):
        if name not in made:
            rows = problems.ROWS[PROBLEMS[name].rows]
            few = problems.Rows(rows.make, rows.full, 2_000)
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(problems.ROWS, PROBLEMS[name].rows, few)
                made[name] = posed(PROBLEMS[name], root, "ci", say=lambda _: None)
        return made[name]

    return pose


# --- problems

@pytest.mark.parametrize("name", [
    "laptop", "badly scaled", "sorted by label", "poisson", "lasso", "square, L1", "square, lasso",
    "text, 2,000 words",
])  # fmt: skip
def test_the_optimum_is_one_and_the_generating_coefficients_are_not(small, name):
    known = small(name)
    X, y, beta = known.load()
    assert known.proved <= 1e-12 * known.size
    truth = certify(X, y, beta, family=known.problem.family, penalty=known.penalty)
    assert known.optimum - 1e-9 * known.size < known.optimum < truth.objective
    assert truth.objective - truth.bound <= known.optimum * (1 + 1e-12) + known.proved


def test_a_share_of_zeros_is_what_its_lambda_gives(small):
    known = small("laptop, a third zero")
    assert len(known.support) in (9, 10, 11) and known.lam > 1


def test_a_share_of_the_largest_lambda_leaves_few_coefficients_and_all_of_it_none(small):
    known = small("square, L1")
    X, y, _ = known.load()
    assert 0 < len(known.support) < 100
    largest = known.lam / known.problem.of_max
    for share, none in ((1.0, True), (0.99, False)):
        assert (fit(X, y, family="logistic", penalty=L1(share * largest)).beta == 0).all() == none


def test_rows_are_written_once_and_whole(small):
    known = small("laptop")
    before = (known.folder / "y.npy").stat().st_mtime_ns
    assert small("laptop, ridge").folder == known.folder
    assert (known.folder / "y.npy").stat().st_mtime_ns == before
    assert len(known.load()[0]) == len(known.load()[1]) == 2_000


def test_sorted_rows_are_the_same_rows():
    X, y, _ = problems.uniform(500)
    for sort, key in ((problems.by_label, lambda X, y: y), (problems.by_feature, lambda X, y: X[:, 0])):
        Z, z, _ = sort(500)
        assert np.all(np.diff(key(Z, z)) >= 0)
        assert sorted(map(tuple, np.column_stack([Z, z]))) == sorted(map(tuple, np.column_stack([X, y])))


# --- entries

STATED = [(problem.name, entry.name) for problem in problems.LIST for entry in entries.LIST
          if entry.takes(problem) and entry.name not in ("X.sum()", "glmlab, 2 processes")
          and problem.name in ("laptop", "laptop, ridge", "laptop, no penalty", "lasso", "least squares", "poisson",
                               "text, 2,000 words")]  # fmt: skip
ROUGH = {"SGD", "saga", "snapml", "dask-ml admm", "dask-glm proximal_grad", "glmlab proximal_gradient",
         "glmlab gradient_descent"}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # peers warn of much
@pytest.mark.parametrize(("problem", "entry"), STATED)
def test_every_entry_solves_the_problem_that_it_is_compared_on(small, problem, entry):
    """At its strictest setting the answer is near the optimum of *our* objective: λ, intercept and scale are right."""
    racer, known = ENTRIES[entry], small(problem)
    if not racer.installed:
        pytest.skip(f"{racer.package} is not installed")
    X, y, _ = known.load()
    answer = racer.solve(X, y, known, racer.ladder[-1])
    gap = (certify(X, y, answer.beta, family=known.problem.family, penalty=known.penalty).objective - known.optimum)
    assert -1e-12 * known.size <= gap <= (1e-2 if entry in ROUGH else 1e-6) * known.size


def test_what_an_entry_can_state():
    ridge, lasso = PROBLEMS["laptop, ridge"], PROBLEMS["lasso"]
    assert ENTRIES["liblinear"].can(ridge) and not ENTRIES["liblinear"].can(lasso)
    assert not ENTRIES["SGD"].can(ridge) and not ENTRIES["newton-cholesky"].can(PROBLEMS["laptop"])
    assert ENTRIES["celer"].can(lasso) and not ENTRIES["celer"].can(PROBLEMS["poisson"])


def test_only_entries_for_sparse_rows_race_on_text():
    text = PROBLEMS["text, 2,000 words"]
    assert ENTRIES["liblinear"].takes(text) and ENTRIES["dask-glm admm"].can(text)
    assert not ENTRIES["dask-glm admm"].takes(text)
    assert {entry for name, entry, _ in harness.everything(["text, 2,000 words"])} == {
        "glmlab", "glum", "liblinear", "celer", "skglm"}  # fmt: skip


# --- the harness

def test_runs_are_interleaved():
    wishes = harness.interleaved([("p", "a", 1.0), ("p", "b", 1.0)], 3)
    assert [(wish.entry, wish.repetition) for wish in wishes] == [(e, k) for k in range(3) for e in "ab"]
    assert len({wish.key for wish in wishes}) == 6


def test_a_run_in_its_own_process_and_one_that_exceeds_its_cap(tmp_path, monkeypatch):
    rows = problems.ROWS["uniform15"]
    monkeypatch.setitem(problems.ROWS, "uniform15", problems.Rows(rows.make, rows.full, 2_000))
    results, said = tmp_path / "r.jsonl", []
    options = {"scale": "ci", "data": tmp_path, "results": results, "say": said.append}
    wish = Wish("laptop", "glmlab", 1e-6)
    [row] = harness.race([wish], cap=100, **options)
    assert row["relative"] <= 1e-6 and abs(row["gap"]) <= 1e-6 and row["wall"] > 0 and row["cores"] >= 1
    assert row["memory"] >= 0 and row["passes"] >= 1 and row["same_support"] and "glmlab" in row["versions"]
    [again] = harness.race([wish], cap=100, **options)
    assert json.dumps(again) == json.dumps(row) and len(results.read_text().splitlines()) == 1, "it is not run twice"
    [late] = harness.race([Wish("laptop", "liblinear", 1e-4)], cap=0.01, **options)
    assert late["failed"] == "not finished after 0.01 s" and "not finished" in said[-1]


def test_what_is_not_installed_is_a_row_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(ENTRIES, "ghost", Entry("ghost", None, (1,), entries.always, "no_such_package"))
    [row] = harness.race([Wish("laptop", "ghost", 1)], scale="ci", data=tmp_path, results=tmp_path / "r", cap=1,
                         say=lambda _: None)  # fmt: skip
    assert row["failed"] == "no_such_package is not installed" and not list(tmp_path.glob("uniform*"))


def test_a_run_that_dies_says_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "posed", lambda *_: Posed(PROBLEMS["laptop"], tmp_path, 1.0, 0.0, 0.0, 1.0))
    [row] = harness.race([Wish("laptop", "glmlab", 1e-6)], scale="ci", data=tmp_path, results=tmp_path / "r", cap=60,
                         say=lambda _: None)  # fmt: skip
    assert "No such file" in row["failed"]


def test_an_entry_of_one_core_has_one_and_dask_gives_blas_one_thread(tmp_path, monkeypatch):
    """The process is asked what it may use: an affinity of one, threads as the table of entries says."""
    rows = problems.ROWS["uniform15"]
    monkeypatch.setitem(problems.ROWS, "uniform15", problems.Rows(rows.make, rows.full, 2_000))
    [row] = harness.race([Wish("laptop", "glmlab, one core", 1e-6)], scale="ci", data=tmp_path,
                         results=tmp_path / "r", cap=100, say=lambda _: None)  # fmt: skip
    assert row["used"] == 1 and row["relative"] <= 1e-6
    threads = {name: harness.environment(ENTRIES[name])["OMP_NUM_THREADS"] for name in ("dask-glm admm", "glum")}
    assert threads == {"dask-glm admm": "1", "glum": str(cores())}


# --- targets and tables

def made_up(entry, wall, repetition=0, relative=1e-10, setting=1e-9, **more):
    wish = Wish("laptop", entry, setting, repetition)
    return {"key": wish.key, **vars(wish), "wall": wall, "cpu": wall, "relative": relative, "gap": relative / 2,
            "passes": 4.0, "rounds": 4, "memory": 2.0, "data": 1.0, "to_truth": 0.1, "scale": "ci", "cores": 2,
            "processor": "a processor", "when": "2026-01-01T", "versions": {"glmlab": "0"}, **more}  # fmt: skip


FASTER = Target("t", Side("laptop", "ours", 1e-9, 1e-9), Side("laptop", "theirs", 1e-9, 1e-6), "≥", 10)


def test_a_ratio_is_taken_within_a_repetition_and_the_median_decides():
    rows = [made_up(*pair) for pair in (("ours", 1, 0), ("theirs", 9, 0), ("ours", 2, 1), ("theirs", 40, 1),
                                        ("ours", 1, 2), ("theirs", 11, 2))]  # fmt: skip
    [verdict] = targets.judged(rows, [FASTER])
    assert verdict.ratios == (9, 20, 11) and verdict.median == 11 and verdict.met
    assert "| 11 | 9 – 20 | 3 | met |" in report.target_line(verdict)


@pytest.mark.parametrize(("ours", "theirs", "why"), [
    ({"relative": 1e-8}, {}, "ours reached 1.0e-08 only"), ({}, {"relative": 1e-5}, "theirs reached 1.0e-05 only"),
    ({}, {"failed": "killed"}, "theirs: killed"), ({}, None, "theirs was not run"),
])  # fmt: skip
def test_who_did_not_reach_the_gap_does_not_count(ours, theirs, why):
    rows = [made_up("ours", 1.0) | ours] + ([] if theirs is None else [made_up("theirs", 100.0) | theirs])
    [verdict] = targets.judged(rows, [FASTER])
    assert not verdict.met and verdict.why == why and why in report.target_line(verdict)


@pytest.mark.parametrize(("value", "expected"), [
    ("speed-up", 2.0), ("times as long", 0.5), ("ms more a round", -250.0), ("times the data", 2.0), ("GB", 2e-9),
    ("times reading, a pass", 0.125),
])  # fmt: skip
def test_values(value, expected):
    assert targets.VALUES[value](made_up("ours", 1.0), made_up("theirs", 2.0)) == pytest.approx(expected)


def test_every_target_speaks_of_runs_that_exist():
    for problem, entry, setting in [*targets.wanted(), *targets.BESIDE]:
        if problem in PROBLEMS:
            assert entry in ENTRIES and ENTRIES[entry].can(PROBLEMS[problem]) and setting in ENTRIES[entry].ladder
        else:
            assert (problem, entry) in harness.EXPERIMENTS


def test_seconds_to_a_gap_are_those_of_the_cheapest_setting_whose_every_answer_is_certified():
    rows = [made_up("a", 1.0, 0, 1e-4, 1e-3), made_up("a", 2.0, 0, 1e-7, 1e-6), made_up("a", 3.0, 1, 1e-5, 1e-6),
            made_up("a", 9.0, 0, 1e-10, 1e-9)]  # fmt: skip
    assert report.times_to(rows) == {1e-3: 1.0, 1e-6: 9.0, 1e-9: 9.0}


def test_what_an_entry_came_to_and_nan_where_it_did_not():
    rows = [made_up("a", 1.0), made_up("a", 3.0, 1), made_up("a", 8.0, 2), made_up("a", 0.1, setting=1e-3),
            made_up("b", 0.0) | {"failed": "killed"}, made_up("c", 2.0, to_truth=None)]  # fmt: skip
    assert report.answer(rows, "laptop", "a", 1e-9) == {"seconds": 3.0, "error": 0.1, "certified gap": 1e-10}
    assert np.isnan(report.answer(rows, "laptop", "c", 1e-9)["error"])
    for lost in (("laptop", "b", 1e-9), ("laptop", "d", 1e-9), ("lasso", "a", 1e-9)):
        assert np.isnan(list(report.answer(rows, *lost).values())).all()


def test_a_target_is_met_missed_or_not_judged(monkeypatch):
    theirs = FASTER.theirs
    three = [FASTER, FASTER._replace(limit=100), FASTER._replace(theirs=theirs._replace(entry="nobody"))]
    monkeypatch.setattr(report, "judged", lambda rows: targets.judged(rows, three))
    found = report.tally([made_up("ours", 1.0), made_up("theirs", 11.0)])
    assert found == "1 of 3 targets are met, 1 missed, 1 not judged for want of a run."


def test_the_report_and_its_figures(tmp_path):
    rows = [made_up("glmlab", 0.5), made_up("glum", 5.0, relative=1e-12), made_up("late", 0) | {"failed": "too late"}]
    text = report.markdown(rows)
    assert "a processor, 2 cores" in text and "| glum | 1e-09 | 5 |" in text and "| late | 1e-09 | too late |" in text
    widths = {line.count("|") for line in report.problem_table("laptop", rows).splitlines() if line.startswith("|")}
    assert len(widths) == 1, "every line has the same cells"
    drawn = report.figures(rows, Path(tmp_path))
    names = [f"laptop-{x}.{end}" for x in ("seconds", "passes") for end in ("png", "html")]
    assert [path.name for path in drawn] == names
    assert all(path.stat().st_size > 10_000 for path in drawn)
    assert "http" not in drawn[1].read_text().split("</script>")[-1]


def test_what_is_shipped_is_what_was_measured_to_four_digits(tmp_path):
    measured = [made_up("ours", 1.23456, k, trace=[[0.5, 1, 2.0]], says="much") for k in range(2)]
    shipped.ship(measured, tmp_path / "bench.json")
    first, second = shipped.rows(tmp_path / "bench.json")
    kept = {name: value for name, value in measured[0].items() if name != "says"}
    assert first == kept | {"wall": 1.235, "cpu": 1.235}
    assert "trace" not in second and second["key"] == measured[1]["key"] and second["versions"] == {"glmlab": "0"}


def test_the_processor_is_named_with_its_numbers_where_linux_says_them(tmp_path):
    info, core = tmp_path / "cpuinfo", "cpu family\t: 6\nmodel\t\t: 207\nmodel name\t: A(R) B\nflags\t\t: a b\n"
    info.write_text(f"processor\t: 0\n{core}\nprocessor\t: 1\n{core}")
    assert harness.processor(info) == "A(R) B (family 6, model 207)"
    assert harness.processor(tmp_path / "none")


def test_two_dozen_solvers_look_different():
    looks = {report.look(k, MARKERS, DASHES)[:2] for k in range(24)}
    assert len(looks) == 24, "in colour or in marker"


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_the_headline_at_scale_ci(tmp_path, capsys):
    """All targets are run, certified and printed; at this size none is a claim."""
    assert main(["headline", "--scale", "ci", "--repetitions", "1", "--to", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert all(target.says in printed for target in targets.TARGETS)
    rows = harness.read(tmp_path / "headline-ci.jsonl")
    ours = [row for row in rows if row["entry"].startswith("glmlab") and row["problem"] in PROBLEMS]
    assert ours and all("failed" not in row and row["relative"] <= row["setting"] for row in ours)
