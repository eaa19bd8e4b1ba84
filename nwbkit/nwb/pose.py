"""Writer of poses: ndx-pose PoseEstimation and Skeleton in processing/behavior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import MissingExtra, MissingFact
from nwbkit.nwb.facts import UNKNOWN
from nwbkit.nwb.names import camel
from nwbkit.nwb.video import times_of
from nwbkit.streams import Array, Pose
from nwbkit.streams.kinds import AnyArray

if TYPE_CHECKING:
    from nwbkit.nwb.assemble import Assembler

_PLACE = "processing/behavior"


class _Part(Array):
    """Positions or confidence of one keypoint, as the pipeline reads them."""

    def __init__(self, pose: Pose, keypoint: int, part: int, like: AnyArray) -> None:
        super().__init__(
            id=f"{pose.id}-{keypoint}-{part}",
            name=pose.keypoints[keypoint],
            role="pose",
            shape=like.shape,
            dtype=like.dtype,
            unit=pose.unit if part == 0 else "n.a.",
            concurrency="serial",
        )
        self._pose, self._keypoint, self._part = pose, keypoint, part

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Rows ``start..stop``."""
        rows = self._pose.read(self._keypoint)[self._part][start:stop]
        if out is None:
            return np.ascontiguousarray(rows)
        np.copyto(out, rows)
        return out


def write_pose(assembler: Assembler, address: str, stream: Pose) -> list[str]:
    """Write the keypoints of one animal; returns the NWB paths.

    Positions and confidence are written as read, NaN where nothing was tracked.
    """
    extension = _extension(address)
    facts = assembler.stream_facts(address)
    name = str(facts.get("name") or stream.nwb_name or _name(address, stream))
    assembler.taken(_PLACE).claim(name, address)
    shared: dict[str, Any] = {}
    series = []
    for index, keypoint in enumerate(stream.keypoints):
        one = _series(extension, assembler, address, stream, index, shared, facts)
        if "timestamps" in shared or not shared:
            shared = {"timestamps": one} if one.rate is None else {"rate": one.rate}
            if one.rate is not None:
                shared["starting_time"] = one.starting_time
        series.append(one)
        assembler.taken(f"{_PLACE}/{name}").claim(one.name, f"{address} '{keypoint}'")
    arguments: dict[str, Any] = {
        "name": name,
        "pose_estimation_series": series,
        "skeleton": _skeleton(extension, assembler, address, stream),
    }
    description = [facts.get("description") or stream.description, assembler.remark(stream)]
    if any(description):
        arguments["description"] = ". ".join(str(d) for d in description if d)
    for field in ("scorer", "source_software"):
        if stream.facts.get(field):
            arguments[field] = str(stream.facts[field])
    _link_video(extension, assembler, stream, arguments)
    module = assembler.module("behavior", "processed behavioral data")
    module.add(extension.PoseEstimation(**arguments))
    assembler.rows[address] = stream.n_frames
    return [f"/{_PLACE}/{name}"]


def refuse_labels(assembler: Assembler, address: str, stream: Pose) -> list[str]:
    """Refuse frames that a person labelled: a training set, with no place in time.

    Raises
    ------
    nwbkit.errors.MissingFact
        Always.
    """
    raise MissingFact(
        f"'{stream.name}' holds labels of {stream.n_frames} training images, which have no time; "
        "only tracks are converted",
        hint=f"--exclude '{address}'",
    )


def series_name(keypoint: str) -> str:
    """What the series of `keypoint` is called: as the keypoint, as far as NWB allows."""
    return keypoint.replace("/", "-").replace(":", "-") or UNKNOWN


def _extension(address: str) -> Any:
    """ndx-pose, imported after pynwb has been (it registers its types on import)."""
    try:
        import pynwb  # noqa: F401
        import ndx_pose  # isort: skip
    except ImportError as error:
        raise MissingExtra(f"stream '{address}'", "pose", package="ndx-pose") from error
    return ndx_pose


def _name(address: str, stream: Pose) -> str:
    source = address.partition("/")[0]
    return "PoseEstimation" + camel(source) + (camel(stream.subject) if stream.subject else "")


def _series(
    extension: Any,
    assembler: Assembler,
    address: str,
    stream: Pose,
    index: int,
    shared: dict[str, Any],
    facts: dict[str, Any],
) -> Any:
    keypoint = stream.keypoints[index]
    name = series_name(keypoint)
    positions, confidence = stream.read(index)
    arguments: dict[str, Any] = {
        "name": name,
        "description": f"Keypoint '{keypoint}'",
        "unit": stream.unit,
        "reference_frame": str(facts.get("reference_frame") or UNKNOWN),
        "data": assembler.hole(f"{address}:{name}", name, _Part(stream, index, 0, positions)),
        "confidence": assembler.hole(
            f"{address}:{name}.confidence", name, _Part(stream, index, 1, confidence)
        ),
        **(shared or times_of(assembler, address, stream, name)),
    }
    definition = stream.facts.get("confidence_definition")
    if definition:
        arguments["confidence_definition"] = str(definition)
    comments = [str(c) for c in (facts.get("comments"), assembler.remark(stream)) if c]
    if comments:
        arguments["comments"] = ". ".join(comments)
    return extension.PoseEstimationSeries(**arguments)


def _skeleton(extension: Any, assembler: Assembler, address: str, stream: Pose) -> Any:
    """A Skeleton of these keypoints and edges; animals with the same ones share it."""
    module = assembler.module("behavior", "processed behavioral data")
    if "Skeletons" not in module.data_interfaces:
        assembler.taken(_PLACE).claim("Skeletons", address)
        module.add(extension.Skeletons(name="Skeletons"))
    skeletons = module.data_interfaces["Skeletons"]
    source = camel(address.partition("/")[0])
    names = [f"Skeleton{source}", f"Skeleton{source}{camel(stream.subject or '')}"]
    for name in names:
        known = skeletons.skeletons.get(name)
        if known is None:
            break
        same = tuple(known.nodes) == stream.keypoints
        if same and tuple(map(tuple, known.edges)) == stream.edges:
            return known
    assembler.taken(f"{_PLACE}/Skeletons").claim(name, address)
    edges = np.array(stream.edges, np.uint8 if len(stream.keypoints) < 256 else np.uint32)
    skeleton = extension.Skeleton(
        name=name, nodes=list(stream.keypoints), edges=edges.reshape(-1, 2)
    )
    skeletons.add_skeletons(skeleton)
    path = f"/{_PLACE}/Skeletons/{name}"
    assembler.expected[f"{path}/nodes"] = list(stream.keypoints)
    assembler.expected[f"{path}/edges"] = edges.reshape(-1, 2)
    return skeleton


def _link_video(
    extension: Any, assembler: Assembler, stream: Pose, arguments: dict[str, Any]
) -> None:
    """Refer to the video that was tracked, where it is in the file."""
    series = assembler.objects.get(stream.video or "")
    if series is None:
        return
    if "source_video" in extension.PoseEstimation.__nwbfields__:
        arguments["source_video"] = series
    else:  # ndx-pose 0.3
        arguments["original_videos"] = list(series.external_file)
