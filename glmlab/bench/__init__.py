"""An honest benchmark: same objective, same rows, same cores, every answer certified by code that made none of them.

    python -m glmlab.bench headline          the targets, each a ratio of interleaved runs
    python -m glmlab.bench grid              every solver and every peer on every problem; goes on where it stopped

`problems` are data on disk and an objective with its optimum; `entries` are solvers, ours and peers, each with its
ladder of tolerances; `harness` runs an entry in a process of its own (`worker`) and writes lines of JSON; `targets`
are what we claim; `report` makes the tables and figures of it; `shipped` holds what was measured at full size.
"""
