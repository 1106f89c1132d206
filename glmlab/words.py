"""Numbers as text."""

import math
from decimal import ROUND_UP, Context

UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def bytes_text(n):
    """Bytes in decimal units, with three digits.

    >>> bytes_text(80_000_000), bytes_text(12)
    ('80 MB', '12 bytes')
    """
    n, unit = float(n), 0
    while n >= 999.5 and unit < len(UNITS) - 1:
        n, unit = n / 1000, unit + 1
    return f"{n:.3g} {UNITS[unit]}"


def count_text(n, thing):
    """A count with its noun.

    >>> count_text(1, "chunk"), count_text(1_000_000, "row"), count_text(0.25, "pass")
    ('1 chunk', '1,000,000 rows', '0.25 passes')
    """
    number = f"{int(n):,}" if float(n).is_integer() else f"{n:.6g}"
    return f"{number} {thing if number == '1' else plural(thing)}"


def plural(thing):
    """More than one of a thing.

    >>> plural("round"), plural("pass")
    ('rounds', 'passes')
    """
    return f"{thing}es" if thing.endswith("s") else f"{thing}s"


def number_text(value, digits=2):
    """A number with few digits; a comma for thousands, where Python would print a power of ten.

    >>> number_text(3898.2), number_text(244.9, 3), number_text(2.21e-10)
    ('3,900', '245', '2.2e-10')
    """
    return f"{float(f'{value:.{digits}g}'):,g}"


def list_text(items):
    """A list as text: ``a, b and c``."""
    *head, last = [str(item) for item in items]
    return f"{', '.join(head)} and {last}" if head else last


def range_text(values, text=str):
    """One value, or the smallest and the largest.

    >>> range_text([3, 3]), range_text([1, 5, 2])
    ('3', '1 to 5')
    """
    low, high = min(values), max(values)
    return text(low) if low == high else f"{text(low)} to {text(high)}"


def column_names(names, p):
    """The names of p columns: x1, x2, … where they have none."""
    return tuple(f"x{j + 1}" for j in range(p)) if names is None else tuple(names)


def proved_text(value, within):
    """A number that is no further than `within` from what it stands for: its proved digits and one more, and a bound.

    The bound has one digit and is rounded up, so that it holds for the number as it is printed. Where `within` is nan
    it is "?", and the number has eight digits.

    >>> proved_text(0.693147180559945, 1.5e-9), proved_text(-1234.56, 40.0), proved_text(2.5, float("nan"))
    (('0.6931471806', '2e-09'), ('-1235', '5e+01'), ('2.5', '?'))
    """
    if not math.isfinite(within):
        return f"{value:.8g}", "?"
    text = f"{value:.{digits_within(value, within)}g}"
    bound = within + abs(value - float(text))
    return text, f"{float(Context(1, ROUND_UP).create_decimal(repr(float(bound)))):.0e}"


def digits_within(value, within):
    """How many digits of a number are worth printing: from 1 to 17, which is all that a double has."""
    if value == 0 or within == 0:
        return 17
    return min(max(math.floor(math.log10(abs(value))) - math.floor(math.log10(within)) + 2, 1), 17)
