"""--skip-existing: whether an output was made from these inputs, and what changed if not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nwbkit.errors import OutputExists
from nwbkit.preparing import Settled
from nwbkit.sidecar import sidecar_path

if TYPE_CHECKING:
    from nwbkit.documents.conversion import ConversionDocument


def existing(settled: Settled, identity: str, out: Path) -> ConversionDocument:
    """The sidecar of an output that was made from the same inputs; the output is touched.

    Raises
    ------
    nwbkit.errors.OutputExists
        Where it was made from others; the message says what changed.
    """
    from nwbkit.documents import envelope
    from nwbkit.documents.conversion import ConversionDocument

    path = sidecar_path(out)
    if not path.exists():
        raise OutputExists(
            f"'{out}' exists and has no sidecar to tell what it was made from", hint="--overwrite"
        )
    sidecar = envelope.read(path, ConversionDocument)
    if sidecar.identity != identity:
        raise OutputExists(
            f"'{out}' exists from other inputs: {_changed(settled, sidecar)}", hint="--overwrite"
        )
    os.utime(out)
    return sidecar


def _changed(settled: Settled, sidecar: ConversionDocument) -> str:
    """Which of the inputs differs from what the sidecar records, in a few words."""
    changes = []
    recorded = {i.fingerprint for i in sidecar.inputs}
    if recorded != set(settled.fingerprints.values()):
        changes.append("source files")
    if sidecar.metadata.plain() != settled.metadata_body:
        changes.append("metadata")
    clocks = {n: c.offset_s for n, c in sidecar.alignment.items()}
    if clocks != {n: m.offset_s for n, m in settled.clocks.maps.items()}:
        changes.append("alignment")
    return " and ".join(changes) + " changed" if changes else "options or nwbkit's version changed"
