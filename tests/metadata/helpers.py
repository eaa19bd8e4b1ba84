"""Readers without data, and documents from YAML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.documents import envelope, yamlio
from nwbkit.documents.metadata import MetadataDocument
from nwbkit.formats.base import Reader, Source
from nwbkit.streams import Array, Electrode, Stream


class FakeReader(Reader):
    def __init__(self, id: str, said: dict[str, Any], streams: Sequence[Stream] = ()) -> None:
        super().__init__(Source(id=id, format="fake", paths=(Path(f"/data/{id}.bin"),)))
        self.streams = list(streams)
        self.said = said

    def metadata(self) -> dict[str, Any]:
        return self.said


def probe(id: str = "ap", group: str = "Shank0") -> Array:
    return Array(
        id=id,
        name=id,
        role="raw",
        description="384 channels at 30 kHz",
        shape=(10, 2),
        dtype=np.dtype(np.int16),
        electrodes=tuple(Electrode(group, f"e{i}", str(i)) for i in range(2)),
    )


def meta(text: str) -> MetadataDocument:
    return envelope.check(yamlio.load(text, "f"), MetadataDocument, where="f")
