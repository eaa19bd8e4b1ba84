"""An opened CellExplorer session."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, MissingFact, UsageError
from nwbkit.formats.base import Reader, Relation, Source
from nwbkit.formats.io.mat import MatFile, number
from nwbkit.formats.sorting.cellexplorer import describe
from nwbkit.formats.sorting.cellexplorer.look import (
    CHANNEL_INFO,
    CHANNEL_MAP,
    METRICS,
    SESSION,
    SESSION_INFO,
    SPIKES,
    base_of,
)
from nwbkit.formats.sorting.cellexplorer.reread import rows_of
from nwbkit.formats.sorting.cellexplorer.stream import CellUnits, Properties, Waveforms
from nwbkit.formats.sorting.cellexplorer.units import Units, read_units
from nwbkit.streams import Array, Clock, Column, Electrode, Segment, Timebase

#: Roles of streams that may have been sorted, the likeliest first.
_ROLES = ("raw", "lfp_band", "lfp")
_SAID = {
    "cluID": "number of the cluster in the spike sorter",
    "shankID": "shank or electrode group, from 1",
    "maxWaveformCh": "channel on which the waveform is largest, from 0",
    "maxWaveformCh1": "channel on which the waveform is largest, from 1",
    "region": "brain region",
    "brainRegion": "brain region",
    "putativeCellType": "putative cell type",
    "peakVoltage": "peak voltage of the filtered waveform (uV)",
    "troughToPeak": "trough-to-peak latency of the waveform (ms)",
    "firingRate": "firing rate (Hz)",
    "labels": "labels of the unit",
}


class CellExplorerReader(Reader):
    """The units of a session, their metrics, and its epochs.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where files are damaged or contradict each other.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._main = source.paths[0]
        self._related: tuple[Reader, Array] | None = None
        with ExitStack() as stack:
            files = {s: stack.enter_context(MatFile(p)) for s, p in self._files().items()}
            session = files.get(SESSION)
            self._rate = self._read_rate(files)
            self._units = self._read_units(files)
            self._general = describe.general_of(session) if session is not None else {}
            self._subject = describe.subject_of(session) if session is not None else {}
            if not self._subject and METRICS in files:
                self._subject = describe.subject_in_metrics(files[METRICS])
            self._n_channels = describe.channels_of(session) if session is not None else None
            self._epochs = describe.epochs_of(session, self.notes) if session is not None else None
            others = [files[s] for s in (CHANNEL_INFO, CHANNEL_MAP) if s in files]
            self._sites = describe.sites_of(session, others)
        if session is not None and "session_start_time" not in self._general:
            self.notes.append("the session file does not say on which day and hour it began")
        self._make_streams()

    def _complain(self, message: str, hint: str) -> None:
        if not self.source.salvage:
            raise DamagedInput(message, hint=hint)
        self.losses.append(f"{message}: {hint.removeprefix('--salvage ')}")

    # -------------------------------------------------------------- files

    def _files(self) -> dict[str, Path]:
        """By kind; a file of another session is none of ours."""
        suffixes = (SPIKES, METRICS, SESSION, SESSION_INFO, CHANNEL_INFO, CHANNEL_MAP)
        base = base_of(self._main).lower()
        found: dict[str, Path] = {}
        for path in self.source.paths:
            name = path.name.lower()
            for suffix in suffixes:
                if name == base + suffix:
                    found.setdefault(suffix, path)
        if not {SPIKES, METRICS, SESSION} & set(found):
            found[SPIKES] = self._main  # given by name: reading it says what is wrong
        return found

    def _read_rate(self, files: dict[str, MatFile]) -> float | None:
        """The rate where the spikes name none: the user's, the session's, buzcode's."""
        said = self.source.options.get("rate")
        if said is not None:
            if said <= 0:
                raise UsageError(f"'{self.source.id}.rate' takes Hz above 0, not {said:g}")
            return float(said)
        if SESSION in files and (rate := describe.rate_of(files[SESSION])) is not None:
            return rate
        if SESSION_INFO in files:
            return number(files[SESSION_INFO].get("sessionInfo/rates/wideband"))
        return None

    def _read_units(self, files: dict[str, MatFile]) -> Units | None:
        if SPIKES in files:
            args = (files[SPIKES], "spikes", files.get(METRICS))
        elif METRICS in files:
            args = (files[METRICS], "cell_metrics", None)
        else:
            return None
        units = read_units(*args, self._rate, self._complain, self.notes)
        if units is None:
            self.notes.append(f"'{args[0].path.name}' holds no unit")
        elif units.rate is None:
            self.notes.append(
                "no file says the sampling rate: times are seconds without resolution"
            )
        return units

    # -------------------------------------------------------------- streams

    def _make_streams(self) -> None:
        clock = Clock(
            f"{self.source.id}/dat",
            "seconds from the beginning of the .dat file that was sorted",
        )
        self.clocks = [] if self._related is not None else [clock]
        timebase = self._timebase(clock.id)
        self.streams = []
        if self._units is not None:
            self.streams.append(self._unit_stream(self._units, timebase))
        if self._epochs is not None:
            self.streams.append(
                describe.Epochs(
                    id="epochs",
                    name="epochs",
                    role="intervals",
                    timebase=timebase,
                    nwb_name="epochs",
                    description="epochs of the session, as its session file names them",
                    columns=describe.epoch_columns(self._epochs),
                    values=self._epochs,
                )
            )

    def _timebase(self, clock: str) -> Timebase:
        if self._related is not None:
            timebase = self._related[1].timebase
            assert timebase is not None
            return timebase
        rate = self._units.rate if self._units is not None else self._rate
        # how long the .dat file was, no file says
        return Timebase(clock, (Segment(0, 0, 0.0, rate),) if rate else ())

    def _unit_stream(self, units: Units, timebase: Timebase) -> CellUnits:
        columns = tuple(
            Column(name, "label" if v.dtype == object else "property", "", _SAID.get(name, name))
            for name, v in units.properties.items()
        )
        properties = Properties(
            id="properties",
            name="properties",
            role="properties",
            columns=columns,
            values=units.properties,
        )
        trains, unit = units.times, "samples" if units.in_samples else "seconds"
        start = 0.0
        if self._related is not None and not units.in_samples:
            start = float(timebase.times(0, 1)[0])
        if start:
            trains = [t + start for t in trains]
        observed = (0, self._related[1].n_samples) if self._related is not None else None
        return CellUnits(
            id="units",
            name="units",
            role="units",
            timebase=timebase,
            nwb_name="units",
            description=f"units of the CellExplorer session '{base_of(self._main)}'",
            facts={"spikes": int(sum(len(t) for t in trains))},
            ids=units.ids,
            dtype=np.dtype(np.int64 if units.in_samples else np.float64),
            unit=unit,
            properties=properties if columns else None,
            trains=trains,
            observed=observed,
            electrodes=self._electrodes(units),
            means=None if units.waveforms is None else Waveforms(units.waveforms),
        )

    def _electrodes(self, units: Units) -> tuple[Electrode, ...] | None:
        sites = self._recorded()
        if not sites or units.channels is None:
            return None
        if units.channels.min(initial=0) < 0 or units.channels.max(initial=0) >= len(sites):
            return None
        return tuple(sites[c] for c in units.channels.tolist())

    def _recorded(self) -> tuple[Electrode, ...]:
        """The electrodes of the related recording, where its channels are the session's."""
        if self._related is None:
            return ()
        electrodes = self._related[1].electrodes or ()
        n = self._n_channels or len(self._sites)
        return electrodes if len(electrodes) == n else ()

    # -------------------------------------------------------------- its recording

    def relate(self, relation: Relation, other: Reader) -> None:
        """Take clock, times and electrodes of the recording.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where spikes lie behind its end.
        nwbkit.errors.MissingFact
            Where spike times are seconds and it has gaps.
        """
        if relation.kind != "derived_from":
            return
        rate = self._units.rate if self._units is not None else self._rate
        stream = _sorted_stream(other, rate)
        if stream is None:
            self.notes.append(
                f"'{other.source.id}' has no stream at the rate of the spikes: it is not used"
            )
            return
        assert stream.timebase is not None
        regular = stream.timebase.as_rate() is not None
        units = self._units
        if not regular and ((units is not None and not units.in_samples) or self._epochs):
            raise MissingFact(
                f"'{self.source.id}' holds seconds, and '{other.source.id}/{stream.id}' has gaps: "
                "which seconds is not said",
                hint=f"--exclude {self.source.id}",
            )
        self._check_length(stream, f"{other.source.id}/{stream.id}")
        self._related = (other, stream)
        self._make_streams()

    def _check_length(self, stream: Array, who: str) -> None:
        units = self._units
        if units is None or stream.timebase is None:
            return
        length: float = stream.n_samples
        if not units.in_samples:
            length /= stream.timebase.rate or float("nan")
        late = sum(int((t >= length).sum()) for t in units.times)
        if late:
            unit = "samples" if units.in_samples else "seconds"
            self._complain(
                f"'{self._main.name}' holds {late} spikes beyond the {length:.12g} {unit} of "
                f"'{who}'",
                "--salvage leaves these spikes out",
            )
            times = [t[t < length] for t in units.times]
            self._units = Units(**{**vars(units), "times": times})

    # -------------------------------------------------------------- the contract

    def metadata(self) -> dict[str, Any]:
        """Session, animal, and where the channels of the related recording lie."""
        found: dict[str, Any] = {}
        if self._general:
            found["NWBFile"] = self._general
        if self._subject:
            found["Subject"] = self._subject
        placed = {}
        for electrode, site in zip(self._recorded(), self._sites, strict=False):
            said: dict[str, Any] = {}
            if electrode.rel_x is None and site.x is not None and site.y is not None:
                said = {"rel_x": site.x, "rel_y": site.y}
            if site.region:
                said["location"] = site.region
            if said:
                placed[f"{electrode.group}/{electrode.name}"] = said
        if placed:
            found["Electrodes"] = placed
        return found

    def reread_table(self, stream_id: str) -> dict[str, npt.NDArray[Any]] | None:
        """One row a spike, by scipy or plain h5py: ``unit`` and ``time``."""
        if stream_id != "units" or self.losses or self._units is None:
            return None
        variable = "cell_metrics" if self._main.name.lower().endswith(METRICS) else "spikes"
        start = 0.0
        if self._related is not None and self._related[1].timebase is not None:
            start = float(self._related[1].timebase.times(0, 1)[0])
        rate = self._units.rate if self._units.in_samples else None
        return rows_of(self._main, variable, rate, start)


def _sorted_stream(other: Reader, rate: float | None) -> Array | None:
    """The neural stream at the rate of the spikes; of several, the one of the fullest band."""
    for role in _ROLES:
        for stream in other.streams:
            if not isinstance(stream, Array) or stream.role != role or stream.timebase is None:
                continue
            own = stream.timebase.rate
            if rate is None or (own is not None and abs(own - rate) <= 1e-6 * rate):
                return stream
    return None
