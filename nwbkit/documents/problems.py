"""What pydantic found wrong, in one line a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from nwbkit.documents.values import EMPTY
from nwbkit.errors import DocumentError

_EXPECTED = {
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
}
_LONGEST = 60


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was most likely meant to be; None where none is near."""
    by_lower = {k.lower(): k for k in sorted(known, reverse=True)}
    near = difflib.get_close_matches(word.lower(), sorted(by_lower), n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint for an unknown `word`: the near one, else the list of all."""
    known = list(known)
    near = did_you_mean(word, known)
    return f"did you mean '{near}'?" if near else f"known: {', '.join(known)}"


def show(value: Any) -> str:
    """`value` as it was found, short."""
    if value is EMPTY:
        return "nothing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    kind = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else ""
    text = getattr(value, "text", None) or (value if isinstance(value, str) else repr(value))
    text = " ".join(ascii(text)[1:-1].split() if not text.isprintable() else text.split())
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 3] + "..."
    return f"{kind} {text}" if kind else f"'{text}'" if isinstance(value, str) else text


def key_path(loc: Iterable[str | int]) -> str:
    """``sessions[0].sources[1].id`` of a pydantic location."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part != "[key]":
            text += f".{part}" if text else str(part)
    return text


def document_error(error: ValidationError, where: str, schema: str) -> DocumentError:
    """The first problem of `error` as one line about the document `where`."""
    problems = error.errors(include_url=False)
    first = problems[0]
    context = first.get("ctx", {})
    path = key_path(first["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    name = schema.removeprefix("nwbkit/")
    hint = f"what is allowed: nwbkit --schema {name}"
    if first["type"] == "unknown_key":
        key = context["key"]
        full = f"{path}.{key}" if path else key
        near = did_you_mean(key, context["known"])
        hint = f"did you mean '{near}'?" if near else hint + "; keys of your own start with 'x-'"
        return DocumentError(f"unknown key '{full}' in '{where}'{more}", hint=hint)
    if first["type"] == "missing":
        return DocumentError(f"'{where}' lacks the key '{path}'{more}", hint=hint)
    about = f"'{path}' in '{where}'" if path else f"'{where}'"
    what = context.get("what") or _EXPECTED.get(first["type"])
    if first["type"] == "literal_error":
        what = "one of " + str(context["expected"]).replace("'", "").replace(" or ", ", ")
    if what:
        message = f"{about}: expected {what}, found {show(first['input'])}{more}"
    else:
        said = first["msg"][:1].lower() + first["msg"][1:]
        message = f"{about}: {said}{more}"
    return DocumentError(message, hint=context.get("hint", hint))
