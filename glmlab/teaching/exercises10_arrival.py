"""The last exercise of notebook 10: a vote for each arrival, asynchronous ADMM at the one who counts."""

import heapq
from typing import NamedTuple

import numpy as np

from glmlab.maths.penalties import L1
from glmlab.maths.quadratic import minimise_model

from .exercise import Exercise, recognised, require
from .guard import an_array, short

# ---------------------------------------------------------------- 3. one arrival


def on_arrival(state, k, b):
    V, U = state["V"].copy(), state["U"].copy()
    V[k] = b + U[k]
    m, t = V.mean(axis=0), state["lam"] / (state["rho"] * len(V))
    z = np.sign(m) * np.maximum(np.abs(m) - t, 0)
    U[k] = V[k] - z
    return state | {"V": V, "U": U, "z": z}


ON_ARRIVAL = Exercise(
    name="on_arrival",
    statement=(
        "ADMM without waiting. The dict `state` has V (K, p), each chunk's last vote; U (K, p), the u that each chunk "
        "is at work with; z (p,), lam and rho. Chunk k returns the solution b (p,) of its problem with U[k]. Return "
        "the new state: b + U[k] takes the place of its last vote; z = argmin lam‖z‖₁ + (rho/2) Σ_k ‖V_k − z‖² for all "
        "last votes; chunk k goes on with U[k] = V[k] − z. The other chunks are at work: leave their rows alone."
    ),
    stub='''
    def on_arrival(state, k, b):
        """The state after chunk k has returned b: a new dict with the same names."""
        raise NotImplementedError
    ''',
    reference=on_arrival,
    hints=(
        "z_update of notebook 05 for a single arrival: which rows of V and U change, and what is z made of?",
        "Put b + U[k] into row k of a copy of V; z is the mean of V's rows, shrunk by λ/(ρK); then U[k] = V[k] − z.",
        "V[k] = b + U[k]; z = shrink(V.mean(axis=0), lam / (rho * K)); U[k] = V[k] - z, V and U being copies.",
    ),
)


class Consensus(NamedTuple):
    """Least squares in K chunks with L1: F = Σ_k ‖X_k b − y_k‖² + lam‖b‖₁."""

    hessians: np.ndarray  # (K, p, p) 2X_kᵀX_k
    linear: np.ndarray  # (K, p) 2X_kᵀy_k
    lam: float
    rho: float
    best: np.ndarray  # (p,)

    def answer(self, k, z, u):
        """Chunk k's solution for this z and u."""
        H = self.hessians[k] + self.rho * np.eye(len(z))
        return np.linalg.solve(H, self.linear[k] + self.rho * (z - u))

    def slope(self, z):
        """∇f(z)."""
        return self.hessians.sum(axis=0) @ z - self.linear.sum(axis=0)

    def optimal(self):
        """The state at the optimum: ρ u_k = −∇f_k(z)."""
        U = -(self.hessians @ self.best - self.linear) / self.rho
        return {"V": self.best + U, "U": U, "z": self.best.copy(), "lam": self.lam, "rho": self.rho}

    def begin(self):
        """The state at the start: nobody has voted yet."""
        zeros = np.zeros_like(self.linear)
        return {"V": zeros, "U": zeros.copy(), "z": np.zeros(len(self.best)), "lam": self.lam, "rho": self.rho}


def _consensus(seed, lengths, p):
    rng = np.random.default_rng(seed)
    true = rng.normal(size=p) * (np.arange(p) % 3 > 0)
    hessians, linear = [], []
    for n in lengths:
        X = rng.normal(size=(n, p)) * np.geomspace(3, 1, p)
        y = X @ true + rng.normal(size=n)
        hessians.append(2 * X.T @ X)
        linear.append(2 * X.T @ y)
    H, c = np.array(hessians), np.array(linear)
    lam = 0.15 * float(np.abs(c.sum(axis=0)).max())
    best = minimise_model(L1(lam), np.zeros(p), -c.sum(axis=0), H.sum(axis=0)).point
    return Consensus(H, c, lam, float(np.mean(np.diagonal(H, axis1=1, axis2=2))), best)


CASES = ((151, (60, 90, 45, 120), 6), (152, (40,), 3), (153, (15, 30), 1))
ARRIVALS = 1000  # with our answer KKT is then at 1e-9 of λ
NAMES = {"V", "U", "z", "lam", "rho"}


