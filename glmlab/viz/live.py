"""A run while it runs: iteration, objective, certificate and time, and the curve of the certificate, in one display."""

import time

import numpy as np

from .picture import Picture
from .style import COLOURS, new_figure

EVERY, SHARE = 1.0, 0.1  # seconds between two drawings, at least, and the share of the time that they may take


class Live:
    """One display that updates while a solver works; ``run(…, callback=watch)`` or ``watch(state)`` by hand.

    bound  a function of the state: a number that F − F* cannot exceed
    title  what runs

    ``with Live(bound) as watch:`` draws the last state too when the run is over, however it ends. Times and states
    stay: ``watch.objectives``, ``watch.bounds``, ``watch.seconds``.
    """

    def __init__(self, bound, *, title="The run"):
        self.bound, self.title = bound, title
        self.objectives, self.bounds, self.seconds = [], [], []
        self._began, self._next, self._display = time.perf_counter(), 0.0, None

    def __call__(self, state):
        """Note a state that has `beta` and `objective`, and draw if the last drawing is old enough."""
        self.objectives.append(float(state.objective))
        self.bounds.append(float(self.bound(state)))
        self.seconds.append(time.perf_counter() - self._began)
        if self.seconds[-1] >= self._next:
            self.draw()

    def __enter__(self):
        self._began = time.perf_counter()
        return self

    def __exit__(self, *error):
        if self.bounds:
            self.draw()

    def draw(self):
        """Show the state of the run, in the place where it was shown before."""
        from IPython.display import display

        began = time.perf_counter()
        if self._display is None:
            self._display = display(self, display_id=True)  # None outside of Jupyter
        else:
            self._display.update(self)
        ended = time.perf_counter()
        self._next = ended - self._began + max(EVERY, (ended - began) / SHARE)

    def words(self):
        """The line above the curve."""
        k = len(self.bounds) - 1
        return (
            f"{self.title}: iteration {k}, F = {self.objectives[k]:.10g}, F − F* ≤ {self.bounds[k]:.2e}, "
            f"{self.seconds[k]:.1f} s"
        )

    def picture(self):
        """The curve of the certificate so far."""
        fig, ax = new_figure(size=(7.4, 3.2))
        bounds = np.where(np.array(self.bounds) > 0, self.bounds, np.nan)
        ax.plot(bounds, color=COLOURS[0], marker="o", markevery=max(1, len(bounds) // 12))
        ax.set(yscale="log", xlabel="iteration", ylabel="bound on F − F*", title=self.title)
        alt = "The certificate against iterations on a logarithmic scale."
        return Picture(fig, alt, f"{self.words()}.")

    def _repr_html_(self):
        return f"<p>{self.words()}</p>{self.picture()._repr_html_()}"

    def __repr__(self):
        return self.words()
