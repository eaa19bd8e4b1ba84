"""DeepLabCut's h5: a pandas DataFrame as PyTables stores it, read with h5py alone.

pandas writes two layouts (pandas/io/pytables.py): ``table`` (one compound dataset; the column
names are pickled lists in attributes, read here as plain data) and ``fixed`` (levels and codes
of the column names, and the values, in datasets of their own).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput
from nwbkit.formats.io import pickles
from nwbkit.formats.io.hdf5 import GuardedFile
from nwbkit.formats.io.pose_table import Tracks, check_frames, check_levels

#: What DeepLabCut calls the table.
KEYS = ("df_with_missing", "keypoints", "tracks")


def read_h5(path: Path, *, salvage: bool = False) -> Tracks:
    """Read the table at `path`.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where there is no such table, or it contradicts itself.
    """
    with GuardedFile(path) as file:
        key = _key(file)
        if file.text(key, "pandas_type") == "frame_table":
            return _Table(file, key, salvage).read()
        return _fixed(file, key)


def _key(file: GuardedFile) -> str:
    names = [n for n in file.names() if file.group(n) is not None]
    frames = [n for n in names if file.text(n, "pandas_type") in ("frame_table", "frame")]
    named = [n for n in KEYS if n in frames] or frames
    if not named:
        raise DamagedInput(f"'{file.path.name}' holds no pandas table")
    if len(named) > 1 and named[0] not in KEYS:
        raise DamagedInput(f"'{file.path.name}' holds {len(named)} tables: {', '.join(named)}")
    return named[0]


class _Table:
    """The ``table`` layout."""

    def __init__(self, file: GuardedFile, key: str, salvage: bool) -> None:
        self.file, self.key, self.salvage = file, key, salvage
        self.name = f"{key}/table"
        dataset = file.dataset(self.name)
        if dataset is None or dataset.dtype.names is None:
            raise DamagedInput(f"'{file.path.name}' has no table '{self.name}'")
        self.dataset = dataset
        self.losses: list[str] = []

    def read(self) -> Tracks:
        """All of it, columns in the order of the DataFrame."""
        n_rows = self._n_rows()
        levels = check_levels(self.file.path, self._levels())
        found: dict[tuple[str, ...], Any] = {}
        for block in self._plain(self.key, "values_cols"):
            names = self._plain(self.name, f"{block}_kind")
            values = self.file.rows(self.dataset, 0, n_rows, block).reshape(n_rows, -1)
            if values.shape[1] != len(names) or values.dtype.kind not in "fiu":
                raise DamagedInput(
                    f"'{self.file.path.name}': {block} has {values.shape[1]} columns of "
                    f"{values.dtype}, its names are {len(names)}"
                )
            for index, name in enumerate(names):
                found[_column(self.file.path, name, levels)] = values[:, index]
        order = [_column(self.file.path, n, levels) for n in self._axis()]
        if sorted(order) != sorted(found):
            raise DamagedInput(
                f"'{self.file.path.name}' names {len(order)} columns, holds {len(found)}"
            )
        values = np.stack([found[c] for c in order], axis=1)
        return Tracks(
            self.file.path, levels, order, self._frames(n_rows), _floats(values), self.losses
        )

    def _n_rows(self) -> int:
        n_rows = int(self.dataset.shape[0])
        stated = self.dataset.attrs.get("NROWS")
        if stated is not None and int(stated) != n_rows:
            problem = f"'{self.file.path.name}': NROWS says {int(stated)} rows, found {n_rows}"
            if not self.salvage:
                raise DamagedInput(problem, hint="--salvage reads the rows that are there")
            self.losses.append(problem)
            n_rows = min(n_rows, int(stated))
        return n_rows

    def _levels(self) -> list[str]:
        info = self._plain(self.key, "info")
        names = info.get(1, {}).get("names") if isinstance(info, dict) else None
        return [str(n) for n in names] if isinstance(names, list) else []

    def _axis(self) -> list[Any]:
        axes = self._plain(self.key, "non_index_axes")
        try:
            ((_, names),) = axes
            return list(names)
        except (TypeError, ValueError):
            raise DamagedInput(f"'{self.file.path.name}': non_index_axes is no list") from None

    def _frames(self, n_rows: int) -> Any:
        kind = self.file.text(self.name, "index_kind")
        table = self.file.text(self.key, "table_type") or ""
        if kind != "integer" or "multi" in table:
            return None  # image paths: labels
        index = self.file.rows(self.dataset, 0, n_rows, "index")
        return check_frames(self.file.path, np.asarray(index, np.int64))

    def _plain(self, name: str, attribute: str) -> Any:
        raw = self.file.raw(name, attribute)
        if raw is None:
            raise DamagedInput(f"'{self.file.path.name}': {name} has no attribute '{attribute}'")
        # numpy cuts trailing zero bytes only; a pickle ends in a dot
        return pickles.loads(raw, f"{self.file.path.name}:{attribute}")


def _column(path: Path, name: Any, levels: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(name, tuple) or len(name) != len(levels):
        raise DamagedInput(f"'{path.name}': a column is called {name!r}, expected {levels}")
    return tuple(str(part) for part in name)


def _floats(values: Any) -> Any:
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def _fixed(file: GuardedFile, key: str) -> Tracks:
    """The ``fixed`` layout."""
    columns, names = _multi(file, key, "axis0")
    levels = check_levels(file.path, names or _usual(columns))
    index = _dataset(file, f"{key}/axis1") if file.dataset(f"{key}/axis1") is not None else None
    found: dict[tuple[str, ...], Any] = {}
    n_blocks = int(file.find(key).attrs.get("nblocks", 1))  # type: ignore[union-attr]
    for block in range(min(n_blocks, 64)):
        items, _ = _multi(file, key, f"block{block}_items")
        values = _dataset(file, f"{key}/block{block}_values")
        dataset = file.dataset(f"{key}/block{block}_values")
        transposed = bool(dataset is not None and dataset.attrs.get("transposed", True))
        if values.ndim == 2 and not transposed:
            values = values.T
        if values.ndim != 2 or values.shape[1] != len(items) or values.dtype.kind not in "fiu":
            raise DamagedInput(
                f"'{file.path.name}': block{block}_values is {values.shape} {values.dtype}, "
                f"expected {len(items)} columns"
            )
        for position, item in enumerate(items):
            found[item] = values[:, position]
    if sorted(found) != sorted(columns):
        raise DamagedInput(f"'{file.path.name}' names {len(columns)} columns, holds {len(found)}")
    values = _floats(np.stack([found[c] for c in columns], axis=1))
    frames = None
    if index is not None and index.dtype.kind in "iu":
        if len(index) != len(values):
            raise DamagedInput(
                f"'{file.path.name}': axis1 has {len(index)} rows, found {len(values)}"
            )
        frames = check_frames(file.path, index.astype(np.int64))
    return Tracks(file.path, levels, columns, frames, values)


def _usual(columns: list[tuple[str, ...]]) -> list[str]:
    full = ["scorer", "individuals", "bodyparts", "coords"]
    return full if columns and len(columns[0]) == 4 else [n for n in full if n != "individuals"]


def _multi(file: GuardedFile, key: str, axis: str) -> tuple[list[tuple[str, ...]], list[str]]:
    """The names in a MultiIndex: each level's values, picked by its codes."""
    group = file.group(key)
    n_levels = int(group.attrs.get(f"{axis}_nlevels", 0)) if group is not None else 0
    if not 0 < n_levels <= 8:
        raise DamagedInput(f"'{file.path.name}': {axis} has {n_levels} header rows")
    parts, names = [], []
    for level in range(n_levels):
        values = _dataset(file, f"{key}/{axis}_level{level}")
        codes = _dataset(file, f"{key}/{axis}_label{level}")
        if values.dtype.kind != "S" or codes.dtype.kind not in "iu":
            raise DamagedInput(f"'{file.path.name}': {axis}_level{level} holds no texts")
        if codes.size and not (codes.min() >= 0 and codes.max() < len(values)):
            raise DamagedInput(f"'{file.path.name}': {axis}_label{level} names what is not there")
        texts = [v.decode("utf-8", "replace") for v in values.tolist()]
        parts.append([texts[c] for c in codes.tolist()])
        names.append(_name(file, f"{key}/{axis}_level{level}", key, f"{axis}_name{level}"))
    known = [n for n in names if n]
    return list(zip(*parts, strict=True)), known if len(known) == n_levels else []


def _name(file: GuardedFile, level: str, key: str, attribute: str) -> str | None:
    """A level's name: a text, or PyTables' pickle of one; None where it has none."""
    for raw in (file.raw(key, attribute), file.raw(level, "name")):
        if not raw:
            continue
        try:
            plain = pickles.loads(raw, attribute)
        except DamagedInput:
            plain = raw.decode("utf-8", "replace")
        if isinstance(plain, str):
            return plain
    return None


def _dataset(file: GuardedFile, name: str) -> Any:
    dataset = file.dataset(name)
    if dataset is None or dataset.shape is None:
        raise DamagedInput(f"'{file.path.name}' has no dataset '{name}'")
    return file.rows(dataset, 0, dataset.shape[0]) if dataset.shape else dataset[()]