def _state(on_arrival, state, k, b):
    """The new state, if it is one."""
    found, where = on_arrival(state, k, b), f"for V {state['V'].shape}"
    names = f"{where} it returned {short(found)}; a dict with {', '.join(sorted(NAMES))} is needed"
    require(isinstance(found, dict) and set(found) == NAMES, names, 'state | {"V": V, "U": U, "z": z} keeps the others')
    for name in ("lam", "rho"):
        require(found[name] == state[name], f"{where} {name} is {short(found[name])}, not {state[name]:g}")
    shapes = {name: np.shape(state[name]) for name in ("V", "U", "z")}
    return found | {name: an_array(found[name], shape, f"{where} {name} is") for name, shape in shapes.items()}


def _random(seed, K, p):
    """A state in the middle of things, a chunk and its answer."""
    rng = np.random.default_rng(seed)
    V, U, z = rng.normal(size=(K, p)), rng.normal(size=(K, p)), rng.normal(size=p)
    return {"V": V, "U": U, "z": z, "lam": 0.6 * K, "rho": 2.0}, int(rng.integers(K)), rng.normal(size=p)


def _arrival_mistake(on_arrival):
    """The hint of a known mistake in one arrival, None for an unknown one."""
    state, k, b = _random(160, 4, 5)
    found = _state(on_arrival, state, k, b)
    (V, U, z), (lam, rho), K = (state[name] for name in ("V", "U", "z")), (state["lam"], state["rho"]), 4

    def shrunk(v, t):
        return v - np.clip(v, -t, t)

    def after(vote):
        return np.concatenate([V[:k], [vote], V[k + 1 :]])

    right, t = after(b + U[k]), lam / (rho * K)
    if not recognised(found["V"], {"right": right}, rtol=1e-9):
        return recognised(found["V"], {
            "replace the last vote of chunk k: added to it, a fast chunk votes twice": after(V[k] + b + U[k]),
            "a vote is b + U[k]: u is what chunk k has disagreed so far": after(b),
            "a vote is b + U[k]: mind the sign of u": after(b - U[k]),
            "V[k] is the vote; it must be new": V,
            "the votes of the other chunks stay: do not average them with this one": after(b + U[k]) * 0 + b + U[k],
        })  # fmt: skip
    if not recognised(found["z"], {"right": shrunk(right.mean(axis=0), t)}, rtol=1e-9):
        return recognised(found["z"], {
            "the last votes of all K chunks count, not the one that arrives: their slopes are in it":
                shrunk(right[k], t),
            "all last votes count, and λ meets K of them: shrink their mean by λ/(ρK)": shrunk(right[k], lam / rho),
            "K votes meet one penalty: shrink their mean by λ/(ρK), not by λ/ρ": shrunk(right.mean(axis=0), lam / rho),
            "ρ weighs the votes: shrink by λ/(ρK), not by λ/K": shrunk(right.mean(axis=0), lam / K),
            "the penalty is missing: shrink the mean of the votes": right.mean(axis=0),
            "the mean of the votes, not their sum": shrunk(right.sum(axis=0), t),
            "z is made of the new votes: put b + U[k] into V first": shrunk(V.mean(axis=0), t),
            "z must move with every arrival": z,
            "z is the minimiser for the last votes: do not mix it with the z before":
                (z + shrunk(right.mean(axis=0), t)) / 2,
        })  # fmt: skip
    z = found["z"]
    return recognised(found["U"], {
        "the other chunks are at work with the u that they were sent: change row k alone": right - z,
        "u belongs to the z that it is sent with: U[k] = V[k] − z with the new z":
            np.concatenate([U[:k], [right[k] - state["z"]], U[k + 1 :]]),
        "U[k] must move: what chunk k and z disagree about adds up there": U,
        "U[k] = V[k] − z has the u before in it: do not add it again":
            np.concatenate([U[:k], [U[k] + right[k] - z], U[k + 1 :]]),
        "U[k] = V[k] − z: mind the sign": np.concatenate([U[:k], [z - right[k]], U[k + 1 :]]),
        "U[k] = V[k] − z keeps the u before: b − z alone forgets it": np.concatenate([U[:k], [b - z], U[k + 1 :]]),
    })  # fmt: skip


@ON_ARRIVAL.condition(
    "a state like the one given", hint='return a dict with V, U, z, lam and rho: state | {"V": V, "U": U, "z": z}',
    errors=True,
)  # fmt: skip
def like_the_given(on_arrival):
    for seed, K, p in ((161, 4, 3), (162, 1, 2), (163, 3, 1)):
        _state(on_arrival, *_random(seed, K, p))


