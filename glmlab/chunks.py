"""Where the rows are. A `Chunks` maps a kernel over row chunks and adds what comes back, in memory or on dask.

The two classes differ in one method, `_pass`: run a function on every chunk, then combine the results in a tree
whose shape depends on the number of chunks alone. That, and one BLAS thread per task, is why both give equal bits,
given the same chunks, dtype, set of kernels, versions of the libraries and type of processor (it decides which kernels
BLAS, NumPy and numba choose). Another type of processor agrees to the certificate only.
"""

import contextlib
import copy
import functools
import itertools
import math
import os
import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral

import dask
import dask.array as da
import numpy as np
from dask._task_spec import DataNode, List, Task, TaskRef, convert_legacy_graph
from dask.base import get_scheduler
from dask.core import flatten
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from scipy import sparse
from threadpoolctl import ThreadpoolController

from glmlab.blocks import is_sparse, looked_at, seen, told_of, watched
from glmlab.checks import flag, whole
from glmlab.kernels import Rows, add, drawn, kept, take, these
from glmlab.names import spelt
from glmlab.tables import column, cut, default_lengths, matrix, refuse_empty, refuse_other_rows

FAN = 4  # results added by one task of the tree
# What `chunks="auto"` and the hint of `fit` suppose of a cluster; glmlab.costmodel measures yours.
OVERHEAD, STREAM = 1.5e-3, 1e10  # seconds of everyone's that a task takes, and bytes of X a second that one core fuses
LARGEST, MANY_CORES = 2**27, 16  # bytes of X in one chunk (a task of 13 ms), and cores that should all have work
POOL, RUNS = "glmlab pass", 4  # what the names of our threads begin with; tasks of each in a pass
MANY = 100  # tasks whose overhead is worth a hint


class OneBlasThread(contextlib.ContextDecorator):
    """While any pass runs, BLAS has one thread: several would sum in another order, and fight over the cores."""

    controller = functools.cached_property(lambda self: ThreadpoolController())

    def __init__(self):
        self.lock, self.users, self.limit = threading.Lock(), 0, None

    def __reduce__(self):
        return "one_blas_thread"  # one counter per process

    def __enter__(self):
        with self.lock:
            self.users += 1
            if self.users == 1:
                self._take_control()
                self.limit = self.controller.limit(limits=1, user_api="blas")

    def __exit__(self, *error):
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self._take_control()
                self.limit.restore_original_limits()

    def _take_control(self):
        """Since threadpoolctl 3.7 only the thread that set OpenBLAS's limit first is heard; the lock makes it us."""
        for library in self.controller.lib_controllers:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)


one_blas_thread = OneBlasThread()


def on_chunk(kernel, shared, rows, *own):
    """The kernel on one chunk of rows, with what all chunks share and what is this chunk's own."""
    with one_blas_thread:
        return kernel(rows, *shared, *own)


def on_blocks(kernel, shared, place, X, y, w, o, *own):
    """What a task of dask runs: the kernel on blocks that are what dask was told of them."""
    shared, told = shared
    k, length = place
    rows = (None if said is None else seen(block, said, k, (length, *said.width))
            for block, said in zip((X, y, w, o), told, strict=True))  # fmt: skip
    return on_chunk(kernel, shared, Rows(*rows), *own)


class WithShare:
    """What a kernel finds on a chunk, and some of the chunk's rows; its number is the last argument."""

    def __init__(self, kernel):
        self.kernel, self.__name__ = kernel, kernel.__name__

    def __call__(self, rows, *args):
        *shared, fraction, seed, k = args
        return self.kernel(rows, *shared), take(rows, fraction, seed, k)


