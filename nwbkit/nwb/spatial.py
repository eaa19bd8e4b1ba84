"""Writers of where the subject is and faces: Position and CompassDirection of SpatialSeries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nwbkit.errors import MissingFact
from nwbkit.nwb.facts import UNKNOWN
from nwbkit.nwb.names import camel
from nwbkit.nwb.series import common_arguments, parts, single_scale
from nwbkit.streams import Array

if TYPE_CHECKING:
    from nwbkit.nwb.assemble import Assembler

_MODULE = "behavior"


def write_position(assembler: Assembler, address: str, stream: Array) -> list[str]:
    """Write positions, (samples, 1 to 3), into ``processing/behavior/Position``."""
    return _write(assembler, address, stream, "Position")


def write_direction(assembler: Assembler, address: str, stream: Array) -> list[str]:
    """Write directions into ``processing/behavior/CompassDirection``."""
    return _write(assembler, address, stream, "CompassDirection")


def _write(assembler: Assembler, address: str, stream: Array, container: str) -> list[str]:
    """One series, or one a segment with ``--segments split``; returns the NWB paths.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where nobody knows when its rows were taken.
    """
    from pynwb.behavior import SpatialSeries

    if stream.timebase is None:
        source = address.partition("/")[0]
        raise MissingFact(
            f"stream '{address}' has no times",
            hint=f"--set {source}.rate=30, with its frames per second (Hz)",
        )
    facts = assembler.stream_facts(address)
    place = f"processing/{_MODULE}/{container}"
    paths = []
    for name, part in parts(assembler, address, stream, "SpatialSeries" + camel(stream.name)):
        arguments = common_arguments(assembler, address, part, name, facts)
        arguments["unit"] = stream.unit
        arguments["conversion"], arguments["offset"] = single_scale(address, part)
        said = facts.get("reference_frame") or stream.reference_frame
        arguments["reference_frame"] = str(said or UNKNOWN)
        assembler.taken(place).claim(name, address)
        series = SpatialSeries(**arguments)
        _container(assembler, address, container).add_spatial_series(series)
        assembler.remember_times(part.timebase, series)
        paths.append(f"/{place}/{name}")
    return paths


def _container(assembler: Assembler, address: str, name: str) -> Any:
    """The container `name`, made when first needed; positions of all sources share it."""
    from pynwb import behavior

    module = assembler.module(_MODULE, "processed behavioral data")
    if name not in module.data_interfaces:
        assembler.taken(f"processing/{_MODULE}").claim(name, address)
        module.add(getattr(behavior, name)(name=name))
    return module.data_interfaces[name]
