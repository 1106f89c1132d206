"""A fair benchmark: same objective, same rows, same cores; every answer is certified by code that solved nothing.

    python -m glmlab.bench headline          the targets, each a ratio of interleaved runs
    python -m glmlab.bench grid              every solver and every peer on every problem; continues where it stopped

A problem (`problems`) is data on disk, an objective and its optimum. An entry (`entries`) is a solver, ours or a peer,
with a list of tolerances. `harness` runs each entry in a process of its own (`worker`) and writes lines of JSON.
`targets` holds our claims, `report` makes tables and figures, `shipped` holds the results at full size.
`row` puts a solver of your own in a table beside the built-in ones, in this process.
"""

from glmlab.bench.beside import row as row