@ON_ARRIVAL.condition(
    "the optimum stays, whoever arrives",
    hint="at the optimum each answer is z itself: if a chunk that arrives three times moves anything, speed weighs",
)
def optimum_stays(on_arrival):
    for case in CASES:
        problem = _consensus(*case)
        state, K = problem.optimal(), len(case[1])
        for step, k in enumerate((0, K - 1, K - 1, K - 1, K // 2, 0, K - 1)):
            state = _state(on_arrival, state, k, problem.answer(k, state["z"], state["U"][k]))
            off = max(np.abs(state[name] - there).max() for name, there in problem.optimal().items() if np.ndim(there))
            words = f"{K} chunks, from the optimum: arrival {step + 1}, of chunk {k}, leads {off:.2g} away from there"
            size = np.abs(problem.optimal()["V"]).max()
            require(off <= 1e-9 * size, words, lambda: _arrival_mistake(on_arrival))


@ON_ARRIVAL.condition(
    "z is the consensus of all last votes",
    hint="ρ Σ (V_k − z) over all K chunks is a slope of λ‖z‖₁: the mean of V, shrunk by λ/(ρK)",
)
def consensus_of_all(on_arrival):
    for seed, K, p in ((171, 5, 4), (172, 1, 3), (173, 8, 2)):
        given, k, b = _random(seed, K, p)
        for lam in (0.0, given["lam"], 1e5):
            state = _state(on_arrival, given | {"lam": lam}, k, b)
            pull, z = given["rho"] * (state["V"] - state["z"]).sum(axis=0), state["z"]
            size = 1e-9 * (1 + lam + given["rho"] * np.abs(state["V"]).sum(axis=0))
            fits = np.where(z == 0, np.abs(pull) <= lam + size, np.abs(pull - lam * np.sign(z)) <= size)
            worst = np.argmin(fits)
            words = f"{K} chunks, λ = {lam:g}: where z_j = {z[worst]:.3g}, ρ Σ (V_k − z)_j is {pull[worst]:.3g}"
            require(fits.all(), words, lambda: _arrival_mistake(on_arrival))


@ON_ARRIVAL.condition(
    "only the rows of chunk k change",
    hint="the others are at work with the u and the z that they were sent: their votes will fit those",
)
def only_k(on_arrival):
    for seed, K, p in ((181, 5, 4), (182, 2, 1)):
        given, k, b = _random(seed, K, p)
        state, others = _state(on_arrival, given, k, b), np.arange(K) != k
        same = all(np.array_equal(state[name][others], given[name][others]) for name in ("V", "U"))
        require(same, f"chunk {k} arrived, and rows of other chunks changed", lambda: _arrival_mistake(on_arrival))


@ON_ARRIVAL.condition(
    "a chunk ten times as slow is waited for by nobody",
    hint="with one slow chunk z must still reach the optimum of all rows: what a chunk disagrees adds up in its u",
)
def straggler(on_arrival):
    problem, slow = _consensus(*CASES[0]), 2
    state, K = problem.begin(), len(problem.linear)
    sent = [(state["z"], state["U"][k]) for k in range(K)]
    takes = [10.0 if k == slow else 1 + k / 100 for k in range(K)]
    due = sorted((takes[k], k) for k in range(K))
    for _ in range(ARRIVALS):
        clock, k = heapq.heappop(due)
        state = _state(on_arrival, state, k, problem.answer(k, *sent[k]))
        sent[k] = state["z"], state["U"][k]
        heapq.heappush(due, (clock + takes[k], k))
    left = L1(problem.lam).distance(state["z"], problem.slope(state["z"])).max()
    words = f"{ARRIVALS} arrivals, chunk {slow} ten times as slow: KKT is {left:.1e}, and λ is {problem.lam:.3g}"
    require(left <= 1e-8 * problem.lam, words, lambda: _arrival_mistake(on_arrival))


@ON_ARRIVAL.condition(
    "chunk k goes on with V[k] − z",
    hint="the u that chunk k is sent belongs to the z that it is sent with: U[k] = V[k] − z with the new z",
)
def goes_on(on_arrival):
    for seed, K, p in ((191, 5, 4), (192, 1, 2)):
        given, k, b = _random(seed, K, p)
        state = _state(on_arrival, given, k, b)
        off = np.abs(state["U"][k] - (state["V"][k] - state["z"])).max()
        words = f"chunk {k} is sent a u that is {off:.2g} off V[k] − z"
        require(off <= 1e-9 * (1 + np.abs(state["V"]).max()), words, lambda: _arrival_mistake(on_arrival))
