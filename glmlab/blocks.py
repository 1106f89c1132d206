"""Blocks looked at, not believed: dask is told the class, the shape and the type of every block, and checks none.

A file that holds another type than the first, a length that somebody guessed, a mask that nobody mentioned: dask works
on, and rows are cast, cut or paired with other rows. Here a block is compared with what dask was told of it, by the
task that works on it, or earlier where dask would join it with others: what is joined takes the type of the first.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from dask._task_spec import Task
from dask.core import flatten
from scipy import sparse

JOINS = ("concatenate3", "concatenate_shaped")  # dask's functions that join blocks, in `rechunk`


class Told(NamedTuple):
    """What dask was told of one argument's blocks."""

    name: str  # of the argument
    kind: type  # of a block
    dtype: np.dtype
    width: tuple  # the shape of a row: (p,) or ()


def told_of(name, array):
    """What a dask array says of its blocks. Raises TypeError for blocks that no kernel takes."""
    meta = array._meta
    if not isinstance(meta, np.ndarray) and not is_sparse(meta):
        raise TypeError(f"{name} has blocks of class {type(meta).__name__}, and kernels take numpy and scipy.sparse; "
                        f"type {name}.map_blocks(numpy.asarray)")  # fmt: skip
    return Told(name, type(meta), array.dtype, array.shape[1:])


def is_sparse(values):
    """Are these scipy.sparse rows, or pydata's, which can become such?"""
    return sparse.issparse(values) or is_pydata(values)


def is_pydata(values):
    return hasattr(values, "to_scipy_sparse") or (hasattr(values, "to_coo") and hasattr(values, "fill_value"))


def csr(name, values):
    """Sparse rows of any format and class as scipy's CSR."""
    if sparse.issparse(values):
        return values.tocsr()
    values = values if hasattr(values, "to_scipy_sparse") else values.to_coo()
    if values.fill_value != 0:
        raise ValueError(f"{name} is sparse around {values.fill_value}, not around 0; type {name}.todense()")
    return values.to_scipy_sparse().tocsr()


def seen(block, told, k, shape):
    """Block k as kernels take it, if it is what dask was told. Raises TypeError or ValueError that names it."""
    place = f"{told.name}.blocks[{k}]"
    if isinstance(block, np.ma.MaskedArray):
        raise TypeError(f"{place} is a masked array and dask was not told; drop its masked rows, or make them nan: "
                        f"{told.name}.map_blocks(numpy.ma.filled, numpy.nan)")  # fmt: skip
    dense = issubclass(told.kind, np.ndarray)
    if not (isinstance(block, np.ndarray) if dense else is_sparse(block)):
        raise TypeError(f"{place} is a {type(block).__name__}, but dask was told {told.kind.__name__}; type "
                        f"{told.name}.map_blocks({cure(block, dense)})")  # fmt: skip
    if other_shape(block, shape):
        raise ValueError(f"{place} has shape {block.shape}, but dask was told {whole(shape)}; type "
                         f"{told.name}.compute_chunk_sizes(), or tell dask the right lengths")  # fmt: skip
    if block.dtype.newbyteorder("=") != told.dtype.newbyteorder("="):
        raise TypeError(f"{place} holds {block.dtype}, but dask was told {told.dtype}; before anything joins blocks, "
                        f"type {told.name}.map_blocks(numpy.float64, dtype='float64')")  # fmt: skip
    return np.asarray(block) if dense else csr(place, block)


def other_shape(block, shape):
    """Has the block another shape than this, of which unknown lengths are nan?"""
    return len(block.shape) != len(shape) or any(a != b for a, b in zip(block.shape, shape, strict=True) if b == b)


def whole(shape):
    return tuple(length if length != length else int(length) for length in shape)


def cure(block, dense):
    """What makes such a block one that kernels take, as `map_blocks` wants it."""
    if is_sparse(block) or not dense:
        return "scipy.sparse.csr_array, meta=scipy.sparse.csr_array((0, 0))"
    return "numpy.asarray, dtype='float64'"


def looked_at(name, array):
    """The dask array whose tasks look at each block first: for where blocks are joined, stored or sent on."""
    told = told_of(name, array)
    meta = array._meta if isinstance(array._meta, np.ndarray) else csr(name, array._meta)
    return array.map_blocks(look, told, dtype=array.dtype, meta=meta)


def look(block, told, *, block_info):
    place = block_info[None]
    return seen(block, told, place["chunk-location"][0], place["chunk-shape"])


def watched(graph, arrays, needs):
    """The graph with each cut and join of blocks, as `rechunk` makes them, looking at them first.

    needs: {argument: keys of the tasks that it needs}.
    """
    owner, told = {key: name for name, keys in needs.items() for key in keys}, told_of_cuts(arrays)
    return graph | {key: careful(graph[key], name, told) for key, name in owner.items()}


def told_of_cuts(arrays):
    """{key of a task that cuts a block in a rechunk: the shape that dask was told of the block}: where its cuts end."""
    layers = [layer for array in arrays for name, layer in array.dask.layers.items() if name.startswith("rechunk")]
    cuts = {key: task for layer in layers for key, task in layer.items()
            if isinstance(task, Task) and key[0].startswith("rechunk-split")}  # fmt: skip
    ends = defaultdict(list)
    for block, index in (task.args for task in cuts.values()):
        ends[block.key].append([np.nan if part.stop is None else part.stop for part in index])
    return {key: tuple(np.max(ends[task.args[0].key], axis=0)) for key, task in cuts.items()}


def careful(task, name, told):
    """The task as it is, or with a Cut or a Join in place of dask's; dask fuses some tasks into one that holds them."""
    func = getattr(task, "func", None)
    called = getattr(func, "__name__", "")
    if task.key in told and called == "getitem":
        return Task(task.key, Cut(name, told[task.key]), *task.args)
    if called in JOINS:
        return Task(task.key, Join(name, func), *task.args, **task.kwargs)
    if called != "_execute_subgraph":
        return task
    inside, *rest = task.args
    changed = {key: careful(own, name, told) for key, own in inside.items()}
    if all(changed[key] is own for key, own in inside.items()):
        return task
    return Task(task.key, func, changed, *rest, _data_producer=task.data_producer, **task.kwargs)


class Cut:
    """Some rows of an argument's block, refused where the block has others than dask was told."""

    def __init__(self, name, shape):
        self.name, self.shape = name, shape

    def __call__(self, block, index):
        if other_shape(block, self.shape):
            raise ValueError(f"{self.name} has a block of shape {block.shape}, and dask was told {whole(self.shape)}; "
                             f"before a rechunk, type {self.name}.compute_chunk_sizes()")  # fmt: skip
        return block[index]


class Join:
    """dask's join of an argument's blocks, refused where it would lose what they hold."""

    def __init__(self, name, join):
        self.name, self.join = name, join

    def __call__(self, blocks, *shape):
        parts = list(flatten(blocks, container=(list, tuple)))
        if any(isinstance(part, np.ma.MaskedArray) for part in parts):
            raise TypeError(f"{self.name} has masked arrays among its blocks, and a rechunk forgets masks; before it, "
                            f"type {self.name}.map_blocks(numpy.ma.filled, numpy.nan)")  # fmt: skip
        types = list(dict.fromkeys(str(part.dtype) for part in parts))
        if len(types) > 1:
            raise TypeError(f"{self.name} has blocks of {' and '.join(types)}, and a rechunk casts all to the first; "
                            f"before it, type {self.name}.map_blocks(numpy.float64, dtype='float64')")  # fmt: skip
        return self.join(blocks, *shape)
