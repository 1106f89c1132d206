"""The exercises of notebook 10: right answers written otherwise, and wrong ones with their mistakes."""

import copy
import math
import random

import numpy as np
import pytest
from answers import accepted, rejected
from scipy.linalg import cho_factor, cho_solve

from glmlab.teaching import check, exercise

# --- one_step


def newton(b, grad, hess):
    return b - np.linalg.solve(hess(b), grad(b))


def mean_of(betas, n_k):
    heard = ~np.isnan(betas).any(axis=1)
    return np.average(betas[heard], axis=0, weights=n_k[heard])


def by_sums(betas, n_k, grad, hess):
    there = np.isfinite(betas[:, 0])
    b = np.nansum(n_k[:, None] * betas, axis=0) / n_k[there].sum()
    return b - np.linalg.inv(hess(b)) @ grad(b)


def by_loop(betas, n_k, grad, hess):
    total, rows = np.zeros(betas.shape[1]), 0
    for beta, n in zip(betas, n_k, strict=True):
        if not np.any(np.isnan(beta)):
            total, rows = total + n * beta, rows + n
    g = grad(total / rows)
    return total / rows - np.linalg.lstsq(hess(total / rows), g)[0]


def by_masks(betas, n_k, grad, hess):
    b = np.ma.average(np.ma.masked_invalid(betas), axis=0, weights=n_k).filled()
    return b + cho_solve(cho_factor(hess(b)), -grad(b))


def by_shares(betas, n_k, grad, hess):
    share = np.where(np.isnan(betas).any(axis=1), 0.0, n_k)
    return newton(share / share.sum() @ np.nan_to_num(betas), grad, hess)


def by_pairs(betas, n_k, grad, hess):
    heard = [(n, beta) for n, beta in zip(n_k, betas, strict=True) if not np.isnan(beta).any()]
    b = sum(n * beta for n, beta in heard) / sum(n for n, _ in heard)
    H, g, again = hess(b), grad(b), grad(b)  # once more at the same point
    return b - np.linalg.solve(H, (g + again) / 2)


@pytest.mark.parametrize("right", [by_sums, by_loop, by_masks, by_shares, by_pairs])
def test_one_step_written_otherwise(right):
    accepted("one_step", right)


def drops_rows_keeps_weights(betas, n_k, grad, hess):
    return newton(np.average(betas[~np.isnan(betas).any(axis=1)], axis=0, weights=n_k), grad, hess)


def curvature_at_zero(betas, n_k, grad, hess):
    b = mean_of(betas, n_k)
    return b - np.linalg.solve(hess(np.zeros_like(b)), grad(b))


def slope_at_zero(betas, n_k, grad, hess):
    b = mean_of(betas, n_k)
    return b - np.linalg.solve(hess(b), grad(np.zeros_like(b)))


def steps_then_mean(betas, n_k, grad, hess):
    stepped = [newton(b, grad, hess) for b in betas if not np.isnan(b).any()]
    return np.average(stepped, axis=0, weights=n_k[~np.isnan(betas).any(axis=1)])


def two_steps(betas, n_k, grad, hess):
    return newton(newton(mean_of(betas, n_k), grad, hess), grad, hess)


def along_the_diagonal(betas, n_k, grad, hess):
    b = mean_of(betas, n_k)
    return b - grad(b) / np.diag(hess(b))


def from_the_median(betas, n_k, grad, hess):
    return newton(np.nanmedian(betas, axis=0), grad, hess)


def uphill(betas, n_k, grad, hess):
    b = mean_of(betas, n_k)
    return b + np.linalg.solve(hess(b), grad(b))


