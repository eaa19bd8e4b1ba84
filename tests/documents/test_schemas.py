"""The shipped JSON Schemas are those of the models."""

from __future__ import annotations

import pytest

from nwbkit.documents import schemas
from nwbkit.errors import (
    UsageError,
)


@pytest.mark.parametrize("name", schemas.schema_names())
def test_shipped_schemas_are_fresh(name: str) -> None:
    shipped = (schemas.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert shipped == schemas.schema_text(name), "run python -m nwbkit.documents.schemas"


def test_no_schema_is_left_over() -> None:
    shipped = sorted(path.stem for path in schemas.FOLDER.iterdir())
    assert shipped == schemas.schema_names()


def test_schema_says_what_the_model_does() -> None:
    schema = schemas.json_schema("nwbkit/sources")
    assert schema["properties"]["schema"] == {"const": "nwbkit/sources"}
    assert schema["properties"]["version"] == {"const": 1}
    assert schema["additionalProperties"] is False
    assert "^x-" in schema["patternProperties"]
    assert schemas.json_schema("metadata").get("required") is None
    free = schemas.json_schema("metadata")["$defs"]["ElectrodeFields"]
    assert free["additionalProperties"] is True


def test_unknown_schema() -> None:
    with pytest.raises(UsageError, match="no schema 'source'") as caught:
        schemas.json_schema("source")
    assert caught.value.hint == "did you mean 'sources'?"