class Chunks:
    """Rows cut into chunks: `lengths` are their numbers of rows, `dim` counts the intercept, `sparse` is about X."""

    threads = None  # those that work on rows brought here: as many as on rows that are in memory, or all cores
    names = None  # of the columns, where X had such

    def __init__(self, lengths, p, intercept):
        self.lengths, self.p, self.intercept = tuple(lengths), p, bool(intercept)

    n = property(lambda self: sum(self.lengths))
    dim = property(lambda self: self.p + self.intercept)

    def map(self, kernel, *shared, per_chunk=()):
        """[kernel(rows_k, *shared, *own_k)] with own_k from the lists in `per_chunk`: one pass, one round."""
        return self._pass(kernel, shared, per_chunk, combine=None)

    def sum(self, kernel, *shared):
        """The sum of kernel(rows_k, *shared) over the chunks, added in a tree of fixed shape."""
        return self._pass(kernel, shared, (), combine=add)

    def elsewhere(self, function):
        """{worker: function()} for the processes, other than this one, in which passes run."""
        return {}

    def advice(self):
        """A sentence where the chunks make every pass slow, "" where they do not, or where we chose them."""
        return ""

    def sample(self, fraction, seed):
        """About `fraction` of the rows of every chunk, brought to this process, in as many chunks."""
        return self.brought(self.map(take, fraction, seed, per_chunk=[range(len(self.lengths))]))

    def sum_and_sample(self, kernel, *shared, fraction, seed):
        """What `sum` and `sample` give, from one pass: rows that every pass reads or draws anew are worth it."""
        found = self.map(WithShare(kernel), *shared, fraction, seed, per_chunk=[range(len(self.lengths))])
        results, rows = zip(*found, strict=True)
        return summed(results, add), self.brought(rows)

    def brought(self, parts):
        """Rows that tasks have returned as chunks of this process."""
        stack = sparse.vstack if sparse.issparse(parts[0].X) else np.concatenate
        X = stack([part.X for part in parts])
        rest = (None if own[0] is None else np.concatenate(own) for own in list(zip(*parts, strict=True))[1:])
        rows = Rows(X.tocsr() if sparse.issparse(X) else X, *rest)
        return InMemory(rows, [len(part.y) for part in parts], intercept=self.intercept, threads=self.threads)

    def some(self, which):
        """The chunks of these numbers only."""
        part = copy.copy(self)
        part.lengths = tuple(self.lengths[k] for k in which)
        part._choose(which)
        return part

    def thin(self, fraction, seed):
        """About `fraction` of the rows of every chunk, left where they are: each task takes its own."""
        return Thinned(self, fraction, seed)

    def __repr__(self):
        kind = type(self).__name__
        ones = " + intercept" if self.intercept else ""
        return f"{kind}: {self.n:,} rows x {self.p:,} columns{ones} in {len(self.lengths)} chunks"


def groups(items):
    """`items` in runs of FAN: one level of the tree."""
    return [items[i : i + FAN] for i in range(0, len(items), FAN)]


def summed(parts, combine):
    """All parts combined, FAN at a time."""
    while len(parts) > FAN:
        parts = [combine(group) for group in groups(parts)]
    return combine(parts)


class InMemory(Chunks):
    """Arrays of this process, their chunks mapped on threads."""

    def __init__(self, rows, lengths, *, intercept=False, threads=None):
        super().__init__(lengths, rows.X.shape[1], intercept)
        self.rows, self.threads, self.sparse = rows, threads or cores(), sparse.issparse(rows.X)
        self.ends = np.cumsum(self.lengths)

    def bare(self):
        """The same rows without their columns: the intercept is all that is left, `dim` is 1."""
        return InMemory(self.rows._replace(X=self.rows.X[:, :0]), self.lengths, intercept=True, threads=self.threads)

    def chunk(self, k):
        cut = slice(self.ends[k] - self.lengths[k], self.ends[k])
        return Rows(*(None if column is None else column[cut] for column in self.rows))

    def sample(self, fraction, seed):
        # At one go: to draw a few rows of each chunk is a dozen calls under Python's lock, which two threads fight for.
        own = (drawn(n, fraction, seed, k) for k, n in enumerate(self.lengths))
        index = [rows + end - n for rows, end, n in zip(own, self.ends, self.lengths, strict=True)]
        rows = these(self.rows, np.concatenate(index))
        return InMemory(rows, [len(part) for part in index], intercept=self.intercept, threads=self.threads)

    def _choose(self, which):
        self.ends = self.ends[which]

    def scaled(self, n):
        """The same rows with weights that make them stand for n, cut by their own number."""
        w = np.ones(self.n) if self.rows.w is None else self.rows.w
        rows = self.rows._replace(w=w * (n / self.n))
        return InMemory(rows, default_lengths(rows.X), intercept=self.intercept, threads=self.threads)

    def _pass(self, kernel, shared, per_chunk, combine):
        def task(k):
            return on_chunk(kernel, shared, self.chunk(k), *(own[k] for own in per_chunk))

        with one_blas_thread:
            parts = spread(task, range(len(self.lengths)), self.threads)
        return parts if combine is None else summed(parts, combine)


