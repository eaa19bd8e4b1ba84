"""Whether the new file says what the old one said, object by object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nwbkit.storage.backends import names_of
from nwbkit.storage.content import Names, ObjectRecord, content_digest, is_outside, walk
from nwbkit.storage.digests import DatasetDigest
from nwbkit.storage.values import digest_dataset


@dataclass
class Contents:
    """All that a file holds.

    Parameters
    ----------
    records : dict of str to ObjectRecord
        By path.
    digests : dict of str to DatasetDigest
        Of every dataset, the cached schema too.
    """

    records: dict[str, ObjectRecord]
    digests: dict[str, DatasetDigest]

    @classmethod
    def of(
        cls, file: Any, known: Mapping[str, DatasetDigest], names: Names | None = None
    ) -> Contents:
        """Read an opened file or store, but for the datasets whose digests are `known`.

        Raises
        ------
        OSError
            Where it cannot be read.
        """
        names = names or names_of(file)
        known = {names.canonical(path): digest for path, digest in known.items()}
        digests = {}
        for path, (kind, _) in names.objects.items():
            if kind == "dataset":
                digests[path] = known.get(path) or digest_dataset(file[path], names.resolve)
        return cls(walk(file, names), digests)

    @property
    def digest(self) -> str:
        """The content digest."""
        counted = {p: d for p, d in self.digests.items() if not is_outside(p)}
        return content_digest(self.records, counted)

    def seen_from(self, external: Mapping[str, str], *, across: bool) -> Contents:
        """What is expected of the other file.

        Parameters
        ----------
        external : mapping of str to str
            By path of an external link: the target that it has there.
        across : bool
            Whether the back end is another one: Zarr has links but no second names, and its
            root says by name where the schema lies, where HDF5's has a reference.
        """
        records = dict(self.records)
        for path, record in self.records.items():
            if record.kind == "external_link" and path in external:
                records[path] = replace(record, target=external[path])
            elif record.kind == "alias" and across:
                records[path] = replace(record, kind="soft_link")
        if across:
            root = records["/"]
            attributes = {k: v for k, v in root.attributes.items() if k != ".specloc"}
            records["/"] = replace(root, attributes=attributes)
        return Contents(records, self.digests)


def differences(found: Contents, expected: Contents) -> list[tuple[str, str]]:
    """Path and what is wrong there, of every object that is not as expected; sorted."""
    wrong = []
    for path in sorted(found.records.keys() | expected.records.keys()):
        one, other = found.records.get(path), expected.records.get(path)
        if one is None or other is None:
            wrong.append((path, "is missing" if one is None else "was not there before"))
            continue
        problem = _difference(one, other)
        if problem is None and path in expected.digests:
            changed = found.digests[path].compare(expected.digests[path])
            problem = str(changed) if changed is not None else None
        if problem is not None:
            wrong.append((path, problem))
    return wrong


def _difference(found: ObjectRecord, expected: ObjectRecord) -> str | None:
    if found == expected:
        return None
    for name in sorted(found.attributes.keys() | expected.attributes.keys()):
        one, other = found.attributes.get(name), expected.attributes.get(name)
        if one != other:
            if other is None:
                return f"attribute '{name}' was not there before"
            return f"attribute '{name}' is {one or 'missing'}, expected {other}"
    for what in ("kind", "dtype", "shape", "target"):
        one, other = getattr(found, what), getattr(expected, what)
        if one != other:
            return f"{what} is {one}, expected {other}"
    return "differs"
