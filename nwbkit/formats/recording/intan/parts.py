"""What the files of a recording hold, signal by signal, whatever their layout."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput
from nwbkit.formats.io.flat import FlatArray, FlatFile, complete_rows
from nwbkit.formats.recording.intan.blocks import (
    BlockArray,
    Blocks,
    block_files,
    counters,
    sections_of,
)
from nwbkit.formats.recording.intan.channels import ChannelFiles
from nwbkit.formats.recording.intan.header import Channel, Header
from nwbkit.formats.recording.intan.look import SIGNAL_FILES, TIME_FILE
from nwbkit.formats.recording.intan.times import counters_in
from nwbkit.streams import Array

#: Takes ``(message, hint)`` of a contradiction: raises, or with ``--salvage`` notes the loss.
Complain = Callable[[str, str], None]
#: Of which channels of the header a signal has a column each; digital ones have one word.
CHANNELS_OF = dict.fromkeys(("lowpass", "highpass", "dc_amplifier", "stim"), "amplifier")
WORDS = ("digital_in", "digital_out")
_PREFIXES = {
    "amplifier": "amp", "lowpass": "low", "highpass": "high", "dc_amplifier": "dc", "stim": "stim",
    "auxiliary": "aux", "supply": "vdd", "adc": "board", "dac": "board", "digital_in": "board",
    "digital_out": "board",
}  # fmt: skip
_SIGNED = ("amplifier", "lowpass", "highpass")
#: What RHX saves of amplifiers beside, or instead of, their full band.
_INSTEAD = ("lowpass", "highpass", "dc_amplifier", "stim", "spikes")


@dataclass(frozen=True)
class Part:
    """One signal.

    Parameters
    ----------
    make : callable
        Makes the stream; takes what Array takes beside shape and type.
    channels : tuple of Channel
        Of each column; of words, the lines.
    factor : int
        Amplifier samples a row.
    excess : int
        What is added to every number by the way it is stored: 32768 for amplifiers in blocks,
        -32768 for auxiliary inputs that share a file with amplifiers.
    word : bool
        The only column holds a bit a line.
    paths : tuple of Path
        Its files.
    """

    make: Callable[..., Array]
    channels: tuple[Channel, ...]
    factor: int = 1
    excess: int = 0
    word: bool = False
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Opened:
    """The files of a recording, opened.

    Parameters
    ----------
    layout : {"blocks", "signals", "channels"}
    n : int
        Amplifier samples that every signal has.
    parts : dict of str to Part
    numbers : callable
        Gives the counters of the samples in stretches.
    where : callable
        Gives the file of a sample's counter.
    close : callable
    """

    layout: str
    n: int
    parts: dict[str, Part]
    numbers: Callable[[], Iterable[npt.NDArray[np.int64]]]
    where: Callable[[int], Path]
    close: Callable[[], None] = lambda: None


def channels_of(header: Header, signal: str) -> tuple[Channel, ...]:
    """The channels behind a signal's columns or bits."""
    if signal in ("dc_amplifier", "stim") and header.kind == "rhd":
        return ()
    return header.of(CHANNELS_OF.get(signal, signal))


# ------------------------------------------------------------------ blocks


