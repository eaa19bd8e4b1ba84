"""Any NWB file as the files of a Zarr store, but for its large datasets.

The store is what hdmf-zarr makes of the same objects: ``zarr_dtype`` with every array,
references and links as paths, texts as ``vlen-utf8``. It is written from what the input holds,
not by hdmf, which would drop whatever its schemas do not know.

Sources: hdmf-zarr 0.13, "Storage specification"; Zarr v2 specification.
"""

from __future__ import annotations

import json
import math
import posixpath
from typing import Any

import h5py
import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.storage.backends import names_of
from nwbkit.storage.codec import AnyArray
from nwbkit.storage.digests import little
from nwbkit.storage.repacking.layout import Layout
from nwbkit.storage.repacking.tree import Node, shown
from nwbkit.storage.repacking.zarr_limits import (
    Unkeepable,
    as_json,
    decoded,
    encodable,
    refusal,
)
from nwbkit.storage.zarr_codecs import array_metadata, sealed, table_codec
from nwbkit.zarrs.blosc import NO_SHUFFLE, ChunkError, sealed_blosc

#: Texts and references are kept so many to a chunk.
_ROWS = 1 << 16

_JSON = {
    "allow_nan": True,
    "check_circular": True,
    "encoding": "utf-8",
    "ensure_ascii": True,
    "id": "json2",
    "indent": None,
    "separators": [",", ":"],
    "skipkeys": False,
    "sort_keys": True,
    "strict": True,
}


def store_files(file: Any, layout: Layout) -> dict[str, bytes]:
    """The files of a store, by name within it: all but the chunks of `layout`'s holes.

    Raises
    ------
    nwbkit.errors.MissingFact
        For what cannot be kept in Zarr.
    nwbkit.errors.DamagedInput
        Where the input cannot be read.
    """
    made = _Store(file, layout)
    for node in layout.nodes:
        try:
            made.add(node)
        except Unkeepable as problem:
            raise refusal([f"'{shown(node.path)}' ({problem})"]) from None
        except (OSError, RuntimeError, ValueError, ChunkError) as error:
            reason = " ".join(str(error).split()).lower()
            raise DamagedInput(f"'{shown(node.path)}' cannot be read: {reason}") from error
    return made.files


