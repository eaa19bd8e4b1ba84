"""Metadata files as commands take them, and documents as a terminal shows them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from nwbkit.documents.envelope import read
from nwbkit.documents.metadata import MetadataDocument
from nwbkit.documents.model import InputRef
from nwbkit.metadata.merge import apply_set, leaves, merge


def load(path: str) -> MetadataDocument:
    """One metadata file (``-`` for stdin): a document, or YAML without envelope."""
    return read(path, MetadataDocument)


def merge_files(paths: Sequence[str], sets: Iterable[str] = ()) -> MetadataDocument:
    """The files laid over each other, then each ``--set-meta``; nulls still delete.

    The files become the result's `inputs`.
    """
    merged = merge([(path, load(path)) for path in paths], keep_nulls=True)
    for text in sets:
        merged = apply_set(merged, text, keep_nulls=True)
    files = [Path(os.path.abspath(path)) for path in paths if path != "-"]
    merged.inputs = [InputRef(path=path, size=path.stat().st_size) for path in files]
    return merged


def rows(doc: MetadataDocument) -> list[tuple[str, str, str]]:
    """``(key, value, origin)`` of every value, for a table."""
    origins = doc.origins or {}
    return [
        (
            path,
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
            origins.get(path, ""),
        )
        for path, value in leaves(doc.body())
    ]
