"""What the files themselves say, from every reader of a session, with each value's origin."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from nwbkit.documents.envelope import check
from nwbkit.documents.metadata import MetadataDocument
from nwbkit.documents.model import InputRef
from nwbkit.documents.values import unboxed
from nwbkit.errors import DocumentError, InternalError
from nwbkit.metadata.merge import CONFLICTS, leaves, merge, without_nulls

if TYPE_CHECKING:
    from nwbkit.formats.base import Reader


def extract(readers: Iterable[Reader]) -> MetadataDocument:
    """Merge what each reader's ``metadata()`` says.

    Where sources disagree about a value, the first one that has it counts, and the others'
    values stand under ``x-conflicts`` until a later document states the value.

    Parameters
    ----------
    readers : iterable of Reader
        In the order of the sources document.

    Raises
    ------
    nwbkit.errors.InternalError
        A reader gives what is no metadata document.
    """
    said = [(reader, _said(reader)) for reader in readers]
    merged = merge((_origin(reader), doc) for reader, doc in reversed(said))
    conflicts = _conflicts(said)
    if conflicts:
        body = {**merged.body(), CONFLICTS: conflicts, "origins": merged.origins}
        merged = check(body, MetadataDocument, where="extracted metadata")
    merged.inputs = [_main_file(reader) for reader, _ in said]
    return merged


def _said(reader: Reader) -> MetadataDocument:
    label = f"metadata of source '{reader.source.id}'"
    try:
        doc = check(_known(reader.metadata()), MetadataDocument, where=label)
    except DocumentError as error:
        raise InternalError(f"{reader.source.format}: {error.message}") from error
    # a reader cannot delete what another one knows
    return check(
        {**without_nulls(doc.body()), "origins": doc.origins or {}}, MetadataDocument, where=label
    )


def _known(value: Any) -> Any:
    """`value` without the numbers that mean "not known" to a vendor: NaN, infinity."""
    if isinstance(value, Mapping):
        return {key: _known(item) for key, item in value.items() if not _is_unknown(item)}
    return value


def _is_unknown(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_is_unknown, value))
    value = unboxed(value)
    return isinstance(value, float) and not math.isfinite(value)


def _conflicts(said: list[tuple[Reader, MetadataDocument]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for reader, doc in said:
        origins = doc.origins or {}
        for path, value in leaves(doc.body()):
            claim = {"value": value, "origin": origins.get(path, _origin(reader))}
            claims = found.setdefault(path, [])
            if all(claim["value"] != other["value"] for other in claims):
                claims.append(claim)
    return {path: claims[1:] for path, claims in found.items() if len(claims) > 1}


def _origin(reader: Reader) -> str:
    return f"{reader.source.format} {_name(reader)}"


def _name(reader: Reader) -> str:
    # a name that is not UTF-8 is only quoted here, for people
    return reader.source.paths[0].name.encode("utf-8", "backslashreplace").decode("utf-8")


def _main_file(reader: Reader) -> InputRef:
    path = reader.source.paths[0]
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError:
        size = None
    return InputRef(path=path, size=size)
