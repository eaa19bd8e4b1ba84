"""The whole content of a finished file in digests: one per object, and one of it all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nwbkit.storage.digests import DatasetDigest


@dataclass(frozen=True)
class Summary:
    """Digests of a file.

    Parameters
    ----------
    objects : dict of str to str
        By path: digest of type, shape, attributes, link target, and of the values of every
        dataset that was not known beforehand.
    digest : str
        Of the whole logical content.
    """

    objects: dict[str, str]
    digest: str


def summarise(path: Path, known: Mapping[str, DatasetDigest]) -> Summary:
    """Return the digests of everything in a file or store.

    Parameters
    ----------
    path : Path
    known : mapping of str to DatasetDigest
        By path: datasets whose values were digested already; the others are read.
    """
    import xxhash

    from nwbkit.storage import content
    from nwbkit.storage.backends import names_of, open_output

    with open_output(path) as file:
        names = names_of(file)
        records = content.walk(file, names)
        digests = content.digest_rest(file, known, names)
    objects = {}
    for name, record in sorted(records.items()):
        if content.is_outside(name):
            continue
        attributes = {k: v for k, v in record.attributes.items() if k != ".specloc"}
        values = digests[name].digest if name in digests and name not in known else ""
        line = [record.kind, record.dtype, record.shape, attributes, record.target, values]
        text = json.dumps(line, sort_keys=True, separators=(",", ":"))
        objects[name] = xxhash.xxh3_128(text.encode()).hexdigest()
    return Summary(objects, content.content_digest(records, digests))
