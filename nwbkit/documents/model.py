"""The base of every document and of every mapping inside one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from nwbkit import __version__
from nwbkit.documents.paths import DocPath, PathMap, encode_path, resolver, shortener
from nwbkit.documents.values import EMPTY, AnyValue, Hex, Size, Text, Whole


class Part(BaseModel):
    """A mapping with known keys, plus ``x-...`` keys that pass through."""

    model_config = ConfigDict(
        extra="allow",
        populate_by_name=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        defer_build=True,  # a command builds the validators of the document it reads, no others
    )
    __pydantic_extra__: dict[str, AnyValue] = Field(init=False)

    #: True where keys beside the declared ones are data (columns of a table).
    FREE: ClassVar[bool] = False
    #: True where null is a value of its own (it deletes), so that only what was given is kept.
    NULL_DELETES: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = cls.keys()
        names = {*known, *cls.model_fields}
        for key in data:
            text = str(key)
            if text not in names and not text.startswith("x-") and not cls.FREE:
                context = {"key": text, "known": known}
                raise PydanticCustomError("unknown_key", "unknown key", context)
        return {str(key): value for key, value in data.items() if value is not EMPTY}

    @classmethod
    def keys(cls) -> list[str]:
        """The declared keys, as documents spell them, in order."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        if not cls.FREE:
            schema["patternProperties"] = {"^x-": {}}
            schema["additionalProperties"] = False
        else:
            schema["additionalProperties"] = True
        return schema

    def items(self) -> Iterator[tuple[str, Any]]:
        """``(key, value)`` of what is to be written, in the declared order; ``x-`` keys last."""
        given = self.model_fields_set
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if (name in given) if self.NULL_DELETES else (value is not None):
                yield field.alias or name, value
        yield from sorted((self.model_extra or {}).items())

    def plain(self) -> dict[str, Any]:
        """JSON data, keys in the order they are written."""
        return {key: to_plain(value) for key, value in self.items()}

    def with_paths(self, change: PathMap) -> Self:
        """A copy with `change` applied to every path in it."""
        changed = {
            name: value
            for name in type(self).model_fields
            if (value := map_paths(getattr(self, name), change)) is not getattr(self, name)
        }
        copy = self.model_copy()
        # not model_copy(update=...): that would mark the fields as given
        copy.__dict__.update(changed)
        return copy


def map_paths(value: Any, change: PathMap) -> Any:
    """`value` with `change` applied to every path in it; the same object where none is."""
    if isinstance(value, Path):
        return change(value)
    if isinstance(value, Part):
        return value.with_paths(change)
    if isinstance(value, list) and value and isinstance(value[0], Path | Part):
        return [map_paths(item, change) for item in value]
    if isinstance(value, dict) and any(isinstance(v, Path | Part) for v in value.values()):
        return {key: map_paths(item, change) for key, item in value.items()}
    return value


def to_plain(value: Any) -> Any:
    """`value` as JSON data: models in declared order, mappings sorted, paths encoded."""
    if isinstance(value, Part):
        return value.plain()
    if isinstance(value, Path):
        return encode_path(value)
    if isinstance(value, dict):
        return {_printable(key): to_plain(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return _printable(value) if isinstance(value, str) else value


def _printable(text: str) -> str:
    # a file name that is not UTF-8 may have been quoted in a sentence; JSON cannot hold it
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


class InputRef(Part):
    """A file that a document was made from."""

    path: DocPath
    size: Size | None = None
    sha256: Hex | None = None


class Document(Part):
    """The envelope. Subclasses give :attr:`SCHEMA` and :attr:`VERSION`.

    Built in Python, the envelope fills itself in; paths in memory are absolute.
    """

    SCHEMA: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1
    #: True where a person writes it: YAML is read, and no envelope is needed.
    HAND_WRITTEN: ClassVar[bool] = False
    #: The command or option that makes or takes it, for hints.
    MADE_BY: ClassVar[str] = ""

    schema_: Text = Field(default="", alias="schema")
    version: Whole = 0
    producer: Text = ""
    inputs: list[InputRef] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fill_envelope(self) -> Self:
        # the envelope is always written, so it always counts as given
        self.schema_ = self.SCHEMA
        self.version = self.VERSION
        self.producer = self.producer or f"nwbkit {__version__}"
        self.inputs = self.inputs
        return self

    def resolved(self, folder: Path) -> Self:
        """A copy whose relative paths are taken from the document's `folder`."""
        return self.with_paths(resolver(folder))

    def shortened(self, folder: Path | None) -> Self:
        """A copy to be written in `folder`; None: everything absolute."""
        return self.with_paths(shortener(folder))
