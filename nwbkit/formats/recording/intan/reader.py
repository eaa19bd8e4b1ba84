"""An opened Intan recording of any layout."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.recording.intan import describe
from nwbkit.formats.recording.intan.header import MAGIC, Header, read_header
from nwbkit.formats.recording.intan.notes import live_notes
from nwbkit.formats.recording.intan.parts import Opened, open_blocks, open_channels, open_signals
from nwbkit.formats.recording.intan.reread import SecondReader
from nwbkit.formats.recording.intan.streams import Context, streams_of
from nwbkit.formats.recording.intan.times import Run, find_runs, timebase_of
from nwbkit.streams import Array, Clock, Timebase

#: No more gaps are named one by one.
_NAMED_GAPS = 5


class IntanReader(Reader):
    """One recording, in one or more files.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.NoInput
        Where a file may not be read.
    nwbkit.errors.DamagedInput
        Where header, sizes and time stamps contradict each other.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._headers = self._read_headers()
        self._main, self._header = self._headers[0]
        self._beside = {p.name.lower(): p for p in source.paths}
        self._settings: dict[str, str] = {}
        if "settings.xml" in self._beside:
            settings = describe.read_settings(self._beside["settings.xml"])
            if settings is None:
                self.notes.append("'settings.xml' does not read as one and is left out")
            self._settings = settings or {}
        self._opened = self._open()
        self._timebase, self._zero, n = self._read_times()
        context = Context(
            source.id,
            self._header,
            self._opened.layout,
            self._timebase,
            source.options.get("board_mode"),
        )
        parts = self._opened.parts
        self.streams = list(streams_of(parts, context))
        self._shorten(n)
        if "notes.txt" in self._beside:
            self.streams += live_notes(self._beside["notes.txt"], self._timebase, self.notes)
        self._name_left_out()
        self._second = SecondReader(
            [p for p, _ in self._headers],
            {s: p.paths for s, p in parts.items()},
            self._opened.layout,
            self._zero,
            context.board_mode,
        )

    def _complain(self, message: str, hint: str) -> None:
        if not self.source.salvage:
            raise DamagedInput(message, hint=hint)
        self.losses.append(f"{message}: {hint.removeprefix('--salvage ')}")

    # -------------------------------------------------------------- opening

    def _read_headers(self) -> list[tuple[Path, Header]]:
        paths = [p for p in self.source.paths if p.suffix.lower() in (".rhd", ".rhs")]
        paths = paths or [p for p in self.source.paths if _begins(p)]
        if not paths:
            paths = [self.source.paths[0]]  # reading it says what is wrong
        return [(path, read_header(path)) for path in paths]

    def _open(self) -> Opened:
        size = self._main.stat().st_size
        info = self._main.name
        data = {n: p for n, p in self._beside.items() if n.endswith(".dat")}
        if len(self._headers) > 1 or size > self._header.size or not data:
            if not data and self._main.stem.lower() == "info" and size <= self._header.size:
                raise DamagedInput(
                    f"'{info}' holds a header, and there are no .dat files beside it",
                    hint="give the folder that holds its .dat files too",
                )
            return open_blocks(self._headers, self._complain)
        wideband = self._settings.get("SaveWidebandAmplifierWaveforms", "").lower() != "false"
        open_layout = open_channels if any("-" in name for name in data) else open_signals
        return open_layout(self._header, info, data, self._complain, wideband)

    def _read_times(self) -> tuple[Timebase, int, int]:
        """The times of amplifier samples, the counter at their zero, and how many are usable."""
        runs = find_runs(self._opened.numbers(), self._went_back)
        n = runs[-1].first + runs[-1].n if runs else 0
        if n == 0:
            raise DamagedInput(f"'{self._main.name}' holds no data")
        if len(runs) > max(100, n // 1000):
            self._complain(
                f"the time stamps of '{self._opened.where(runs[1].first).name}' jump "
                f"{len(runs) - 1} times within {n} samples: its header names other channels",
                "--salvage keeps every jump as a gap",
            )
        zero = max(runs[0].counter, 0)
        clock = Clock(f"{self.source.id}/controller", _clock_words(runs[0].counter, zero))
        self.clocks = [clock]
        self._note_gaps(runs)
        shifted = [Run(r.first, r.n, r.counter - zero) for r in runs]
        return timebase_of(clock.id, shifted, self._header.rate), zero, n

    def _went_back(self, sample: int, before: int, after: int) -> None:
        self._complain(
            f"the time stamps of '{self._opened.where(sample).name}' go back from {before} to "
            f"{after} at sample {sample}",
            "--salvage leaves out what follows",
        )

    def _note_gaps(self, runs: Sequence[Run]) -> None:
        for before, run in pairwise(runs[: _NAMED_GAPS + 1]):
            missing = run.counter - before.counter - before.n
            self.notes.append(
                f"{missing} samples are missing before sample {run.first} (its time stamp is "
                f"{run.counter})"
            )
        if len(runs) > _NAMED_GAPS + 1:
            self.notes.append(f"there are {len(runs) - 1} gaps in all")
        if runs[0].counter < 0:
            self.notes.append(
                f"time stamps begin at {runs[0].counter}: times before the trigger are negative"
            )

    def _shorten(self, n: int) -> None:
        """Leave out the rows behind time stamps that went back."""
        if n == self._opened.n:
            return
        for stream in self.streams:
            if isinstance(stream, Array) and stream.timebase is not None:
                stream.shape = (stream.timebase.n_samples, *stream.shape[1:])

    def _name_left_out(self) -> None:
        if any(name.startswith("spike") for name in self._beside):
            self.notes.append("the spikes that the software found online are not converted")
        if "amplifier" not in self._opened.parts and self._header.of("amplifier"):
            self.notes.append("the amplifiers' full band was not saved")

    # -------------------------------------------------------------- the contract

    def close(self) -> None:
        """Close what is open."""
        self._opened.close()
        for stream in self.streams:
            close = getattr(stream, "close", None)
            if close is not None:
                close()

    def metadata(self) -> dict[str, Any]:
        """Start (naive), notes, controller, ports, filters."""
        return describe.document(
            self.source.id,
            self._header,
            describe.start_of(self._main, self._opened.layout),
            self._settings,
            [(self.address(s), s) for s in self.streams],
        )

    def reread(self, stream_id: str, start: int, stop: int) -> npt.NDArray[Any] | None:
        """Rows by numpy's structured types, from a header parsed anew."""
        return None if self.losses else self._second.rows(stream_id, start, stop)

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Scale, rate and segments from a header parsed anew."""
        return None if self.losses else self._second.facts(stream_id)

    def reread_table(self, stream_id: str) -> dict[str, npt.NDArray[Any]] | None:
        """Events by differences of each line on its own."""
        return None if self.losses else self._second.table(stream_id)


def _begins(path: Path) -> bool:
    try:
        with open(path, "rb") as f:
            return f.read(4) in MAGIC
    except OSError:
        return False


def _clock_words(first: int, zero: int) -> str:
    whose = "sample counter of the controller"
    if first < 0:
        return f"{whose}; its zero is the trigger, {-first} samples after the first one"
    if zero:
        return f"{whose}; its zero is the first sample, whose number is {zero}"
    return f"{whose}; its zero is the first sample"
