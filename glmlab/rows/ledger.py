"""What was paid for: passes over the rows, and rounds of work."""

import contextlib


class Ledger:
    """Passes over the rows (row-touches ÷ n) and rounds (times that work was sent out).

    Those that certify or plot are counted apart from a solver's own, in `extra_passes` and `extra_rounds`.
    """

    def __init__(self):
        self.passes = self.extra_passes = 0.0
        self.rounds = self.extra_rounds = 0
        self._apart = False

    @contextlib.contextmanager
    def booked_apart(self):
        """Passes inside are made to certify or to plot."""
        before, self._apart = self._apart, True
        try:
            yield self
        finally:
            self._apart = before

    def touched(self, passes, rounds=0):
        """Book passes that tasks made over their own rows, beyond the one of `map`; most often without a round."""
        self._book(passes, rounds)

    def _book(self, passes, rounds=1):
        if self._apart:
            self.extra_passes, self.extra_rounds = self.extra_passes + passes, self.extra_rounds + rounds
        else:
            self.passes, self.rounds = self.passes + passes, self.rounds + rounds

    def _take_over(self):
        """A pass that was made to certify is the solver's own now."""
        self.passes, self.rounds = self.passes + 1, self.rounds + 1
        self.extra_passes, self.extra_rounds = self.extra_passes - 1, self.extra_rounds - 1
