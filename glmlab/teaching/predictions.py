"""Predict, then measure: a reader who has predicted a number learns more from the measured one."""

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Any


@dataclass
class Prediction:
    """A prediction of ``what``; ``measured`` compares it with the measured value."""

    what: str
    value: Any = None

    def measured(self, value, how="measured"):
        """Print the ratio of the measured to the predicted value in words. Never raises.

        how: in words, where the value was not measured but comes from a model or a simulation
        Returns the ratio, nan where there is none.
        """
        ratio = _ratio(value, self.value)
        print(f"{self.what}: {_verdict(self.value, value, ratio, how)}")
        return ratio


def predict(what, value=None):
    """Record a prediction: ``p = predict("seconds per pass", 0.05)`` … ``p.measured(t)``."""
    return Prediction(_text(what) if not isinstance(what, str) else what, value)


def _number(value):
    """``value`` (a number, or an array of one) as a float, nan where it is none."""
    if value is None or isinstance(value, (str, bytes, bool)):
        return math.nan
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except Exception:  # a notebook goes on, whatever a reader passes
        return math.nan


def _ratio(measured, predicted):
    above, below = _number(measured), _number(predicted)
    if not (math.isfinite(above) and math.isfinite(below)) or below == 0:
        return math.nan
    return above / below


def _verdict(predicted, measured, ratio, how):
    said = f"predicted {_text(predicted)}, {how} {_text(measured)}"
    if predicted is None:
        return f"{how} {_text(measured)}; you made no prediction. Guess next time, even badly."
    if math.isnan(ratio):
        return f"{said}: {'the same.' if _same(predicted, measured) else 'not the same.'}"
    return f"{said}: {_ratio_words(ratio)}."


def _ratio_words(ratio):
    if ratio <= 0:
        return f"a ratio of {ratio:.2g}, not even the sign agrees" if ratio < 0 else "nothing was measured"
    if 0.99 <= ratio <= 1.01:
        return "within one per cent"
    times = f"{max(ratio, 1 / ratio):.3g}"
    words = _factor_words(float(times))  # compare the number as printed: 10.0001 is printed as 10
    return f"{times} times {'larger' if ratio > 1 else 'smaller'} than predicted, {words}"


def _factor_words(factor):
    nearest = next((bound for bound in (2, 10) if factor <= bound), None)
    return f"within a factor of {nearest}" if nearest else "more than 10 times off"


def _same(a, b):
    try:
        return bool(_folded(a) == _folded(b))
    except Exception:  # comparing arrays gives an array
        return False


def _folded(value):
    """Text in lower case without spaces around it; any other value unchanged."""
    return value.strip().casefold() if isinstance(value, str) else value


def _text(value):
    if isinstance(value, Integral) and not isinstance(value, bool):
        return f"{value:,}"  # a count is exact
    number = _number(value)
    if not math.isnan(number):
        return f"{number:.4g}"
    try:
        text = " ".join(str(value).split())
    except Exception:
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}…"
