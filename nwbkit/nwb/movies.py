"""Writers of movies: TwoPhotonSeries and OnePhotonSeries, width before height."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nwbkit.errors import MissingFact
from nwbkit.nwb.series import common_arguments, parts, single_scale
from nwbkit.streams import Array
from nwbkit.streams.turned import as_stored

if TYPE_CHECKING:
    from nwbkit.nwb.assemble import Assembler

#: Numbers that the metadata may give of a stream, by what NWB can hold them in.
_FACTS = {
    "two_photon": ("pmt_gain", "scan_line_rate"),
    "one_photon": ("pmt_gain", "scan_line_rate", "exposure_time", "power", "intensity"),
}


def write_movie(assembler: Assembler, address: str, stream: Array) -> list[str]:
    """Write a movie into /acquisition; returns the NWB paths.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where nobody knows the frame rate.
    """
    from pynwb.ophys import OnePhotonSeries, TwoPhotonSeries

    kind = TwoPhotonSeries if stream.role == "two_photon" else OnePhotonSeries
    if stream.timebase is None:
        source = address.partition("/")[0]
        raise MissingFact(
            f"stream '{address}' has no frame rate",
            hint=f"--set {source}.rate=30, with the frames per second (Hz) of the microscope",
        )
    facts = assembler.stream_facts(address)
    plane = assembler.planes.of_stream(address, stream)
    paths = []
    for name, part in parts(assembler, address, stream, kind.__name__):
        assembler.taken("acquisition").claim(name, address)
        arguments = common_arguments(assembler, address, part, name, facts, data=as_stored(part))
        arguments["conversion"], arguments["offset"] = single_scale(address, part)
        arguments.update(_known(assembler, facts, stream.role))
        series = kind(**arguments, unit=stream.unit, imaging_plane=plane)
        assembler.nwbfile.add_acquisition(series)
        paths.append(f"/acquisition/{name}")
        assembler.remember_times(part.timebase, series)
        assembler.objects[address] = series
    return paths


def _known(assembler: Assembler, facts: dict[str, Any], role: str) -> dict[str, Any]:
    known: dict[str, Any] = {n: float(facts[n]) for n in _FACTS[role] if facts.get(n) is not None}
    if role == "one_photon" and facts.get("binning") is not None:
        known["binning"] = int(facts["binning"])
    if facts.get("device") is not None:
        known["device"] = assembler.hardware.device(str(facts["device"]))
    return known