NUMBERS, EXACT, SQUARES = "p numbers", "least squares are solved exactly", "half the error of the mean leaves a quarter"
ONE_PASS, ROWS, LEFT = "one pass over all rows", "rows count, not chunks", "chunks without an answer are left out"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (lambda betas, n_k, grad, hess: mean_of(betas, n_k), EXACT, "the step is missing"),
    (lambda betas, n_k, grad, hess: betas.mean(axis=0), EXACT, "be they a hundred"),
    (uphill, EXACT, "subtract it from the mean"),
    (lambda betas, n_k, grad, hess: mean_of(betas, n_k) - grad(mean_of(betas, n_k)), EXACT, "a slope is no step"),
    (lambda betas, n_k, grad, hess: mean_of(betas, n_k) - hess(mean_of(betas, n_k)) @ grad(mean_of(betas, n_k)), EXACT,
     "do not multiply"),
    (lambda betas, n_k, grad, hess: np.linalg.solve(hess(betas[0]), grad(mean_of(betas, n_k))), EXACT,
     "not the step alone"),
    (along_the_diagonal, EXACT, "its diagonal alone"),
    (slope_at_zero, EXACT, "the gradient at the mean"),
    (curvature_at_zero, SQUARES, "the Hessian at the mean"),
    (steps_then_mean, ONE_PASS, "costs K passes"),
    (two_steps, ONE_PASS, "at 2 points"),
    (lambda betas, n_k, grad, hess: newton(np.nanmean(betas, axis=0), grad, hess), ROWS, "weights=n_k"),
    (from_the_median, ROWS, "cut into 60 and 40"),
    (lambda betas, n_k, grad, hess: newton(np.average(np.nan_to_num(betas), axis=0, weights=n_k), grad, hess), LEFT,
     "away from that of the others"),
    (lambda betas, n_k, grad, hess: newton(np.average(betas, axis=0, weights=n_k), grad, hess), LEFT,
     "leave out the row"),
    (drops_rows_keeps_weights, LEFT, "and their n_k"),
    (lambda betas, n_k, grad, hess: newton(mean_of(betas, n_k), grad, hess)[None], NUMBERS, "of shape (3,) is needed"),
    (lambda betas, n_k, grad, hess: newton(np.average(betas, axis=1), grad, hess), NUMBERS, "axis 0 of betas"),
], ids=["no step", "plain mean", "uphill", "gradient", "times H", "step alone", "diagonal", "slope at 0",
        "Hessian at 0", "mean of steps", "two steps", "unweighted", "median", "nan is 0", "nan", "weights kept",
        "a row", "axis 1"])  # fmt: skip
def test_one_step_wrong(wrong, condition, says):
    rejected("one_step", wrong, condition, says)


# --- pilot


def by_choice(lengths, m, seed):
    rng = np.random.default_rng(seed)
    return [np.sort(rng.choice(n, round(m * n / sum(lengths)), replace=False)) for n in lengths]


def by_shuffle(lengths, m, seed):
    rng = np.random.default_rng(seed)
    return tuple(rng.permutation(n)[: math.ceil(m * n / sum(lengths))] for n in lengths)


