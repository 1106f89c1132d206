"""Rows on dask: how a pass becomes tasks, and how every block is compared with what dask was told of it.

Of the files about rows, this is the only one that uses dask's private modules (`dask._task_spec` and others) and builds
graphs; when dask changes them, this is the file to mend.

Dask is told the class, shape and type of every block, and checks none of them. A file may hold another type than the
first, somebody may have guessed a length, blocks may be masked. Dask would work on: rows would be cast, cut, or paired
with other rows. So each task looks at its blocks before it works on them. Blocks that dask joins or cuts are looked at
before that, because a join casts all blocks to the type of the first.
"""

import functools
import math
import uuid
from collections import Counter, defaultdict
from typing import NamedTuple

import cloudpickle
import dask.array as da
import numpy as np
from dask._task_spec import DataNode, List, Task, TaskRef, convert_legacy_graph
from dask.core import flatten
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.sizeof import sizeof
from scipy import sparse

from glmlab.maths.sums import add
from glmlab.policy import Chunking
from glmlab.rows.arrivals import Workers
from glmlab.rows.chunks import FAN, Chunks, groups, on_chunk
from glmlab.rows.faults import computed, current_client, in_words, inside_of_a_task, refuse_misplaced
from glmlab.rows.kernels import Rows
from glmlab.rows.tables import csr, is_sparse
from glmlab.rows.threads import cores
from glmlab.words import count_text

POLICY = Chunking()
JOINS = ("concatenate3", "concatenate_shaped")  # dask's functions that join blocks in a rechunk


class OnDask(Chunks):
    """Dask arrays. Passes run where dask runs them: on the cluster of the current client, or on threads here.

    A pass adds to the graph of the data one task a chunk and the tree. What all tasks share travels inside of each if
    it is small, because a key of its own costs a message to every worker and a wait. If it is large, it has a key. Data
    that are not persisted are made anew in every pass, and never stored.

    Raises ValueError for data of a closed client.
    """

    def __init__(self, X, y, w=None, o=None, *, intercept=False, policy=POLICY):
        super().__init__(X.chunks[0], X.shape[1], intercept, is_sparse(X._meta))
        columns = dict(zip(("X", "y", "sample_weight", "offset"), (X, y, w, o), strict=True))
        self.told = [values if values is None else told_of(name, values) for name, values in columns.items()]
        given = {name: values for name, values in columns.items() if values is not None}
        self.given = given  # a cluster keeps persisted rows as long as somebody holds their arrays
        refuse_misplaced(given)
        graph = guarded(given)  # made once for all passes; it holds no futures
        keys = {name: list(flatten(values.__dask_keys__())) for name, values in given.items()}
        self.keys = [[TaskRef(keys[name][k]) if name in keys else None for name in columns]
                     for k in range(len(self.lengths))]  # fmt: skip
        self.places = list(enumerate(self.lengths))
        self.makers = makers(graph, self.keys)
        self.common = {key: graph[key] for key in graph.keys() - {task.key for own in self.makers for task in own}}
        self.beside, self.policy = (y, w, o), policy

    def bare(self):
        """The same rows without their columns, as in memory; X is neither read nor made for it."""
        columns = da.empty((self.n, 0), chunks=(self.lengths, (0,)))
        rows = OnDask(columns, *self.beside, intercept=True, policy=self.policy)
        rows.given = self.given  # an error shall name all rows that are lost
        return rows

    def elsewhere(self, function):
        """{worker: function()} for the workers of the current cluster; a worker that is lost meanwhile is left out."""
        client = current_client()
        with in_words(client, self.given):
            return client.run(function, on_error="ignore") if client else {}

    def crew(self):
        client = current_client()
        return super().crew() if client is None or inside_of_a_task() else Workers(self, client)

    def advice(self):
        client = current_client()
        return hint_of_chunks(self, sum(client.nthreads().values()) if client else cores())

    def lazy(self, kernel, shared, per_chunk=(), combine=add):
        """One pass as a delayed value, to be looked at or computed by hand: kernel(rows_k, *shared), added up."""
        name = f"{kernel.__name__}-{uuid.uuid4().hex}"  # a new name, lest dask answer from the result of another pass
        graph = self.graph(name, kernel, shared, per_chunk, combine)
        return Delayed(name, HighLevelGraph.from_collections(name, self.common | graph))

    def single(self, kernel, shared):
        """The graph of a pass over a single chunk and the key of its value: one task, none that lists it."""
        graph, [key], _ = ahead(self.lazy(kernel, shared, combine=None))
        return graph, key

    def graph(self, name, kernel, shared, per_chunk, combine):
        """The tasks of one pass: one a chunk, the tree, and data that all share; the last is called `name`."""
        shared = Shared((shared, self.told))
        first = [] if sizeof(shared.value) <= self.policy.carried else [DataNode(f"{name}-shared", shared)]
        shared = first[0].ref() if first else shared
        tasks = [
            Task(f"{name}-chunk-{k}", on_blocks, kernel, shared, place, *columns, *(own[k] for own in per_chunk))
            for k, (place, columns) in enumerate(zip(self.places, self.keys, strict=True))
        ]
        tasks = [Task.fuse(*made, task) for made, task in zip(self.makers, tasks, strict=True)]
        return {task.key: task for task in [*first, *tasks, *tree(tasks, name, combine)]}

    def _choose(self, which):
        self.keys, self.makers, self.places = ([own[k] for k in which] for own in (self.keys, self.makers, self.places))
        needed = {column.key for columns in self.keys for column in columns if column}
        needed.update(key for own in self.makers for task in own for key in task.dependencies)
        tasks = ancestors(self.common, needed)
        needed.update(tasks, *(self.common[key].dependencies for key in tasks))
        self.common = {key: node for key, node in self.common.items() if key in needed}  # what else is sent costs time

    def _pass(self, kernel, shared, per_chunk, combine):
        small = combine is None or self.dim <= self.policy.narrow
        return computed(self.lazy(kernel, shared, per_chunk, combine), self.given, ahead if small else None)


