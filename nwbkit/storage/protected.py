"""What pynwb writes by itself (columns, electrodes, ids, references): chunked and checked.

Contiguous datasets, as hdmf writes them, let a flipped bit through unseen, and large columns
are stored as they are. Here every dataset of more than a kilobyte on its way into the file
gets chunks and deflate, whose Adler-32 every HDF5 reader checks. Nothing of the content
changes by that.

Texts are the exception that HDF5 leaves: those of variable length lie in the file's global
heap, which no filter and no checksum covers; only the references to them are protected here.
Texts of fixed length could be, but NWB's schema language calls those ``ascii``, pynwb reads
them back as bytes, and a column of texts would not be one any more. Scalars and attributes
cannot have filters either. Damage there is found with the sidecar.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.storage.codec import Scratch, encode
from nwbkit.storage.digests import little
from nwbkit.storage.planning import DatasetPlan, default_plan

if TYPE_CHECKING:
    import h5py
    from hdmf.backends.hdf5 import HDF5IO

#: Datasets up to this stay contiguous where hdmf makes them so: the index of chunks alone takes
#: 2 kB. Columns and ids have chunks in any case, so that rows can be appended.
SMALL = 1 << 10

#: From here on chunks are packed here, ten times faster than HDF5's own deflate.
_LARGE = 1 << 20

#: Types whose datasets hdmf makes so that rows can be appended.
_GROWING = ("VectorData", "ElementIdentifiers")

#: Bytes of an element in the file that is no number: a reference, or where a text lies.
_INDIRECT = 16


def protect(io: HDF5IO) -> None:
    """Have `io` chunk, compress and thereby check what it writes from memory.

    Parameters
    ----------
    io : hdmf.backends.hdf5.HDF5IO
        Opened for writing; call before its ``write``.
    """
    write = io.write_dataset

    def write_dataset(parent: Any, builder: Any, *args: Any, **kwargs: Any) -> Any:
        values = builder["data"]
        wrapped, plan = _wrapped(values, builder.dtype, _growing(io, builder))
        if wrapped is None:
            return write(parent, builder, *args, **kwargs)
        builder["data"] = wrapped
        try:
            made = write(parent, builder, *args, **kwargs)
        finally:
            builder["data"] = values
        if plan is not None:
            _fill(wrapped.dataset, values, plan)
        return made

    io.write_dataset = write_dataset


def _growing(io: HDF5IO, builder: Any) -> tuple[int | None, ...] | None:
    """The maxshape that hdmf gives to columns and ids; it forgets those that are left empty."""
    if io.manager.get_builder_dt(builder) is None or builder.matched_spec_shape is None:
        return None
    if any(io.manager.is_sub_data_type(builder, kind) for kind in _GROWING):
        return tuple(builder.matched_spec_shape)
    return None


def _wrapped(
    values: Any, declared: Any, maxshape: tuple[int | None, ...] | None
) -> tuple[Any, DatasetPlan | None]:
    """What hdmf is to be given in place of `values`; with a plan where it is left empty."""
    from hdmf.backends.hdf5 import H5DataIO

    shape = _shape(values)
    if not shape or 0 in shape:
        return None, None
    itemsize = _itemsize(values)
    if maxshape is None and math.prod(shape) * itemsize <= SMALL:
        return None, None
    plan = default_plan(shape, np.dtype((np.void, itemsize)))
    settings: dict[str, Any] = {
        "chunks": plan.chunks,
        "compression": "gzip",
        "compression_opts": 1,
        "shuffle": itemsize > 1,
    }
    if _plain(values, declared) and values.nbytes > _LARGE:
        if maxshape is not None:
            settings["maxshape"] = maxshape
        return H5DataIO(shape=shape, dtype=little(values.dtype), **settings), plan
    return H5DataIO(data=values, **settings), None


def _shape(values: Any) -> tuple[int, ...] | None:
    """Shape of what lies in memory as an array or list; None for everything else."""
    if isinstance(values, np.ndarray):
        return tuple(values.shape)
    if not isinstance(values, list | tuple) or not len(values):
        return None
    if not isinstance(values[0], list | np.ndarray):
        return (len(values),)  # numbers, texts, references, or rows of a compound type
    below = {_shape(each) for each in values}
    inner = below.pop()
    return None if below or inner is None else (len(values), *inner)


def _itemsize(values: Any) -> int:
    if isinstance(values, np.ndarray):
        return values.dtype.itemsize if values.dtype.kind in "biufcV" else _INDIRECT
    first = values[0]
    if isinstance(first, tuple):  # rows of a compound type
        return _INDIRECT * len(first)
    while isinstance(first, list | np.ndarray) and len(first):
        first = first[0]
    number = isinstance(first, bool | int | float | np.generic) and not isinstance(first, str)
    return 8 if number else _INDIRECT


def _plain(values: Any, declared: Any) -> bool:
    """Whether `values` are numbers that are stored just as they are."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        return False
    if declared is None:
        return True
    try:
        return not isinstance(declared, list) and np.dtype(declared) == values.dtype
    except TypeError:
        return False


def _fill(dataset: h5py.Dataset, values: Any, plan: DatasetPlan) -> None:
    scratch = Scratch()
    values = values.astype(little(values.dtype), copy=False)
    steps = [range(0, n, c) for n, c in zip(values.shape, plan.chunks, strict=True)]
    for corner in itertools.product(*steps):
        inside = tuple(slice(low, low + c) for low, c in zip(corner, plan.chunks, strict=True))
        dataset.id.write_direct_chunk(corner, encode(values[inside], plan, scratch))
