"""What is in an NWB file already: repacked alone, never written together with other sources."""

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
        f"source '{source}' is an NWB file already, which is neither joined with other sources "
        "nor spread over jobs",
        hint=f"convert it alone to change its layout or back end, or --exclude {source}",
    )
