"""What a row of checks has found: an Audit, one Finding a check."""

import traceback
from typing import NamedTuple

import numpy as np

from glmlab.cards import html_card
from glmlab.rows.threads import one_blas_thread


class Fault(Exception):
    """A check does not hold: what happened, and what to do."""

    def __init__(self, what, cure):
        super().__init__(f"{what}: {cure}")
        self.what, self.cure = what, cure


class Finding(NamedTuple):
    """The result of one check."""

    name: str
    holds: bool | None  # None: not tried, because an earlier check found what makes this one meaningless
    says: str  # what holds; or else what is wrong, and what to do

    @property
    def mark(self):
        return {True: "ok", False: "WRONG", None: "not tried"}[self.holds]


class Audit:
    """All findings on one subject. It is true where every check holds.

    `check_solver`, `check_family` and `check_penalty` return it. It shows itself as a list of sentences.

    Attributes
    ----------
    subject : str
        What was checked.
    findings : tuple of Finding
        One a check: its `name`, whether it `holds` (None: not tried), and what it `says`.
    faults : tuple of Finding
        Those of the checks that do not hold.
    title : str
        How many checks hold.

    Examples
    --------
    >>> from glmlab import Ridge, check_penalty
    >>> audit = check_penalty(Ridge(1.0))
    >>> bool(audit), audit.faults
    (True, ())
    """

    def __init__(self, subject, findings):
        self.subject, self.findings = subject, tuple(findings)

    def __bool__(self):
        return all(found.holds for found in self.findings)

    @property
    def faults(self):
        """The findings of the checks that do not hold."""
        return tuple(found for found in self.findings if found.holds is False)

    def raise_faults(self):
        """Raises AssertionError, with this report as its text, unless every check holds."""
        if not self:
            raise AssertionError(repr(self))

    @property
    def title(self):
        tried, wrong = sum(found.holds is not None for found in self.findings), len(self.faults)
        found = f"{wrong} of {tried} checks found a fault" if wrong else f"all {tried} checks hold"
        return f"{self.subject}: {found}"

    def __repr__(self):
        lines = [f"  {found.mark:<9} {found.name}: {found.says}" for found in self.findings]
        return "\n".join([self.title, *lines])

    def _repr_html_(self):
        return html_card(self.title, {f"{f.mark}: {f.name}": f.says for f in self.findings})


class Check(NamedTuple):
    """A check: run(subject) raises Fault where it does not hold."""

    name: str
    run: object
    promise: str  # what holds, as a sentence
    vital: bool = False  # do the later checks mean nothing where this one fails?


def audited(title, checks, subject, raises=False):
    """The Audit of a subject: every check, in order. raises: raise AssertionError where one does not hold."""
    findings, stopped = [], ""
    for check in checks:
        if stopped:
            findings.append(Finding(check.name, None, f"first mend {stopped!r}"))
            continue
        # As in `run`: an overflow ends in a sentence, not in a warning.
        with one_blas_thread, np.errstate(all="ignore"):
            fault = fault_of(check, subject)
        findings.append(Finding(check.name, fault is None, check.promise if fault is None else str(fault)))
        stopped = check.name if fault is not None and check.vital else ""
    audit = Audit(title, findings)
    if raises:
        audit.raise_faults()
    return audit


def fault_of(check, subject):
    """The Fault that a check raises, None where it holds. Any other error is a Fault of what is checked."""
    try:
        check.run(subject)
    except Fault as fault:
        return fault
    except Exception as error:
        return Fault(f"it raises {error_text(error)}", "see what this check does in glmlab.auditing")
    return None


def error_text(error, function=None):
    """``ValueError: its text``, and the line of `function` that it comes from, where that is known."""
    text = f"{type(error).__name__}: {error}".strip(": ").splitlines()[0]
    code = getattr(function, "__code__", None)
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code is code]
    return f"{text}, at its line {lines[-1] - code.co_firstlineno + 1}" if lines else text


def demand(holds, what, cure):
    """Raises Fault unless `holds`. `cure` may be a function that returns the text."""
    if not holds:
        raise Fault(what, cure() if callable(cure) else cure)
