"""Voltage recordings: analog signals that PrairieView writes as text, on the frames' clock."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.imaging.bruker import _layout
from nwbkit.streams import Segment, Timebase
from nwbkit.streams.kinds import AnyArray, Array

if TYPE_CHECKING:
    from nwbkit.formats.imaging.bruker._reader import BrukerReader

#: Rows between two places that are remembered; also what is parsed at once.
STEP = 4096
_BLOCK = 8 << 20


@dataclass(frozen=True, eq=False)
class Text:
    """A table in text: where every :data:`STEP` rows begin.

    Parameters
    ----------
    path : Path
    names : tuple of str
        Of the columns behind the time.
    places : numpy.ndarray of int64
        Byte at which row 0, STEP, 2 * STEP, ... begins, and where the last one ends.
    n_rows : int
    """

    path: Path
    names: tuple[str, ...]
    places: npt.NDArray[np.int64]
    n_rows: int

    def rows(self, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Rows ``start..stop``, shape (rows, columns), the time first."""
        parts = []
        for block in range(start // STEP, -(-stop // STEP)):
            low, high = int(self.places[block]), int(self.places[block + 1])
            first = block * STEP
            with open(self.path, "rb") as f:
                raw = os.pread(f.fileno(), high - low, low)
            values = self._parsed(raw, min(STEP, self.n_rows - first), first)
            parts.append(values[max(0, start - first) : stop - first])
        return np.concatenate(parts) if parts else np.empty((0, len(self.names) + 1))

    def _parsed(self, raw: bytes, n: int, first: int) -> npt.NDArray[np.float64]:
        width = len(self.names) + 1
        text = raw.strip().replace(b"\r", b"").replace(b"\n", b",")
        values = _quickly(text)
        if values is not None and values.size == n * width:
            return values.reshape(n, width)
        cells = text.split(b",")  # what is wrong there
        try:
            values = np.array(cells, dtype=np.float64)
        except ValueError:
            wrong = next(k for k, c in enumerate(cells) if not _is_number(c))
            shown = cells[wrong].decode("latin-1").strip()[:20]
            raise DamagedInput(
                f"'{self.path.name}': row {first + wrong // width + 1} holds '{shown}', no number"
            ) from None
        if values.size != n * width:
            raise DamagedInput(
                f"'{self.path.name}': rows {first + 1} to {first + n} hold {values.size} values, "
                f"expected {n * width}"
            )
        return values.reshape(n, width)


def _quickly(text: bytes) -> npt.NDArray[np.float64] | None:
    """Numbers with commas between by numpy's parser (a tenth of the time); None for others."""
    if text.translate(None, b"0123456789+-.eE, \t"):
        return None
    try:
        return np.fromstring(text.decode("ascii"), np.float64, sep=",")
    except (ValueError, DeprecationWarning):
        return None


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def index(path: Path) -> Text:
    """Find the rows of the table at `path`; it is read once, a block at a time.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it does not begin with ``Time(ms)``, or its last row is cut off.
    """
    places: list[int] = []
    with open(path, "rb") as f:
        head = f.readline(1 << 16)
        begin = f.tell()
        names = [c.strip() for c in head.decode("utf-8-sig", "replace").split(",")]
        if not re.match(r"time\s*\(ms\)$", names[0], re.IGNORECASE) or len(names) < 2:
            raise DamagedInput(f"'{path.name}' begins with '{names[0][:30]}', expected 'Time(ms)'")
        n, at, last = 0, begin, b"\n"
        places.append(begin)
        while block := f.read(_BLOCK):
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == 10)
            upto = np.arange(n + 1, n + len(ends) + 1)
            places += (at + 1 + ends[upto % STEP == 0]).tolist()
            n, at, last = n + len(ends), at + len(block), block[-1:]
        if last != b"\n":
            n += 1
    if places[-1] != at:
        places.append(at)
    return Text(path, tuple(names[1:]), np.array(places, np.int64), n)


