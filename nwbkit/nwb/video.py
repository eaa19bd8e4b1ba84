"""Writer of videos: ImageSeries that refer to the file, relative to where the NWB file lies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import MissingFact, NoInput
from nwbkit.nwb.facts import lookup, section
from nwbkit.nwb.names import camel
from nwbkit.streams import External, Stream
from nwbkit.streams.views import Times

if TYPE_CHECKING:
    from pynwb.device import Device

    from nwbkit.nwb.assemble import Assembler


def write_video(assembler: Assembler, address: str, stream: External) -> list[str]:
    """Write a video as an ImageSeries with external files; returns the NWB paths.

    Size and sha256 of each file go into the stream's facts, and so into the sidecar.
    """
    from pynwb.image import ImageSeries

    facts = assembler.stream_facts(address)
    name = str(facts.get("name") or stream.nwb_name or "Video" + camel(address.partition("/")[0]))
    assembler.taken("acquisition").claim(name, address)
    files = [reference(path, assembler.output) for path in stream.paths]
    starts = np.cumsum([0, *stream.frames_per_file[:-1]]).astype(np.int32)
    arguments: dict[str, Any] = {
        "name": name,
        "external_file": files,
        "starting_frame": starts,
        "format": "external",
        "num_samples": stream.n_frames,
        **times_of(assembler, address, stream, name),
    }
    if stream.width and stream.height:
        arguments["dimension"] = np.array([stream.width, stream.height], np.int32)
    description = facts.get("description") or stream.description
    if description:
        arguments["description"] = str(description)
    comments = [str(c) for c in (facts.get("comments"), assembler.remark(stream)) if c]
    if comments:
        arguments["comments"] = ". ".join(comments)
    camera = _camera(assembler, address, facts)
    if camera is not None:
        arguments["device"] = camera
    series = ImageSeries(**arguments)
    assembler.nwbfile.add_acquisition(series)
    path = f"/acquisition/{name}"
    assembler.objects[address] = series
    assembler.expected[f"{path}/external_file"] = files
    assembler.rows[address] = stream.n_frames
    digests = stream.sha256()
    stream.facts["sha256"] = " ".join(digests)
    stream.facts["size"] = sum(p.stat().st_size for p in stream.paths)
    return [path]


def times_of(assembler: Assembler, address: str, stream: Stream, name: str) -> dict[str, Any]:
    """``starting_time`` and ``rate`` of frames where they keep to a rate, else timestamps.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where nobody knows the rate.
    """
    if stream.timebase is None:
        source = address.partition("/")[0]
        raise MissingFact(
            f"stream '{address}' has no frame rate",
            hint=f"--set {source}.rate=30, with the frames per second (Hz) of the camera",
        )
    timebase = assembler.in_session(stream.timebase)
    regular = timebase.as_rate()
    if regular is not None:
        return {"starting_time": regular[0], "rate": regular[1]}
    times = Times(timebase, id=f"{stream.id}-times")
    return {"timestamps": assembler.hole(f"{address}:timestamps", name, times)}


def reference(path: Path, output: Path | None) -> str:
    """How the NWB file `output` names the file `path`: relative, with ``/``.

    Folders are resolved, since ``..`` behind a symbolic link leads elsewhere.

    Raises
    ------
    nwbkit.errors.NoInput
        For a name that NWB cannot hold.
    """
    whole = os.path.join(os.path.realpath(path.parent), path.name)
    if output is not None:
        folder = os.path.realpath(Path(os.path.abspath(output)).parent)
        whole = os.path.relpath(whole, folder)
    text = Path(whole).as_posix()
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path.name).decode("utf-8", "backslashreplace")
        raise NoInput(
            f"cannot refer to '{shown}' from NWB: its path is not UTF-8", hint="rename it"
        ) from None
    return text


def _camera(assembler: Assembler, address: str, facts: dict[str, Any]) -> Device | None:
    """The camera that the metadata names for a video: by ``Streams.ADDRESS.device``, or by an
    entry of ``Cameras`` that is called like the source.
    """
    source = address.partition("/")[0]
    cameras = section(assembler.metadata, "Cameras")
    named = str(facts["device"]) if facts.get("device") else source
    if named not in cameras:
        return assembler.hardware.device(named) if facts.get("device") else None
    from pynwb.device import Device

    said = lookup(assembler.metadata, "Cameras", named)
    name = str(said.get("name") or named)
    if name in assembler.nwbfile.devices:
        return assembler.nwbfile.devices[name]
    model = assembler.hardware._model(said)
    known = ["description", "serial_number"] + ([] if model else ["manufacturer"])
    texts = {key: str(said[key]) for key in known if said.get(key) is not None}
    device = Device(name=name, **texts, **({"model": model} if model else {}))
    assembler.nwbfile.add_device(device)
    return device
