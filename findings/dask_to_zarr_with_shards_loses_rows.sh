#!/usr/bin/env bash
# TITLE     dask: to_zarr(path, shards=...) loses rows without a word where a shard holds more than one dask chunk
# VERSION   dask 2026.8.0, zarr 3.1.6, numpy 2.4.6, Python 3.11
# GUESS     to_zarr passes shards and chunks on to zarr.create_array, which its documentation names. What is written
#           is the array: dask cuts its chunks at the shards, takes a lock, or refuses, as it does for a zarr array that
#           exists already.
# BEHAVIOUR With the threaded scheduler (the default) a part of the rows is missing from the file; which part changes
#           from run to run. No error, no warning. With scheduler="sync", with chunks that are whole shards, and with
#           to_zarr(zarr.create_array(..., shards=...)) all rows are there.
# SOURCE    dask/array/core.py, to_zarr: chunks of the new array are compared with nothing, and arr.store(z, lock=False)
#           runs tasks side by side. Two tasks read, change and write the same shard, and the later one wins.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check "dask[array]==2026.8.0" numpy==2.4.6 zarr==3.1.6 >/dev/null
cd "$here"
"$here/venv/bin/python" - <<'PY'
import dask
import dask.array as da
import numpy as np
import zarr

rows = np.arange(1.0, 4001.0)


def missing(name, chunks, scheduler="threads", existing=False):
    """How many of 4000 rows are not in the file, when shards have 400 rows."""
    x = da.from_array(rows, chunks=chunks)
    shape = dict(shards=(400,), chunks=(20,))
    with dask.config.set(scheduler=scheduler, num_workers=8):
        if existing:
            x.to_zarr(zarr.create_array(name, shape=(4000,), dtype="float64", **shape))
        else:
            x.to_zarr(name, **shape)
    return int((zarr.open_array(name, mode="r")[:] != rows).sum())


lost = [missing(f"threads{k}.zarr", 20) for k in range(5)]  # one run may be lucky
fine = [missing("sync.zarr", 20, scheduler="sync"), missing("whole.zarr", 400),
        missing("exists.zarr", 20, existing=True)]
print("rows lost in five runs with threads:", lost)
print("rows lost with one thread, with chunks that are shards, with an array made before:", fine)
assert max(lost) > 0, "threads"
assert fine == [0, 0, 0], "the others"
print("As described.")
PY
