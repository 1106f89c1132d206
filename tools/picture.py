"""The README's pictures: python -m tools.picture writes docs/picture.png and docs/benchmark.png."""

from pathlib import Path

from glmlab import L1, datasets, fit, viz
from glmlab.bench import report, shipped

SOLVERS = ("proximal_gradient", "fista", "proximal_newton")
DOCS = Path(__file__).resolve().parent.parent / "docs"


def main():
    """Three solvers on the flights, each to the same certified gap; and the benchmark as it was measured."""
    X, y = datasets.flights("xy")
    results = {
        solver: fit(X, y, family="logistic", penalty=L1(100.0), fit_intercept=True, solver=solver, tol=1e-9)
        for solver in SOLVERS
    }
    picture = viz.convergence(results)
    picture.save(DOCS / "picture.png")
    print(picture.finding)
    benchmark().savefig(DOCS / "benchmark.png")


def benchmark():
    """Every solver on the post's laptop problem: suboptimality against seconds, from the shipped results."""
    rows = [row for row in shipped.rows() if row["problem"] == "laptop"]
    return report.static("the laptop problem", report.curves(rows, "seconds"), "seconds")


if __name__ == "__main__":
    main()