class _Store:
    """The files of a store as they are made."""

    def __init__(self, file: Any, layout: Layout) -> None:
        self.file, self.layout = file, layout
        self.holes = layout.by_path
        self.names = names_of(file)
        self.files: dict[str, bytes] = {}
        self._made: dict[str, dict[str, Any]] = {}
        self.links: dict[str, list[dict[str, str]]] = {}
        for node in layout.nodes:
            if node.kind in ("soft_link", "external_link", "alias"):
                self.links.setdefault(node.parent, []).append(self._link(node))

    def _link(self, node: Node) -> dict[str, str]:
        if node.kind == "external_link":
            source = self.layout.external.get(node.path, node.filename)
            return {"name": node.name, "source": source, "path": node.target}
        target = posixpath.normpath(posixpath.join(node.parent, node.target))
        return {"name": node.name, "source": ".", "path": target}

    def add(self, node: Node) -> None:
        """Add the files of one object.

        Raises
        ------
        Unkeepable
        """
        folder = f"{node.path.strip('/')}/".lstrip("/")
        if node.kind == "group":
            self.files[f"{folder}.zgroup"] = _json({"zarr_format": 2})
            own = {"zarr_link": self.links[node.path]} if node.path in self.links else {}
            self._attributes(node, folder, own)
        elif node.kind == "dataset":
            self._dataset(node, folder)

    def _attributes(self, node: Node, folder: str, own: dict[str, Any]) -> None:
        item = self.file[node.path]
        values = dict(own)
        for name in item.attrs:
            values[name] = as_json(item.attrs[name], item, name, self._reference)
        if node.path == "/" and ".specloc" in values and isinstance(values[".specloc"], dict):
            values[".specloc"] = values[".specloc"]["value"]["path"].strip("/")
        if values:
            self.files[f"{folder}.zattrs"] = _json(values)

    def _reference(self, reference: Any) -> dict[str, Any]:
        path = self.names.resolve(reference)
        if not path.startswith("/"):
            raise Unkeepable(f"a {path} reference")
        if path not in self._made:  # thousands of rows refer to a few groups
            made: dict[str, Any] = {"source": ".", "path": path}
            for name, at in (("object_id", path), ("source_object_id", "/")):
                attributes = self.file[at].attrs
                made[name] = _id(attributes["object_id"]) if "object_id" in attributes else None
            self._made[path] = made
        return self._made[path]

    def _dataset(self, node: Node, folder: str) -> None:
        dataset = self.file[node.path]
        own: dict[str, Any] = {}
        labels = getattr(dataset.attrs, "raw", {}).get("_ARRAY_DIMENSIONS")
        if labels is not None:
            own["_ARRAY_DIMENSIONS"] = labels
        hole = self.holes.get(node.path)
        if hole is not None:
            metadata: dict[str, Any] = array_metadata(hole.shape, hole.dtype, hole.plan)
            own["zarr_dtype"] = _dtype_name(hole.dtype)
        elif _is_text(dataset) or h5py.check_ref_dtype(dataset.dtype) is not None:
            metadata, own["zarr_dtype"] = self._objects(node, folder, dataset)
        else:
            metadata, own["zarr_dtype"] = self._few_numbers(folder, dataset)
        self.files[f"{folder}.zarray"] = _json(metadata)
        self._attributes(node, folder, own)

    def _few_numbers(self, folder: str, dataset: Any) -> tuple[dict[str, Any], Any]:
        """A single number, or none at all."""
        dtype = little(np.dtype(dataset.dtype))
        metadata = _metadata(dataset.shape, dataset.shape, dtype.str, 0)
        if dtype.names is not None or dtype.kind in "bfc":
            from nwbkit.storage.planning import DatasetPlan

            nothing = DatasetPlan((), "none", shuffle=False)
            metadata["fill_value"] = array_metadata((0,), dtype, nothing)["fill_value"]
            metadata["dtype"] = array_metadata((0,), dtype, nothing)["dtype"]
        if dataset.shape == ():
            value = np.empty((), dtype)
            value[()] = dataset[()]
            item = np.frombuffer(value.tobytes(), f"V{dtype.itemsize}")
            self.files[f"{folder}0"] = sealed_blosc(item, 1, NO_SHUFFLE)
            return metadata, "scalar"
        return metadata, _dtype_name(dtype)

    def _objects(self, node: Node, folder: str, dataset: Any) -> tuple[dict[str, Any], str]:
        """Texts or references, a few ten thousand to a chunk."""
        text = _is_text(dataset)
        shape = dataset.shape or (1,)
        schema = node.path.startswith("/specifications/")
        codec = {"id": "vlen-utf8"} if text and not schema else dict(_JSON)
        step = max(1, _ROWS // max(1, math.prod(shape[1:])))
        chunks = (min(step, max(1, shape[0])), *(max(1, n) for n in shape[1:]))
        for start in range(0, shape[0] if 0 not in shape else 0, chunks[0]):
            rows = _rows(dataset, start, min(start + chunks[0], shape[0]))
            values = np.empty(chunks, object)
            values[...] = "" if text else None
            values[: len(rows)] = [_decoded_all(row) for row in rows] if text else self._all(rows)
            name = ".".join([str(start // chunks[0]), *("0" for _ in shape[1:])])
            self.files[f"{folder}{name}"] = sealed(_packed(values, codec), False)
        metadata = _metadata(shape, chunks, "|O", None) | {"filters": [codec]}
        if not text:
            return metadata, "object"
        return metadata, "scalar" if dataset.shape == () else "str"

    def _all(self, rows: AnyArray) -> AnyArray:
        made = np.empty(rows.shape, object)
        for index in np.ndindex(rows.shape):
            made[index] = self._reference(rows[index])
        return made


def _is_text(dataset: Any) -> bool:
    return h5py.check_string_dtype(dataset.dtype) is not None or dataset.dtype.kind in "SU"


def _rows(dataset: Any, start: int, stop: int) -> AnyArray:
    if dataset.shape == ():
        made = np.empty((1,), object)
        made[0] = dataset[()]
        return made
    rows: AnyArray = dataset[start:stop]
    return rows


def _decoded_all(row: Any) -> Any:
    if isinstance(row, np.ndarray):
        made = np.empty(row.shape, object)
        for index in np.ndindex(row.shape):
            made[index] = _decoded_all(row[index])
        return made
    return decoded(bytes(row)) if isinstance(row, bytes) else encodable(str(row))


def _packed(values: AnyArray, codec: dict[str, Any]) -> bytes:
    import numcodecs

    return bytes(numcodecs.get_codec(dict(codec)).encode(values))


def _metadata(
    shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str, fill: Any
) -> dict[str, Any]:
    return {
        "zarr_format": 2,
        "shape": list(shape),
        "chunks": [max(1, n) for n in chunks],
        "dtype": dtype,
        "compressor": {**table_codec().get_config(), "shuffle": 0},
        "filters": None,
        "fill_value": fill,
        "order": "C",
    }


def _dtype_name(dtype: np.dtype[Any]) -> Any:
    if dtype.names is not None:
        return [{"name": name, "dtype": dtype[name].name} for name in dtype.names]
    return dtype.name


def _id(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=4, sort_keys=True, separators=(",", ": ")).encode("ascii")
