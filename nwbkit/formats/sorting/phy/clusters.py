"""The tables beside a Phy folder: cluster_group.tsv, cluster_KSLabel.tsv, cluster_info.tsv, ...

A table has one row a cluster, its column ``cluster_id`` (``id`` in older ones) says which. Phy
reads every ``cluster_*.tsv`` and ``.csv`` but cluster_info.tsv, which it writes as a summary.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats.io.npy import Complain
from nwbkit.formats.io.params import decode
from nwbkit.streams.kinds import AnyArray

MAX_BYTES = 64 << 20
INFO = "cluster_info"
_ID = ("cluster_id", "id")
_INT = re.compile(r"[+-]?\d{1,18}")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|nan|inf)", re.I)
#: More digits than a float64 holds: an identifier, not a measure.
_LONG = re.compile(r"^[+-]?\d{16}")
#: Columns that NWB's Units table gives a meaning of its own.
_TAKEN = frozenset(
    {"id", "unit_name", "spike_times", "obs_intervals", "electrodes", "electrode_group"}
    | {"waveform_mean", "waveform_sd", "waveforms"}
    | {"spike_times_index", "obs_intervals_index", "electrodes_index", "waveforms_index"}
)
_SAID = {
    "group": "cluster group as the experimenter set it in Phy",
    "KSLabel": "label that Kilosort gave",
    "ContamPct": "contamination in percent as estimated by Kilosort",
    "Amplitude": "amplitude as estimated by Kilosort",
    "amp": "mean amplitude as computed by Phy",
    "ch": "best channel as computed by Phy",
    "sh": "shank of the best channel as computed by Phy",
    "depth": "depth of the best channel as computed by Phy",
    "fr": "firing rate in spikes per second as computed by Phy",
    "n_spikes": "number of spikes as counted by Phy",
}


@dataclass
class ClusterTables:
    """All columns of all tables.

    Parameters
    ----------
    columns : dict of str to dict of int to str
        By name: text of each cluster; absent where a table says nothing.
    origins : dict of str to str
        By column: the file it stands in.
    notes : list of str
    """

    columns: dict[str, dict[int, str]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def clusters(self) -> set[int]:
        """Every cluster that a table names."""
        return {cluster for values in self.columns.values() for cluster in values}

    def description(self, name: str) -> str:
        """What a column is and where it stands."""
        said = _SAID.get(name.removeprefix("phy_"), f"'{name}' of each cluster")
        return f"{said} ({self.origins[name]})"


def read_tables(paths: Sequence[Path], complain: Complain) -> ClusterTables:
    """Read and join the tables at `paths`.

    Where cluster_info.tsv disagrees with another table, the other is right: it is what Phy
    itself reads. Kilosort 2 and 3 call the column in cluster_group.tsv ``KSLabel``; where it
    differs from that of cluster_KSLabel.tsv, it is ``group``.

    Raises
    ------
    nwbkit.errors.DamagedInput
        For a table that cannot be read, and two that contradict each other.
    """
    tables = ClusterTables()
    for path in sorted(paths, key=lambda p: (p.stem == INFO, p.name)):
        for name, values in read_table(path, tables.notes, complain).items():
            _join(tables, path, name, values, complain)
    return tables


def _join(
    tables: ClusterTables, path: Path, name: str, values: dict[int, str], complain: Complain
) -> None:
    known = tables.columns.get(name)
    if known is None:
        tables.columns[name], tables.origins[name] = values, path.name
        return
    differing = [c for c, v in values.items() if c in known and not _same(v, known[c])]
    if not differing:
        for cluster, value in values.items():
            known.setdefault(cluster, value)
        return
    origin = tables.origins[name]
    if path.stem == INFO:
        tables.notes.append(
            f"'{path.name}' and '{origin}' differ in {name} of clusters "
            f"{', '.join(str(c) for c in differing[:10])}: '{origin}' is taken, as Phy does"
        )
        return
    if _own_name(path.name) == name != _own_name(origin):  # the name belongs to this one
        tables.columns[name], tables.origins[name] = values, path.name
        path, values, origin, known = Path(origin), known, path.name, values
    own = _own_name(path.name)
    if own != name and own not in tables.columns:
        tables.notes.append(f"column '{name}' of '{path.name}' is called '{own}', as its file is")
        tables.columns[own], tables.origins[own] = values, path.name
        return
    first = differing[0]
    complain(
        f"'{path.name}' says {name} {values[first]!r} of cluster {first}, "
        f"'{origin}' says {known[first]!r}",
        f"--salvage believes '{origin}'",
    )


def _own_name(file: str) -> str:
    return Path(file).stem.removeprefix("cluster_")


def _same(a: str, b: str) -> bool:
    if a == b:
        return True
    return bool(_FLOAT.fullmatch(a) and _FLOAT.fullmatch(b) and float(a) == float(b))


def read_table(path: Path, notes: list[str], complain: Complain) -> dict[str, dict[int, str]]:
    """The columns of one table, by name and cluster; empty cells are absent."""
    rows = _rows(path)
    if not rows:
        notes.append(f"'{path.name}' is empty")
        return {}
    header = [cell.strip() for cell in rows[0]]
    key = next((name for name in _ID if name in header), None)
    if key is None:
        notes.append(f"'{path.name}' has no column cluster_id: left aside")
        return {}
    at = header.index(key)
    names = [_nwb_name(name, path, notes) if i != at else "" for i, name in enumerate(header)]
    columns: dict[str, dict[int, str]] = {name: {} for name in names if name}
    seen: set[int] = set()
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        cluster = _cluster(row[at].strip() if at < len(row) else "", path, number)
        if len(row) > len(header) or cluster in seen:
            what = f"{len(row)} cells" if len(row) > len(header) else f"cluster {cluster} again"
            complain(
                f"'{path.name}' has {what} in line {number}", "--salvage leaves that line aside"
            )
            continue
        seen.add(cluster)
        for name, cell in zip(names, row, strict=False):
            if name and cell.strip():
                columns[name][cluster] = cell.strip()
    return {name: values for name, values in columns.items() if values}


def _rows(path: Path) -> list[list[str]]:
    try:
        with open(path, "rb") as f:
            raw = f.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot open '{path}': {reason}") from None
    if len(raw) > MAX_BYTES or b"\0" in raw:
        raise DamagedInput(f"'{path.name}' is no table of clusters")
    lines = decode(raw).splitlines()
    delimiter = "\t" if lines and "\t" in lines[0] else ","
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as error:
        raise DamagedInput(f"'{path.name}' cannot be read as a table: {error}") from None


def _cluster(cell: str, path: Path, line: int) -> int:
    if not re.fullmatch(r"-?\d{1,18}(\.0*)?", cell):
        raise DamagedInput(f"'{path.name}' line {line} names no cluster: {cell!r:.40}")
    return int(cell.partition(".")[0])


def _nwb_name(name: str, path: Path, notes: list[str]) -> str:
    """`name` where NWB takes it as a column's name, else the nearest that it takes."""
    wanted = re.sub(r"[/:]", "_", name)
    if wanted in _TAKEN:
        wanted = f"phy_{wanted}"
    if wanted != name:
        notes.append(f"column '{name}' of '{path.name}' is called '{wanted}'")
    return wanted


def typed(values: Mapping[int, str], clusters: Sequence[int]) -> AnyArray:
    """One column of `clusters`: int64 or float64 where all that is said are numbers, else text.

    What is absent is NaN among numbers (which are float64 then), else an empty text.
    """
    cells = [values.get(c) for c in clusters]
    said = [cell for cell in cells if cell is not None]
    if said and all(_INT.fullmatch(cell) for cell in said) and len(said) == len(cells):
        return np.array([int(cell) for cell in said], np.int64)
    if said and all(_FLOAT.fullmatch(cell) and not _LONG.search(cell) for cell in said):
        return np.array([np.nan if c is None else float(c) for c in cells], np.float64)
    texts: list[Any] = ["" if c is None else c for c in cells]
    return np.array(texts, dtype=object)
