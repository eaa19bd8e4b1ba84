"""Recognising sound files by their first bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from nwbkit.formats.base import Match, Strength
from nwbkit.formats.listing import Entry, Listing

PATTERNS = (
    *("*.wav", "*.wave", "*.bwf", "*.rf64", "*.w64"),
    *("*.aif", "*.aiff", "*.aifc", "*.afc"),
    *("*.flac", "*.ogg", "*.oga", "*.opus", "*.mp3", "*.au", "*.snd", "*.caf"),
)
#: The GUIDs with which a Sony Wave64 file begins: ``riff``, and ``wave`` after the size.
W64_RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_TITLES = {
    "wav": "RIFF and WAVE at the start",
    "rifx": "RIFX and WAVE at the start",
    "rf64": "RF64 or BW64 and WAVE at the start",
    "w64": "the GUIDs of Sony Wave64 at the start",
    "aiff": "FORM and AIFF or AIFC at the start",
    "flac": "fLaC at the start",
    "ogg": "an Ogg page of a sound codec at the start",
    "mp3": "an ID3 tag or MPEG frames at the start of an .mp3",
    "au": "the header of a Sun or NeXT sound at the start",
    "caf": "caff at the start",
}
_OGG = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")


def sniff(head: bytes, suffix: str) -> str | None:
    """What container begins with `head`; None where it is none of sound.

    Parameters
    ----------
    head : bytes
        64 or more.
    suffix : str
        Of the file, in lower case: what begins like MPEG frames is believed only in an .mp3.
    """
    tag, form = head[:4], head[8:12]
    riff = {b"RIFF": "wav", b"RIFX": "rifx", b"RF64": "rf64", b"BW64": "rf64"}.get(tag)
    if riff is not None:
        return riff if form == b"WAVE" else None
    if tag == b"FORM":
        return "aiff" if form in (b"AIFF", b"AIFC") else None
    if head[:16] == W64_RIFF:
        return "w64" if head[24:40] == b"wave" + W64_TAIL else None
    if tag == b"OggS":
        first = head[27 + head[26] :] if len(head) > 27 else b""
        return "ogg" if first.startswith(_OGG) else None
    plain = {b"fLaC": "flac", b"caff": "caf", b".snd": "au"}.get(tag)
    if plain is not None:
        return plain
    if suffix == ".flac" and tag[:3] == b"ID3":
        return "flac"
    if suffix == ".mp3" and (tag[:3] == b"ID3" or _is_mpeg(head)):
        return "mp3"
    return None


def _is_mpeg(head: bytes) -> bool:
    """Whether `head` is that of an MPEG audio frame: sync, and no field of a value kept free."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return version != 1 and layer != 0 and head[2] >> 4 != 15 and head[2] >> 2 & 3 != 3


def look(listing: Listing) -> Iterator[Match]:
    """One Match a file that begins as a container of sound; each file is a source of its own."""
    found: list[tuple[Entry, str]] = []
    for entry in listing.match(*PATTERNS):
        container = sniff(listing.head(entry.path, 512), entry.path.suffix.lower())
        if container is not None:
            found.append((entry, _TITLES[container]))
        elif entry.path in listing.roots and entry.size < 12:
            found.append((entry, "a sound by its name, too short to hold one"))
    stems = Counter(e.path.with_suffix("") for e, _ in found)
    for entry, evidence in found:
        path = entry.path
        # call.wav beside call.flac: the suffix tells them apart
        stem = path.stem if stems[path.with_suffix("")] == 1 else path.name
        yield Match((path,), Strength.FALLBACK, evidence, stem, stem, path.parent, companion=True)