def by_python(lengths, m, seed):
    draw = random.Random(seed)
    return [draw.sample(range(n), m * n // sum(lengths)) for n in lengths]


def by_strata(lengths, m, seed):
    rng, total = np.random.default_rng(seed), sum(lengths)
    found = []
    for n in lengths:
        edges = np.linspace(0, n, round(m * n / total) + 1).astype(int)
        found.append([int(rng.integers(a, b)) for a, b in zip(edges, edges[1:], strict=False)])
    return found


def by_mask(lengths, m, seed):
    keys = np.random.RandomState(seed).rand(sum(lengths))
    parts = np.split(keys, np.cumsum(lengths)[:-1])
    counts = [round(m * n / sum(lengths)) for n in lengths]
    return [np.flatnonzero(np.argsort(np.argsort(part)) < count) for part, count in zip(parts, counts, strict=True)]


def by_range(lengths, m, seed):
    """Every row from an offset on; there may be one row more than the share."""
    rng, step = np.random.default_rng(seed), sum(lengths) / m
    return [np.unique(np.arange(rng.random() * step, n, step).astype(int)) for n in lengths]


@pytest.mark.parametrize("right", [by_choice, by_shuffle, by_python, by_strata, by_mask, by_range])
def test_pilot_written_otherwise(right):
    accepted("pilot", right)


def share(n, lengths, m):
    return round(m * n / sum(lengths))


def random_run(lengths, m, seed):
    rng, found = np.random.default_rng(seed), []
    for n in lengths:
        count = share(n, lengths, m)
        found.append(rng.integers(0, n - count + 1) + np.arange(count))
    return found


def cut_too_early(lengths, m, seed):
    rng, found = np.random.default_rng(seed), []
    for n in lengths:
        count = share(n, lengths, m)
        stride = n // max(count, 1)
        found.append(np.arange(count) * stride + rng.integers(stride))
    return found


def from_all_rows(lengths, m, seed):
    drawn = np.random.default_rng(seed).choice(sum(lengths), m, replace=False)
    ends = np.cumsum(lengths)
    return [drawn[(drawn >= end - n) & (drawn < end)] - (end - n) for n, end in zip(lengths, ends, strict=True)]


def numbered_through(lengths, m, seed):
    starts = np.cumsum((0, *lengths[:-1]))
    return [first + rows for first, rows in zip(starts, by_choice(lengths, m, seed), strict=True)]


def as_masks(lengths, m, seed):
    return [np.isin(np.arange(n), rows) for n, rows in zip(lengths, by_choice(lengths, m, seed), strict=True)]


def equal_numbers(lengths, m, seed):
    rng = np.random.default_rng(seed)
    return [rng.choice(n, min(n, m // len(lengths)), replace=False) for n in lengths]


def with_replacement(lengths, m, seed):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, n, share(n, lengths, m)) for n in lengths]


CHUNKS, SHARE, TWICE, ALL = ("row numbers, chunk by chunk", "each chunk its share", "no row twice",
                             "a draw shows all of a chunk")  # fmt: skip
SEED, TURN = "the seed decides", "every row has its turn"


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (lambda lengths, m, seed: [np.arange(share(n, lengths, m)) for n in lengths], ALL, "rows may be sorted"),
    (lambda lengths, m, seed: [np.arange(n)[n - share(n, lengths, m):] for n in lengths], ALL, "rows may be sorted"),
    (random_run, ALL, "spread the draw"),
    (equal_numbers, SHARE, "count too much"),
    (lambda lengths, m, seed: by_choice(lengths, min(2 * m, sum(lengths)), seed), SHARE, "its share is"),
    (lambda lengths, m, seed: [np.random.default_rng(seed).choice(n, min(n, m), replace=False) for n in lengths], SHARE,
     "of all chunks together"),
    (from_all_rows, SHARE, "on average only"),
    (with_replacement, TWICE, "without replacement"),
    (lambda lengths, m, seed: by_choice(lengths, m, None), SEED, "the second time"),
    (lambda lengths, m, seed: by_choice(lengths, m, 0), SEED, "the same rows"),
    (cut_too_early, TURN, "where do your numbers end"),
    (numbered_through, CHUNKS, "begin at 0 in every chunk"),
    (as_masks, CHUNKS, "np.flatnonzero"),
    (lambda lengths, m, seed: np.concatenate(by_choice(lengths, m, seed)), CHUNKS, "one array for each chunk"),
    (lambda lengths, m, seed: [rows / 1.0 for rows in by_choice(lengths, m, seed)], CHUNKS, "whole numbers are needed"),
    (lambda lengths, m, seed: by_choice(lengths, m, seed)[:1], CHUNKS, "one array for each chunk"),
], ids=["head", "tail", "run", "equal", "double", "m each", "all rows", "replacement", "no seed", "one seed",
        "cut early", "numbered through", "masks", "one array", "floats", "one chunk"])  # fmt: skip
def test_pilot_wrong(wrong, condition, says):
    rejected("pilot", wrong, condition, says)


# --- on_arrival


def shrunk(v, t):
    return v - np.clip(v, -t, t)


def by_running_mean(state, k, b):
    new = copy.deepcopy(state)
    vote = b + state["U"][k]
    mean = state["V"].mean(axis=0) + (vote - state["V"][k]) / len(state["V"])
    new["z"] = shrunk(mean, state["lam"] / (state["rho"] * len(state["V"])))
    new["V"][k], new["U"][k] = vote, vote - new["z"]
    return new


def by_rows(state, k, b):
    V = [b + state["U"][k] if j == k else v for j, v in enumerate(state["V"])]
    z = shrunk(sum(V) / len(V), state["lam"] / state["rho"] / len(V))
    U = [V[k] - z if j == k else u for j, u in enumerate(state["U"])]
    return {"V": np.array(V), "U": np.array(U), "z": z, "lam": state["lam"], "rho": state["rho"]}


def by_where(state, k, b):
    here = (np.arange(len(state["V"])) == k)[:, None]
    V = np.where(here, b + state["U"], state["V"])
    m, t = V.mean(axis=0), state["lam"] / (state["rho"] * len(V))
    z = np.where(m > t, m - t, np.where(m < -t, m + t, 0.0))
    return dict(state, V=V, z=z, U=np.where(here, V - z, state["U"]))


def by_proximal_point(state, k, b):
    """The same z from ρK and the sum of the votes."""
    V, U, weight = state["V"].copy(), state["U"].copy(), state["rho"] * len(state["V"])
    V[k] = U[k] + b
    total = state["rho"] * V.sum(axis=0)
    z = np.sign(total) * np.maximum(np.abs(total) - state["lam"], 0) / weight
    U[k] += b - z
    return {**state, "V": V, "U": U, "z": z}


def by_parts(state, k, b):
    others = np.delete(state["V"], k, axis=0)
    V = np.insert(others, k, b + state["U"][k], axis=0)
    z = shrunk(V.mean(axis=0), state["lam"] / (state["rho"] * len(V)))
    return state | dict(V=V, z=z, U=np.insert(np.delete(state["U"], k, axis=0), k, V[k] - z, axis=0))


@pytest.mark.parametrize("right", [by_running_mean, by_rows, by_where, by_proximal_point, by_parts])
def test_on_arrival_written_otherwise(right):
    accepted("on_arrival", right)


def arrival(vote=lambda state, k, b: b + state["U"][k], z=None, u=lambda V, U, k, z, b, old: V[k] - z):
    """on_arrival with one of its three lines replaced."""

    def on_arrival(state, k, b):
        V, U = state["V"].copy(), state["U"].copy()
        V[k] = vote(state, k, b)
        t = state["lam"] / (state["rho"] * len(V))
        new = shrunk(V.mean(axis=0), t) if z is None else z(V, t, k, state)
        U[k] = u(V, U, k, new, b, state["z"])
        return state | {"V": V, "U": U, "z": new}

    return on_arrival


def all_of_u(state, k, b):
    new = by_rows(state, k, b)
    return new | {"U": new["V"] - new["z"]}


def in_place(state, k, b):
    state["V"][k] = b + state["U"][k]
    state["z"] = shrunk(state["V"].mean(axis=0), state["lam"] / (state["rho"] * len(state["V"])))
    state["U"][k] = state["V"][k] - state["z"]
    return state


LIKE, STAYS, CONSENSUS = ("a state like the one given", "the optimum stays, whoever arrives",
                          "z is the consensus of all last votes")  # fmt: skip
ONLY, SLOW, GOES = ("only the rows of chunk k change", "a chunk ten times as slow is waited for by nobody",
                    "chunk k goes on with V[k] − z")  # fmt: skip


@pytest.mark.parametrize(("wrong", "condition", "says"), [
    (arrival(vote=lambda state, k, b: state["V"][k] + b + state["U"][k]), STAYS, "a fast chunk votes twice"),
    (arrival(vote=lambda state, k, b: b), STAYS, "what chunk k has disagreed"),
    (arrival(vote=lambda state, k, b: b - state["U"][k]), STAYS, "the sign of u"),
    (arrival(z=lambda V, t, k, state: shrunk(V[k], t)), STAYS, "not the one that arrives"),
    (arrival(z=lambda V, t, k, state: shrunk(V[k], t * len(V))), STAYS, "λ meets K of them"),
    (arrival(z=lambda V, t, k, state: shrunk(V.mean(axis=0), t * len(V))), STAYS, "not by λ/ρ"),
    (arrival(z=lambda V, t, k, state: V.mean(axis=0)), STAYS, "the penalty is missing"),
    (arrival(z=lambda V, t, k, state: shrunk(V.sum(axis=0), t)), STAYS, "not their sum"),
    (arrival(z=lambda V, t, k, state: (state["z"] + shrunk(V.mean(axis=0), t)) / 2), CONSENSUS, "do not mix it"),
    (arrival(z=lambda V, t, k, state: shrunk(state["V"].mean(axis=0), t)), CONSENSUS, "into V first"),
    (arrival(u=lambda V, U, k, z, b, old: U[k]), SLOW, "adds up there"),
    (arrival(u=lambda V, U, k, z, b, old: z - V[k]), STAYS, "mind the sign"),
    (arrival(u=lambda V, U, k, z, b, old: b - z), STAYS, "b − z alone forgets it"),
    (arrival(u=lambda V, U, k, z, b, old: U[k] + V[k] - z), STAYS, "do not add it again"),
    (arrival(u=lambda V, U, k, z, b, old: V[k] - old), GOES, "with the new z"),
    (all_of_u, ONLY, "change row k alone"),
    (in_place, LIKE, "work on a copy"),
    (lambda state, k, b: tuple(by_rows(state, k, b).values()), LIKE, "a dict with"),
    (lambda state, k, b: {"V": by_rows(state, k, b)["V"]}, LIKE, "keeps the others"),
], ids=["votes twice", "no u", "minus u", "arrivals only", "arrivals and λ/ρ", "λ/ρ", "no penalty", "sum", "damped",
        "old votes", "u stays", "u turned", "u forgets", "u twice", "old z", "all u", "in place", "a tuple",
        "V alone"])  # fmt: skip
def test_on_arrival_wrong(wrong, condition, says):
    rejected("on_arrival", wrong, condition, says)


@pytest.mark.parametrize("name", ["one_step", "pilot", "on_arrival"])
def test_our_answer_is_right_and_the_stub_is_not_written_yet(name):
    accepted(name, lambda *given, **named: exercise(name).reference(*given, **named))
    namespace = {}
    exec(exercise(name).stub, namespace)
    assert "not written yet" in check(namespace[name]).message
