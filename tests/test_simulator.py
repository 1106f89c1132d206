"""The simulator: its tree is that of a pass, its times obey what is provable, dask's scheduler runs the same tasks."""

import json
import math

import numpy as np
import pytest

from glmlab import as_chunks, datasets, viz
from glmlab.machine import simulator, sleepers
from glmlab.machine.costmodel import CostModel, n_tasks
from glmlab.machine.simulator import Pass, Prices, chunk_seconds, fastest, predict, tree
from glmlab.rows.chunks import FAN
from tools import limits

FREE = Prices(*[0.0] * 7)
SOME = Prices(round=3e-3, client=4e-5, task=2e-4, copy=1e-4, own=3e-4, fetch=5e-4, hop=1e-3)

# ---------------------------------------------------------------- the tree


@pytest.mark.parametrize("fan", [2, 3, 4, 16])
@pytest.mark.parametrize("chunks", [1, 2, 4, 5, 16, 17, 100])
def test_every_chunk_is_added_once_and_no_sum_adds_more_than_its_fan(chunks, fan):
    sums = tree(chunks, fan)
    added = [child for group in sums for child in group]
    assert sorted(added) == list(range(chunks + len(sums) - 1)), "everything but the result is an input, once"
    assert all(1 <= len(group) <= fan for group in sums)
    assert all(child < chunks + i for i, group in enumerate(sums) for child in group), "inputs come first"
    depth = predict(chunks, chunks, 1.0, fan=fan, prices=FREE).depth
    assert depth == max(1, math.ceil(round(math.log(chunks, fan), 9)))


@pytest.mark.parametrize("chunks", [1, 4, 5, 18, 64])
def test_the_tree_is_that_of_a_pass_on_dask(chunks):
    X, y, _ = datasets.make_logistic(2 * chunks, 2, chunks=2)
    rows = as_chunks(X, y)
    made = rows.graph("pass", len, (), (), combine=sum)
    assert len(made) == n_tasks(chunks) == chunks + len(tree(chunks))
    sums = [task for key, task in made.items() if "-chunk-" not in key]
    inputs = sorted(len(task.dependencies) for task in sums)
    assert inputs == sorted(map(len, tree(chunks)))


@pytest.mark.parametrize(("chunks", "fan"), [(0, 4), (4, 1)])
def test_a_tree_says_what_it_needs(chunks, fan):
    with pytest.raises(ValueError, match="1 chunk or more and a fan of 2 or more"):
        tree(chunks, fan)


# ---------------------------------------------------------------- the pure model


def test_one_chunk_costs_the_sum_of_all_prices():
    found = predict(1, 1, 1.0, prices=SOME)
    expected = SOME.round + 2 * (SOME.client + SOME.task + SOME.own) + 4 * SOME.hop + 1.0
    assert np.isclose(found.seconds, expected) and found.tasks == 2 and found.depth == 1
    assert np.isclose(found.scheduler, 2 * (SOME.client + SOME.task)) and found.work == 1.0


def test_two_chunks_on_two_workers_fetch_one_result():
    found = predict(2, 2, 1.0, prices=FREE._replace(fetch=0.25, copy=0.5))
    assert np.isclose(found.seconds, 1.0 + 0.25 + 0.5), "half of the copy's price is paid before, half after the sum"
    assert np.isclose(predict(1, 2, 1.0, prices=FREE._replace(fetch=0.25, copy=0.5)).seconds, 2.0), "nothing is fetched"


@pytest.mark.parametrize("fan", [2, 4, 16])
@pytest.mark.parametrize(("workers", "chunks"), [(1, 7), (3, 7), (8, 8), (64, 64), (64, 640)])
def test_no_pass_is_faster_than_its_work_or_its_scheduler(workers, chunks, fan):
    found = predict(workers, chunks, 0.01, fan=fan, prices=SOME)
    work = 0.01 * math.ceil(chunks / workers)
    assert np.isclose(found.work, work)
    assert found.seconds >= max(work, found.scheduler)
    everything = chunks * 0.01 + found.tasks * (sum(SOME) + 2 * SOME.hop)
    assert found.seconds <= SOME.round + everything, "nothing waits for longer than all work and all messages in turn"
    assert predict(workers, chunks, 0.01, fan=fan, prices=FREE).seconds == pytest.approx(work)


@pytest.mark.parametrize("price", Prices._fields)
def test_no_price_makes_a_pass_faster(price):
    dearer = SOME._replace(**{price: 2 * getattr(SOME, price)})
    assert predict(8, 32, 0.01, prices=dearer).seconds > predict(8, 32, 0.01, prices=SOME).seconds


