#!/usr/bin/env bash
# TITLE     dask: choosing columns of a parquet table changes its partitions, and npartitions does not say so
# VERSION   dask 2026.8.0, numpy 2.4.6, pandas 3.1.1, pyarrow 26.0.1, Python 3.11
# GUESS     A table of four files has four partitions; frame[["a"]] has four as well, as its npartitions says, so that
#           map_partitions runs four times, and its rows as an array have the lengths that the files have.
# BEHAVIOUR frame[["a"]].npartitions is 4, but map_partitions runs on two partitions, which join two files each.
#           frame[["a"]].to_dask_array(lengths=(2, 2, 2, 2)) is made and fails when it is computed: "Missing
#           dependency". lengths=True is refused: "does not match the number of partitions. 2 != 4".
# SOURCE    dask/dataframe/dask_expr: reads of few columns are fused, several files into one task, when an expression is
#           lowered. The npartitions of the expression is that from before.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check "dask[dataframe]==2026.8.0" numpy==2.4.6 pandas==3.1.1 \
    pyarrow==26.0.1 >/dev/null
cd "$here"
"$here/venv/bin/python" - <<'PY'
import dask.dataframe as dd
import numpy as np
import pandas as pd
from pathlib import Path

Path("table").mkdir()
for k in range(4):
    pd.DataFrame(np.full((2, 4), float(k)), columns=list("abcd")).to_parquet(f"table/part.{k}.parquet")
frame = dd.read_parquet("table")
said, run = {}, {}
for columns in (["a"], ["a", "b"], ["a", "b", "c"], list("abcd")):
    name = "".join(columns)
    said[name], run[name] = frame[columns].npartitions, frame[columns].map_partitions(len).compute().tolist()
    print(f"{name:5} npartitions {said[name]}, rows of the partitions that ran {run[name]}")
assert set(said.values()) == {4} and all(sum(rows) == 8 for rows in run.values())
assert run["abcd"] == [2, 2, 2, 2], "all columns"
assert run["a"] == [4, 4], "one column"


def error(lengths):
    """The words of the error for one column as an array."""
    try:
        frame[["a"]].to_dask_array(lengths=lengths).compute()
    except ValueError as failed:
        return str(failed)


for lengths, words in (((2, 2, 2, 2), "Missing dependency"), (True, "2 != 4")):
    print(f"lengths={lengths}: {error(lengths)}")
    assert words in error(lengths), words
print("As described.")
PY
