"""Metadata documents laid over each other: later wins, null deletes, origins are kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from nwbkit.documents import yamlio
from nwbkit.documents.envelope import check
from nwbkit.documents.metadata import FLAT_SECTIONS, SECTIONS, MetadataDocument
from nwbkit.documents.model import InputRef
from nwbkit.documents.problems import suggestion
from nwbkit.documents.values import EMPTY
from nwbkit.errors import DocumentError, UsageError

Body = dict[str, Any]
#: Values that sources disagree about, by key path; see ``extract``.
CONFLICTS = "x-conflicts"


def merge(
    docs: Iterable[tuple[str, MetadataDocument]], *, keep_nulls: bool = False
) -> MetadataDocument:
    """Lay documents over each other; later wins, field by field.

    Parameters
    ----------
    docs : iterable of (label, MetadataDocument)
        The label (a path, ``extracted``) becomes the origin of the values that have none.
    keep_nulls : bool
        Keep null where it deleted, so that the result still deletes when it is itself laid
        over another document. (A null of a whole entry that a later document fills again is
        not kept.)

    Returns
    -------
    MetadataDocument
        ``origins`` holds one entry for each value, and none for values that are gone.
    """
    body: Body = {}
    origins: dict[str, str] = {}
    inputs: dict[bytes, InputRef] = {}
    for label, doc in docs:
        over = doc.body()
        _forget_settled(body, over)
        given = doc.origins or {}
        _lay(body, over, (), origins, given, _short(label))
        inputs.update((os.fsencode(ref.path), ref) for ref in doc.inputs)
    if not keep_nulls:
        body = without_nulls(body)
    kept = {path for path, _ in leaves(body)}
    known = {path: origin for path, origin in sorted(origins.items()) if path in kept}
    data: Body = {**body, **({"origins": known} if known else {})}
    merged = check(data, MetadataDocument, where="merged metadata")
    merged.inputs = list(inputs.values())
    return merged


def apply_set(doc: MetadataDocument, text: str, *, keep_nulls: bool = False) -> MetadataDocument:
    """`doc` with one value changed, as ``--set-meta`` does it.

    Parameters
    ----------
    doc : MetadataDocument
    text : str
        ``NWBFile.lab=Foo``, ``Streams.imec0/ap.name=Probe``. The value is a YAML scalar, or
        a list in brackets; null deletes.
    keep_nulls : bool
        As in :func:`merge`.

    Raises
    ------
    nwbkit.errors.UsageError
        It is not key=value, the key is unknown (with the one probably meant), or the value
        is not what the key takes.
    """
    key, equals, value = text.partition("=")
    option = f"--set-meta {text}"
    if not equals or not key.strip():
        raise UsageError(f"'{option}' is not key=value", hint="--set-meta NWBFile.lab=MyLab")
    data: Any = _value(value.strip(), option)
    for part in reversed(_split(key.strip(), option)):
        data = {part: data}
    try:
        over = check(data, MetadataDocument, where=option)
    except DocumentError as error:
        raise UsageError(error.message, hint=error.hint) from None
    return merge([("", doc), ("--set-meta", over)], keep_nulls=keep_nulls)


def leaves(body: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """``(dotted path, value)`` of every value; lists are values, ``x-`` keys are left out."""
    for key, value in body.items():
        if not path and key.startswith("x-"):
            continue
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        elif not isinstance(value, dict):
            yield ".".join((*path, key)), value


def without_nulls(body: Mapping[str, Any]) -> Body:
    """A copy without nulls, at any depth, and without the mappings they leave empty."""
    kept: Body = {}
    for key, value in body.items():
        if isinstance(value, dict):
            below = without_nulls(value)
            if below or not value:
                kept[key] = below
        elif value is not None:
            kept[key] = value
    return kept


def _lay(
    base: Body,
    over: Mapping[str, Any],
    path: tuple[str, ...],
    origins: dict[str, str],
    given: Mapping[str, str],
    label: str,
) -> None:
    for key, value in over.items():
        here = (*path, key)
        name = ".".join(here)
        if isinstance(value, dict):
            if not isinstance(base.get(key), dict):
                base[key] = {}
            _lay(base[key], value, here, origins, given, label)
            continue
        base[key] = value
        origin = given.get(name, label)
        if origin:
            origins[name] = origin
        else:
            origins.pop(name, None)


def _forget_settled(body: Body, over: Mapping[str, Any]) -> None:
    """Drop disagreements between sources about what `over` now states."""
    conflicts = body.get(CONFLICTS)
    if conflicts:
        stated = {path for path, _ in leaves(over)}
        body[CONFLICTS] = {k: v for k, v in conflicts.items() if k not in stated}
        if not body[CONFLICTS]:
            del body[CONFLICTS]


def _short(label: str) -> str:
    # documents hold nobody's folders: an absolute path is reduced to its name
    return os.path.basename(label) if os.path.isabs(label) else label


def _value(text: str, option: str) -> Any:
    if not text:
        raise UsageError(f"'{option}' gives no value", hint="null deletes: key=null")
    if text[0] not in "[{\"'":
        return yamlio.parse_scalar(text)
    try:
        value = yamlio.load(text, option)
    except DocumentError as error:
        raise UsageError(error.message, hint=error.hint) from None
    return None if value is EMPTY else value


def _split(key: str, option: str) -> list[str]:
    """``Streams.imec0/ap.v2.name`` as section, id (which may hold dots) and field."""
    section, _, rest = key.partition(".")
    if section.startswith("x-"):
        return key.split(".")
    if section not in SECTIONS:
        raise UsageError(
            f"unknown key '{section}' in '{option}'", hint=suggestion(section, SECTIONS)
        )
    if not rest:
        return [section]
    parts = _fields_path(MetadataDocument, [section, *rest.split(".")])
    if parts is None:
        # check() then names the unknown key
        head, dot, field = rest.rpartition(".")
        return [section, *([head] if dot else []), field]
    return parts


def _fields_path(model: type[BaseModel], words: list[str]) -> list[str] | None:
    """`words` joined so that they lead through the model to a field; None where none does."""
    field = model.model_fields.get(words[0])
    if field is None:
        free = getattr(model, "FREE", False) or words[0].startswith("x-")
        return [".".join(words)] if free else None
    below = _model_below(field.annotation)
    rest = words[1:]
    if not rest:
        return [words[0]]
    if below is None:
        keyed = _is_mapping(field.annotation)
        return [words[0], ".".join(rest)] if keyed else None
    if words[0] in FLAT_SECTIONS:
        tail = _fields_path(below, rest)
        return None if tail is None else [words[0], *tail]
    # the longest id whose remainder is a field
    for cut in range(len(rest) - 1, 0, -1):
        tail = _fields_path(below, rest[cut:])
        if tail is not None:
            return [words[0], ".".join(rest[:cut]), *tail]
    return [words[0], rest[0]] if len(rest) == 1 else None


def _model_below(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _model_below(argument)
        if found is not None:
            return found
    return None


def _is_mapping(annotation: Any) -> bool:
    return get_origin(annotation) is dict or any(map(_is_mapping, get_args(annotation)))