def test_stragglers_delay_a_pass_by_the_latest_chunk():
    late = simulator.lateness(1000)
    assert np.isclose(late.mean(), 1, rtol=0.01) and np.isclose(late.max(), math.log(2000))
    pairs = np.corrcoef(late[1:], late[:-1])[0, 1]
    assert abs(pairs) < 0.7, "late chunks are not all neighbours"
    assert np.isclose(predict(64, 64, 1.0, spread=0.1, prices=FREE).seconds, 1 + 0.1 * math.log(128))


def test_workers_of_one_process_do_only_their_work_side_by_side():
    prices = FREE._replace(own=0.5)
    assert np.isclose(predict(4, 4, 1.0, fan=4, prices=prices).seconds, 0.5 + 1.0 + 0.5)
    assert np.isclose(predict(4, 4, 1.0, fan=4, prices=prices, hosts=1).seconds, 4 * 0.5 + 1.0 + 0.5)


def test_the_fastest_number_of_workers_follows_the_square_root_of_the_work():
    prices = FREE._replace(task=1e-3)
    counts = [fastest(work, prices=prices, fan=4096) for work in (0.25, 4.0, 64.0)]
    assert counts[1] / counts[0] == 4 == counts[2] / counts[1]
    near = (counts[1] // 2, counts[1], 2 * counts[1])
    times = {w: predict(w, w, 4.0 / w, prices=prices, fan=4096).seconds for w in near}
    assert min(times, key=times.get) == counts[1]


def test_the_work_of_a_chunk_is_that_of_the_cost_model():
    core = CostModel(1.0, 1.0, 1e9, 1e10, 1, 1e-8)
    assert np.isclose(chunk_seconds(1000, 10, core), core.seconds(1000, 10, 1) - 1.0 - n_tasks(1, narrow=True))


# ---------------------------------------------------------------- the real scheduler


@pytest.mark.parametrize(("chunks", "fan"), [(16, 2), (16, 4), (13, 3), (16, 16)])
def test_dasks_scheduler_runs_the_same_tasks_in_an_order_that_the_tree_allows(chunks, fan):
    from distributed import Client, SchedulerPlugin

    class Watch(SchedulerPlugin):
        name, ran, inputs = "watch", [], {}

        def transition(self, key, start, finish, *args, **kwargs):
            if finish == "processing":
                self.inputs[key] = {task.key for task in client.cluster.scheduler.tasks[key].dependencies}
            if (start, finish) == ("processing", "memory"):
                self.ran.append(key)

    with Client(n_workers=8, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as client:
        watch = Watch()
        watch.ran, watch.inputs = [], {}
        client.cluster.scheduler.add_plugin(watch)
        assert sleepers.run_pass(client, chunks, 0.001, fan, name="t") > 0
    expected = [set()] * chunks + [{f"t-{child}" for child in group} for group in tree(chunks, fan)]
    assert watch.inputs == {f"t-{k}": group for k, group in enumerate(expected)}, "the fan-in is that of the tree"
    assert sorted(watch.ran) == sorted(watch.inputs) and len(watch.ran) == predict(8, chunks, 0.0, fan=fan).tasks
    at = {key: i for i, key in enumerate(watch.ran)}
    assert all(at[child] < at[key] for key, group in watch.inputs.items() for child in group)


def test_a_lost_chunk_is_an_error():
    class Forgetful:
        def get(self, tasks, last):
            return 3

    with pytest.raises(RuntimeError, match="3 of 4 chunks"):
        sleepers.run_pass(Forgetful(), 4)


@pytest.mark.slow
def test_prices_are_measured_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(sleepers, "WORKER_ROWS", 2_000)
    measure = sleepers.measure
    monkeypatch.setattr(sleepers, "measure", lambda cluster: measure(cluster, (4, 8), (2, 8), 2))
    file = tmp_path / "simulator.json"
    sleepers.main(file, asleep=(4,), real=(1,), price=8)
    held = json.loads(file.read_text())
    prices = held["prices"]
    assert prices.keys() == set(Prices._fields) and all(value >= 0 for value in prices.values())
    assert prices["round"] + prices["hop"] > 0, "times of the clock; processor time is counted in ticks, and may be 0"
    kinds = [(row["kind"], row["workers"], row["chunks"]) for row in held["checks"]]
    assert kinds == [("real", 1, 1), ("real", 1, 4), ("real", 1, 16)] + 4 * [("asleep", 4, 4)]
    assert all(row["predicted"] > 0 and row["measured"] > 0 for row in held["checks"])


def test_what_was_recorded_can_be_used():
    found = simulator.recorded()
    assert all(price >= 0 for price in found.prices) and found.prices.task > 0 and found.core.row >= 0
    assert isinstance(predict(64, 64, 0.1), Pass) and predict(64, 64, 0.1) == predict(64, 64, 0.1, prices=found.prices)
    assert {(row["kind"], row["workers"]) for row in found.checks} >= {("real", 1), ("real", 2)}


# ---------------------------------------------------------------- the page and the figure


def test_the_book_says_what_the_model_says():
    assert limits.PAGE.read_text(encoding="utf-8") == limits.page(), "type python -m tools.limits"


SECONDS = {2: {1: 1.0, 8: 0.2, 64: 0.5}, FAN: {1: 1.0, 8: 0.1, 64: 0.25}}


def test_the_figure_has_a_line_for_each_fan_and_says_which_number_of_workers_is_fastest():
    picture = viz.speed_by_workers(SECONDS, rows=5_000, measured={2: {8: 0.25}}, formula={1: 1.0, 64: 0.05})
    lines = picture.figure.axes[0].lines
    assert [list(line.get_ydata()) for line in lines] == [[1000, 200, 500], [250], [1000, 100, 250], [], [1000, 50]]
    assert list(lines[0].get_xdata()) == [1, 8, 64]
    bottom, top = picture.figure.axes[0].get_ylim()
    assert bottom < 50 and 1000 < top, "all times are seen"
    first, second, last = picture.finding.split("; ")
    assert last == "measured ÷ simulated time: 1.2.", "250 ms ÷ 200 ms, rounded to even"
    assert first == "simulator, fan-in 2: fastest with 8 workers, 200 ms a pass"
    assert second.startswith(f"simulator, fan-in {FAN}: fastest with 8")


def test_the_title_is_about_these_lines_and_the_legend_tells_measurements_from_the_simulator():
    titles = {"one worker is": {1: 0.1, 2: 0.2}, "2 workers are": {1: 0.3, 2: 0.2}}
    for said, line in titles.items():
        picture = viz.speed_by_workers({4: line}, rows=20_000, measured={4: {2: 0.1}}, trusted=1)
        assert picture.finding.startswith("simulator: fastest with "), "one line needs no fan-in"
        [axes] = picture.figure.axes
        first, second = axes.get_title(loc="left").splitlines()
        assert first == f"20,000 rows: by the simulator {said} fastest;"
        assert second == "measured ÷ simulated time: 0.5" and second in picture.finding
        assert axes.get_legend_handles_labels()[1] == ["simulator", "measured", "not checked to a factor of 1.5"]
    [axes] = viz.speed_by_workers({4: line}, rows=20_000, trusted=2).figure.axes
    assert axes.get_title(loc="left") == "20,000 rows:\nby the simulator 2 workers are fastest"
    assert axes.get_legend_handles_labels()[1] == ["simulator"], "nothing lies beyond"


def test_a_grey_bar_shows_where_passes_of_an_earlier_run_would_lie():
    picture = viz.speed_by_workers({4: {1: 0.1, 2: 0.2, 4: 0.3}}, rows=9, recorded={1: [1.0, 0.5, 2.0], 2: [3.0]})
    [axes] = picture.figure.axes
    [bars] = axes.collections
    assert [bar.tolist() for bar in bars.get_segments()] == [[[1, 50], [1, 200]], [[2, 600], [2, 600]]]
    assert picture.finding.endswith("In an earlier run the ratio was 0.5 to 3.")
    assert "0.5 to 3\ntimes the simulated time" in bars.get_label()
    assert not viz.speed_by_workers({4: {1: 0.1, 2: 0.2}}, rows=9).figure.axes[0].collections


def test_the_speed_up_of_the_second_worker_is_told_by_the_clock_and_by_each_rule():
    simulated, timed, rule = {1: 0.1, 2: 0.2, 4: 0.3}, {1: 0.3, 2: 0.2}, {1: 0.5, 2: 0.4, 4: 0.4}
    said = "Speed-up of the second worker: 1.50 by the clock, 0.50 by the simulator"
    plain = viz.speed_by_workers({4: simulated}, rows=9, measured={4: timed})
    assert plain.finding.endswith(f" {said}.") and said in plain.alt
    both = viz.speed_by_workers({4: simulated}, rows=9, measured={4: timed}, formula=rule)
    assert both.finding.endswith(f" {said}, 1.25 by your function.")
    apart = viz.speed_by_workers({4: simulated}, rows=9, measured={4: {4: 0.3}}, formula=rule)
    assert "Speed-up" not in apart.finding, "nobody timed two workers"


@pytest.mark.parametrize("given", [({},), ({2: {}},), ({2: {1: 1.0}}, {3: {1: 1.0}})])
def test_the_figure_says_what_it_needs(given):
    with pytest.raises(ValueError, match="seconds="):
        viz.speed_by_workers(given[0], rows=9, measured=given[1] if len(given) > 1 else None)
