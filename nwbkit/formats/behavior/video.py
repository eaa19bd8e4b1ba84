"""Video files that no other format claims: mp4, mov, avi, mkv, wmv, flv."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nwbkit.formats.base import Format, Match, Option, Reader, Source, Strength
from nwbkit.formats.behavior._containers import sniff
from nwbkit.formats.listing import Entry, Listing

PATTERNS = ("*.mp4", "*.m4v", "*.mov", "*.avi", "*.mkv", "*.webm", "*.wmv", "*.asf", "*.flv")
_TITLES = {
    "mov": "an ISO media box (mp4, mov) at the start",
    "avi": "a RIFF AVI header",
    "matroska": "an EBML header (mkv, webm)",
    "asf": "the ASF header GUID (wmv)",
    "flv": "an FLV header",
}
#: What a list of frame times is called beside ``VIDEO.mp4``, and beside the only video.
_WHOSE = r"(?:frames?|video|cam(?:era)?)"
_TIMES = rf"{_WHOSE}?[ _.-]?(?:time[ _-]?stamps?|times|ts)"
_ALONE = rf"{_WHOSE}[ _.-]?(?:time[ _-]?stamps?|times|ts)|time[ _-]?stamps?"
_SUFFIX = r"\.(?:csv|tsv|txt)"
_LISTS = ("*time*.csv", "*time*.tsv", "*time*.txt", "*_ts.csv", "*.ts.csv")


def look(listing: Listing) -> Iterator[Match]:
    """One Match a file whose first bytes are those of a video container.

    A list of frame times beside it, known by its name and by numbers in it, goes with it.
    """
    found = [(e, sniff(listing.head(e.path, 16))) for e in listing.match(*PATTERNS)]
    videos = [(e, container) for e, container in found if container is not None]
    in_folder = Counter(e.path.parent for e, _ in videos)
    lists = listing.match(*_LISTS)
    for entry, container in videos:
        stem = entry.path.stem
        times = _times(listing, lists, entry.path, alone=in_folder[entry.path.parent] == 1)
        said = f"; its frame times in '{times[0].name}'" if times else ""
        yield Match(
            (entry.path, *times),
            Strength.FALLBACK,
            _TITLES[container] + said,
            stem,
            stem,
            entry.path.parent,
            companion=True,
        )


def _times(listing: Listing, lists: list[Entry], video: Path, *, alone: bool) -> list[Path]:
    """The list of frame times of `video`; none where several could be."""
    own = re.escape(video.stem)
    patterns = [rf"{own}[ _.-]?{_TIMES}", rf"{_TIMES}[ _.-]{own}"]
    beside = [e.path for e in lists if e.path.parent == video.parent]
    named = [
        p for p in beside if any(re.fullmatch(rf"{n}{_SUFFIX}", p.name, re.I) for n in patterns)
    ]
    if not named and alone:
        named = [p for p in beside if re.fullmatch(rf"(?:{_ALONE}){_SUFFIX}", p.name, re.I)]
    named = [p for p in named if _numbers(listing.head(p))]
    return named if len(named) == 1 else []


def _numbers(head: bytes) -> bool:
    """Whether the second line of a text begins like rows of a few numbers or dates."""
    lines = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    row = (lines[1] if len(lines) > 1 and lines[1].strip() else lines[0]).strip()
    cells = re.split(rb"[,;\t ]+", row)
    return 0 < len(cells) <= 8 and bool(re.search(rb"(?:^|[,;\t ])[-+]?\d", row))


def _open(source: Source) -> Reader:
    from nwbkit.formats.behavior._video_reader import VideoReader

    return VideoReader(source)


FORMAT = Format(
    id="video",
    title="Video",
    room="behavior",
    patterns=PATTERNS,
    look=look,
    open=_open,
    extra="video",
    fallback=True,
    supersedes=("csv",),  # a list of frame times is no table of events
    options=(
        Option(
            "rate",
            "float",
            "frames per second (Hz), where the container has none or the camera ran at another "
            "rate than it says; first frame at 0",
        ),
        Option(
            "timestamps",
            "path",
            "a text file with the time of each frame, or none to ignore the one beside the video",
        ),
        Option(
            "timestamps_unit",
            "str",
            "unit of the times in that file",
            choices=("s", "ms", "us", "ns"),
        ),
        Option(
            "timestamps_column",
            "str",
            "name, or number from 0, of the column with the times in that file",
        ),
    ),
    recognised="The first bytes of a container of moving pictures; a list of frame times beside it "
    "by its name (VIDEO_timestamps.csv, timestamps.csv beside a lone video) and numbers in it.",
    variants=(
        "mp4, mov, avi, mkv, webm, wmv, flv",
        "frame times in text: one column or several, with a header or without, in s, ms, us, ns, "
        "or as dates",
    ),
    limits=(
        "Pictures are never decoded, and stay in the video file: NWB refers to it.",
        "A list of frame times must have one row a frame; times that go back are refused.",
    ),
)
