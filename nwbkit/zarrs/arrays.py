"""Arrays of a Zarr v2 store as h5py shows datasets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from nwbkit.zarrs.blosc import AnyArray, ChunkError
from nwbkit.zarrs.codecs import Chain
from nwbkit.zarrs.nodes import Node, Reference, TreeError, read_json, reference

if TYPE_CHECKING:
    from nwbkit.zarrs.tree import File


#: Element types of texts and references, tagged as h5py does it.
TEXT: np.dtype[Any] = h5py.string_dtype()
REFERENCE: np.dtype[Any] = h5py.ref_dtype


class Dataset(Node):
    """An array.

    Attributes
    ----------
    shape : tuple of int
        ``()`` for what hdmf-zarr marks as a scalar.
    dtype : numpy.dtype
        As h5py would say it: texts and references are tagged object types.
    stored_shape, chunks : tuple of int
    chain : Chain
    """

    def __init__(self, file: File, name: str) -> None:
        super().__init__(file, name)
        meta = read_json(self.folder / ".zarray")
        try:
            self._describe(meta)
        except (KeyError, ValueError, TypeError) as error:
            raise TreeError(f"'{name}/.zarray' is damaged: {error}") from None

    def _describe(self, meta: Mapping[str, Any]) -> None:
        if meta["zarr_format"] != 2:
            raise ValueError(f"zarr_format {meta['zarr_format']}")
        self.stored_shape = tuple(int(n) for n in meta["shape"])
        self.chunks = tuple(int(n) for n in meta["chunks"])
        if len(self.chunks) != len(self.stored_shape) or min((1, *self.chunks)) < 1:
            raise ValueError(f"chunks {self.chunks} of shape {self.stored_shape}")
        if min((0, *self.stored_shape)) < 0:
            raise ValueError(f"shape {self.stored_shape}")
        stored = _dtype(meta["dtype"])
        filters = tuple(meta.get("filters") or ())
        self.chain = Chain(
            stored, self.chunks, str(meta.get("order", "C")), meta.get("compressor"), filters
        )
        self.separator = str(meta.get("dimension_separator", "."))
        kind = self.attrs.raw.get("zarr_dtype")
        scalar = kind == "scalar" and self.stored_shape == (1,)
        self.shape = () if scalar else self.stored_shape
        self.is_text = stored.kind in "SU" or any(
            f.get("id") in ("vlen-utf8", "vlen-bytes") for f in filters
        )
        self.dtype = TEXT if self.is_text else _logical(stored, kind)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def chunk_path(self, index: tuple[int, ...]) -> Path:
        """The file of the chunk at a place in the grid."""
        if not index:
            return self.folder / "0"
        return self.folder / self.separator.join(map(str, index))

    def read_chunk(self, index: tuple[int, ...]) -> AnyArray:
        """Decode one chunk.

        Raises
        ------
        nwbkit.zarrs.blosc.ChunkError
        """
        path = self.chunk_path(index)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise ChunkError(f"file '{path.name}' is missing") from None
        try:
            return self.chain.decode(data)
        except ChunkError as error:
            raise ChunkError(f"file '{path.name}': {error}") from None

    def rows(self, start: int, stop: int) -> AnyArray:
        """Rows of the stored array, texts as bytes.

        Raises
        ------
        OSError
            Where a chunk cannot be decoded; the message names it.
        """
        kind = object if self.dtype.hasobject else self.chain.dtype
        shape = (max(0, min(stop, self.stored_shape[0]) - start), *self.stored_shape[1:])
        out = np.empty(shape, kind)
        if not out.size:
            return out
        spans = [
            range(start // self.chunks[0], (start + shape[0] - 1) // self.chunks[0] + 1),
            *(
                range(math.ceil(n / c))
                for n, c in zip(self.stored_shape[1:], self.chunks[1:], strict=True)
            ),
        ]
        for index in itertools.product(*spans):
            try:
                values = self.read_chunk(index)
            except ChunkError as error:
                raise OSError(f"chunk {list(index)} of '{self.name}': {error}") from None
            self._place(index, values, start, out)
        return out

    def _place(self, index: tuple[int, ...], values: AnyArray, start: int, out: AnyArray) -> None:
        to, of = [], []
        for axis, (i, c) in enumerate(zip(index, self.chunks, strict=True)):
            first = start if axis == 0 else 0
            low, high = max(i * c, first), min((i + 1) * c, first + out.shape[axis])
            to.append(slice(low - first, high - first))
            of.append(slice(low - i * c, high - i * c))
        out[tuple(to)] = self._values(values[tuple(of)])

    def _values(self, values: AnyArray) -> AnyArray:
        if not self.dtype.hasobject:
            return values
        flat = np.empty(values.size, object)
        flat[:] = [self._value(v) for v in values.reshape(-1).tolist()]
        return flat.reshape(values.shape)

    def _value(self, value: Any) -> Any:
        if self.is_text:
            return value.encode() if isinstance(value, str) else value
        if h5py.check_ref_dtype(self.dtype) is not None:
            return reference(value)
        if self.dtype.names is not None and isinstance(value, list | tuple):
            row = np.empty((), self.dtype)
            row[()] = tuple(value)
            return row[()]
        return value.encode() if isinstance(value, str) else value

    def __getitem__(self, selection: Any) -> Any:
        if self.shape == ():
            value = self.rows(0, 1)[0] if self.stored_shape else self._whole()[()]
            if selection not in ((), Ellipsis):
                raise TypeError("a scalar has nothing to select from")
            return value if selection == () else _zero_dim(value)
        first = selection[0] if isinstance(selection, tuple) and selection else selection
        rest = selection[1:] if isinstance(selection, tuple) else ()
        if isinstance(first, int | np.integer):
            row = int(first) + (self.shape[0] if first < 0 else 0)
            if not 0 <= row < self.shape[0]:
                raise IndexError(f"row {first} of {self.shape[0]}")
            return self.rows(row, row + 1)[(0, *rest)]
        if isinstance(first, slice):
            start, stop, step = first.indices(self.shape[0])
            if step == 1:
                return self.rows(start, stop)[(slice(None), *rest)]
        return self._whole()[selection]

    def _whole(self) -> AnyArray:
        if not self.stored_shape:
            return self._values(self.read_chunk(()))
        return self.rows(0, self.stored_shape[0])

    def asstr(self, encoding: str = "utf-8", errors: str = "strict") -> Texts:
        """As h5py: the same, texts as str."""
        return Texts(self, errors)

    def __array__(self, dtype: Any = None, copy: Any = None) -> AnyArray:
        array = np.asarray(self[...])
        return array if dtype is None else array.astype(dtype)


class Texts:
    """A dataset whose texts come as str."""

    def __init__(self, dataset: Dataset, errors: str) -> None:
        self._dataset, self._errors = dataset, errors

    def __getitem__(self, selection: Any) -> Any:
        found = self._dataset[selection]
        if isinstance(found, bytes):
            return found.decode("utf-8", self._errors)
        texts = np.empty(found.size, object)
        texts[:] = [
            t.decode("utf-8", self._errors) if isinstance(t, bytes) else t
            for t in found.reshape(-1).tolist()
        ]
        return texts.reshape(found.shape)


def _zero_dim(value: Any) -> AnyArray:
    array = np.empty((), object if isinstance(value, bytes | Reference) else None)
    array[()] = value
    return np.asarray(value) if array.dtype != object else array


def _dtype(said: Any) -> np.dtype[Any]:
    if isinstance(said, list):
        return np.dtype([tuple(tuple(x) if isinstance(x, list) else x for x in f) for f in said])
    found: np.dtype[Any] = np.dtype(said)
    return found


def _logical(stored: np.dtype[Any], kind: Any) -> np.dtype[Any]:
    """The element type that h5py would state."""
    if not stored.hasobject:
        return stored
    if isinstance(kind, list):
        return np.dtype([(str(f["name"]), _field(f["dtype"])) for f in kind])
    if kind == "object":
        return REFERENCE
    return TEXT


def _field(kind: Any) -> np.dtype[Any]:
    if kind in ("str", "bytes"):
        return TEXT
    return REFERENCE if kind == "object" else np.dtype(str(kind))
