"""A run while it runs: iteration, objective, certificate and time, and the curve of the certificate, in one display."""

import time

import numpy as np

from glmlab.certificates import certify
from glmlab.fitting import fit

from .picture import Picture
from .style import COLOURS, new_figure

PROBLEM = ("family", "penalty", "sample_weight", "offset")  # the options of `fit` that say what is minimised
EVERY, SHARE = 1.0, 0.1  # seconds between two drawings, at least, and the share of the time that they may take


def live_fit(title, X, y, *, fit_intercept=False, **options):
    """`glmlab.fit` in a `Live` display; takes what `fit` takes, but no callback, and returns its Result.

    A state is certified when it is drawn, which costs a pass or a few: nothing in a run that is shorter than a second.
    """
    problem = {name: options[name] for name in PROBLEM if name in options}

    def bound(state):
        beta, intercept = (state.beta[:-1], state.beta[-1]) if fit_intercept else (state.beta, None)
        return certify(X, y, beta, intercept=intercept, **problem).bound

    with Live(bound, title=title, sparing=True) as watch:
        result = fit(X, y, fit_intercept=fit_intercept, callback=watch, **options)
        watch(result)
    return result


class Live:
    """One display that updates while a solver works; ``run(…, callback=watch)`` or ``watch(state)`` by hand.

    bound    a function of the state: a number that F − F* cannot exceed; a Result brings its own
    title    what runs
    sparing  for bounds that cost passes: only states that are drawn get one (the others nan), from the first second on

    ``with Live(bound) as watch:`` draws the last state too when the run is over, however it ends. Times and states
    stay: ``watch.objectives``, ``watch.bounds``, ``watch.seconds``.
    """

    def __init__(self, bound, *, title="The run", sparing=False):
        self.bound, self.title, self.sparing = bound, title, sparing
        self.objectives, self.bounds, self.seconds = [], [], []
        self._began, self._next, self._display, self._last = time.perf_counter(), EVERY * sparing, None, None

    def __call__(self, state):
        """Note a state that has `beta` and `objective`, and draw if the last drawing is old enough."""
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
        """Show the state of the run, in the place where it was shown before."""
        from IPython.display import display

        began = time.perf_counter()
        if np.isnan(self.bounds[-1]):
            self.bounds[-1] = self.proved()
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
        bounds = np.array(self.bounds)
        shown = np.flatnonzero((bounds > 0) & np.isfinite(bounds))
        ax.plot(shown, bounds[shown], color=COLOURS[0], marker="o", markevery=max(1, len(shown) // 12))
        ax.set(yscale="log", xlabel="iteration", ylabel="bound on F − F*", title=self.title)
        alt = "The certificate against iterations on a logarithmic scale."
        return Picture(fig, alt, f"{self.words()}.")

    def _repr_html_(self):
        curve = self.picture()._repr_html_() if np.isfinite(self.bounds).sum() > 1 else ""  # one point is no curve
        return f"<p>{self.words()}</p>{curve}"

    def __repr__(self):
        return self.words()
