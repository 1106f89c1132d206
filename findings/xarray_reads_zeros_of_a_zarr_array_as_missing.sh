#!/usr/bin/env bash
# TITLE     xarray: open_zarr reads the zeros of an array that zarr wrote in format 2 as missing, and its mean leaves them out
# VERSION   xarray 2026.9.0, zarr 3.1.6, dask 2026.8.0, numpy 2.4.6, pandas 3.1.1, Python 3.11
# GUESS     Counts that zarr writes are read by xarray as zarr reads them. The array has no attribute _FillValue and no missing value.
# BEHAVIOUR In zarr's format 2 each 0 comes back as NaN, and whole numbers as floats. mean() skips NaN, so that the mean of the counts
#           is 2.0 and not 0.75, without a warning. In format 3 the same lines give 0.75. The option that is documented against it,
#           use_zarr_fill_value_as_mask=False, is taken and has no effect. mask_and_scale=False reads the zeros.
# SOURCE    xarray/backends/zarr.py: open_store_variable takes the array's fill_value for a _FillValue where the format is 2. For zarr
#           that is what a chunk that was never written holds, and create_array sets it to 0 unless told otherwise. The open_dataset
#           of ZarrBackendEntrypoint opens the store with use_zarr_fill_value_as_mask=None whatever it was given.
# SEEN      format 2: xarray reads [nan nan nan  3.  1. nan  2. nan] of float64, means [2.0, 2.0, 0.75], exact 0.75
#           format 3: xarray reads [0 0 0 3 1 0 2 0] of int64, means [0.75, 0.75, 0.75], exact 0.75
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check xarray==2026.9.0 zarr==3.1.6 "dask[array]==2026.8.0" numpy==2.4.6 \
    pandas==3.1.1 >/dev/null
cd "$here"
"$here/venv/bin/python" - <<'PY'
import numpy as np
import xarray as xr
import zarr

COUNTS = np.array([0, 0, 0, 3, 1, 0, 2, 0])
OPTIONS = {}, {"use_zarr_fill_value_as_mask": False}, {"mask_and_scale": False}
means = {}
for form in (2, 3):
    group = zarr.open_group(f"store{form}", mode="w", zarr_format=form)
    rows = {"attributes": {"_ARRAY_DIMENSIONS": ["row"]}} if form == 2 else {"dimension_names": ["row"]}
    group.create_array("y", data=COUNTS, chunks=(4,), **rows)
    assert np.array_equal(zarr.open_group(f"store{form}", mode="r")["y"][:], COUNTS), "zarr"
    read = [xr.open_zarr(f"store{form}", consolidated=False, **options)["y"] for options in OPTIONS]
    means[form] = [float(y.mean()) for y in read]
    print(f"format {form}: xarray reads {read[0].values} of {read[0].dtype}, means {means[form]}, exact {COUNTS.mean()}")
positive, exact = COUNTS[COUNTS > 0].mean(), COUNTS.mean()
assert means == {2: [positive, positive, exact], 3: [exact] * 3}, means
print("As described.")
PY