def open_blocks(headers: Sequence[tuple[Path, Header]], complain: Complain) -> Opened:
    """Files that hold header and blocks.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where there is no block, and where `complain` raises.
    """
    header = headers[0][1]
    sections, size = sections_of(header)
    counted = []
    for path, own in headers:
        if not own.same_setup(header):
            raise DamagedInput(
                f"'{path.name}' has other channels or settings than '{headers[0][0].name}'",
                hint="give the files one by one",
            )
        blocks, rest = complete_rows(path, size, own.size)
        if rest:
            complain(
                f"'{path.name}' holds {blocks * size + rest} bytes of data, which is {blocks} "
                f"blocks of {size} bytes and {rest} more: it is cut off, or its header names "
                "other channels",
                "--salvage reads the whole blocks",
            )
        counted.append((path, own.size, blocks))
    held = Blocks(block_files(counted), size, header.block)
    if not held.count:
        raise DamagedInput(f"'{headers[0][0].name}' holds a header and no data")
    parts = {}
    for signal, section in sections.items():
        if signal == "time":
            continue
        factor = header.block // section.samples
        make = partial(
            BlockArray,
            blocks=held,
            section=section,
            shape=(held.count * section.samples, section.channels),
            dtype=section.dtype,
        )
        excess = 32768 if signal == "amplifier" else 0
        parts[signal] = Part(
            make,
            channels_of(header, signal),
            factor,
            excess,
            signal in WORDS,
            tuple(p for p, _ in headers),
        )
    return Opened(
        "blocks",
        held.count * header.block,
        parts,
        lambda: counters(held, sections["time"]),
        lambda sample: held.file_of(sample // header.block),
        held.close,
    )


# ------------------------------------------------------------------ .dat files


class _Folder:
    """The .dat files beside an info file.

    Parameters
    ----------
    header : Header
    info : str
        Its name.
    files : mapping of str to Path
        By lower-case name.
    """

    def __init__(
        self, header: Header, info: str, files: Mapping[str, Path], complain: Complain
    ) -> None:
        self.header, self.info, self.files, self.complain = header, info, files, complain
        self.rows: dict[Path, int] = {}
        self.n = 0

    def measure(self, widths: Mapping[Path, tuple[int, int]]) -> None:
        """Hold the lengths of files of ``(bytes a row, samples a row)`` against each other."""
        time = self.files.get(TIME_FILE)
        if time is not None:
            widths = {time: (4, 1), **widths}
        else:
            self.complain(
                f"'{TIME_FILE}' is missing beside '{self.info}'", "--salvage counts samples from 0"
            )
        lengths = {}
        for path, (width, factor) in widths.items():
            rows, rest = complete_rows(path, width)
            if rest:
                self.complain(
                    f"'{path.name}' holds {rows * width + rest} bytes, no whole number of rows of "
                    f"{width}: it is cut off, or '{self.info}' names other channels",
                    "--salvage reads the whole rows",
                )
            lengths[path] = rows * factor
        if not lengths or not min(lengths.values()):
            empty = next((p.name for p, rows in lengths.items() if not rows), self.info)
            raise DamagedInput(f"'{empty}' holds no data")
        main = time if time is not None else next(iter(lengths))
        wrong = [p for p, rows in lengths.items() if rows != lengths[main]]
        if wrong:
            self.complain(
                f"'{wrong[0].name}' holds {lengths[wrong[0]]} samples, '{main.name}' "
                f"{lengths[main]}",
                f"--salvage reads the first {min(lengths.values())} of each",
            )
        self.n = min(lengths.values())

    def opened(self, layout: str, parts: dict[str, Part]) -> Opened:
        time = self.files.get(TIME_FILE)

        def numbers() -> Iterable[npt.NDArray[np.int64]]:
            if time is None:
                return [np.array([0])] if self.n == 1 else _counting(self.n)
            return counters_in(time, self.n, self.header.signed_time)

        return Opened(layout, self.n, parts, numbers, lambda _: time or Path(self.info))


def _counting(n: int) -> Iterable[npt.NDArray[np.int64]]:
    for first in range(0, n, 1 << 20):
        yield np.arange(first, min(first + (1 << 20), n))


def _type_of(signal: str) -> np.dtype[Any]:
    return np.dtype("<i2" if signal in _SIGNED else "<u2")


def open_signals(
    header: Header, info: str, files: Mapping[str, Path], complain: Complain, wideband: bool
) -> Opened:
    """One file a signal; `files` by lower-case name.

    Raises
    ------
    nwbkit.errors.DamagedInput
    """
    folder = _Folder(header, info, files, complain)
    mine = {s: files[n] for n, s in SIGNAL_FILES.items() if n in files and s != "spikes"}
    merged = _merged(header, mine, files)
    there = set(mine) | _spikes(files) | ({"auxiliary"} if merged else set())
    _check_missing(header, info, there, complain, wideband)
    columns = {s: 1 if s in WORDS else len(channels_of(header, s)) for s in mine}
    for signal in [s for s, n in columns.items() if not n]:
        complain(
            f"'{mine[signal].name}' is there, and '{info}' names no channel of it",
            "--salvage leaves it out",
        )
        del mine[signal], columns[signal]
    if merged:
        columns["amplifier"] += len(header.of("auxiliary"))
    factors = {
        s: _factor(mine[s], 2 * n, files) if s == "lowpass" else 1 for s, n in columns.items()
    }
    folder.measure({mine[s]: (2 * n, factors[s]) for s, n in columns.items()})
    parts = {}
    for signal, n_columns in columns.items():
        n = folder.n // factors[signal]
        flat = partial(
            FlatArray,
            shape=(n, n_columns),
            dtype=_type_of(signal),
            files=(FlatFile(mine[signal], n),),
        )
        channels = channels_of(header, signal)
        parts[signal] = Part(flat, channels, factors[signal], 0, signal in WORDS, (mine[signal],))
    if merged:
        parts |= _unmerged(header, parts["amplifier"])
    return folder.opened("signals", parts)


def _spikes(files: Mapping[str, Path]) -> set[str]:
    return {"spikes"} if any(n.startswith("spike") for n in files) else set()


def _merged(header: Header, mine: Mapping[str, Path], files: Mapping[str, Path]) -> bool:
    """Whether amplifier.dat holds the auxiliary inputs too, as RHX does on demand."""
    auxiliary, time = len(header.of("auxiliary")), files.get(TIME_FILE)
    if not auxiliary or "auxiliary" in mine or "amplifier" not in mine or time is None:
        return False
    n, _ = complete_rows(time, 4)
    rows, rest = complete_rows(mine["amplifier"], 2 * (len(header.of("amplifier")) + auxiliary))
    return rows == n and not rest


def _unmerged(header: Header, both: Part) -> dict[str, Part]:
    """Amplifiers and auxiliary inputs of one file; the latter are stored less 32768."""
    rows = both.make(id="rows", name=both.paths[0].name, role="rows")
    assert isinstance(rows, FlatArray)
    n = len(header.of("amplifier"))
    first, rest = partial(rows.cut, slice(0, n)), partial(rows.cut, slice(n, rows.shape[1]))
    return {
        "amplifier": Part(first, header.of("amplifier"), paths=both.paths),
        "auxiliary": Part(rest, header.of("auxiliary"), excess=-32768, paths=both.paths),
    }


def _factor(path: Path, width: int, files: Mapping[str, Path]) -> int:
    """How many times fewer rows a low-passed file has: 1, 2, 4, ... 128; 1 where none fits."""
    time = files.get(TIME_FILE)
    rows, rest = complete_rows(path, width)
    if time is None or rest or not rows:
        return 1
    n, _ = complete_rows(time, 4)
    return next((f for f in (1, 2, 4, 8, 16, 32, 64, 128) if rows * f == n), 1)


def open_channels(
    header: Header, info: str, files: Mapping[str, Path], complain: Complain, wideband: bool
) -> Opened:
    """One file a channel; `files` by lower-case name.

    Raises
    ------
    nwbkit.errors.DamagedInput
    """
    folder = _Folder(header, info, files, complain)
    found: dict[str, list[tuple[Channel, Path]]] = {}
    for signal, prefix in _PREFIXES.items():
        there = [
            (c, files.get(f"{prefix}-{c.native}.dat".lower())) for c in channels_of(header, signal)
        ]
        kept = [(c, p) for c, p in there if p is not None]
        if kept and len(kept) < len(there) and signal != "stim":
            missing = next(c.native for c, p in there if p is None)
            complain(
                f"'{prefix}-{missing}.dat' is missing, and '{info}' names the channel",
                "--salvage leaves the channel out",
            )
        if kept:
            found[signal] = kept
    _check_missing(header, info, set(found) | _spikes(files), complain, wideband)
    _check_unknown(found, info, files, complain)
    factors = {s: _factor(c[0][1], 2, files) if s == "lowpass" else 1 for s, c in found.items()}
    folder.measure({p: (2, factors[s]) for s, kept in found.items() for _, p in kept})
    parts = {}
    for signal, kept in found.items():
        paths = tuple(p for _, p in kept)
        make = partial(
            ChannelFiles,
            paths=paths,
            shape=(folder.n // factors[signal], len(paths)),
            dtype=_type_of(signal),
        )
        parts[signal] = Part(make, tuple(c for c, _ in kept), factors[signal], paths=paths)
    return folder.opened("channels", parts)


def _check_missing(
    header: Header, info: str, there: set[str], complain: Complain, wideband: bool
) -> None:
    """Say which signals the header names and no file holds."""
    wanted = [s for s in _PREFIXES if s not in CHANNELS_OF and header.of(s)]
    if header.dc_saved and header.of("amplifier"):
        wanted.append("dc_amplifier")
    for signal in wanted:
        if signal in there:
            continue
        if signal == "amplifier" and (not wideband or there & set(_INSTEAD)):
            continue  # RHX can be told to save other bands alone
        names = ", ".join(c.native for c in channels_of(header, signal)[:3])
        complain(
            f"'{info}' names {signal} channels ({names}), and there is no file of them",
            "--salvage leaves them out",
        )


def _check_unknown(
    found: Mapping[str, Sequence[tuple[Channel, Path]]], info: str, files: Mapping[str, Path],
    complain: Complain,
) -> None:  # fmt: skip
    known = {p for kept in found.values() for _, p in kept}
    for name, path in files.items():
        if path not in known and re.match(r"(amp|low|high|dc|stim|aux|vdd|board)-", name):
            complain(
                f"'{path.name}' is there, and '{info}' does not name its channel",
                "--salvage leaves it out",
            )