@dataclass(kw_only=True, eq=False)
class Recording(Array):
    """Columns of voltages, shape (samples, signals), volts."""

    texts: tuple[Text, ...]
    _starts: npt.NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        counts = [t.n_rows for t in self.texts]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Samples ``start..stop``; into `out` where given. Safe from several threads."""
        if out is None:
            out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        for text, low in zip(self.texts, self._starts.tolist(), strict=False):
            a, b = max(start, low), min(stop, low + text.n_rows)
            if a < b:
                out[a - start : b - start] = text.rows(a - low, b - low)[:, 1:]
        return out

    def reread(self, start: int, stop: int) -> AnyArray:
        """Samples ``start..stop`` parsed by :func:`numpy.loadtxt`.

        Large files are entered where :attr:`Text.places` says, or every block would read all
        that lies before it.
        """
        parts = [np.empty((0, *self.shape[1:]), self.dtype)]
        for text, low in zip(self.texts, self._starts.tolist(), strict=False):
            a, b = max(start, low) - low, min(stop, low + text.n_rows) - low
            if a < b:
                far = a // STEP if text.places[-1] > _BLOCK else 0
                skip = a - far * STEP + (0 if far else 1)
                with open(text.path, "rb") as f:
                    f.seek(int(text.places[far]) if far else 0)
                    rows = np.loadtxt(f, delimiter=",", skiprows=skip, max_rows=b - a, ndmin=2)
                parts.append(rows[:, 1:])
        return np.concatenate(parts)


def add(reader: BrukerReader) -> list[Path]:
    """Add the voltage recordings of `reader` as one stream; returns the files that were read.

    Recordings of several cycles are segments.
    """
    found: list[tuple[float, Text, float, dict[str, Any]]] = []
    files: list[Path] = []
    for sequence in reader.scan.sequences:
        for said in sequence.recordings:
            opened = _one(reader, sequence.cycle, said, files)
            if opened is not None:
                found.append(opened)
    if not found:
        return files
    found.sort(key=lambda f: f[0])
    names = found[0][1].names
    odd = next((f for f in found if f[1].names != names), None)
    if odd is not None:
        reader.complaints(
            f"'{odd[1].path.name}' has the signals {', '.join(odd[1].names)}, expected "
            f"{', '.join(names)}",
            "leaves out the recordings that differ",
        )
        found = [f for f in found if f[1].names == names]
    segments, first = [], 0
    for t0, text, rate, _ in found:
        segments.append(Segment(first, text.n_rows, t0, rate))
        first += text.n_rows
    about = _signals(names, found[0][3])
    reader.streams.append(
        Recording(
            id="VoltageRecording",
            name="VoltageRecording",
            role="analog",
            timebase=Timebase(reader.clock, tuple(segments)),
            description=f"voltages recorded by PrairieView: {about}",
            nwb_name="TimeSeriesVoltageRecording",
            facts={"signals": ", ".join(names)},
            shape=(first, len(names)),
            dtype=np.dtype("<f8"),
            unit="volts",
            channel_names=names,
            block_rows=STEP,
            texts=tuple(f[1] for f in found),
        )
    )
    return files


def _one(
    reader: BrukerReader, cycle: int, said: dict[str, str], files: list[Path]
) -> tuple[float, Text, float, dict[str, Any]] | None:
    """``(start, table, rate, settings)`` of a recording; None where it cannot be read."""
    name = said.get("dataFile", "")
    path = reader.folder.find(name)
    if path is None:
        reader.complaints(
            f"'{reader.xml.name}' names the voltage recording '{name}', which is missing",
            "goes without it",
        )
        return None
    start = _layout.recording_start(reader.scan, cycle, said)
    if start is None:
        reader.complaints.note(f"'{path.name}' is left out: the XML does not say when it began")
        return None
    text = index(path)
    settings_path = reader.folder.find(said["configurationFile"]) if said.get(
        "configurationFile"
    ) else None  # fmt: skip
    settings = _settings(settings_path) if settings_path is not None else {}
    files += [p for p in (path, settings_path) if p is not None]
    samples = settings.get("samples")
    if samples not in (None, text.n_rows, text.n_rows * len(text.names)):
        assert settings_path is not None
        reader.complaints(
            f"'{path.name}' holds {text.n_rows} samples, '{settings_path.name}' says {samples} "
            "(SamplesAcquired)",
            "keeps those that are there",
        )
    if not text.n_rows:
        return None
    last = text.rows(text.n_rows - 1, text.n_rows)[0]
    begin = float(text.rows(0, 1)[0, 0])
    rate = _rate(reader, path, text, float(last[0]) - begin, settings.get("rate"))
    return (start + begin / 1000, text, rate, settings) if rate is not None else None


def _rate(
    reader: BrukerReader, path: Path, text: Text, span_ms: float, stated: float | None
) -> float | None:
    """Samples per second: as the settings say, held against the column of times."""
    measured = (text.n_rows - 1) * 1000 / span_ms if span_ms > 0 else None
    if stated is None:
        if measured is None:
            reader.complaints.note(f"'{path.name}' is left out: its rate is not known")
            return None
        nearest = round(measured)
        # times are printed with a few digits: a whole rate that fits them is meant
        fits = nearest and abs((text.n_rows - 1) * 1000 / nearest - span_ms) <= 0.0051
        return float(nearest) if fits else measured
    if measured is not None and abs((text.n_rows - 1) * 1000 / stated - span_ms) > max(
        1.5 * 1000 / stated, 0.0051
    ):
        reader.complaints(
            f"'{path.name}' spans {span_ms:.6g} ms with {text.n_rows} samples, its settings say "
            f"{stated:g} Hz",
            "takes the times of the table",
        )
        return measured
    return stated


def _settings(path: Path) -> dict[str, Any]:
    """Rate, number of samples and signals of a recording's XML."""
    import defusedxml.ElementTree as ET  # type: ignore[import-untyped]

    if path.stat().st_size > 64 << 20:
        raise DamagedInput(f"'{path.name}' is larger than any settings of a recording")
    try:
        root = ET.fromstring(path.read_bytes())
    except Exception as error:  # noqa: BLE001 - defusedxml and expat raise errors of their own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedInput(f"'{path.name}' cannot be read: {reason}") from None
    found: dict[str, Any] = {"signals": {}}
    for element in root.iter():
        text = (element.text or "").strip()
        if element.tag == "Rate" and "rate" not in found and _is_number(text.encode()):
            found["rate"] = float(text) if float(text) > 0 else None
        elif element.tag == "SamplesAcquired" and text.isdecimal() and int(text):
            found["samples"] = int(text)
        elif element.tag in ("VRecSignal", "VRecSignalPerPlane"):
            name = element.findtext("Name") or ""
            unit = element.find("Unit")
            if name and unit is not None:
                found["signals"][name.strip()] = {e.tag: (e.text or "").strip() for e in unit}
    return found


def _signals(names: tuple[str, ...], settings: dict[str, Any]) -> str:
    """The signals, with the scale that PrairieView shows them in."""
    parts = []
    for name in names:
        unit = settings.get("signals", {}).get(name, {})
        scale = ", ".join(f"{k} {v}" for k, v in unit.items() if v)
        parts.append(f"'{name}'" + (f" ({scale})" if scale else ""))
    return ", ".join(parts)
