"""One clock for all files of a recording: time stamps, pauses, and clocks that were set back.

All ns files and the nev count the same ticks. A pause goes on counting. A reset begins at zero
again: what follows is placed behind all that was recorded before, ``reset_gap`` seconds later,
since times in NWB never go back and no file holds the true distance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, MissingFact
from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.recording.blackrock.headers import PTP_RESOLUTION
from nwbkit.formats.recording.blackrock.nev import NevFile
from nwbkit.formats.recording.blackrock.nsx import Block, NsFile, PacketArray
from nwbkit.streams import Segment, Timebase

Ints = npt.NDArray[np.int64]
#: Hubs on PTP write packets some ticks out of order; less than this is no reset.
BACK_S = 1.0
#: Spikes may come before the first sample of an ns file by less than this.
_EARLY_S = 60
_NEVER = int(np.iinfo(np.int64).max)


@dataclass
class Timeline:
    """Where ticks lie.

    Parameters
    ----------
    resolution : int
        Ticks a second.
    zero : int
        The tick that is the clock's zero.
    offsets : list of int
        By epoch (what lies between two resets): ticks to add.
    """

    resolution: int
    zero: int = 0
    offsets: list[int] = field(default_factory=lambda: [0])

    def place(self, tick: int, epoch: int = 0) -> int:
        """Ticks from the clock's zero."""
        return tick - self.zero + self.offsets[epoch]

    def seconds(self, tick: int, epoch: int = 0) -> float:
        """Seconds from the clock's zero."""
        return self.place(tick, epoch) / self.resolution


def epochs_of(blocks: Sequence[Block], step: float) -> list[int]:
    """The epoch of each block: a new one where a block begins before the last sample."""
    epochs: list[int] = []
    for i, block in enumerate(blocks):
        if not i:
            epochs.append(0)
            continue
        back = block.tick <= blocks[i - 1].end(step) - step
        epochs.append(epochs[-1] + back)
    return epochs


def resolution_of(files: Sequence[NsFile], nevs: Sequence[NevFile]) -> int:
    """Ticks a second, as all files say.

    Raises
    ------
    nwbkit.errors.DamagedInput
    """
    said = {f.path.name: f.header.resolution for f in files}
    said |= {n.path.name: n.header.resolution for n in nevs}
    if len(set(said.values())) > 1:
        listed = ", ".join(f"{v} in '{k}'" for k, v in said.items())
        raise DamagedInput(f"files of one recording count different time stamps a second: {listed}")
    return next(iter(said.values()))


@dataclass
class Laid:
    """The timeline, and what lies in which epoch.

    Parameters
    ----------
    timeline : Timeline
    blocks : dict of str to list of int
        By ns file: the epoch of each block.
    packets : Ints or None
        The epoch of each nev packet; None where the packets cannot be placed.
    said : str
        Of resets, for the description of each stream; empty where there is none.
    """

    timeline: Timeline
    blocks: dict[str, list[int]]
    packets: Ints | None
    said: str = ""


def lay(
    files: Sequence[NsFile],
    nev: NevFile | None,
    *,
    gap: float,
    nev_epoch: int | None,
    source: str,
    complaints: Complaints,
) -> Laid:
    """Find the resets of all files and make the timeline.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where resets that the ns files show do not appear in the nev.
    nwbkit.errors.DamagedInput
    """
    timeline = Timeline(resolution_of(files, [nev] if nev is not None else []))
    blocks = {f.path.name: epochs_of(f.blocks, f.header.ticks) for f in files}
    counts = {name: found[-1] + 1 for name, found in blocks.items() if found}
    n = max(counts.values(), default=0)
    for name, count in counts.items():
        if count != n:
            raise DamagedInput(
                f"'{name}' shows {count - 1} clock resets, another file of the recording {n - 1}",
                hint="give the files in folders of their own",
            )
    packets = None
    if nev is not None:
        epochs = _nev_epochs(nev, n)
        shown = int(epochs.max(initial=0)) + 1
        if n and shown > n and _one_a_block(files, nev, epochs, shown):
            blocks = {f.path.name: list(range(shown)) for f in files}
            n = shown
        packets = _packet_epochs(nev, epochs, files, blocks, n, nev_epoch, source, complaints)
        n = max(n, shown) if packets is not None else n
    _place(timeline, files, nev, blocks, packets, max(n, 1), gap)
    said = ""
    if n > 1:
        said = f"the clock was set back {n - 1} times; what follows is placed "
        said += f"{gap:g} s after" if gap else "directly behind"
        said += " all that was recorded before, since the true distance is in no file"
        complaints.note(f"{said} (--set {source}.reset_gap=S)")
    return Laid(timeline, blocks, packets, said)


def _nev_epochs(nev: NevFile, wanted: int) -> Ints:
    """The epoch of each packet, as far as the nev itself shows resets."""
    resets = nev.resets(BACK_S)
    for threshold in (0.1, 0.01):  # a reset within the recording's first second
        if len(resets) + 1 < wanted:
            finer = nev.resets(threshold)
            resets = finer if len(finer) + 1 <= wanted else resets
    epochs = np.zeros(nev.n, np.int64)
    for index in resets:
        epochs[index:] += 1
    return epochs


def _one_a_block(files: Sequence[NsFile], nev: NevFile, epochs: Ints, n: int) -> bool:
    """Whether each block of the ns files can be one of the epochs that the nev shows.

    A stretch that was short before the reset does not make time stamps go back.
    """
    slack = nev.header.resolution * BACK_S
    for f in files:
        if len(f.blocks) != n:
            return False
        for k, block in enumerate(f.blocks):
            last = int(nev.ticks[epochs == k].max(initial=-1))
            if last > block.end(f.header.ticks) + slack:
                return False
    return True


