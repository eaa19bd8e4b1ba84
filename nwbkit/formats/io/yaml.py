"""YAML that a vendor's program wrote, read with the same guards as what people write.

No tag constructs anything, aliases may not expand without end, keys may not be given twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nwbkit.documents import yamlio
from nwbkit.documents.values import EMPTY
from nwbkit.errors import DamagedInput, DocumentError, NoInput


def load(path: Path) -> Any:
    """The data in the YAML file `path`; a key with nothing behind it is None.

    Raises
    ------
    nwbkit.errors.NoInput
        Where it cannot be read.
    nwbkit.errors.DamagedInput
        Where it is not YAML, or holds what data has no need of.
    """
    try:
        with open(path, "rb") as f:
            raw = f.read(yamlio.MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot read '{path}': {reason}") from None
    try:
        return _plain(yamlio.load(raw, path.name))
    except DocumentError as error:
        raise DamagedInput(error.message, hint=error.hint) from None


def _plain(value: Any) -> Any:
    if value is EMPTY:
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
