"""verify --against: the source is opened again and compared with what the file holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import NoInput
from nwbkit.formats.base import Reader
from nwbkit.proving import same_values
from nwbkit.session import OpenSession, fingerprint, load_sources, open_session
from nwbkit.streams import Array, ClockMap, Table, Timebase
from nwbkit.streams.views import Times, Window, cut, head

if TYPE_CHECKING:
    import h5py

    from nwbkit.documents.conversion import ConversionDocument, StreamRecord
    from nwbkit.documents.sources import SourcesDocument
    from nwbkit.storage.digests import DatasetDigest
    from nwbkit.verify import Report

Read = Callable[[int, int], Any]


def check_against(
    path: Path,
    sidecar: ConversionDocument,
    against: Sequence[str],
    decoded: Mapping[str, DatasetDigest],
    report: Report,
    *,
    sets: Sequence[str],
    jobs: int,
) -> None:
    """Compare every stream of the file at `path` with its source; results go to `report`.

    Parameters
    ----------
    path : Path
    sidecar : ConversionDocument
    against : sequence of str
        Raw paths, or a sources document.
    decoded : mapping of str to DatasetDigest
        What the datasets of the file were found to hold.
    report : Report
    sets : sequence of str
    jobs : int

    Raises
    ------
    nwbkit.errors.NoInput
        Where `against` holds no source that could be the recorded one.
    """
    import h5py

    document = _todays(sidecar, load_sources(against))
    salvage = bool(sidecar.choices.get("salvage"))
    with open_session(document, sets=sets, salvage=salvage) as session:
        _check_files(session, sidecar, report)
        for reader in session.readers:
            for sentence in reader.audit():
                report.find("error", "source-damaged", reader.source.id, sentence)
        with h5py.File(path, "r") as file:
            comparison = _Comparison(file, sidecar, decoded, report, jobs)
            for address, record in sidecar.streams.items():
                comparison.stream(address, record, session)


def _todays(sidecar: ConversionDocument, found: SourcesDocument) -> SourcesDocument:
    """The recorded session with the paths that its sources have today."""
    candidates = [s for session in found.sessions for s in session.sources]
    recorded = {i.fingerprint for i in sidecar.inputs}
    sources = []
    for source in sidecar.session.sources:
        same = [c for c in candidates if c.format == source.format]
        exact = [c for c in same if c.id == source.id] or same
        if len(exact) > 1:
            exact = [c for c in exact if fingerprint(Path(c.paths[0])) in recorded] or exact
        if not exact:
            raise NoInput(
                f"no '{source.format}' source that could be '{source.id}' in what was given",
                hint="give the raw folder that the output was made from",
            )
        options = sidecar.options.get(source.id, {})
        sources.append(
            source.model_copy(
                update={"paths": exact[0].paths, "options": options, "alternatives": []}
            )
        )
    session = sidecar.session.model_copy(update={"sources": sources})
    return found.model_copy(update={"sessions": [session]})


def _check_files(session: OpenSession, sidecar: ConversionDocument, report: Report) -> None:
    recorded = {i.fingerprint for i in sidecar.inputs}
    for path in session.files():
        changed = fingerprint(path) not in recorded
        report.check(
            path.name, "source file", "has changed since it was converted" if changed else None
        )


class _Comparison:
    """One file against one session."""

    def __init__(
        self,
        file: h5py.File,
        sidecar: ConversionDocument,
        decoded: Mapping[str, DatasetDigest],
        report: Report,
        jobs: int,
    ) -> None:
        self.file = file
        self.decoded = decoded
        self.report = report
        self.jobs = jobs
        self.stub = sidecar.choices.get("stub")
        self.maps = {n: ClockMap(c.offset_s, c.scale) for n, c in sidecar.alignment.items()}

    def stream(self, address: str, record: StreamRecord, session: OpenSession) -> None:
        """Compare one stream with the objects it became."""
        found = next(
            (
                (reader, stream)
                for reader in session.readers
                for stream in reader.streams
                if reader.address(stream) == address
            ),
            None,
        )
        if found is None:
            self.report.check(address, "stream", "is no longer in the source")
            return
        reader, whole = found
        stream = head(whole, float(self.stub)) if self.stub else whole
        if isinstance(stream, Array):
            parts = list(_parts(stream, record.nwb_paths))
            for nwb_path, part, first in parts:
                self.array(address, nwb_path, part, reader, first)
                self.times(address, nwb_path, part, reader, first)
            self.scale(address, record.nwb_paths[0], stream, reader)
            if stream.electrodes is not None:
                self.electrodes(address, record.nwb_paths[0], stream)
        elif isinstance(stream, Table):
            self.table(address, record.nwb_paths[0], stream, reader)

    def array(self, address: str, nwb_path: str, part: Array, reader: Reader, first: int) -> None:
        """Every sample, bit by bit."""
        independent = reader.reread(part.id, 0, 0) is not None

        def read(start: int, stop: int) -> Any:
            if independent:
                return reader.reread(part.id, first + start, first + stop)
            return part.read(start, stop)

        expected = digest_rows(read, part.shape, part.dtype, jobs=self.jobs)
        found = self.decoded.get(f"{nwb_path}/data")
        problem = "could not be decoded"
        if found is not None:
            difference = found.compare(expected)
            problem = str(difference) if difference is not None else ""
        self.report.check(
            address,
            "samples",
            problem or None,
            reader="independent" if independent else "same",
            rows=part.shape[0],
        )

    def times(self, address: str, nwb_path: str, part: Array, reader: Reader, first: int) -> None:
        """Start and rate, or every timestamp."""
        assert part.timebase is not None
        clock_map = self.maps.get(part.timebase.clock, ClockMap())
        group = self.file[nwb_path]
        facts = reader.reread_facts(part.id)
        regular = part.timebase.mapped(clock_map).as_rate()
        if regular is not None:
            start, rate = regular
            self._rate(address, group, start, rate, "same")
            if facts is not None:
                at = Timebase(part.timebase.clock, facts["segments"]).times(first, first + 1)
                self._rate(address, group, float(clock_map(at)[0]), facts["rate"], "independent")
            return
        expected = part.timebase
        who = "same"
        if facts is not None:
            expected = Timebase(part.timebase.clock, facts["segments"])
            expected = cut(expected, first, first + part.shape[0])
            who = "independent"
        times = Times(expected.mapped(clock_map), id="times")
        digest = digest_rows(times.read, times.shape, times.dtype, jobs=self.jobs)
        found = self.decoded.get(self._canonical(f"{nwb_path}/timestamps"))
        difference = "could not be decoded" if found is None else found.compare(digest)
        self.report.check(
            address,
            "times",
            str(difference) if difference is not None else None,
            reader=who,
            rows=part.shape[0],
        )

    def _canonical(self, path: str) -> str:
        """Timestamps may be a link to another series' own."""
        return str(self.file[path].name) if path in self.decoded else _target(self.file, path)

    def _rate(self, address: str, group: Any, start: float, rate: float, who: str) -> None:
        problem = None
        if "starting_time" not in group:
            problem = "has timestamps, where the source has a constant rate"
        else:
            found_start = float(group["starting_time"][()])
            found_rate = float(group["starting_time"].attrs["rate"])
            if found_rate != rate:
                problem = f"rate is {found_rate} Hz, the source says {rate} Hz"
            elif abs(found_start - start) > 1e-9:
                problem = f"starts at {found_start} s, the source says {start} s"
        self.report.check(address, "times", problem, reader=who)

    def scale(self, address: str, nwb_path: str, stream: Array, reader: Reader) -> None:
        """Gain and offset of every channel."""
        group = self.file[nwb_path]
        n = stream.shape[1] if len(stream.shape) > 1 else 1
        gain = np.broadcast_to(float(group["data"].attrs["conversion"]), n)
        if "channel_conversion" in group:
            gain = gain * group["channel_conversion"][...]
        offset = float(group["data"].attrs.get("offset", 0.0))
        facts = reader.reread_facts(stream.id)
        claims = [("same", stream.gain, stream.offset)]
        if facts is not None:
            claims.append(("independent", facts["gain"], facts["offset"]))
        for who, gains, offsets in claims:
            wrong = np.flatnonzero(gain != np.broadcast_to(gains, n))
            problem = None
            if wrong.size:
                channel = int(wrong[0])
                said = float(np.broadcast_to(gains, n)[channel])
                problem = (
                    f"gain of channel {channel} is {gain[channel]}, the source says {said}"
                    + (f" ({wrong.size} channels differ)" if wrong.size > 1 else "")
                )
            elif not np.all(np.asarray(offsets) == offset):
                problem = f"offset is {offset}, the source says {np.asarray(offsets).tolist()}"
            self.report.check(address, "scale", problem, reader=who)

    def electrodes(self, address: str, nwb_path: str, stream: Array) -> None:
        """Which electrode each channel is, and where it lies."""
        table = self.file["general/extracellular_ephys/electrodes"]
        rows = self.file[nwb_path]["electrodes"][...]
        names = table["electrode_name"].asstr()[...]
        positions = {axis: table[axis][...] for axis in ("rel_x", "rel_y") if axis in table}
        problem = None
        if len(rows) != len(stream.electrodes or ()):
            problem = f"{len(rows)} electrodes, the source has {len(stream.electrodes or ())}"
        for channel, (row, electrode) in enumerate(
            zip(rows, stream.electrodes or (), strict=False)
        ):
            found = (names[row], *(float(p[row]) for p in positions.values()))
            wanted = (electrode.name, *(getattr(electrode, axis) for axis in positions))
            if problem is None and found != wanted:
                problem = f"channel {channel} is electrode {found}, the source says {wanted}"
        self.report.check(address, "electrodes", problem, reader="same", rows=len(rows))

    def table(self, address: str, nwb_path: str, stream: Table, reader: Reader) -> None:
        """Every row of an event table; times as the samples they stand for."""
        rows = None if self.stub else reader.reread_table(stream.id)
        who = "same" if rows is None else "independent"
        rows = stream.read() if rows is None else rows
        group = self.file[nwb_path]
        problems = []
        for column in stream.columns:
            name = column.role if column.role in ("timestamp", "duration") else column.name
            values = rows[column.name]
            if name not in group:
                problems.append(f"column '{name}' is missing")
            elif column.unit == "samples":
                if not self._same_samples(group[name], values, column.role, stream, rows):
                    problems.append(f"column '{name}' differs")
            elif not same_values(group[name], values):
                problems.append(f"column '{name}' differs")
        self.report.check(
            address,
            "events",
            "; ".join(problems) or None,
            reader=who,
            rows=len(next(iter(rows.values()))) if rows else 0,
        )

    def _same_samples(
        self, dataset: Any, samples: Any, role: str, stream: Table, rows: Mapping[str, Any]
    ) -> bool:
        """Whether seconds in the file are the source's samples: ``rint((t - t0) * rate)``."""
        assert stream.timebase is not None
        seconds = dataset[...]
        if seconds.shape != samples.shape:
            return False
        if role == "duration":
            start = next(c for c in stream.columns if c.role in ("timestamp", "start"))
            known = samples >= 0
            begin = stream.timebase.time_of(rows[start.name][known])
            ends = stream.timebase.time_of(rows[start.name][known] + samples[known])
            return bool(
                np.isnan(seconds[~known]).all()
                and np.allclose(seconds[known], ends - begin, 0, 1e-9)
            )
        timebase = stream.timebase.mapped(self.maps.get(stream.timebase.clock, ClockMap()))
        return bool(np.array_equal(timebase.sample_of(seconds), samples))