def ahead(lazy):
    """A pass up to its last task: the graph, the keys of what that task takes as one list, and what it does with it.

    Where results are small, the process that asks does this itself: that saves a task, which would fetch them all.
    """
    graph = dict(lazy.dask)
    last = graph.pop(lazy.key)
    return graph, [ref.key for ref in last.args[0]], last.func


class Shared:
    """What all tasks of a pass share. It is pickled once for all of them."""

    def __init__(self, value):
        self.value = value

    def __sizeof__(self):
        return sizeof(self.value)

    @functools.cached_property
    def pickled(self):
        return cloudpickle.dumps(self.value)

    def __reduce__(self):
        return Received, (self.pickled,)


class Received(Shared):
    """The same as it arrives: bytes, which the scheduler passes on and only a worker reads."""

    def __init__(self, pickled):
        self.pickled = pickled

    @functools.cached_property
    def value(self):
        return cloudpickle.loads(self.pickled)


def on_blocks(kernel, shared, place, X, y, w, o, *own):
    """What a task runs: the kernel on the blocks of one chunk, if they are what dask was told."""
    shared, told = shared.value
    k, length = place
    rows = (None if said is None else seen(block, said, k, (length, *said.width))
            for block, said in zip((X, y, w, o), told, strict=True))  # fmt: skip
    return on_chunk(kernel, shared, Rows(*rows), *own)


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


# --- the rows of all arguments in the same chunks -------------------------------------------------------------------


def lined_up(given, lengths):
    """{argument: array or None} all on dask, in these row chunks."""
    if sparse.issparse(given["X"]):
        raise TypeError("X is a scipy.sparse matrix but y, sample_weight or offset is on dask; compute those first")
    return {name: None if values is None else arranged(name, values, lengths) for name, values in given.items()}


def arranged(name, values, lengths):
    """A dask array in these row chunks, columns in one piece; blocks are looked at before they are cut or joined."""
    chunks = (lengths, *((size,) for size in values.shape[1:]))
    if not isinstance(values, da.Array):
        return da.from_array(values, chunks=chunks)
    return values if values.chunks == chunks else looked_at(name, values).rechunk(chunks)


# --- how long chunks should be --------------------------------------------------------------------------------------


def auto_rows(n, p, itemsize=8, policy=POLICY):
    """Rows of a chunk for `chunks="auto"`, from (n, p, itemsize) alone: the same on every machine.

    K chunks on K cores take overhead·K + work/K seconds, which is least at K = √(work/overhead). More cores than the
    policy's are not expected, and no chunk is larger than it allows.
    """
    size = n * p * itemsize
    wanted = min(policy.cores, int(math.sqrt(size / policy.stream / policy.overhead)))
    return math.ceil(n / max(1, wanted, math.ceil(size / policy.largest)))


