"""Writing the assembled NWBFile as a Zarr store, holes still empty, in memory.

hdmf-zarr rewrites an object's attributes file for every attribute; in memory that costs
nothing, and the store reaches the disk whole. What hdmf-zarr 0.13 would get wrong is mended
on the way: references are kept as JSON (its default, pickle, is refused by today's
numcodecs), object ids follow from the path, the cached schema is packed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit.errors import MissingExtra, MissingFact
from nwbkit.nwb.identity import NAMESPACE

if TYPE_CHECKING:
    from pynwb import NWBFile


def need_zarr() -> None:
    """Refuse to begin without hdmf-zarr; it is looked for, not imported: that is for later,
    when the other cores are busy with the data.

    Raises
    ------
    nwbkit.errors.MissingExtra
    """
    if importlib.util.find_spec("hdmf_zarr") is None:
        raise MissingExtra("Zarr output", "zarr", package="hdmf-zarr")


def zarr_skeleton(
    nwbfile: NWBFile,
    path: Path,
    identifier: str,
    *,
    codec: Any,
    seal: Callable[[bytes, bool], bytes],
) -> dict[str, bytes]:
    """Write `nwbfile` as a Zarr store; returns its files, by name within the store.

    Parameters
    ----------
    nwbfile : pynwb.NWBFile
    path : Path
        Where the store will lie.
    identifier : str
        Of the file; object ids follow from it.
    codec : numcodecs.abc.Codec
        For every array that is no hole.
    seal : callable
        ``(chunk, packed)``: adds checksums to what `codec` has packed, or packs it first.

    Raises
    ------
    nwbkit.errors.MissingExtra
        hdmf-zarr is not installed.
    nwbkit.errors.MissingFact
        The file holds a table whose rows refer to others, which Zarr cannot keep.
    """
    need_zarr()
    import numcodecs
    from pynwb import get_manager

    store = _memory_store(path)
    writer = _writer_class(identifier)
    with warnings.catch_warnings(), _default_codec(codec):
        # hdmf's advice to people who call it by hand; what concerns users is said by nwbkit
        warnings.simplefilter("ignore")
        with writer(
            store, mode="w", manager=get_manager(), object_codec_class=numcodecs.JSON
        ) as io:
            io.write(nwbfile, consolidate_metadata=False)
    files = {name: bytes(store[name]) for name in store}
    chunks: dict[str, list[str]] = {}
    for name in files:
        folder, _, last = name.rpartition("/")
        if not last.startswith("."):
            chunks.setdefault(f"{folder}/", []).append(name)
    for name in [n for n in files if n.endswith("/.zarray")]:
        folder = name.removesuffix(".zarray")
        _mend(files, folder, chunks.get(folder, []), codec, seal)
    return files


@contextmanager
def _default_codec(codec: Any) -> Iterator[None]:
    import zarr.storage

    before = zarr.storage.default_compressor
    zarr.storage.default_compressor = codec
    try:
        yield
    finally:
        zarr.storage.default_compressor = before


def _memory_store(path: Path) -> Any:
    from zarr.storage import DirectoryStore, MemoryStore

    class Memory(DirectoryStore):  # type: ignore[misc]
        """A folder that is not on the disk; hdmf-zarr accepts no other store in memory."""

        def __init__(self) -> None:
            super().__init__(os.fspath(path))
            self._memory = MemoryStore()

        def __eq__(self, other: object) -> bool:
            return self is other

        __hash__ = None  # type: ignore[assignment]

    def forwarded(name: str) -> Callable[..., Any]:
        return lambda self, *args, **kwargs: getattr(self._memory, name)(*args, **kwargs)

    for name in ("getitem", "setitem", "delitem", "contains", "iter", "len"):
        setattr(Memory, f"__{name}__", forwarded(f"__{name}__"))
    for name in ("keys", "listdir", "rmdir", "rename", "getsize", "clear"):
        setattr(Memory, name, forwarded(name))
    Memory.__abstractmethods__ = frozenset()
    return Memory()


def _writer_class(identifier: str) -> Any:
    from hdmf_zarr import ZarrIO

    base = uuid.uuid5(NAMESPACE, identifier)

    def object_id(path: str) -> str:
        return str(uuid.uuid5(base, path))

    class Writer(ZarrIO):  # type: ignore[misc]
        """hdmf-zarr's writer with our ids, and datasets that stay empty."""

        def write_attributes(self, obj: Any, attributes: Any) -> None:
            if "object_id" in attributes:
                attributes = {**attributes, "object_id": object_id(obj.name)}
            super().write_attributes(obj=obj, attributes=attributes)

        def _create_ref(self, ref_object: Any, ref_link_source: Any = None) -> Any:
            made = super()._create_ref(ref_object, ref_link_source=ref_link_source)
            for name, path in (("object_id", made["path"]), ("source_object_id", "/")):
                if made.get(name) is not None:
                    made[name] = object_id(path)
            return made

        def write_dataset(self, **kwargs: Any) -> Any:
            builder = kwargs["builder"]
            _refuse_references(builder)
            hole = _hole_in(builder.data)
            if hole is None:
                return super().write_dataset(**kwargs)
            if self.get_written(builder):
                return None
            dataset = _empty(kwargs["parent"], builder, hole)
            self.write_attributes(dataset, builder.attributes)
            self._written_builders.set_written(builder)
            return dataset

    return Writer