def cores():
    """How many processors this process may use: all of the machine's, or those it was given."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(task, items, threads):
    """[task(item)] on threads; inside of such a task, here, since a pool that waits for itself waits for ever."""
    if threads == 1 or len(items) == 1 or threading.current_thread().name.startswith(POOL):
        return [task(item) for item in items]
    step = -(-len(items) // (RUNS * threads))  # a few items at a time: to hand them out takes Python's lock, too
    runs = pool_of(threads).map(lambda k: [task(item) for item in items[k : k + step]], range(0, len(items), step))
    return [found for run in runs for found in run]


@functools.cache
def pool_of(threads):
    """The pool of so many threads, kept: to start them anew in each pass costs as much as a pass over few rows."""
    return ThreadPoolExecutor(threads, thread_name_prefix=POOL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool_of.cache_clear)  # threads do not come along


class Thinned(Chunks):
    """A share of every chunk's rows, picked by the task that works on them (`kernels.take` says which)."""

    def __init__(self, chunks, fraction, seed):
        super().__init__([kept(length, fraction) for length in chunks.lengths], chunks.p, chunks.intercept)
        self.chunks, self.fraction, self.seed, self.sparse = chunks, fraction, seed, chunks.sparse

    def _choose(self, which):
        self.chunks = self.chunks.some(which)

    def _pass(self, kernel, shared, per_chunk, combine):
        which = range(len(self.lengths))
        return self.chunks._pass(OnShare(kernel, self.fraction, self.seed), shared, [*per_chunk, which], combine)


class OnShare:
    """A kernel on some of a chunk's rows; the chunk's number is its last argument."""

    def __init__(self, kernel, fraction, seed):
        self.kernel, self.fraction, self.seed, self.__name__ = kernel, fraction, seed, kernel.__name__

    def __call__(self, rows, *args):
        *rest, k = args
        return self.kernel(take(rows, self.fraction, self.seed, k), *rest)


