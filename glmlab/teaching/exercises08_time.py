"""The third exercise of notebook 08: time to a proved gap."""

import numpy as np

from .exercise import Exercise, require
from .guard import one_number


def time_to(seconds, bounds, target):
    for second, bound in zip(seconds, bounds, strict=True):
        if bound <= target:
            return float(second)
    return np.inf


TIME_TO = Exercise(
    name="time_to",
    statement=(
        "A run looked at its answer at seconds[0] < seconds[1] < …; bounds[i] is what was *proved* of F − F* of the "
        "answer at seconds[i] (inf where nothing was). Return the seconds at which an answer was first proved to be "
        "within target, inf if none was."
    ),
    stub='''
    def time_to(seconds, bounds, target):
        """When was an answer first proved to be within target of F*? inf if never.

        seconds (m,): when we looked, increasing. bounds (m,): proved of F − F* at each look, inf where nothing was.
        Returns one of the seconds, or inf.
        """
        raise NotImplementedError
    ''',
    reference=time_to,
    hints=(
        "Who had this answer in hands, with its proof, could have stopped. When was that possible for the first time?",
        "Go through the pairs in order; return the time of the first bound that does not exceed the target, inf after "
        "the loop.",
        "for second, bound in zip(seconds, bounds): if bound <= target: return second; then return np.inf.",
    ),
)

RUNS = {
    "a falling run": ([0.1, 0.5, 2.0, 3.0, 7.5], [1.0, 1e-2, 1e-4, 1e-5, 1e-9]),
    "a run that rises between": ([0.2, 0.4, 0.9, 1.6, 2.5, 9.0], [0.5, 1e-4, 3e-2, np.inf, 2e-5, 1e-7]),
    "a run with nothing proved at first": ([1.0, 2.0, 4.0], [np.inf, np.inf, 1e-6]),
    "a run that ends flat": ([0.5, 1.0, 2.0, 3.0, 4.0], [1e-2, 1.5e-5, 8e-6, 8e-6, 9e-6]),
    "one look": ([0.3], [1e-3]),
}
TARGETS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 3e-5, 1e-5, 1e-6, 1e-7, 1e-9, 1e-12)


def _first(seconds, proved):
    return np.min(seconds[proved], initial=np.inf)


def _last_crossing(seconds, bounds, target):
    above = np.flatnonzero(bounds > target)
    return [*seconds, np.inf][above[-1] + 1 if len(above) else 0]


MISTAKES = {  # hint: an answer that makes this mistake
    "compare the bound itself with the target: a bound minus the best bound of the run proves nothing":
        lambda s, b, target: _first(s, b - b.min() <= target),
    "targets have the unit of the bounds: compare bound with target, not bound ÷ first bound":
        lambda s, b, target: _first(s, b <= target * b[0]),
    "a bound says F − F* ≤ bound: where it equals the target, the target is proved":
        lambda s, b, target: _first(s, b < target),
    "bounds need not fall: a later, worse one takes nothing back": _last_crossing,
    "argmax returns 0 where no entry is True: return inf where no bound is small enough":
        lambda s, b, target: s[np.argmax(b <= target)],
    "return the seconds, not the number of looks":
        lambda s, b, target: np.argmax(b <= target) if (b <= target).any() else np.inf,
    "return the first second with a small enough bound: the look before it proved less": lambda s, b, target:
        s[max(np.argmax(b <= target) - 1, 0)] if (b <= target).any() else np.inf,
    "return the entry of seconds as it is: it counts from the start of the run already":
        lambda s, b, target: _first(s, b <= target) - s[0],
    "return the first such second, not the last": lambda s, b, target: np.max(s[b <= target], initial=-np.inf),
    "return inf where no bound is small enough: the last second of the run proves nothing": lambda s, b, target:
        min(_first(s, b <= target), s[-1]),
}  # fmt: skip


def _time_of(time_to, run, target):
    seconds, bounds = (np.array(part) for part in RUNS[run])
    found, where = time_to(seconds, bounds, target), f"{run}, target {target:g}:"
    lost = isinstance(found, float) and np.isnan(found)
    require(not lost, f"{where} it returned nan", "return inf, np.inf, where no bound is small enough")
    return one_number(found, where)


def _mistake(time_to):
    """The hint of the mistake that gives the same answer for every run and target; None for an unknown one."""
    def times(of):
        return [of(run, target) for run in RUNS for target in TARGETS]

    found = times(lambda run, target: _time_of(time_to, run, target))
    for hint, wrong in MISTAKES.items():
        if times(lambda run, target, wrong=wrong: wrong(*map(np.array, RUNS[run]), target)) == found:
            return hint
    return None


@TIME_TO.condition(
    "inf if it was never proved",
    hint="a run that was not proved to be so close did not get there, however long it ran",
    errors=True,
)
def never_is_inf(time_to):
    for run in RUNS:
        found = _time_of(time_to, run, 1e-12)
        words = f"{run}: no bound is as small as 1e-12, and it returned {found:g}"
        require(found == np.inf, words, lambda: _mistake(time_to))


@TIME_TO.condition(
    "a time at which something was proved",
    hint="between two looks nothing is proved: no time but one of those given can be right, and the bound there must "
    "be at most the target. An interpolated time belongs to an answer that nobody saw",
)
def is_a_look(time_to):
    for run, looks in RUNS.items():
        proved = dict(zip(*looks, strict=True))
        for target in TARGETS:
            found = _time_of(time_to, run, target)
            words = f"{run}, target {target:g}: it returned {found:g} s, when"
            looked = found in proved or found == np.inf
            require(looked, f"{words} nobody looked (looks at {list(proved)})", lambda: _mistake(time_to))
            little = f"{words} only {proved.get(found, np.inf):g} was proved"
            require(proved.get(found, 0) <= target, little, lambda: _mistake(time_to))


@TIME_TO.condition(
    "the first proof, though later bounds rise again",
    hint="bounds need not fall: a later, worse one takes nothing back. An earlier answer was proved and could have "
    "been kept; do not search a sorted list, nor from the end",
)
def the_first(time_to):
    for run, looks in RUNS.items():
        for target in TARGETS:
            found = _time_of(time_to, run, target)
            expected = min((second for second, bound in zip(*looks, strict=True) if bound <= target), default=np.inf)
            words = f"{run}, target {target:g}: it returned {found:g} s; it was first proved after {expected:g} s"
            require(found == expected, words, lambda: _mistake(time_to))