def _packet_epochs(
    nev: NevFile,
    epochs: Ints,
    files: Sequence[NsFile],
    blocks: dict[str, list[int]],
    wanted: int,
    nev_epoch: int | None,
    source: str,
    complaints: Complaints,
) -> Ints | None:
    """The epoch of each packet; None where, with --salvage, they are left out.

    Raises
    ------
    nwbkit.errors.MissingFact
    nwbkit.errors.DamagedInput
    """
    shown = int(epochs.max(initial=0)) + 1
    if not wanted or shown == wanted or not nev.n:
        return epochs
    if shown > wanted:
        complaints(
            f"'{nev.path.name}' shows {shown - 1} clock resets, the ns files {wanted - 1}",
            "leaves the nev out",
        )
        return None
    if nev_epoch is None:
        nev_epoch = _only_epoch(nev, files, blocks, wanted) if shown == 1 else None
    if nev_epoch is None:
        raise MissingFact(
            f"the ns files show {wanted - 1} clock resets, '{nev.path.name}' {shown - 1}: "
            "which of its packets lie before a reset is in no file",
            hint=f"--set {source}.nev_epoch=N, 0 for before the first reset, up to {wanted - 1}",
        )
    if not 0 <= nev_epoch < wanted:
        raise MissingFact(f"'{source}.nev_epoch' is {nev_epoch}", hint=f"one of 0 to {wanted - 1}")
    return np.minimum(epochs + nev_epoch, wanted - 1)


def _only_epoch(
    nev: NevFile, files: Sequence[NsFile], blocks: dict[str, list[int]], n: int
) -> int | None:
    """The one epoch that all packets fit into while none fits into another; else None."""
    fitting = []
    for epoch in range(n):
        inside = np.zeros(nev.n, bool)
        for f in files:
            for block, its in zip(f.blocks, blocks[f.path.name], strict=True):
                if its == epoch:
                    end = block.end(f.header.ticks)
                    inside |= (nev.ticks >= block.tick) & (nev.ticks < end)
        if inside.any():
            fitting.append((epoch, bool(inside.all())))
    return fitting[0][0] if len(fitting) == 1 and fitting[0][1] else None


def _place(
    timeline: Timeline,
    files: Sequence[NsFile],
    nev: NevFile | None,
    blocks: dict[str, list[int]],
    packets: Ints | None,
    n: int,
    gap: float,
) -> None:
    """Offsets by epoch; the zero of PTP, whose ticks count from 1970."""
    ends, firsts, starts = [0] * n, [_NEVER] * n, []
    for f in files:
        for block, epoch in zip(f.blocks, blocks[f.path.name], strict=True):
            ends[epoch] = max(ends[epoch], math.ceil(block.end(f.header.ticks)))
            firsts[epoch] = min(firsts[epoch], block.tick)
            starts.append(block.tick)
    if nev is not None and packets is not None and nev.n:
        # a packet without a time would be the zero of a clock that counts from 1970
        least = min(starts) - _EARLY_S * timeline.resolution if starts else 0
        timed = nev.ticks[nev.ticks >= least]
        starts.append(int(timed.min(initial=_NEVER)))
        for epoch in range(n):
            mine = nev.ticks[packets == epoch]
            ends[epoch] = max(ends[epoch], int(mine.max(initial=-1)) + 1)
            firsts[epoch] = min(firsts[epoch], int(mine.min(initial=_NEVER)))
    if timeline.resolution >= PTP_RESOLUTION and starts:
        timeline.zero = min(starts)
    timeline.offsets = [0]
    for epoch in range(1, n):
        after = timeline.offsets[-1] + ends[epoch - 1] + round(gap * timeline.resolution)
        # a clock that counts from 1970 is not set to zero, it is set back
        zero = firsts[epoch] if timeline.zero and firsts[epoch] < _NEVER else 0
        timeline.offsets.append(after - zero)


def timebase_of(
    found: NsFile, rows: object, laid: Laid, clock: str, complaints: Complaints
) -> Timebase:
    """The times of an ns file's samples: segments, or as written where they are uneven."""
    timeline, epochs = laid.timeline, laid.blocks[found.path.name]
    if found.packet and not found.even and isinstance(rows, PacketArray):
        complaints.note(
            f"the time stamps in '{found.path.name}' are not even: each sample has its own time"
        )
        return _as_written(found, rows, timeline, epochs, clock)
    segments: list[Segment] = []
    first = 0
    ends: list[tuple[float, int]] = []  # where each segment's next sample would lie
    for block, epoch in zip(found.blocks, epochs, strict=True):
        if ends and ends[-1][0] == block.tick and ends[-1][1] == epoch:
            last = segments.pop()
            first, n, t0 = last.first_sample, last.n_samples + block.n, last.t0
        else:
            n, t0 = block.n, timeline.seconds(block.tick, epoch)
        segments.append(Segment(first, n, t0, found.header.rate))
        first += n
        ends.append((block.end(found.header.ticks), epoch))
    return Timebase(clock, tuple(segments) or (Segment(0, 0, 0.0, found.header.rate),))


def _as_written(
    found: NsFile, rows: PacketArray, timeline: Timeline, epochs: list[int], clock: str
) -> Timebase:
    firsts = np.cumsum([0, *(b.n for b in found.blocks)])[:-1]
    added = np.array([timeline.offsets[e] - timeline.zero for e in epochs], np.int64)

    def read(start: int, stop: int) -> npt.NDArray[np.float64]:
        which = np.searchsorted(firsts, np.arange(start, stop), side="right") - 1
        times: npt.NDArray[np.float64] = (
            rows.ticks(start, stop) + added[which]
        ) / timeline.resolution
        return times

    return Timebase.irregular(clock, found.rows, read, found.header.rate)
