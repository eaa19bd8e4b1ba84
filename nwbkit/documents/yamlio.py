"""YAML as people write it, read safely and without surprises.

Data is built from the parser's events by hand, so that nothing is ever constructed from a
tag. Scalars follow the core schema of YAML 1.2: only ``true`` and ``false`` are booleans
(``no`` is a text), ``12:30:45`` and dates are texts. A key with nothing behind it is
:data:`~nwbkit.documents.values.EMPTY`: not filled in; ``null`` or ``~`` is null.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from nwbkit.documents.values import EMPTY, SpelledFloat, SpelledInt
from nwbkit.errors import DocumentError

#: A person does not write more; the parser is slow enough for more to be an attack.
MAX_BYTES = 8 << 20
MAX_DEPTH = 64
#: Nodes that aliases may add, all together.
MAX_ALIASED = 10_000

_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULL = {"~", "null", "Null", "NULL"}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def load(raw: bytes | str, where: str) -> Any:
    """The data in the YAML text `raw`; EMPTY where there is none.

    Parameters
    ----------
    raw : bytes or str
        Bytes must be UTF-8.
    where : str
        What to call it in messages.

    Raises
    ------
    nwbkit.errors.DocumentError
        With line and column: not YAML, not UTF-8, a duplicate key, a tag, too many aliases,
        too deep, too large, more than one document.
    """
    import yaml

    if len(raw) > MAX_BYTES:
        raise DocumentError(
            f"'{where}' is too large for YAML: {len(raw)} bytes, at most {MAX_BYTES}",
            hint="is it really a document? large ones are written as JSON",
        )
    text = decode(raw, where)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(where)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.feed(event)
    except yaml.reader.ReaderError as error:
        raise DocumentError(
            f"'{where}' is not YAML: character U+{error.character:04X} is not allowed "
            f"at offset {error.position}"
        ) from None
    except yaml.MarkedYAMLError as error:
        said = " ".join(str(error.problem or error.context).split())
        raise DocumentError(
            f"'{where}' is not YAML: {said}, {_place(error.problem_mark)}",
            hint=_hint(said, text, error.problem_mark),
        ) from None
    return builder.result


def decode(raw: bytes | str, where: str) -> str:
    """`raw` as text; DocumentError with line and column where it is not UTF-8."""
    if isinstance(raw, str):
        return raw.removeprefix("\ufeff")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise DocumentError(
            f"'{where}' is not UTF-8: byte 0x{raw[error.start]:02x} at line {line}, "
            f"column {column}",
            hint=f"iconv -f latin1 -t utf-8 '{where}' converts it, if it is Latin-1",
        ) from None


def parse_scalar(text: str) -> Any:
    """The value of a plain (unquoted) scalar."""
    if not text:
        return EMPTY
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    number: SpelledInt | SpelledFloat
    if _INT.fullmatch(text) and len(text) < 300:
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        number = SpelledInt(int(text[2:] if base != 10 else text, base))
    elif _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        number = SpelledFloat(text.replace(".", "", 1) if _NOT_FINITE.fullmatch(text) else text)
    else:
        return text
    number.text = text
    return number


@dataclass
class _Open:
    """A list or mapping whose end has not been met."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    key: str | None = None
    size: int = 1


@dataclass
class _Builder:
    where: str
    result: Any = EMPTY
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    aliased: int = 0
    documents: int = 0

    def feed(self, event: Any) -> None:
        import yaml

        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._error("a second document begins", event, "keep one per file")
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self.stack.pop()
            self._put(done.value, done.size, done.anchor, event)

    def _node(self, event: Any) -> None:
        import yaml

        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise self._error(f"the tag '{event.tag}' is not allowed", event, "remove it")
        if isinstance(event, yaml.ScalarEvent):
            plain = not event.style and event.tag is None  # None or "", by parser
            value = parse_scalar(event.value) if plain else event.value
            self._put(value, 1, event.anchor, event)
            return
        if len(self.stack) >= MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} levels deep", event)
        is_map = isinstance(event, yaml.MappingStartEvent)
        top = self.stack[-1] if self.stack else None
        if top and isinstance(top.value, dict) and top.key is None:
            raise self._error("a key must be a text", event)
        self.stack.append(_Open({} if is_map else [], event.anchor))

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise self._error(f"the alias '*{event.anchor}' has no anchor before it", event)
        value, size = self.anchors[event.anchor]
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            raise self._error("aliases expand to too much", event, "write the values out")
        self._put(value, size, None, event)

    def _put(self, value: Any, size: int, anchor: str | None, event: Any) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, size)
        if not self.stack:
            self.result = value
            return
        top = self.stack[-1]
        top.size += size
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is None:
            top.key = self._key(value, event)
            if top.key in top.value:
                raise self._error(f"the key '{top.key}' is given twice", event, "keep one")
        else:
            top.value[top.key] = value
            top.key = None

    def _key(self, value: Any, event: Any) -> str:
        if isinstance(value, str):
            return value
        spelled = getattr(event, "value", None)
        if not isinstance(spelled, str) or value is EMPTY:
            raise self._error("a key must be a text", event)
        return spelled

    def _error(self, problem: str, event: Any, hint: str | None = None) -> DocumentError:
        return DocumentError(f"'{self.where}': {problem}, {_place(event.start_mark)}", hint=hint)


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "place unknown"


def _hint(problem: str, text: str, mark: Any) -> str | None:
    lines = text.split("\n")
    if mark and mark.line < len(lines) and "\t" in lines[mark.line][: mark.column + 1]:
        return "indent with spaces, not tabs"
    if "cannot start any token" in problem:
        return "put quotes around a text that begins with a special character"
    if "mapping values are not allowed" in problem:
        return "put quotes around a text that contains ': '"
    return None
