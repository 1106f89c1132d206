"""Which set of kernels serves a problem: NumPy's, or the fused ones that numba compiles."""

from glmlab.names import among

KERNELS = ("numpy", "fused")


def chosen(kernels, family, chunks):
    """The name of the kernel set, after asking every process that will run it.

    `kernels` is what the caller wants; None wants "fused" wherever it can be. Raises ValueError where "fused" is wanted
    and cannot be, RuntimeError where a worker cannot load what this process can.
    """
    if kernels is not None and among("kernels", kernels, KERNELS) == "numpy":
        return "numpy"
    load = loader(family, sparse=chunks.sparse)
    why = load()  # the first place that imports them
    if why and kernels == "fused":
        raise ValueError(f"kernels 'fused' cannot be used: {why}. Pass kernels='numpy', or leave it out")
    if why:
        return "numpy"
    for worker, trouble in chunks.elsewhere(load).items():
        if trouble:
            raise RuntimeError(f"worker {worker} cannot load the fused kernels ({trouble}). Install there the numba "
                               "that is installed here, or pass kernels='numpy'")  # fmt: skip
    return "fused"


def loader(*families, sparse=False):
    """A function that loads the fused kernels and the families' twins, and says what kept it from that, or "".

    sparse: are the loops over sparse rows needed too?

    It travels to workers by value, as a closure does.
    """

    def load():
        try:
            import glmlab.rows.fused
            from glmlab.rows.twins import prepare

            if sparse:
                import glmlab.rows.sparse_loops  # noqa: F401
            for family in families:
                prepare(family)
        except Exception as error:  # numba has many ways to fail: missing, too old for NumPy, no place for its cache
            if type(error).__name__ == "Unreadable":
                return str(error)
            return f"numba, which compiles them, does not work here ({type(error).__name__}: {error})"
        return ""

    return load