def hint_of_chunks(chunks, cores, overhead=None, work=None, policy=POLICY):
    """A sentence on chunks that are far too few or far too many for so many cores, "" where they are not.

    overhead: seconds a task; work(k): seconds of the work in k chunks. Both are the policy's where they are left out.
    """
    k, overhead = len(chunks.lengths), policy.overhead if overhead is None else overhead
    work = work or (lambda k: 8 * chunks.n * chunks.p / policy.stream / min(k, cores))
    if work(k) - work(cores) > max(policy.tasks * overhead, work(k) / 3):
        why = f"only {k} of {cores} cores can work at once"
    elif k > policy.tasks and k * overhead > 3 * work(k):
        why = "handing out their tasks takes longer than the work in them"
    else:
        return ""
    rows = auto_rows(chunks.n, chunks.p, policy=policy)
    size = count_text(chunks.n // k, "row")
    return f"X comes in {count_text(k, 'chunk')} of about {size}: {why}. Try X.rechunk(({rows}, -1))"


# --- graphs ---------------------------------------------------------------------------------------------------------


def guarded(given):
    """The tasks of {argument: dask array}, which look at blocks before they cut or join them.

    They are optimised for all arrays together: `dask.optimize` would make X a second time for a y that is made of it.
    """
    keys = {name: list(flatten(values.__dask_keys__())) for name, values in given.items()}
    merged = HighLevelGraph.merge(*(values.dask for values in given.values()))
    graph = convert_legacy_graph(dict(da.optimize(merged, list(flatten(list(keys.values()))))))
    told = told_of_cuts(given.values())
    owner = {key: name for name, own in keys.items() for key in ancestors(graph, own)}
    return graph | {key: careful(graph[key], name, told) for key, name in owner.items()}


def distrustful(name, array):
    """The dask array, its blocks looked at before they are stored, cut or joined."""
    looked = looked_at(name, array)
    held = {key: value for key, value in looked.__dask_graph__().items() if hasattr(value, "client")}
    graph = guarded({name: looked}) | held  # a cluster keeps rows only as long as their futures are held
    return da.Array(graph, looked.name, looked.chunks, meta=looked._meta)


def makers(graph, chunks):
    """For each chunk the tasks of `graph` that make its rows; [] where another chunk needs one of them too.

    They run inside of the chunk's own task, so that there are fewer tasks and no rows wait in memory. What is data
    already stays where it is.
    """
    found = [ancestors(graph, [column.key for column in columns if column]) for columns in chunks]
    uses = Counter(key for own in found for key in own)
    return [[graph[key] for key in own] if all(uses[key] == 1 for key in own) else [] for own in found]


def ancestors(graph, keys):
    """Those of `keys`, and of all that they need, that are tasks and not data."""
    seen, left = set(), list(keys)
    while left:
        key = left.pop()
        if key not in seen and not isinstance(graph.get(key), DataNode | None):
            seen.add(key)
            left.extend(graph[key].dependencies)
    return seen


def told_of_cuts(arrays):
    """{key of a task that cuts a block in a rechunk: the shape of the block as dask was told}: its cuts end there."""
    layers = [layer for array in arrays for name, layer in array.dask.layers.items() if name.startswith("rechunk")]
    cuts = {key: task for layer in layers for key, task in layer.items()
            if isinstance(task, Task) and key[0].startswith("rechunk-split")}  # fmt: skip
    ends = defaultdict(list)
    for block, index in (task.args for task in cuts.values()):
        ends[block.key].append([np.nan if part.stop is None else part.stop for part in index])
    return {key: tuple(np.max(ends[task.args[0].key], axis=0)) for key, task in cuts.items()}


def careful(task, name, told):
    """The task with our cut or join in the place of dask's own, also inside of tasks that dask has fused into one."""
    func = getattr(task, "func", None)
    called = getattr(func, "__name__", "")
    if task.key in told and called == "getitem":
        return Task(task.key, functools.partial(cut_block, name, told[task.key]), *task.args)
    if called in JOINS:
        return Task(task.key, functools.partial(join_blocks, name, func), *task.args, **task.kwargs)
    if called != "_execute_subgraph":
        return task
    inside, *rest = task.args
    changed = {key: careful(own, name, told) for key, own in inside.items()}
    if all(changed[key] is own for key, own in inside.items()):
        return task
    return Task(task.key, func, changed, *rest, _data_producer=task.data_producer, **task.kwargs)


# --- blocks ---------------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """What dask was told of one argument's blocks."""

    name: str  # of the argument
    kind: type  # of a block
    dtype: np.dtype
    width: tuple  # the shape of a row: (p,) or ()


def told_of(name, array):
    """What a dask array says of its blocks."""
    return Told(name, type(array._meta), array.dtype, array.shape[1:])


def looked_at(name, array):
    """The dask array with a task more for each block, which looks at it."""
    meta = array._meta if isinstance(array._meta, np.ndarray) else sparse.csr_array((0, 0), dtype=array.dtype)
    return array.map_blocks(look, told_of(name, array), dtype=array.dtype, meta=meta)


def look(block, told, *, block_info):
    """The block as kernels take it, if it is what dask was told."""
    place = block_info[None]
    return seen(block, told, place["chunk-location"][0], place["chunk-shape"])


def seen(block, told, k, shape):
    """Block k as kernels take it, if it is what dask was told. Raises TypeError or ValueError that names the block."""
    place = f"{told.name}.blocks[{k}]"
    if isinstance(block, np.ma.MaskedArray):
        raise TypeError(f"{place} is a masked array and dask was not told; drop its masked rows, or make them nan: "
                        f"{told.name}.map_blocks(numpy.ma.filled, numpy.nan)")  # fmt: skip
    dense = issubclass(told.kind, np.ndarray)
    if not (isinstance(block, np.ndarray) if dense else is_sparse(block)):
        cure = "scipy.sparse.csr_array, meta=scipy.sparse.csr_array((0, 0))"
        cure = "numpy.asarray, dtype='float64'" if dense and not is_sparse(block) else cure
        raise TypeError(f"{place} is a {type(block).__name__}, but dask was told {told.kind.__name__}; type "
                        f"{told.name}.map_blocks({cure})")  # fmt: skip
    if other_shape(block, shape):
        raise ValueError(f"{place} has shape {block.shape}, but dask was told {whole(shape)}; type "
                         f"{told.name}.compute_chunk_sizes(), or tell dask the right lengths")  # fmt: skip
    if block.dtype.newbyteorder("=") != told.dtype.newbyteorder("="):
        raise TypeError(f"{place} holds {block.dtype}, but dask was told {told.dtype}; before anything joins blocks, "
                        f"type {told.name}.map_blocks(numpy.float64, dtype='float64')")  # fmt: skip
    return np.asarray(block) if dense else csr(place, block)


def other_shape(block, shape):
    """Does the block's shape differ from this one? Lengths that dask does not know are nan, and agree with all."""
    return len(block.shape) != len(shape) or any(a != b for a, b in zip(block.shape, shape, strict=True) if b == b)


@sizeof.register(sparse.sparray)
def bytes_of_sparse(block):
    """Bytes of a block of scipy's sparse arrays, told to dask, which knows the size of their matrices only.

    It takes an array of any size for a few dozen bytes. Then a worker knows neither when to spill nor what to move.
    """
    return sum(sizeof(part) for part in vars(block).values())


def whole(shape):
    """A shape for a message: lengths as integers, where they are known."""
    return tuple(length if length != length else int(length) for length in shape)


def cut_block(name, shape, block, index):
    """A part of a block of an argument. Raises ValueError where the block has another shape than dask was told."""
    if other_shape(block, shape):
        raise ValueError(f"{name} has a block of shape {block.shape}, and dask was told {whole(shape)}; "
                         f"before a rechunk, type {name}.compute_chunk_sizes()")  # fmt: skip
    return block[index]


def join_blocks(name, join, blocks, *shape):
    """dask's `join` of blocks of an argument. Raises TypeError where the join would lose what the blocks hold."""
    parts = list(flatten(blocks, container=(list, tuple)))
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        raise TypeError(f"{name} has masked arrays among its blocks, and a rechunk forgets masks; before it, "
                        f"type {name}.map_blocks(numpy.ma.filled, numpy.nan)")  # fmt: skip
    types = list(dict.fromkeys(str(part.dtype) for part in parts))
    if len(types) > 1:
        raise TypeError(f"{name} has blocks of {' and '.join(types)}, and a rechunk casts all to the first; "
                        f"before it, type {name}.map_blocks(numpy.float64, dtype='float64')")  # fmt: skip
    return join(blocks, *shape)
