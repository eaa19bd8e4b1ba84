"""Looking facts up in the merged metadata: exact key first, then the globs, later wins."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

#: What NWB demands and nobody said.
UNKNOWN = "unknown"

Facts = Mapping[str, Any]


def section(metadata: Facts, name: str) -> Facts:
    """A top-level section of the metadata document; empty where it is absent."""
    return metadata.get(name) or {}


def lookup(metadata: Facts, section_name: str, key: str) -> dict[str, Any]:
    """All facts that a section holds for `key`, globs applied before the exact entry."""
    entries = section(metadata, section_name)
    found: dict[str, Any] = {}
    for pattern, facts in entries.items():
        if pattern != key and fnmatchcase(key, pattern):
            found.update(_present(facts))
    found.update(_present(entries.get(key) or {}))
    return found


def _present(facts: Facts) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
