"""What is recognised and inspected, and not written by this version."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from nwbkit.errors import UsageError
from nwbkit.streams import Stream

if TYPE_CHECKING:
    from nwbkit.nwb.assemble import Assembler

#: The kinds of stream that the format ``nwb`` hands out, all with this role.
STORED_KINDS = ("array", "table", "ragged", "external")


def refuse_stored(assembler: Assembler, address: str, stream: Stream) -> NoReturn:
    """Refuse what lies in an NWB file already."""
    source = address.partition("/")[0]
    raise UsageError(
        f"source '{source}' is an NWB file already; this version inspects it and converts it to "
        "nothing",
        hint=f"nwbkit inspect shows it; leave it out with --exclude {source}",
    )
