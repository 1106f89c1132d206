"""Calls of a reader's function, protected against its exceptions, its printing and its endless loops."""

import contextlib
import contextvars
import ctypes
import io
import reprlib
import threading
import time
import traceback
from numbers import Real
from types import SimpleNamespace
from unittest.mock import patch

import dask
import distributed
import numpy as np
from dask.base import tokenize
from dask.callbacks import Callback
from dask.delayed import Delayed

from .exercise import Wrong, require

TIME_LIMIT = 10.0  # seconds of processor time for all calls of one condition
PATIENCE = 6  # so many times TIME_LIMIT may pass on the clock: other programs may slow this one down

EXACT_ZEROS = "zeros must be exact, so that np.sum(z == 0) counts them: let a comparison decide, not a difference"
FLOAT64 = "float32 keeps 7 digits: leave all numbers in float64, NumPy's default"


class Broken(Wrong):
    """A call that returned no answer."""


class NotWritten(Broken):
    """The reader has not replaced the stub."""


class _TooLong(SystemExit):
    """Ends a thread in an endless loop: ``except Exception`` does not catch it, and nothing is printed."""


class Guarded:
    """A reader's function, or method, for the checks to call: every error in it is raised as :class:`Wrong`."""

    def __init__(self, function, name=None):
        self.function, self.__name__ = function, name or function.__name__

    def __call__(self, *args, **kwargs):
        given, before = _call_text(self, args, kwargs), _fingerprint(args, kwargs)
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                answer = self.function(*args, **kwargs)
        except NotImplementedError:
            raise NotWritten("it is not written yet") from None
        except (Exception, SystemExit) as error:
            raise Broken(f"{given} raised {_error_text(error, self.function)}") from None
        if _fingerprint(args, kwargs) != before:
            raise Broken(f"{given} changed what it was given; work on a copy")
        if answer is None:
            aside = "; it printed, but only return hands an answer back" if printed.getvalue() else ""
            raise Broken(f"{given} returned None{aside}")
        return answer


def within_time(run, *args, limit=None):
    """``run(*args)`` in a thread that is stopped at the time limit.

    Raises :class:`Wrong` for a run that does not end, and for one that fails in an unexpected way.
    """
    limit = TIME_LIMIT if limit is None else limit
    failure = []
    context = contextvars.copy_context()  # with the caller's settings of numpy
    thread = threading.Thread(target=context.run, args=(_collect, failure, run, args), daemon=True)
    with contextlib.redirect_stdout(io.StringIO()):  # stdout is restored even if the thread never ends
        begun, used = time.monotonic(), time.process_time()
        thread.start()
        try:
            while time.process_time() < used + limit and time.monotonic() < begun + PATIENCE * limit:
                thread.join(0.02)
                if not thread.is_alive():
                    break
        finally:  # after the time limit, or after Ctrl-C
            late = thread.is_alive()
            _stop(thread)
    if late:
        raise Broken(f"it did not end within {limit:g} s; does its loop ever stop, and need it be so long?")
    if failure:
        raise failure[0] from None


def _collect(failure, run, args):
    try:
        run(*args)
    except Wrong as wrong:
        failure.append(wrong)
    except Exception as error:  # an answer of a kind that no condition expects, or a lazy one that fails when computed
        failure.append(Broken(f"its answer could not be used: {type(error).__name__}: {error}"))
    except _TooLong:
        pass


