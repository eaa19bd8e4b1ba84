"""Writer of summary images: GrayscaleImage in Images of processing/ophys, width before height."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.nwb.names import check
from nwbkit.nwb.rois import ophys
from nwbkit.streams import Images

if TYPE_CHECKING:
    from nwbkit.nwb.assemble import Assembler


def write_summary(assembler: Assembler, address: str, stream: Images) -> list[str]:
    """Write the summary images of one plane; returns the NWB path."""
    from pynwb.base import Images as Container
    from pynwb.image import GrayscaleImage

    facts = assembler.stream_facts(address)
    name = str(facts.get("name") or stream.nwb_name or "SegmentationImages")
    assembler.taken("processing/ophys").claim(name, address)
    path = f"/processing/ophys/{name}"
    images = []
    for title in stream.names:
        values = stored_image(stream.read(title))
        assembler.expected[f"{path}/{title}"] = values
        meaning = getattr(stream, "meanings", {}).get(title)
        known = {"description": meaning} if meaning else {}
        images.append(GrayscaleImage(name=check(title, address), data=values, **known))
    description = str(facts.get("description") or stream.description or "summary images")
    ophys(assembler).add(Container(name=name, images=images, description=description))
    assembler.rows[address] = len(images)
    return [path]


def stored_image(values: Any) -> Any:
    """A picture (height, width) as NWB stores it: (width, height)."""
    return np.ascontiguousarray(np.asarray(values).T)
