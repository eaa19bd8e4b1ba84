"""FicTrac: the path of an animal on a ball, as a text table without a header."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from nwbkit.formats.base import Candidate, Format, Match, Option, Reader, Relation, Source, Strength
from nwbkit.formats.listing import Listing

PATTERNS = ("*.dat",)
_HEAD = 16 << 10
_WIDTHS = (23, 24, 25)
#: ``BASE-20230724_113055.dat``, and its log.
_DATED = re.compile(r"(.+)-\d{8}_\d{6}", re.ASCII)
_CONFIG = re.compile(r"\A## FicTrac v?[\d.]+ config file", re.M)


def look(listing: Listing) -> Iterator[Match]:
    """One Match a table; the config and log beside it go with it."""
    for entry in listing.match(*PATTERNS):
        head = listing.head(entry.path)
        if not head[:1].isdigit() or b"," not in head or b"\0" in head:
            continue
        width = _width(listing.head(entry.path, _HEAD), entry.size <= _HEAD)
        if width is None:
            continue
        beside = [_log(listing, entry.path), *_configs(listing, entry.path)]
        files = [entry.path, *(p for p in beside if p is not None)]
        stem = entry.path.stem
        yield Match(
            tuple(files),
            Strength.MAGIC,
            f"lines of {width} numbers: a frame counter, rotations of one angle about the "
            "camera's and the laboratory's axes",
            stem,
            stem,
            entry.path.parent,
            companion=True,
        )


def _width(head: bytes, whole: bool) -> int | None:
    """Numbers a line, where the lines in `head` are FicTrac's."""
    lines = head.split(b"\n")
    lines = [line for line in (lines if whole else lines[:-1]) if line.strip()][:50]
    width = lines[0].count(b",") + 1 if lines else 0
    if width not in _WIDTHS:
        return None
    checked = 0
    for line in lines:
        try:
            cells = [float(cell) for cell in line.split(b",")]
        except ValueError:
            break
        if len(cells) != width or not cells[0].is_integer() or not cells[22].is_integer():
            break
        # one rotation in two coordinate systems has one angle
        cam, lab = math.hypot(*cells[1:4]), math.hypot(*cells[5:8])
        if not math.isclose(cam, lab, rel_tol=1e-3, abs_tol=1e-6):
            break
        checked += 1
    # a damaged line further on is told when the file is opened
    return width if checked >= min(2, len(lines)) else None


def _log(listing: Listing, path: Path) -> Path | None:
    log = path.with_suffix(".log")
    return log if listing.size(log) is not None else None


def _configs(listing: Listing, path: Path) -> list[Path]:
    """FicTrac's config beside the table, where there is only one."""
    found = [
        e.path
        for e in listing.match("*.txt", "*.cfg")
        if e.path.parent == path.parent and _CONFIG.match(listing.text(e.path, 4096))
    ]
    return found if len(found) == 1 else []


def relate(match: Match, candidates: Sequence[Candidate]) -> Iterable[Relation]:
    """The video that was tracked: ``src_fn`` in the config, else by name."""
    path = match.files[0]
    beside = [c for c in candidates if c.format == "video"]
    beside = [c for c in beside if c.match.files[0].parent == path.parent]
    for config in match.files[1:]:
        try:
            with open(config, encoding="utf-8", errors="replace") as f:
                text = f.read(64 << 10)
        except OSError:
            continue
        said = re.search(r"^src_fn\s*:\s*(.+?)\s*$", text, re.M)
        if said:
            name = PureWindowsPath(PurePosixPath(said[1]).name).name
            for video in beside:
                if video.match.files[0].name == name:
                    evidence = f"src_fn in '{config.name}' is '{name}'"
                    yield Relation("derived_from", video.id, "frames", evidence)
                    return
    dated = _DATED.fullmatch(path.stem)
    stem = dated[1] if dated else path.stem
    alike = [v for v in beside if v.match.files[0].stem == stem]
    if len(alike) == 1:
        name = alike[0].match.files[0].name
        said_so = f"'{path.name}' begins with the name of the video '{name}'"
        yield Relation("derived_from", alike[0].id, "frames", said_so)


def _open(source: Source) -> Reader:
    from nwbkit.formats.behavior._fictrac_reader import FicTracReader

    return FicTracReader(source)


FORMAT = Format(
    id="fictrac",
    title="FicTrac",
    room="behavior",
    patterns=PATTERNS,
    look=look,
    open=_open,
    relate=relate,
    options=(
        Option("rate", "float", "frames per second (Hz), where the table's time stamps are none"),
        Option(
            "radius_m",
            "float",
            "radius of the ball (m): positions and speed become meters; without it they stay in "
            "units of the radius, and angles always stay angles",
        ),
    ),
    recognised="A .dat of 23 to 25 numbers a line whose rotation has the same angle in camera and "
    "laboratory coordinates.",
    variants=(
        "23 columns (FicTrac 1 and 2.0), 24 (time since the last frame), 25 (time of day)",
        "time stamps as position in a video, as time of day since 1970, or of a camera",
    ),
    limits=(
        "The date in the file's name is when tracking ran, not when the video was recorded; it "
        "is not taken as the session's start.",
        "Frame rate and geometry in config.txt are not read, beside the name of the video.",
    ),
)
