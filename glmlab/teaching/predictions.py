"""Predict, then measure: a number said aloud before it is known teaches more than one read."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass
class Prediction:
    """A prediction of ``what``; ``measured`` compares it with what came out."""

    what: str
    value: Any = None

    def measured(self, value):
        """Print the ratio of what was measured to what was predicted, in words; never fails.

        Returns the ratio, nan where there is none.
        """
        ratio = _ratio(value, self.value)
        print(f"{self.what}: {_verdict(self.value, value, ratio)}")
        return ratio


def predict(what, value=None):
    """Write a prediction down: ``p = predict("seconds per pass", 0.05)`` … ``p.measured(t)``."""
    return Prediction(_text(what) if not isinstance(what, str) else what, value)


def _number(value):
    """The float in ``value`` (a number, an array of one), nan where there is none."""
    if value is None or isinstance(value, (str, bytes, bool)):
        return math.nan
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except Exception:  # whatever a reader hands over, the lesson goes on
        return math.nan


def _ratio(measured, predicted):
    above, below = _number(measured), _number(predicted)
    if not (math.isfinite(above) and math.isfinite(below)) or below == 0:
        return math.nan
    return above / below


def _verdict(predicted, measured, ratio):
    said = f"predicted {_text(predicted)}, measured {_text(measured)}"
    if predicted is None:
        return f"measured {_text(measured)}; you made no prediction. Guess next time, even badly."
    if math.isnan(ratio):
        return f"{said}: {'the same.' if _same(predicted, measured) else 'not the same.'}"
    return f"{said}: {_ratio_words(ratio)}."


def _ratio_words(ratio):
    if ratio <= 0:
        return f"a ratio of {ratio:.2g}, not even the sign agrees" if ratio < 0 else "nothing was measured"
    if 0.99 <= ratio <= 1.01:
        return "within one per cent"
    times = f"{max(ratio, 1 / ratio):.3g}"
    words = _factor_words(float(times))  # the number as it is printed: 10.0001 reads as 10
    return f"{times} times {'larger' if ratio > 1 else 'smaller'} than predicted, {words}"


def _factor_words(factor):
    nearest = next((bound for bound in (2, 10) if factor <= bound), None)
    return f"within a factor of {nearest}" if nearest else "more than 10 times off"


def _same(a, b):
    try:
        return bool(_folded(a) == _folded(b))
    except Exception:  # arrays answer with arrays
        return False


def _folded(value):
    """Words without their case and the spaces around them; all else as it is."""
    return value.strip().casefold() if isinstance(value, str) else value


def _text(value):
    number = _number(value)
    if not math.isnan(number):
        return f"{number:.4g}"
    try:
        text = " ".join(str(value).split())
    except Exception:
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}…"
