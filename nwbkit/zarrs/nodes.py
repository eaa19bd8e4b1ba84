"""What groups and arrays of a Zarr v2 store share: metadata files, attributes, references.

Sources: Zarr v2 specification; hdmf-zarr 0.13, "Storage specification".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nwbkit.zarrs.tree import File

#: Larger metadata files than this are not read.
MAX_METADATA = 256 << 20

#: Attributes that say how hdmf-zarr stores something, and nothing of what is stored.
HOUSEKEEPING = ("zarr_dtype", "zarr_link", "_ARRAY_DIMENSIONS")


class TreeError(OSError):
    """A store whose metadata cannot be read. An OSError, as h5py raises."""


@dataclass(frozen=True)
class Reference:
    """What an object reference says.

    Parameters
    ----------
    path : str
        In the store; empty for none.
    source : str
        The store; ``.`` for this one.
    """

    path: str
    source: str = "."

    def __bool__(self) -> bool:
        return bool(self.path)


def read_json(path: Path) -> dict[str, Any]:
    """A metadata file.

    Raises
    ------
    TreeError
        Where it is missing, too large, or no JSON object.
    """
    try:
        if path.stat().st_size > MAX_METADATA:
            raise TreeError(f"'{path.name}' is too large for metadata")
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise TreeError(f"there is no '{path.name}' in '{path.parent.name}'") from None
    except (ValueError, RecursionError):
        raise TreeError(f"'{path.parent.name}/{path.name}' is no JSON") from None
    if not isinstance(found, dict):
        raise TreeError(f"'{path.parent.name}/{path.name}' is no JSON object")
    return found


class Attributes(Mapping[str, Any]):
    """Attributes with the values that h5py would give."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    def __getitem__(self, name: str) -> Any:
        if name in HOUSEKEEPING:
            raise KeyError(name)
        return _attribute(self.raw[name])

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.raw if name not in HOUSEKEEPING)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _attribute(value: Any) -> Any:
    if isinstance(value, dict) and "zarr_dtype" in value:
        return reference(value.get("value"))
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int):
        return np.asarray(value)[()]
    if isinstance(value, float):
        return np.float64(value)
    if isinstance(value, list):
        array = np.asarray(value)
        return array.astype(object) if array.dtype.kind in "US" else array
    return value


def reference(value: Any) -> Reference:
    """What hdmf-zarr wrote for a reference."""
    if not isinstance(value, dict) or not isinstance(value.get("path"), str):
        return Reference("")
    return Reference(value["path"], str(value.get("source", ".")))


class Node:
    """What groups and datasets share."""

    def __init__(self, file: File, name: str) -> None:
        self.file = file
        self.name = name
        top: Path = file.folder
        self.folder = top.joinpath(*name.split("/")[1:]) if name != "/" else top
        path = self.folder / ".zattrs"
        self.attrs = Attributes(read_json(path) if path.exists() else {})
