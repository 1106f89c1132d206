"""The worked example of notebook 11: a solver as a reader would write it, from one box of a paper."""

import numpy as np

from glmlab.solvers.result import State


def barzilai_borwein(f, g, start, *, memory=5, sigma=0.01):
    """Proximal gradient on F = f + g with steps by Barzilai and Borwein, made safe (SpaRSA).

    Update: β⁺ = prox_{g/α}(β − ∇f(β)/α), α doubled until F(β⁺) ≤ max F over the last `memory` + 1 states
    − (σ/2) α ‖β⁺ − β‖²; then α = sᵀr ÷ sᵀs with s = β⁺ − β and r = ∇f(β⁺) − ∇f(β), the curvature along s.
    Oracle: one loss+gradient pass an iteration, and one more for each doubling: the pass that tests a trial point is
    the next iteration's.
    Rate: α lies between two positive numbers, as convergence needs. For convex f F − F* is O(1/k), and it falls
    linearly for strongly convex F (Hager, Phan & Zhang 2011). F may rise for up to `memory` iterations.
    Reference: Wright, Nowak & Figueiredo (2009), "Sparse reconstruction by separable approximation", §II.
    """
    beta, (loss, grad), heights = start, f.loss_grad(start), []
    alpha = first = np.linalg.norm(grad) or 1.0  # so the first move is about 1 long
    while True:
        F = loss + g.value(beta)
        yield State(beta, F, f.residual(beta, grad, g))
        heights = [*heights[-memory:], F]
        while True:
            new = g.prox(beta - grad / alpha, 1 / alpha)
            move, (loss, new_grad) = new - beta, f.loss_grad(new)
            if loss + g.value(new) <= max(heights) - sigma / 2 * alpha * (move @ move):
                break
            alpha *= 2
        if not move.any():
            return
        alpha = np.clip((new_grad - grad) @ move / (move @ move), 1e-8 * first, 1e8 * first)
        beta, grad = new, new_grad
