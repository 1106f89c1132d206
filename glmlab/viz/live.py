"""A display of a run while it runs: iteration, objective, certificate and time, and the curve of the certificate."""

import time

import numpy as np

from glmlab.words import count_text, number_text

from .picture import Picture
from .style import COLOURS, new_figure

EVERY, SHARE = 1.0, 0.1  # seconds between two drawings at least, and their largest share of the time


class Live:
    """A display that updates while a solver works, by ``run(…, callback=watch)`` or by calling ``watch(state)``.

    bound    a function of the state that returns an upper bound on F − F*; a Result has its own
    title    the name of the run
    step     the name of one iteration, as "round"
    sparing  for bounds that cost passes: only drawn states get one, from the first second on; the others get nan

    ``with Live(bound) as watch:`` also draws the last state, however the run ends. What was seen is in
    ``watch.objectives``, ``watch.bounds`` and ``watch.seconds``.
    """

    def __init__(self, bound, *, title="The run", step="iteration", sparing=False):
        self.bound, self.title, self.step, self.sparing = bound, title, step, sparing
        self.objectives, self.bounds, self.seconds = [], [], []
        self._began, self._next, self._display, self._last = time.perf_counter(), EVERY * sparing, None, None

    def __call__(self, state):
        """Record a state, which has `beta` and `objective`; draw it if the last drawing is old enough."""
        self._last = state
        self.objectives.append(float(state.objective))
        self.bounds.append(np.nan if self.sparing else self.proved())
        self.seconds.append(time.perf_counter() - self._began)
        if self.seconds[-1] >= self._next:
            self.draw()

    def __enter__(self):
        self._began = time.perf_counter()
        return self

    def __exit__(self, *error):
        if self.bounds:
            self.draw()

    def proved(self):
        """The bound on the gap of the last state."""
        proof = getattr(self._last, "certificate", None)
        return float(self.bound(self._last) if proof is None else proof.bound)

    def draw(self):
        """Show the state of the run, in the place of the last drawing."""
        from IPython.display import display

        began = time.perf_counter()
        if np.isnan(self.bounds[-1]):
            self.bounds[-1] = self.proved()
        if self._display is None:
            self._display = display(self, display_id=True)  # None outside Jupyter
        else:
            self._display.update(self)
        ended = time.perf_counter()
        self._next = ended - self._began + max(EVERY, (ended - began) / SHARE)

    def words(self):
        """The line above the curve."""
        k = len(self.bounds) - 1
        return (
            f"{self.title}: {self.step} {k}, F = {self.objectives[k]:.10g}, F − F* ≤ {self.bounds[k]:.2e}, "
            f"{self.seconds[k]:.1f} s"
        )

    def picture(self):
        """The curve of the certificate so far."""
        fig, ax = new_figure(size=(7.4, 3.2))
        bounds = np.array(self.bounds)
        shown = np.flatnonzero((bounds > 0) & np.isfinite(bounds))
        ax.plot(shown, bounds[shown], color=COLOURS[0], marker="o", markevery=max(1, len(shown) // 12))
        title = f"{self.title}: F − F* ≤ {number_text(bounds[-1], 3)} after {count_text(len(bounds) - 1, self.step)}"
        ax.set(yscale="log", xlabel=self.step, ylabel="bound on F − F*", title=title)
        alt = f"The certificate against {self.step}s on a logarithmic scale."
        return Picture(fig, alt, f"{self.words()}.")

    def _repr_html_(self):
        curve = self.picture()._repr_html_() if np.isfinite(self.bounds).sum() > 1 else ""  # a curve needs two points
        return f"<p>{self.words()}</p>{curve}"

    def __repr__(self):
        return self.words()
