"""Names of columns: those of X must be those that a model was fitted with, in their order."""

import numpy as np
import pandas as pd

from glmlab.rows.tables import frame_values


def refuse_other_names(what, names, known, whose, cure):
    """The error for columns whose names or order differ from the known ones. None, for arrays, agrees with all."""
    if names is None or known is None or names == known:
        return
    names, known = tuple(names), tuple(known)
    if set(names) != set(known) and tuple(range(len(known))) in (names, known):
        return  # pandas numbered the columns because nobody named them
    if sorted(map(str, names)) == sorted(map(str, known)):
        raise ValueError(f"{what} has the columns {listed(names)}, {whose} has them in another order: {listed(known)}; "
                         f"type {cure}")  # fmt: skip
    missing = [name for name in known if name not in names]
    extra = [name for name in names if name not in known]
    said = [f"{word} {listed(some)}" for word, some in (("lacks", missing), ("adds", extra)) if some]
    cure = "add what it lacks" if missing else f"type {cure}"
    raise ValueError(f"{what} has other columns than {whose}: it {' and '.join(said)}; {cure}")


def listed(names):
    """The first names, for a message."""
    shown = [str(name) if isinstance(name, np.generic) else repr(name) for name in names[:6]]
    return f"[{', '.join(shown)}{', …' if len(names) > 6 else ''}]"


def is_answer(values):
    """Is this a Result or a state? Both have a `beta`; so has a Series with a row of that name, which is neither."""
    return hasattr(values, "beta") and not isinstance(values, pd.Series | pd.DataFrame)


def coefficients(what, values, names, dim):
    """The numbers of a Series whose labels must be the names of X's columns; other `values` as they are.

    Up to `dim` labels, an intercept may follow. Raises ValueError for other labels.
    """
    if not isinstance(values, pd.Series):
        return values
    labels = tuple(values.index)
    known = names and (*names, *labels[len(names) : dim])
    refuse_other_names(what, labels, known, "X", f"{what}[list(X.columns)]")
    return frame_values(what, values)