class OnDask(Chunks):
    """Dask arrays; passes run where dask runs them: the current client's cluster, or threads of this process.

    A pass adds to the graph of the data one task a chunk, the tree, and one key for what all tasks share. Data that
    are not persisted are made again in every pass, and never stored.
    """

    def __init__(self, X, y, w=None, o=None, *, intercept=False):
        super().__init__(X.chunks[0], X.shape[1], intercept)
        self.sparse = is_sparse(X._meta)
        given = dict(zip(("X", "y", "sample_weight", "offset"), (X, y, w, o), strict=True))
        self.told = [values if values is None else told_of(name, values) for name, values in given.items()]
        given = {name: values for name, values in given.items() if values is not None}
        self.given = list(given.values())  # so a cluster keeps the rows
        refuse_closed(self.given)
        graph = guarded(given)  # once, not in every pass; this forgets the futures
        keys = iter([list(flatten(column.__dask_keys__())) for column in self.given])
        of_columns = [next(keys) if column is not None else None for column in (X, y, w, o)]
        self.keys = [[keys and TaskRef(keys[k]) for keys in of_columns] for k in range(len(self.lengths))]
        self.places = list(enumerate(self.lengths))
        self.makers = makers(graph, self.keys)
        self.common = {key: graph[key] for key in graph.keys() - {task.key for own in self.makers for task in own}}
        self.beside = y, w, o

    def bare(self):
        """The same rows without their columns, as in memory; nobody reads or makes X for it."""
        return OnDask(da.empty((self.n, 0), chunks=(self.lengths, (0,))), *self.beside, intercept=True)

    def _choose(self, which):
        self.keys, self.makers, self.places = ([own[k] for k in which] for own in (self.keys, self.makers, self.places))
        wanted = ancestors(self.common, [column.key for columns in self.keys for column in columns if column])
        self.common = {key: node for key, node in self.common.items() if key in wanted or isinstance(node, DataNode)}

    def elsewhere(self, function):
        """Asks the workers of the cluster that dask would use now; one that is lost meanwhile is not heard."""
        client = current_client()
        return client.run(function, on_error="ignore") if client else {}

    def advice(self):
        client = current_client()
        return hint_of_chunks(self, sum(client.nthreads().values()) if client else cores())

    def _pass(self, kernel, shared, per_chunk, combine):
        (result,) = dask.compute(self.lazy(kernel, shared, per_chunk, combine), optimize_graph=False)
        return result

    def lazy(self, kernel, shared, per_chunk=(), combine=add):
        """One pass as a delayed value, to be looked at or computed by hand: kernel(rows_k, *shared), added up."""
        name = f"{kernel.__name__}-{uuid.uuid4().hex}"  # a new name: a pass is never answered from another's result
        graph = self.graph(name, kernel, shared, per_chunk, combine)
        return Delayed(name, HighLevelGraph.from_collections(name, self.common | graph))

    def graph(self, name, kernel, shared, per_chunk, combine):
        """The tasks of one pass: one for what is shared, one a chunk, the tree; the last is called `name`."""
        first = DataNode(f"{name}-shared", (shared, self.told))
        tasks = [
            Task(f"{name}-chunk-{k}", on_blocks, kernel, first.ref(), place, *columns, *(own[k] for own in per_chunk))
            for k, (place, columns) in enumerate(zip(self.places, self.keys, strict=True))
        ]
        tasks = [Task.fuse(*made, task) for made, task in zip(self.makers, tasks, strict=True)]
        return {task.key: task for task in [first, *tasks, *tree(tasks, name, combine)]}


def optimized(columns):
    """The tasks of dask arrays, optimised for all together: by dask.optimize a y made from X would make X once more."""
    keys = list(flatten([column.__dask_keys__() for column in columns]))
    return convert_legacy_graph(dict(da.optimize(HighLevelGraph.merge(*(column.dask for column in columns)), keys)))


def distrustful(name, array):
    """The dask array, its blocks looked at before they are stored, or joined in its own graph."""
    looked = looked_at(name, array)
    held = {key: value for key, value in looked.__dask_graph__().items() if hasattr(value, "client")}
    graph = guarded({name: looked}) | held  # the futures: without them a cluster would forget the rows
    return da.Array(graph, looked.name, looked.chunks, meta=looked._meta)


def guarded(given):
    """The tasks of {argument: dask array}, optimised for all together, that look at blocks before they join them."""
    graph = optimized(list(given.values()))
    needs = {name: ancestors(graph, flatten(values.__dask_keys__())) for name, values in given.items()}
    return watched(graph, given.values(), needs)


def makers(graph, chunks):
    """For each chunk the tasks of `graph` that make its rows, [] where another chunk needs one of them too.

    They run inside of the chunk's own task: there are fewer tasks, and no rows wait in memory to be worked on. What is
    data already stays where it is.
    """
    found = [ancestors(graph, [column.key for column in columns if column]) for columns in chunks]
    uses = Counter(key for own in found for key in own)
    return [[graph[key] for key in own] if all(uses[key] == 1 for key in own) else [] for own in found]


