"""JSON Schemas of the documents, generated from the models and shipped beside this file.

``python -m nwbkit.documents.schemas`` writes them anew; a test holds them fresh.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from nwbkit.documents.model import Document
from nwbkit.documents.problems import suggestion
from nwbkit.errors import UsageError

FOLDER = Path(__file__).with_name("schemas")

_MODELS = {
    "alignment": "AlignmentDocument",
    "conversion": "ConversionDocument",
    "findings": "FindingsDocument",
    "inspection": "InspectionDocument",
    "job": "JobDocument",
    "metadata": "MetadataDocument",
    "plan": "PlanDocument",
    "sources": "SourcesDocument",
}


def schema_names() -> list[str]:
    """What ``nwbkit --schema`` takes."""
    return sorted(_MODELS)


def model_of(name: str) -> type[Document]:
    """The model of the document called `name`, with or without ``nwbkit/``."""
    short = name.removeprefix("nwbkit/")
    if short not in _MODELS:
        raise UsageError(f"there is no schema '{name}'", hint=suggestion(short, schema_names()))
    model: type[Document] = getattr(import_module(f"nwbkit.documents.{short}"), _MODELS[short])
    return model


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a document, generated from its model."""
    model = model_of(name)
    schema = model.model_json_schema(by_alias=True, mode="validation")
    properties = schema["properties"]
    properties["schema"] = {"const": model.SCHEMA}
    properties["version"] = {"const": model.VERSION}
    properties["producer"] = {"type": "string"}
    if not model.HAND_WRITTEN:
        schema["required"] = ["schema", "version", *schema.get("required", [])]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text(name: str) -> str:
    """The schema as it is shipped in ``schemas/NAME.json``."""
    return json.dumps(json_schema(name), indent=2, ensure_ascii=False) + "\n"


def write_all(folder: Path = FOLDER) -> list[Path]:
    """Write every schema to ``NAME.json`` in `folder`."""
    folder.mkdir(exist_ok=True)
    written = []
    for name in schema_names():
        path = folder / f"{name}.json"
        path.write_text(schema_text(name), encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in write_all():
        print(path)
