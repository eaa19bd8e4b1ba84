"""NWB files themselves (HDF5 or Zarr), by whomever written: for inspect and metadata extract."""

from __future__ import annotations

from collections.abc import Iterator

from nwbkit.formats.base import Format, Match, Reader, Source, Strength
from nwbkit.formats.listing import Listing

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: Where HDF5 looks for its signature: behind a user block of any power of two from 512 on.
_PLACES = (0, *(512 << n for n in range(10)))
#: The name of the root attribute that every NWB 2 file has stands among the first objects.
_HEAD = 1 << 20


def _look(listing: Listing) -> Iterator[Match]:
    """Yield each .nwb file that begins as HDF5.

    The attribute ``nwb_version`` can only be seen as text without an HDF5 library; where it
    does not stand in the head, name and signature together make a weaker claim.
    """
    for entry in listing.match("*.nwb"):
        head = listing.head(entry.path, _HEAD)
        if not any(head.startswith(_SIGNATURE, at) for at in _PLACES):
            continue
        sure = b"nwb_version" in head
        yield Match(
            (entry.path,),
            Strength.MAGIC if sure else Strength.KEY,
            "HDF5 signature and the attribute nwb_version" if sure else "HDF5 file named .nwb",
            entry.path.stem,
            entry.path.stem,
            entry.path.parent,
        )
    for entry in listing.match("*.nwb.zarr"):
        attributes = listing.head(entry.path / ".zattrs", _HEAD)
        if entry.path.is_dir() and (entry.path / ".zgroup").exists():
            sure = b'"nwb_version"' in attributes
            yield Match(
                (entry.path,),
                Strength.MAGIC if sure else Strength.KEY,
                "Zarr group with the attribute nwb_version" if sure else "Zarr group .nwb.zarr",
                entry.path.name.removesuffix(".nwb.zarr"),
                entry.path.name.removesuffix(".nwb.zarr"),
                entry.path.parent,
            )


def _open(source: Source) -> Reader:
    from nwbkit.formats.recording.nwb.reader import NWBReader

    return NWBReader(source)


FORMAT = Format(
    id="nwb",
    title="NWB file",
    room="recording",
    patterns=("*.nwb", "*.nwb.zarr"),
    look=_look,
    open=_open,
    recognised=(
        "The HDF5 signature and the attribute nwb_version of a .nwb file; the attribute "
        "in .zattrs of "
        "a .nwb.zarr folder."
    ),
    variants=("NWB 2 in HDF5 and in Zarr, by whomever written",),
    limits=(
        "It is copied as it is, with other chunks or another codec; metadata, time zone "
        "and offsets "
        "are not taken.",
        "It is not joined with other sources.",
    ),
)
