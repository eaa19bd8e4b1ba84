"""Object ids that depend on nothing but the identifier and the place in the file."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h5py

#: Namespace of every uuid5 that nwbkit makes.
NAMESPACE = uuid.UUID("6d1a4f7e-6a1c-5f0e-9a54-6e77626b6974")


def identifier_of(fingerprints: list[str], session_id: str) -> str:
    """The file's identifier: uuid5 of the source fingerprints and the session id."""
    return str(uuid.uuid5(NAMESPACE, "\n".join([session_id, *sorted(fingerprints)])))


def assign_object_ids(path: Path, identifier: str) -> int:
    """Give every object in an HDF5 file the id ``uuid5(identifier, path)``; returns how many.

    hdmf draws object ids at random when containers are made; two conversions of the same
    input would differ in them alone.
    """
    import h5py

    base = uuid.uuid5(NAMESPACE, identifier)
    count = 0
    with h5py.File(path, "r+") as file:

        def assign(name: str, obj: h5py.HLObject) -> None:
            nonlocal count
            if "object_id" in obj.attrs:
                obj.attrs["object_id"] = str(uuid.uuid5(base, "/" + name.strip("/")))
                count += 1

        assign("/", file)
        file.visititems(assign)
    return count
