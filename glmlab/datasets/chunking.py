"""The row chunks of all lazy data sets."""

from dask.array.core import normalize_chunks

from glmlab.rows.ondask import auto_rows

BLOCK = 1_000  # rows of normal numbers that share one seed


def row_chunks(chunks, n, p):
    """The lengths of the row chunks, a tuple of ints, for `chunks` as in `make_regression`.

    Columns are never cut: a row belongs to one chunk. Raises ValueError where the chunks do not fit n rows.
    """
    rows, columns = chunks if isinstance(chunks, tuple) and len(chunks) == 2 else (chunks, -1)
    if isinstance(rows, tuple) and len(rows) == 1:
        rows = rows[0]
    if isinstance(rows, str) and rows == "auto":
        rows = whole_blocks(auto_rows(n, p))
    try:
        lengths, widths = normalize_chunks((rows, columns), shape=(n, p), dtype="float64")
    except (TypeError, ValueError, ZeroDivisionError):  # dask's message names dask's internals
        raise ValueError(f"chunks = {chunks!r} does not cut {n} rows. Type rows per chunk, or 'auto'.") from None
    if len(widths) > 1 or min(lengths) < 1:
        raise ValueError(f"chunks = {chunks!r}: only rows are cut, one or more a chunk. Type a row count.")
    return lengths


def whole_blocks(rows):
    """`rows` rounded up to a multiple of BLOCK, so that no block is drawn for two chunks; fewer than BLOCK as given."""
    return rows if rows < BLOCK else -(-rows // BLOCK) * BLOCK
