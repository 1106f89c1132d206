"""One environment variable for the size of everything: GLMLAB_SCALE = ci | workshop | full."""

import os

SCALES = ("ci", "workshop", "full")


class Scale:
    """The size at which this notebook runs. The environment is read at every use."""

    @property
    def name(self):
        """ci, workshop or full. Raises ValueError for any other name."""
        name = os.environ.get("GLMLAB_SCALE") or "workshop"
        if name not in SCALES:
            raise ValueError(f"GLMLAB_SCALE={name!r}: choose ci, workshop or full")
        return name

    def pick(self, *, ci, workshop, full):
        """The value for this scale: ``n = scale.pick(ci=20_000, workshop=500_000, full=1_000_000)``."""
        return {"ci": ci, "workshop": workshop, "full": full}[self.name]

    def __repr__(self):
        return f"scale {self.name}"


scale = Scale()
