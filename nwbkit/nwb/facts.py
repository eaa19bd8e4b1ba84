"""Looking facts up in the merged metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What NWB demands and nobody said.
UNKNOWN = "unknown"

Facts = Mapping[str, Any]


def section(metadata: Facts, name: str) -> Facts:
    """A top-level section of the metadata document; empty where it is absent."""
    return metadata.get(name) or {}


def lookup(metadata: Facts, section_name: str, key: str) -> dict[str, Any]:
    """All facts that a section holds for `key`: globs, then the exact entry."""
    from nwbkit.documents.metadata import applying

    entries = section(metadata, section_name)
    found: dict[str, Any] = {}
    for pattern in applying(entries, key):
        found.update(_present(entries[pattern] or {}))
    return found


def _present(facts: Facts) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