def ancestors(graph, keys):
    """Those of `keys`, and of all that they need, that are tasks to be run."""
    seen, left = set(), list(keys)
    while left:
        key = left.pop()
        if key not in seen and not isinstance(graph.get(key), DataNode | None):
            seen.add(key)
            left.extend(graph[key].dependencies)
    return seen


def current_client():
    """The client on whose cluster dask would compute now, None where that is this process."""
    client = getattr(get_scheduler(), "__self__", None)
    return client if hasattr(client, "run") else None


def refuse_closed(columns):
    """The error for persisted data whose client was closed: dask would only name lost keys."""
    for lazy in columns:
        for value in lazy.__dask_graph__().values():
            client = getattr(value, "client", None)
            if client is not None and client.status != "running":
                raise ValueError("the data live on a cluster whose client is closed; connect again and load them anew")


def tree(tasks, name, combine):
    """The tasks that combine those of the chunks, FAN at a time; without `combine`, one that lists them."""
    if combine is None:
        return [Task(name, list, List(*(task.ref() for task in tasks)))]
    made = []
    while len(tasks) > FAN:
        tasks = [
            Task(f"{name}-sum-{len(made)}-{i}", combine, List(*(task.ref() for task in group)))
            for i, group in enumerate(groups(tasks))
        ]
        made += tasks
    return [*made, Task(name, combine, List(*(task.ref() for task in tasks)))]


# --- from what a user holds to chunks -------------------------------------------------------------------------


@spelt
def as_chunks(X, y, *, sample_weight=None, offset=None, intercept=False, chunks=None, threads=None):
    """Rows with all that belongs to them, checked and cut into chunks.

    X (n, p) is an array (numpy, dask, zarr, h5py, netCDF4, xarray, sparse), a table (pandas, dask, polars, pyarrow)
    or a list; y, sample_weight and offset are (n,) of the like. What lies on disk is read in every pass. `chunks` (an
    int or a tuple of row counts) cuts anew; without it dask data keep their own row chunks, stored arrays theirs, and
    in-memory data get lengths that depend on (n, p, dtype) alone. If anything is on dask, all is. Returns InMemory or
    OnDask. Raises TypeError for a type and ValueError for a shape that cannot be fitted or row labels that differ,
    naming the argument; values and blocks are looked at in the first pass.
    """
    if isinstance(X, Chunks):
        raise TypeError("X is made of chunks already: pass it to Objective(family, chunks)")
    threads = None if threads is None else whole("threads", threads, 1)
    intercept, chunks = flag("intercept", intercept), chunk_rows(chunks)
    tables = {"X": matrix(X)}
    columns = {"y": y, "sample_weight": sample_weight, "offset": offset}
    tables |= {name: None if values is None else column(name, values) for name, values in columns.items()}
    if y is None:
        raise TypeError("y is None: fit needs one response for each row of X")
    refuse_other_rows(tables)
    values = {name: table and table.values for name, table in tables.items()}
    made = chunked(values, chunks, intercept, threads)
    made.names = tables["X"].names
    return made


def chunked(given, chunks, intercept, threads):
    """The Chunks of {argument: array or None}."""
    if any(isinstance(values, da.Array) for values in given.values()):
        return OnDask(*lined_up(given, chunks).values(), intercept=intercept)
    refuse_lengths(given)
    X = given["X"]
    lengths = cut(X.shape[0], chunks) if chunks is not None else default_lengths(X)
    return InMemory(Rows(*given.values()), lengths, intercept=intercept, threads=threads)


def chunk_rows(chunks):
    """`chunks` as None, an int or a tuple of row counts."""
    if chunks is None or isinstance(chunks, Integral):
        return chunks if chunks is None or chunks == -1 else whole("chunks", chunks, 1)  # −1: one chunk
    if not isinstance(chunks, (tuple, list)):
        raise TypeError(f"chunks must be a number of rows or a tuple of them, got {chunks!r}")
    return tuple(whole("chunks", length) for length in chunks)


