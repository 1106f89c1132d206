"""The README's picture: python -m tools.picture writes docs/picture.png."""

from pathlib import Path

from glmlab import L1, datasets, fit, viz

SOLVERS = ("proximal_gradient", "fista", "proximal_newton")
TARGET = Path(__file__).resolve().parent.parent / "docs" / "picture.png"


def main():
    """Three solvers on the flights, each to the same certified gap."""
    X, y = datasets.flights("xy")
    results = {
        solver: fit(X, y, family="logistic", penalty=L1(100.0), fit_intercept=True, solver=solver, tol=1e-9)
        for solver in SOLVERS
    }
    picture = viz.convergence(results)
    picture.save(TARGET)
    print(picture.finding)


if __name__ == "__main__":
    main()
