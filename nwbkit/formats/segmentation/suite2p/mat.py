"""Suite2p's Fall.mat: scipy's savemat of the same dictionaries and arrays (io/save.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.formats.io.mat import MatFile, items
from nwbkit.formats.segmentation._rois import InMemory
from nwbkit.formats.segmentation.suite2p.plane import TRACES, Complain, Plane, settle


def read_mat(path: Path, complain: Complain) -> Plane:
    """Read a Fall.mat.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it is cut off or contradicts itself.
    """
    wanted = ("stat", "ops", "iscell", "redcell", *TRACES)
    with MatFile(path) as file:
        try:
            names = file.names()
            found = {name: file.get(name) for name in wanted if name in names}
        except (ValueError, IndexError, ArithmeticError) as error:
            raise DamagedInput(f"'{path.name}' is damaged: {error}") from None
    for name in ("stat", "ops"):
        if name not in names:
            raise DamagedInput(f"'{path.name}' holds no variable '{name}'")
    plane = Plane(path.parent.name, path.parent)
    plane.files.append(path)
    plane.ops = _plain_fields(found["ops"], path)
    plane.stat = [_plain_fields(one, path) for one in items(found["stat"])]
    for name in TRACES:
        values = found.get(name)
        if not isinstance(values, np.ndarray) or not values.size:
            continue
        if values.ndim != 2 or len(values) != len(plane.stat):
            raise DamagedInput(
                f"'{path.name}': {name} has shape {values.shape}, there are {len(plane.stat)} ROIs"
            )
        plane.traces[name] = InMemory(name, np.ascontiguousarray(values.T), role="traces")
    for name in ("iscell", "redcell"):
        values = found.get(name)
        if isinstance(values, np.ndarray) and values.size:
            if len(values) != len(plane.stat):
                raise DamagedInput(
                    f"'{path.name}': {name} has {len(values)} rows, "
                    f"there are {len(plane.stat)} ROIs"
                )
            setattr(plane, name, values)
    settle(plane, complain)
    return plane


def _plain_fields(struct: Any, path: Path) -> dict[str, Any]:
    """A struct's fields: arrays of one value as numbers, rows and columns as vectors."""
    if isinstance(struct, list) and len(struct) == 1:
        struct = struct[0]
    if not isinstance(struct, dict):
        raise DamagedInput(f"'{path.name}': a ROI or ops is no struct")
    return {name: _plain(value) for name, value in struct.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1:
        return _plain(value[0])
    if not isinstance(value, np.ndarray):
        return value
    if value.size == 1:
        return value.reshape(-1)[0]
    return value.reshape(-1) if value.ndim == 2 and 1 in value.shape else value