def _hole_in(data: Any) -> Any:
    """The placeholder that `data` is, or holds where hdmf has taken it for rows of a compound."""
    if isinstance(data, list) and len(data) == 1 and isinstance(data[0], tuple) and data[0]:
        data = data[0][0]
    return data if hasattr(data, "zarray") else None


def _empty(parent: Any, builder: Any, hole: Any) -> Any:
    """Make the array of a hole, without chunks; the hole takes note of its path."""
    import numpy as np

    metadata = hole.zarray
    key = f"{parent.path}/{builder.name}".strip("/")
    parent.store[f"{key}/.zarray"] = _json(metadata)
    dataset = parent[builder.name]
    dtype = hole.dtype
    fields = [{"name": name, "dtype": dtype[name].name} for name in dtype.names or ()]
    dataset.attrs["zarr_dtype"] = fields or np.dtype(dtype).str
    if builder.dimension_labels is not None:
        dataset.attrs["_ARRAY_DIMENSIONS"] = list(builder.dimension_labels)
    hole.path = dataset.name
    return dataset


def _refuse_references(builder: Any) -> None:
    """Refuse compounds with references in them, which hdmf-zarr cannot write."""
    fields = builder.dtype if isinstance(builder.dtype, list) else []
    names = [f["name"] for f in fields if not isinstance(f["dtype"], str | type)]
    if any(_is_reference(f["dtype"]) for f in fields):
        raise MissingFact(
            f"'{builder.path}' has rows that refer to other objects ({', '.join(names)}), "
            "which cannot be kept in Zarr",
            hint="-o OUT.nwb",
        )


def _is_reference(dtype: Any) -> bool:
    from hdmf.spec import RefSpec

    reference = isinstance(dtype, RefSpec) or (isinstance(dtype, dict) and "reftype" in dtype)
    return reference or dtype in ("object", "ref", "reference")


def _mend(
    files: dict[str, bytes],
    folder: str,
    chunks: list[str],
    codec: Any,
    seal: Callable[[bytes, bool], bytes],
) -> None:
    """Change what hdmf-zarr has written of one array and others stumble over.

    - Blosc keeps no checksums, and the cached schema lies there uncompressed: a flipped bit
      would not be noticed.
    - Objects (texts, references) have the fill value 0, at which zarr-python 3 refuses to open
      the whole store.
    - A single number is an array of one, which SpikeInterface takes for the start of a
      recording and then cannot print. As an array without dimensions, pynwb reads it as well.
    """
    metadata = before = json.loads(files[f"{folder}.zarray"])
    config = codec.get_config()
    packed = metadata["compressor"] == config
    if packed or (metadata["compressor"] is None and folder.startswith("specifications/")):
        for chunk in chunks:
            files[chunk] = seal(files[chunk], packed)
    if not packed and metadata["compressor"] is None and folder.startswith("specifications/"):
        metadata = {**metadata, "compressor": {**config, "shuffle": 0}}
    if metadata["dtype"] == "|O":
        metadata = {**metadata, "fill_value": None}
    elif json.loads(files.get(f"{folder}.zattrs", b"{}")).get("zarr_dtype") == "scalar":
        metadata = {**metadata, "shape": [], "chunks": []}
    if metadata is not before:
        files[f"{folder}.zarray"] = _json(metadata)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=4, sort_keys=True, separators=(",", ": ")).encode("ascii")
