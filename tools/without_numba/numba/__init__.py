"""In the place of numba where tools/without_numba comes first on PYTHONPATH: as if it were not installed."""

raise ModuleNotFoundError("No module named 'numba' (hidden by tools/without_numba)", name="numba")
