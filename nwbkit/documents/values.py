"""Types of the values in documents: what a person may spell, and what it becomes.

Numbers come from three hands: JSON, a YAML file, and numpy. A YAML number keeps its
spelling (:class:`SpelledInt`, :class:`SpelledFloat`), since ``subject_id: 007`` is a name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError


class SpelledInt(int):
    """A whole number that remembers how it was written."""

    text: str


class SpelledFloat(float):
    """A number that remembers how it was written."""

    text: str


class Empty:
    """The type of :data:`EMPTY`."""

    def __repr__(self) -> str:
        return "EMPTY"


#: ``key:`` with nothing behind it in YAML: not filled in, which is not the same as null.
EMPTY: Final = Empty()


def refuse(kind: str, message: str, **context: Any) -> PydanticCustomError:
    """A validation problem in our own words; ``problems`` prints `message` as it is."""
    return PydanticCustomError(kind, message.replace("{", "{{").replace("}", "}}"), context)


def expected(what: str) -> PydanticCustomError:
    """The problem "expected `what`, found ..."."""
    return PydanticCustomError("expected", "expected", {"what": what})


def unboxed(value: Any) -> Any:
    """A numpy scalar as the Python number it holds."""
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return value.item()
    return value


def _text(value: Any) -> Any:
    if isinstance(value, SpelledInt | SpelledFloat):
        return value.text
    value = unboxed(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise expected("a text")
    return str(value)


def _number(value: Any) -> Any:
    value = unboxed(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise expected("a number")
    if not math.isfinite(value):
        raise expected("a finite number")
    return float(value)


def _whole(value: Any) -> Any:
    value = unboxed(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise expected("a whole number")
    return int(value)


def _flag(value: Any) -> Any:
    value = unboxed(value)
    if not isinstance(value, bool):
        raise expected("true or false")
    return value


def _text_list(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict):
        raise expected("a text or a list of texts")
    return [value]


def plain(value: Any) -> Any:
    """`value` as plain JSON data, copied; refuses what JSON cannot hold."""
    value = unboxed(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return {_text(key): plain(item) for key, item in value.items() if item is not EMPTY}
    if isinstance(value, list | tuple):
        return [None if item is EMPTY else plain(item) for item in value]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return plain(value.tolist())
    raise expected("a text, number, true, false, null, list or mapping")


def drop_empty(value: Any) -> Any:
    """A mapping without the entries that were left empty."""
    if isinstance(value, dict):
        return {str(key): item for key, item in value.items() if item is not EMPTY}
    return value


#: A text; a number written where a text is due keeps its spelling.
Text = Annotated[str, BeforeValidator(_text)]
#: A finite number.
Number = Annotated[float, BeforeValidator(_number)]
#: A whole number from 1.
Positive = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
#: A finite number, not below zero.
NotNegative = Annotated[float, Field(ge=0), BeforeValidator(_number)]
#: A whole number, not below zero.
Size = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
#: A whole number; never true or false.
Whole = Annotated[int, BeforeValidator(_whole)]
#: true or false; never a text or a number.
Flag = Annotated[bool, BeforeValidator(_flag)]
#: Hexadecimal digits of a digest.
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]+$"), BeforeValidator(_text)]
#: One text or a list of them.
TextList = Annotated[list[Text], BeforeValidator(_text_list)]
#: Any value that JSON can hold.
AnyValue = Annotated[Any, BeforeValidator(plain)]
