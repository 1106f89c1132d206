#!/usr/bin/env bash
# TITLE     dask.array replaces the meta that it is given by an empty ndarray, without a word, where it cannot slice it
# VERSION   dask 2026.8.0, numpy 2.4.6, scipy 1.17.1, Python 3.11
# GUESS     map_blocks(coo_matrix, meta=coo_matrix((0, 0))) declares blocks of coo_matrix: the documentation says that
#           meta is the type of a block, to be given where dask cannot find it out.
# BEHAVIOUR For csr, csc, coo_array, dok and lil the array's meta is what was given. For coo_matrix and for dia and bsr,
#           matrix or array, it is a numpy.ndarray, while every block computes to the sparse class. Code that asks
#           x._meta whether rows are sparse takes them for dense.
# SOURCE    dask/array/utils.py, meta_from_array: the given meta is sliced with [0:0]; any exception is caught, and the
#           meta becomes numpy.empty. These classes cannot be indexed.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check "dask[array]==2026.8.0" numpy==2.4.6 scipy==1.17.1 >/dev/null
"$here/venv/bin/python" - <<'PY'
import dask.array as da
from scipy import sparse

found = {}
for name in ("csr_array", "csc_array", "coo_array", "dok_array", "lil_array",
             "bsr_array", "dia_array", "coo_matrix", "bsr_matrix", "dia_matrix"):
    make = getattr(sparse, name)
    empty = make((1, 1)) if name.startswith("bsr") else make((0, 0))
    x = da.ones((4, 2), chunks=(2, 2)).map_blocks(make, meta=empty)
    found[name] = type(x._meta).__name__, type(x.blocks[0].compute()).__name__
    print(f"{name:11} meta {found[name][0]:10} block {found[name][1]}")
kept = [name for name, (meta, _) in found.items() if meta == name]
assert all(block == name for name, (_, block) in found.items()), "blocks"
assert kept == ["csr_array", "csc_array", "coo_array", "dok_array", "lil_array"], "metas"
assert all(meta in (name, "ndarray") for name, (meta, _) in found.items()), "the others are ndarray"
print("As described.")
PY
