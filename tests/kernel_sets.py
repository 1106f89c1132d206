"""The kernel sets of this run: both, or NumPy's alone in the setting `no-numba` of tools/arithmetic.py."""

import os

import pytest

COMPILED = os.environ.get("GLMLAB_ARITHMETIC") != "no-numba"
if COMPILED:
    from glmlab.rows import elementary, fused, loops, sparse_loops
else:
    elementary = fused = loops = sparse_loops = None
NAMES = ["numpy", "fused"] if COMPILED else ["numpy"]
compiled = pytest.mark.skipif(not COMPILED, reason="the compiled kernels need numba")