def _target(file: h5py.File, path: str) -> str:
    parent, _, name = path.rpartition("/")
    link = file[parent].get(name, getlink=True)
    return str(getattr(link, "path", path))


def _parts(stream: Array, paths: Sequence[str]) -> Iterator[tuple[str, Array, int]]:
    """``(nwb path, rows it holds, first row)``: one, or one a segment."""
    if len(paths) == 1:
        yield paths[0], stream, 0
        return
    assert stream.timebase is not None
    segments = [s for s in stream.timebase.segments if s.n_samples]
    for nwb_path, s in zip(paths, segments, strict=True):
        yield nwb_path, Window(stream, s.first_sample, s.stop_sample), s.first_sample


def digest_rows(read: Read, shape: Sequence[int], dtype: Any, *, jobs: int) -> DatasetDigest:
    """Digest of the rows that `read` gives, read block by block on `jobs` threads.

    Raises
    ------
    nwbkit.errors.DamagedInput
        What `read` raises.
    """
    from nwbkit.storage.digests import BlockDigester

    digester = BlockDigester(shape, dtype)
    step = digester.block_rows

    def one(start: int) -> None:
        rows = np.asarray(read(start, min(start + step, shape[0])), dtype=dtype)
        digester.add(start, rows.reshape(len(rows), *shape[1:]))

    starts = range(0, shape[0], step)
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        for _ in pool.map(one, starts):
            pass
    return digester.result()
