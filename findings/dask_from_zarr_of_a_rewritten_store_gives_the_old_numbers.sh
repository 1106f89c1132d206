#!/usr/bin/env bash
# TITLE     dask: from_zarr of a store that was written anew gives the old numbers while the cluster keeps them
# VERSION   dask 2026.8.0, distributed 2026.8.0, zarr 3.1.6, numpy 2.4.6, Python 3.11
# GUESS     X = from_zarr(path).persist(), the store is written anew, X = from_zarr(path).persist() again: X holds what
#           is in the store now. The name of a dask array is a token of its data.
# BEHAVIOUR The second X holds the numbers of the first, and so does every further one, because each is asked for while
#           the one before is still held. The file has the new numbers, and compute() without persist() gives them.
# SOURCE    dask/array/core.py, from_zarr: the name is a token of the zarr array, that is of its path and metadata and
#           not of its content or its time. The scheduler knows a task of that name and does not run it again.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check "dask[array]==2026.8.0" distributed==2026.8.0 numpy==2.4.6 \
    zarr==3.1.6 >/dev/null
cd "$here"
"$here/venv/bin/python" - <<'PY'
import dask.array as da
import numpy as np
import zarr
from distributed import Client, wait

with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as client:
    found = []
    for state in (0.0, 1.0, 2.0):
        zarr.create_array("x.zarr", data=np.full((4, 2), state), chunks=(2, 2), overwrite=True)
        x = da.from_zarr("x.zarr").persist()  # the name x is given away only when the new rows are asked for
        wait(x)
        found.append((state, float(zarr.open_array("x.zarr", mode="r")[0, 0]), float(x.mean().compute())))
    print("written, in the file, persisted:", found)
    assert [(written, stored) for written, stored, _ in found] == [(0, 0), (1, 1), (2, 2)], "the file"
    assert [kept for *_, kept in found] == [0, 0, 0], "the cluster"
    del x
    print("after del x:", float(da.from_zarr("x.zarr").mean().compute()))
print("As described.")
PY
