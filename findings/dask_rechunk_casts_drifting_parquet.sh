#!/usr/bin/env bash
# TITLE     dask: joining blocks of a parquet table whose column drifts from int64 to double truncates the doubles
# VERSION   dask 2026.8.0, numpy 2.4.6, pandas 3.1.1, pyarrow 26.0.1, Python 3.11
# GUESS     Two parquet files hold x = [1, 2] (int64) and x = [1.5, 2.5] (double). As one dask array, rechunked to one
#           block, the column is [1, 2, 1.5, 2.5], because NumPy's concatenate promotes int64 and double to double.
# BEHAVIOUR The array says int64, as its first file does. Without a rechunk its second block still holds 1.5; after
#           rechunk(-1) it holds 1. Nothing warns. The mean of the column is 1.75 or 1.5, as it is cut.
# SOURCE    dask/array/core.py, concatenate3: the result is allocated with the dtype of the first array it meets.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check "dask[array,dataframe]==2026.8.0" numpy==2.4.6 \
    pandas==3.1.1 pyarrow==26.0.1 >/dev/null
cd "$here"
"$here/venv/bin/python" - <<'PY'
import dask.dataframe as dd
import pandas as pd
from pathlib import Path

Path("table").mkdir()
pd.DataFrame({"x": [1, 2]}).to_parquet("table/part.0.parquet")
pd.DataFrame({"x": [1.5, 2.5]}).to_parquet("table/part.1.parquet")
x = dd.read_parquet("table")["x"].to_dask_array(lengths=True)
apart = [x.blocks[k].compute().tolist() for k in range(2)]
joined = x.rechunk(-1).compute().tolist()
print("declared", x.dtype, "| blocks", apart, "| rechunked", joined)
assert str(x.dtype) == "int64" and apart == [[1, 2], [1.5, 2.5]], "the blocks"
assert joined == [1, 2, 1, 2], "the rechunk"
print("As described.")
PY