@contextlib.contextmanager
def random_state_kept():
    """Restore the state of NumPy's global generator afterwards: an answer may draw from it."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)


@contextlib.contextmanager
def counting():
    """Count the computes. They run in this process even where a cluster is open, also those that a client is asked for.

    The chunks of a check are in this process. What a cluster made of them could not be looked at here.
    """
    computes = []
    asked = patch.multiple(distributed.Client, persist=_persist_here, compute=_compute_here)
    with dask.config.set(scheduler="synchronous"), Callback(start=computes.append), asked:
        yield computes


def _persist_here(client, collections, **options):
    """For `Client.persist`: one collection for one, a list for several."""
    several = isinstance(collections, (list, tuple, set, frozenset))
    made = dask.persist(*(collections if several else [collections]))
    return list(made) if several else made[0]


def _compute_here(client, collections, sync=False, **options):
    """For `Client.compute`: what looks like a future, whose result is known already; with sync=True the result."""
    several = isinstance(collections, (list, tuple, set, frozenset))
    results = dask.compute(*(collections if several else [collections]))
    made = [found if sync else SimpleNamespace(result=lambda timeout=None, f=found: f) for found in results]
    return made if several else made[0]


def _stop(thread):
    """Raise an exception in the thread. One that catches even this goes on, as a daemon thread."""
    if thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_TooLong))
        thread.join(1.0)


def _fingerprint(args, kwargs):
    return tokenize(args, kwargs)


def short(value):
    """A value in a few words: the kind and shape of an array, the first characters of anything else."""
    if isinstance(value, Delayed):  # it has every attribute that one asks for
        return "a delayed value"
    if isinstance(value, (list, tuple)) and any(isinstance(item, Delayed) for item in value):
        return f"a list of {len(value)} delayed values"
    shape = getattr(value, "shape", None)
    if shape:
        kind = "array" if isinstance(value, np.ndarray) else f"{type(value).__module__.split('.')[0]} array"
        return f"{kind} {tuple(shape)}"
    if isinstance(value, (list, tuple)) and any(hasattr(item, "shape") for item in value):
        return f"{len(value)} arrays" if len(value) != 1 else f"1 array {value[0].shape}"
    return reprlib.repr(value.item() if isinstance(value, np.generic) else value)


def one_number(value, where, hint="return one number: sum the array, or choose one of its entries"):
    """An answer as a float. inf is a number here, nan and True are not. `where` is the start of the error's text."""
    several = isinstance(value, (list, tuple)) or hasattr(value, "__dask_graph__") or np.ndim(value) > 0
    require(not several, f"{where} it returned {short(value)}; one number is needed", hint)
    value = value.item() if hasattr(value, "item") else value
    number = isinstance(value, Real) and not isinstance(value, bool)
    require(number, f"{where} it returned {short(value)}, a {type(value).__name__}, not a number", hint)
    require(not np.isnan(value), f"{where} it returned nan", "0/0, inf − inf and the logarithm of a negative give nan")
    return float(value)


ARRAYS = "print type(…) and .shape of what you return; np.array(…) makes an array of a list"


def an_array(value, shape, where, *, lists=False, hint=ARRAYS):
    """An answer as a float64 array of this shape without nan or inf. `where` is the start of the error's text.

    ``lists=True`` accepts lists as well. Elsewhere a list would break a later cell of the notebook.
    """
    needed = f"{where} {short(value)}; a NumPy array of shape {shape} is needed"
    require(not hasattr(value, "__dask_graph__"), needed, "a lazy answer is no array yet: compute it")
    if lists and isinstance(value, (list, tuple)):
        try:
            value = np.asarray(value, dtype=float)
        except (TypeError, ValueError):  # pieces of several shapes
            value = None
    require(type(value) is np.ndarray and value.shape == shape, needed, hint)
    require(value.dtype.kind in "fiu", f"{where} an array of {value.dtype}; numbers are needed", ARRAYS)
    require(value.dtype.itemsize == 8, f"{where} an array of {value.dtype}; float64 is needed", FLOAT64)
    finite = np.isfinite(value).all()
    require(finite, f"{where} an array that holds nan or inf", "which of your divisions or logarithms has no result?")
    return value.astype(float)


def two(answer, names, where):
    """The two results of an answer. `where` is the start of the error's text."""
    pair = isinstance(answer, (tuple, list)) and len(answer) == 2
    require(pair, f"{where} it returned {short(answer)}; two results are needed: {names}", f"end with return {names}")
    return answer


def lost_digits(off):
    """The hint for a relative error that float32 explains, None for a larger one."""
    return FLOAT64 if off < 1e-5 else None


def _call_text(function, args, kwargs):
    words = [short(value) for value in args] + [f"{name}={short(value)}" for name, value in kwargs.items()]
    return f"{function.__name__}({', '.join(words)})"


def _error_text(error, function):
    """``ZeroDivisionError: division by zero, at its line 3``."""
    text = f"{type(error).__name__}: {error}".strip(": ").splitlines()[0]
    code = getattr(function, "__code__", None)
    own = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code is code]
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame in own]
    return f"{text}, at its line {lines[-1] - code.co_firstlineno + 1}" if lines else text
