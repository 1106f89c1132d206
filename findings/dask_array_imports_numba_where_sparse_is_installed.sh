#!/usr/bin/env bash
# TITLE     Installing pydata sparse makes every `import dask.array` import numba, whether or not sparse is used
# VERSION   dask 2026.8.0, sparse 0.19.3, numba 0.68.1, numpy 2.4.6, Python 3.11
# GUESS     A chunk type that dask supports is registered lazily, by name, as pickling of its arrays is: a program that
#           never touches pydata sparse does not pay for it, and a test that "numba is not imported" stays true.
# BEHAVIOUR `import dask.array` imports sparse at once to register sparse.SparseArray as a chunk type; sparse imports
#           numba and, with it, LLVM. A process that only adds NumPy blocks has loaded some 250 modules more.
#           Every worker process pays for it, too.
# SOURCE    dask/array/chunk_types.py: `import sparse` at the level of the module, in a try; the lookups in
#           dask/array/backends.py are lazy.
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check "dask[array]==2026.8.0" numpy==2.4.6 >/dev/null
look() {
    "$here/venv/bin/python" - <<'PY'
import sys
import dask.array as da

assert da.ones(4, chunks=2).sum().compute() == 4
print("numba" in sys.modules, "sparse" in sys.modules, len(sys.modules))
PY
}
read -r numba_before sparse_before modules_before <<<"$(look)"
"$here/venv/bin/pip" install -q --disable-pip-version-check sparse==0.19.3 numba==0.68.1 numpy==2.4.6 >/dev/null
read -r numba_after sparse_after modules_after <<<"$(look)"
echo "without sparse installed: numba imported $numba_before, modules $modules_before"
echo "with sparse installed:    numba imported $numba_after, modules $modules_after"
[ "$numba_before $sparse_before $numba_after $sparse_after" = "False False True True" ]
[ $((modules_after - modules_before)) -gt 200 ]
echo "As described."