def refuse_lengths(given):
    X = given["X"]
    for name, values in given.items():
        if values is not None and values.shape[0] != X.shape[0]:
            raise ValueError(f"{name} has {values.shape[0]:,} rows but X has {X.shape[0]:,}; they must agree")


def auto_rows(n, p, itemsize=8):
    """Rows of a chunk on dask for `chunks="auto"`, from (n, p, itemsize) alone: the same on every machine.

    K chunks on as many cores take OVERHEAD·K + work/K seconds, least at K = √(work/OVERHEAD). More cores than
    MANY_CORES, and chunks above LARGEST bytes, are not supposed.
    """
    size = n * p * itemsize
    wanted = min(MANY_CORES, int(math.sqrt(size / STREAM / OVERHEAD)))
    return math.ceil(n / max(1, wanted, math.ceil(size / LARGEST)))


def hint_of_chunks(chunks, cores, overhead=OVERHEAD, work=None):
    """A sentence on chunks that are far too few or too many for so many cores, "" where they are not.

    overhead: seconds a task; work(k): seconds of the work in k chunks. Without them those of most machines.
    """
    k, work = len(chunks.lengths), work or (lambda k: 8 * chunks.n * chunks.p / STREAM / min(k, cores))
    if work(k) - work(cores) > max(MANY * overhead, work(k) / 3):
        why = f"only {k} of {cores} cores can work at once"
    elif k > MANY and k * overhead > 3 * work(k):
        why = "handing out their tasks takes longer than the work in them"
    else:
        return ""
    rows = auto_rows(chunks.n, chunks.p)
    return f"X comes in {k:,} chunks of about {chunks.n // k:,} rows: {why}. Try X.rechunk(({rows}, -1))"


def lined_up(given, chunks=None):
    """{argument: array or None} all on dask, in the row chunks asked for or those of X."""
    if sparse.issparse(given["X"]):
        raise TypeError("X is a scipy.sparse matrix but y, sample_weight or offset is on dask; compute those first")
    given = {name: sized(values) if isinstance(values, da.Array) else values for name, values in given.items()}
    refuse_empty(given["X"])
    refuse_lengths(given)
    source = next(values for values in given.values() if isinstance(values, da.Array))
    lengths = cut(source.shape[0], chunks if chunks is not None else source.chunks[0])
    return {name: None if values is None else arranged(name, values, lengths) for name, values in given.items()}


def row_by_row(function, X, offset):
    """function(X, offset or None) on a Table of each: at once, or lazily, block by block, if one is on dask."""
    given = {"X": X.values, "offset": offset and offset.values}
    if not any(isinstance(values, da.Array) for values in given.values()):
        refuse_lengths(given)
        return function(*given.values())
    if offset is None:  # X may have blocks of unknown length
        given = {"X": X.values if X.values.numblocks[1] == 1 else looked_at("X", X.values).rechunk({1: -1})}
    else:
        given = lined_up(given)
    given = {name: distrustful(name, values) for name, values in given.items()}
    blocks = itertools.chain.from_iterable(zip(given.values(), ("ij", "i"), strict=False))
    return da.blockwise(function, "i", *blocks, concatenate=True, dtype="float64", meta=np.empty(0))


def sized(values):
    """The array with its chunk sizes known; counting them once is a pass over its source, the given array is kept."""
    if any(np.isnan(size) for size in values.shape):
        values = da.Array(values.dask, values.name, values.chunks, meta=values._meta)
        values.compute_chunk_sizes()
    return values


def arranged(name, values, lengths):
    """A dask array in the given row chunks, its columns in one piece; blocks that are cut or joined are looked at."""
    chunks = (lengths, *((size,) for size in values.shape[1:]))
    if not isinstance(values, da.Array):
        return da.from_array(values, chunks=chunks)
    return values if values.chunks == chunks else looked_at(name, values).rechunk(chunks)
