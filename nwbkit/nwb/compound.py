"""Holes in datasets of compound elements (pixel_mask, voxel_mask).

hdmf builds a compound dataset row by row, as a list of tuples, in case one of its fields is a
reference: forty million pixels would take minutes and gigabytes, and a hole has no rows to walk.
Where the data are a hole, nothing has to be walked: they are handed to the back end as they are.
"""

from __future__ import annotations

from typing import Any


def allow_holes() -> None:
    """Teach hdmf's object mapper, once, to pass holes of compound elements on."""
    from hdmf.build import ObjectMapper

    name = "_ObjectMapper__set_compound_dataset_to_refs"
    walk = getattr(ObjectMapper, name)
    if getattr(walk, "knows_holes", False):
        return

    def pass_on(self: Any, builder: Any, spec: Any, container: Any, manager: Any) -> Any:
        if not is_hole(container.data):
            return walk(self, builder, spec, container, manager)

        def fill() -> None:
            builder.data = container.data
            # with the schema's list of fields as type, the back end would want the rows as well
            builder._DatasetBuilder__dtype = None

        return fill

    pass_on.knows_holes = True  # type: ignore[attr-defined]
    setattr(ObjectMapper, name, pass_on)


def is_hole(data: Any) -> bool:
    """Whether `data` is what pynwb is given in place of values that are filled in later."""
    from hdmf.data_utils import AbstractDataChunkIterator, DataIO

    return isinstance(data, DataIO) and (
        data.data is None or isinstance(data.data, AbstractDataChunkIterator)
    )
