"""An opened Phy folder."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, MissingFact
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.formats.io.npy import read_npy
from nwbkit.formats.io.params import read_params
from nwbkit.formats.sorting.phy.clusters import INFO, ClusterTables, read_tables, typed
from nwbkit.formats.sorting.phy.look import CLUSTERS, TEMPLATES, TIMES
from nwbkit.formats.sorting.phy.recording import Sorted, check_sorted, find_sorted, rate_in, sites
from nwbkit.formats.sorting.phy.spikes import Grouped, group, read_spikes
from nwbkit.formats.sorting.phy.stream import PhyUnits, Quality, facts
from nwbkit.formats.sorting.phy.templates import (
    FILE,
    INDEX,
    INVERSE,
    MAP,
    Waveforms,
    check_templates,
    read_waveforms,
)
from nwbkit.streams import Clock, Column, Electrode, Segment, Timebase

_USED = (TIMES, CLUSTERS, TEMPLATES, FILE, *INDEX, INVERSE, MAP)


class PhyReader(Reader):
    """One Phy folder: one stream, ``units``.

    On its own it has a clock that counts samples from the beginning of what was sorted; with
    :meth:`relate` it takes times, clock and electrodes of its recording.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.NoInput
        Where spike times or clusters are missing.
    nwbkit.errors.DamagedInput
        Where files contradict each other.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._files = {path.name: path for path in source.paths}
        if TIMES not in self._files or not {CLUSTERS, TEMPLATES} & set(self._files):
            missing = TIMES if TIMES not in self._files else CLUSTERS
            raise DamagedInput(f"source '{source.id}' has no '{missing}'")
        params = read_params(source.paths[0])
        self._values = params.values
        self.notes += [
            f"'{source.paths[0].name}' {where} is no plain value: left aside, not run"
            for where in params.ignored
        ]
        self._rate = rate_in(self._values, source.options.get("rate"))
        self._tables = read_tables(self._table_paths(), self._complain)
        self.notes += self._tables.notes
        self._spikes = read_spikes(
            self._files,
            self._complain,
            self.notes,
            rate=self._rate,
            times=source.options.get("times"),
            source=source.id,
        )
        self._grouped = group(self._spikes)
        self._check_counts()
        self._has_templates = check_templates(self._files, self._spikes, self._complain)
        self._check_listed()
        self._grouped = self._kept(self._grouped)
        self._found: Sorted | None = None
        self._waveforms: dict[bool, Waveforms] = {}
        if not len(self._spikes):
            self.notes.append(f"'{TIMES}' holds no spike: there are no units")
        self._make_streams()

    def _complain(self, message: str, hint: str) -> None:
        if not self.source.salvage:
            raise DamagedInput(message, hint=hint)
        self.losses.append(f"{message}: {hint.removeprefix('--salvage ')}")

    def _table_paths(self) -> list[Path]:
        return [p for p in self.source.paths if p.suffix.lower() in (".tsv", ".csv")]

    def files(self) -> Sequence[Path]:
        """params.py, the arrays that are read, and the tables of clusters."""
        used = [self._files[name] for name in _USED if name in self._files]
        return [self.source.paths[0], *used, *self._table_paths()]

    def metadata(self) -> dict[str, Any]:
        """Nothing: the files name no session, no subject and no device."""
        return {}

    # -------------------------------------------------------------- what is in the folder

    def _check_counts(self) -> None:
        """Hold what Phy counted against the spikes that are there."""
        said = self._tables.columns.get("n_spikes", {})
        if not said:
            return
        grouped = self._grouped
        found = dict(zip(grouped.clusters.tolist(), grouped.counts.tolist(), strict=True))
        for cluster, text in said.items():
            number = float(text) if text.replace(".", "", 1).isdigit() else None
            if number is not None and number != found.get(cluster, 0):
                origin = self._tables.origins["n_spikes"]
                self._complain(
                    f"'{origin}' says n_spikes {text} of cluster {cluster}, '{CLUSTERS}' holds "
                    f"{found.get(cluster, 0)}",
                    f"--salvage believes '{CLUSTERS}'",
                )
                return

    def _check_listed(self) -> None:
        """Say which clusters are in the spikes or in the tables alone."""
        if not self._tables.columns:
            return
        there = set(self._grouped.clusters.tolist())
        listed = self._tables.clusters()
        if there - listed:
            self.notes.append(
                "clusters with spikes that are in no table are kept: " + _few(there - listed)
            )
        if listed - there:
            self.notes.append(
                "clusters of the tables that have no spikes (merged or split in Phy) are no "
                "units: " + _few(listed - there)
            )

    def _kept(self, grouped: Grouped) -> Grouped:
        """The units that are wanted."""
        if self.source.options.get("keep", "all") != "good":
            return grouped
        column = next((n for n in ("group", "KSLabel") if n in self._tables.columns), None)
        if column is None:
            raise MissingFact(
                f"'{self.source.id}' has neither group nor KSLabel to tell good units",
                hint=f"--set {self.source.id}.keep=all",
            )
        said = self._tables.columns[column]
        good = np.array([said.get(c) == "good" for c in grouped.clusters.tolist()], bool)
        spikes = np.repeat(good, grouped.counts)
        self.notes.append(
            f"keep=good: {int((~good).sum())} units whose {column} is not good left out"
        )
        return Grouped(grouped.clusters[good], grouped.counts[good], grouped.times[spikes])

    # -------------------------------------------------------------- the stream

    def _make_streams(self) -> None:
        """The units; none where none are left, since NWB knows no table without rows."""
        self.streams = [self._stream()] if len(self._grouped.clusters) else []

    def _stream(self) -> PhyUnits:
        found, grouped = self._found, self._grouped
        observed = timebase = None
        start_s = 0.0
        if found is not None:
            timebase, observed = found.timebase, (found.first, found.stop)
            if self._spikes.unit == "seconds":
                start_s = float(timebase.times(found.first, found.first + 1)[0])
        elif self._rate is not None:
            clock = Clock(
                f"{self.source.id}/samples",
                "samples that the sorter counted from the beginning of the data it was given",
            )
            self.clocks = [clock]
            # how long the data were, no file says
            timebase = Timebase(clock.id, (Segment(0, 0, 0.0, self._rate),))
        return PhyUnits(
            id="units",
            name="units",
            role="units",
            timebase=timebase,
            description=f"units of the Phy folder '{self.source.id}'",
            nwb_name="units",
            facts=facts(len(self._spikes), self._values, self._rate),
            ids=tuple(str(c) for c in grouped.clusters.tolist()),
            dtype=grouped.times.dtype,
            unit=self._spikes.unit,
            properties=self._quality(grouped, self._tables),
            grouped=grouped,
            shift=found.first if found is not None else 0,
            start_s=start_s,
            observed=observed,
            sites=self._sites(),
            load_waveforms=self._load_waveforms if self._has_templates else None,
        )

    def _quality(self, grouped: Grouped, tables: ClusterTables) -> Quality | None:
        clusters = grouped.clusters.tolist()
        values = {n: typed(said, clusters) for n, said in tables.columns.items()}
        if not values:
            return None
        columns = tuple(Column(n, "property", "", tables.description(n)) for n in values)
        return Quality(
            id="units.quality", name="quality", role="properties", columns=columns, values=values
        )

    def _load_waveforms(self, sparse: bool) -> Waveforms:
        if sparse not in self._waveforms:
            self._waveforms[sparse] = read_waveforms(
                self._files, self._spikes, self._grouped.clusters, sparse=sparse
            )
        return self._waveforms[sparse]

    def _sites(self) -> tuple[Electrode, ...] | None:
        """The electrode of each of the sorter's channels; None without recording or map."""
        found = self._found
        if found is None or MAP not in self._files or not self._has_templates:
            return None
        channel_map = read_npy(self._files[MAP]).reshape(-1)
        electrodes = sites(found, channel_map, self._values, found.stream.id)
        if electrodes is None:
            self.notes.append(
                f"channel_map.npy counts channels of a file that is not '{found.stream.id}' "
                "itself: units have no electrodes"
            )
        return electrodes

    # -------------------------------------------------------------- its recording

    def relate(self, relation: Relation, other: Reader) -> None:
        """Take times, clock and electrodes of the recording.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where rate, channels or length contradict.
        nwbkit.errors.MissingFact
            Where several of its streams may have been sorted.
        """
        if relation.kind != "derived_from" or not self.streams:
            return
        found = find_sorted(
            self._values,
            self.source.paths[0].parent,
            relation,
            other,
            wanted=self.source.options.get("stream"),
            rate=self._rate,
            source=self.source.id,
        )
        who = f"{other.source.id}/{found.stream.id}"
        self.notes += check_sorted(found, self._values, self._rate, who)
        self._check_length(found, who)
        if self._spikes.unit == "seconds" and found.timebase.as_rate() is None:
            raise MissingFact(
                f"'{TIMES}' holds seconds, and '{who}' has gaps: which seconds is not said",
                hint=f"--exclude {self.source.id}",
            )
        self._found = found
        self.clocks = []
        self._make_streams()

    def _check_length(self, found: Sorted, who: str) -> None:
        """Spikes must lie in what was sorted."""
        length = float(found.stop - found.first)
        if self._spikes.unit == "seconds":
            length /= found.timebase.rate or float("nan")
        late = self._spikes.times >= length
        if not late.any():
            return
        n = int(late.sum())
        self._complain(
            f"'{TIMES}' holds times beyond the {length:.12g} {self._spikes.unit} of '{who}': "
            f"{n} of {len(late)}, the last {self._spikes.times[late].max()}",
            "--salvage leaves these spikes out",
        )
        self._spikes = self._spikes.only(~late)
        self._waveforms = {}
        self._grouped = self._kept(group(self._spikes))

    # -------------------------------------------------------------- the second way

    def reread_table(self, stream_id: str) -> dict[str, npt.NDArray[Any]] | None:
        """One row a spike, by numpy's own reader: ``unit`` and ``time``, in the file's order.

        Times are samples of the timebase, or seconds on its clock.
        """
        stream = self.stream(stream_id)
        assert isinstance(stream, PhyUnits)
        if self.losses:
            return None  # what was mended cannot be read again by code that mends nothing
        name = CLUSTERS if CLUSTERS in self._files else TEMPLATES
        try:
            owners = np.load(self._files[name], allow_pickle=False).ravel().astype(np.int64)
            times = np.load(self._files[TIMES], allow_pickle=False).ravel()
        except ValueError as error:
            raise DamagedInput(f"numpy cannot read '{name}' and '{TIMES}': {error}") from None
        if stream.unit == "samples":
            times = times.astype(np.int64) + stream.shift
        else:
            times = times.astype(np.float64) + stream.start_s
        mine = np.isin(owners, [int(i) for i in stream.ids])
        return {"unit": owners[mine], "time": times[mine]}

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """``quality``: by column and unit, the text that the tables hold, read line by line."""
        found: dict[str, dict[str, str]] = {}
        for path in self._table_paths():
            with open(path, encoding="utf-8-sig", errors="replace", newline="") as f:
                first = f.readline()
                f.seek(0)
                for row in csv.DictReader(f, delimiter="\t" if "\t" in first else ","):
                    unit = row.get("cluster_id") or row.get("id") or ""
                    for name, text in row.items():
                        if name and text and (path.stem != INFO or unit not in found.get(name, {})):
                            found.setdefault(name, {})[unit] = text
        return {"quality": found}


def _few(clusters: set[int]) -> str:
    listed = sorted(clusters)
    more = f" and {len(listed) - 10} more" if len(listed) > 10 else ""
    return ", ".join(str(c) for c in listed[:10]) + more
