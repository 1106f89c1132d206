#!/usr/bin/env bash
# TITLE     dask: sizeof knows scipy's sparse matrices and takes a sparse array of any size for some 56 bytes
# VERSION   dask 2026.8.0, scipy 1.17.1, numpy 2.4.6, Python 3.11
# GUESS     sizeof(csr_array) is what its three arrays hold, as for csr_matrix: scipy recommends arrays for new code.
#           Workers spill, pause and choose by that number.
# BEHAVIOUR sizeof(csr_matrix) is right. For csr, csc, coo, bsr and lil arrays it is the size of the Python object
#           without what it holds. There is no warning.
# SOURCE    dask/sizeof.py, register_spmatrix: registered for scipy.sparse.spmatrix, which arrays do not inherit from;
#           scipy.sparse.sparray is not named.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check dask==2026.8.0 numpy==2.4.6 scipy==1.17.1 >/dev/null
"$here/venv/bin/python" - <<'PY'
import numpy as np
from dask.sizeof import sizeof
from scipy import sparse

rows = sparse.csr_array(np.ones((1000, 200)))
held = rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes
print(f"held {held:,} bytes; csr_matrix {sizeof(sparse.csr_matrix(rows)):,}, csr_array {sizeof(rows):,}")
assert sizeof(sparse.csr_matrix(rows)) >= held, "the matrix"
for name in ("csr", "csc", "coo", "bsr", "lil"):
    array = getattr(sparse, f"{name}_array")(rows)
    print(f"{name}_array {sizeof(array)}")
    assert sizeof(array) < 200, name
print("As described.")
PY
