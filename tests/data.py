"""Where the real vendor recordings lie, if they do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("NWBKIT_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"no sample recordings in {DATA} (set NWBKIT_TEST_DATA)"
)
