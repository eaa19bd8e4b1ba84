"""Names of NWB objects out of what vendors call things."""

from __future__ import annotations

import re


def camel(text: str) -> str:
    """`text` in CamelCase, letters and digits only, for the names of NWB objects."""
    return "".join(word[0].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", text))
