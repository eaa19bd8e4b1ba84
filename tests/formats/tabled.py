"""What the tests of tables share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.formats import registry
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.tables.csv import FORMAT
from nwbkit.streams import Table

KNOWN = {"csv": FORMAT}
NAN = float("nan")
TIMES = {"start_time": [0.5, 1.5], "stop_time": [1.0, 2.0]}


def opened(path: Path, *, salvage: bool = False, **options: Any) -> Reader:
    return registry.open_source(Source("t", "csv", (path,), options, salvage=salvage), known=KNOWN)


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def sole(reader: Reader) -> Table:
    (stream,) = reader.streams
    assert isinstance(stream, Table)
    return stream


def assert_rows(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert list(found) == list(wanted)
    for name, values in wanted.items():
        texts = any(isinstance(v, str) for v in values)
        expected = np.array(values, dtype=object if texts else None)
        assert found[name].dtype.kind == expected.dtype.kind, name
        if expected.dtype.kind == "f":
            assert np.array_equal(found[name], expected, equal_nan=True), name
        else:
            assert found[name].tolist() == expected.tolist(), name
