"""Every threshold of the stop rule, with its unit and its reason. Passed in, so that another choice needs no patch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stopping:
    """When a run stops, and when its answer counts as converged.

    An *effect* of a move d is by how much it moves the rows' η through one coordinate (`Objective.effect`). Effects
    are compared with the largest of the coefficients, after an allowance for the rounding of η.
    """

    max_iter: int = 10_000  # iterations, unless the caller says another number
    patience: int = 100  # iterations without any progress before we stop asking for more

    few: int = 2**22  # numbers in X: so few are read in milliseconds, and then answers are right to their last digits
    default: float = 1e-9  # relative gap: `tol` unless the caller says another
    rough: float = 1e-6  # relative gap: whoever asks for a larger `tol` wants to stop at it, however few the rows are
    still: float = 1e-10  # effect of the next step where a method knows its step: one more pass makes it so small
    right: float = 5e-7  # effect of the certificate's step at which any answer is right: six digits
    soon: int = 2**24  # numbers in X: one more pass takes hundredths of a second, worth it where the next step has
    near: float = 1e-8  # an effect above this
    rest: float = 1e-5  # effect below which steps that no longer shrink are rounding, not a bad start
    shrink: float = 0.9  # the least step of the last `window` against the least before: above it nothing has shrunk
    window: int = 4  # states

    share: float = 0.2  # of many rows: a certificate moves the dual point on so many at most,
    least: float = 0.01  # at least on so many,
    rows: int = 15  # on so many for each coefficient, lest their Hessian be singular,
    tight: float = 0.11  # and on so many that the bound is within ten times the gap,
    much: int = 2**28  # unless X holds so many numbers, 2 GiB, that a look at the rows may be a read
    ample: float = 2.0  # times the share that would do if the state's own estimate of its gap were exact
    sooner: float = 0.25  # of the present gap: it must fall as much before it is proved anew,
    later: float = 1e-6  # and no less than so much
    first_look: int = 16  # iterations after which a certificate is made anyway, and after twice as many, and so on
    rounding: float = 1e-15  # relative gap: a promise below it is rounding, and a proof will not come nearer
    small: float = 1e-6  # of tol: the squared residual at which a run ends for whose loss or penalty nothing is proved
