"""Writer of sound: ndx-sound AcousticWaveformSeries, or TimeSeries for many channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nwbkit.errors import MissingExtra
from nwbkit.nwb.names import camel
from nwbkit.nwb.series import common_arguments, parts, single_scale
from nwbkit.streams import Array

if TYPE_CHECKING:
    from nwbkit.nwb.assemble import Assembler

#: The schema of ndx-sound gives data one dimension, or a second one of 1 or 2.
_MOST = 2
_WHY = (
    "a TimeSeries, since the AcousticWaveformSeries of ndx-sound holds at most two channels, and "
    "this sound has {}"
)


def write_audio(assembler: Assembler, address: str, stream: Array) -> list[str]:
    """Write a sound to /acquisition, or to /stimulus where its facts say so; gives the paths.

    Full scale is 1.0, by ``conversion``; the unit is what ndx-sound prescribes, ``n.a.``.

    Raises
    ------
    nwbkit.errors.MissingExtra
        ndx-sound is not installed.
    """
    channels = stream.shape[1] if len(stream.shape) > 1 else 1
    series_type = _series_type(address, channels)
    played = stream.facts.get("place") == "stimulus"
    place = "stimulus/presentation" if played else "acquisition"
    facts = assembler.stream_facts(address)
    if channels > _MOST:
        said = [str(facts["comments"])] if facts.get("comments") else []
        facts["comments"] = ". ".join([*said, _WHY.format(channels)])
    generic = series_type.__name__ + camel(address.partition("/")[0])
    paths = []
    for name, part in parts(assembler, address, stream, generic):
        assembler.taken(place).claim(name, address)
        arguments = common_arguments(assembler, address, part, name, facts)
        conversion, offset = single_scale(address, part)
        series = series_type(
            **arguments,
            unit="n.a.",
            conversion=conversion,
            offset=offset,
            continuity="continuous",
        )
        if played:
            assembler.nwbfile.add_stimulus(series)
        else:
            assembler.nwbfile.add_acquisition(series)
        assembler.remember_times(part.timebase, series)
        paths.append(f"/{place}/{name}")
    return paths


def _series_type(address: str, channels: int) -> Any:
    """The class to write; ndx-sound is imported after pynwb has been."""
    import pynwb

    if channels > _MOST:
        return pynwb.TimeSeries
    try:
        import ndx_sound  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtra(f"stream '{address}'", "audio", package="ndx-sound") from error
    return ndx_sound.AcousticWaveformSeries
