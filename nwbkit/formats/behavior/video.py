"""Video files that no other format claims: mp4, mov, avi, mkv, wmv, flv."""

from __future__ import annotations

from collections.abc import Iterator

from nwbkit.formats.base import Format, Match, Option, Reader, Source, Strength
from nwbkit.formats.behavior._containers import sniff
from nwbkit.formats.listing import Listing

PATTERNS = ("*.mp4", "*.m4v", "*.mov", "*.avi", "*.mkv", "*.webm", "*.wmv", "*.asf", "*.flv")
_TITLES = {
    "mov": "an ISO media box (mp4, mov) at the start",
    "avi": "a RIFF AVI header",
    "matroska": "an EBML header (mkv, webm)",
    "asf": "the ASF header GUID (wmv)",
    "flv": "an FLV header",
}


def look(listing: Listing) -> Iterator[Match]:
    """One Match a file whose first bytes are those of a video container."""
    for entry in listing.match(*PATTERNS):
        container = sniff(listing.head(entry.path, 16))
        if container is None:
            continue
        stem = entry.path.stem
        yield Match(
            (entry.path,),
            Strength.FALLBACK,
            _TITLES[container],
            stem,
            stem,
            entry.path.parent,
            companion=True,
        )


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
    options=(
        Option(
            "rate",
            "float",
            "frames per second (Hz), where the container has none or the camera ran at another "
            "rate than it says; first frame at 0",
        ),
    ),
)
