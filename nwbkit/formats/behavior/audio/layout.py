"""Where the samples of a sound file lie and how they are coded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

#: ``other``: what only a codec can unpack.
Coding = Literal["pcm", "float", "alaw", "ulaw", "other"]
#: Chunks of text are small; a larger one is passed over.
MAX_TEXT = 1 << 20
MAX_CHUNKS = 10_000


@dataclass
class Layout:
    """What a header says of the samples behind it.

    Parameters
    ----------
    container : str
        ``WAV``, ``RF64``, ``Wave64``, ``AIFF``, ...
    rate : float
        Samples per second, as the header says.
    channels : int
    coding : str
    bits : int
        Of a sample, as stated.
    sample_bytes : int
        That a sample takes in the file.
    big_endian, unsigned : bool
    offset, size : int
        In bytes: where samples begin, and how many bytes of them the header says there are.
    n_frames : int
        Samples of each channel that are in the file.
    problems : list of str
        Contradictions; each a sentence that names field, expected and found.
    rate_problem : str, optional
        A contradiction that the option ``rate`` settles.
    notes : list of str
    texts : dict of str to bytes
        Chunks with what people and programs say of the recording: ``bext``, ``guan``, ``ICMT``.
    """

    container: str
    rate: float = 0.0
    channels: int = 0
    coding: Coding = "other"
    bits: int = 0
    sample_bytes: int = 0
    big_endian: bool = False
    unsigned: bool = False
    offset: int = 0
    size: int = 0
    n_frames: int = 0
    problems: list[str] = field(default_factory=list)
    rate_problem: str | None = None
    notes: list[str] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.sample_bytes


class NoSound(Exception):
    """The header is so damaged that nothing can be read; the message says in what."""


def text_of(f: BinaryIO, offset: int, size: int) -> bytes:
    """The bytes of a small chunk; empty where it is too large to be text."""
    if size > MAX_TEXT:
        return b""
    f.seek(offset)
    return f.read(size)


def file_size(path: Path) -> int:
    """Size in bytes."""
    return path.stat().st_size


def settle_size(layout: Layout, file_end: int) -> None:
    """Hold the stated size of the samples against the file, and count the frames.

    Parameters
    ----------
    layout : Layout
        With `offset`, `size` and, for plain samples, `sample_bytes`.
    file_end : int
        Size of the file in bytes.
    """
    there = max(0, file_end - layout.offset)
    if layout.size > there:
        layout.problems.append(
            f"the header says {layout.size} bytes of samples, and {there} are there"
        )
    held = min(layout.size, there)
    frame = layout.frame_bytes
    if layout.coding == "other" or not frame:
        layout.size = held
        return
    layout.n_frames, rest = divmod(held, frame)
    if rest:
        layout.problems.append(
            f"{held} bytes of samples are no whole number of frames of {frame} bytes"
        )
