"""What NeuroConv reads of a sample; run by NeuroConv's interpreter, not by nwbkit's.

stdin: a JSON list of ``{"id", "interface", "kwargs"}``; stdout: a JSON object, per id what was
found, or ``{"error": ...}``. Gains are in volts (or the channel's unit) a count.
"""

from __future__ import annotations

import io
import json
import sys
import warnings
from contextlib import redirect_stdout
from importlib.metadata import version
from typing import Any

Facts = dict[str, Any]
#: A channel without a unit is written as if in microvolts.
UNITS = {"uV": 1e-6, "mV": 1e-3, "V": 1.0, "A": 1.0}


def recording(interface: Any) -> Facts:
    """A SpikeInterface recording."""
    extractor = interface.recording_extractor
    gains = extractor.get_property("gain_to_physical_unit")
    units = extractor.get_property("physical_unit")
    if gains is None:
        gains, units = extractor.get_property("gain_to_uV"), ["uV"] * extractor.get_num_channels()
    scaled = (
        None
        if gains is None
        else [g * UNITS.get(u, 1e-6) for g, u in zip(gains, units, strict=True)]
    )
    return {
        "rate": float(extractor.get_sampling_frequency()),
        "channels": int(extractor.get_num_channels()),
        "samples": [
            int(extractor.get_num_samples(segment_index=s))
            for s in range(extractor.get_num_segments())
        ],
        "gain": None if scaled is None else sorted({float(f"{g:.6g}") for g in scaled}),
    }


def sorting(interface: Any) -> Facts:
    """A SpikeInterface sorting."""
    extractor = interface.sorting_extractor
    counts = extractor.count_num_spikes_per_unit(outputs="array")
    return {
        "rate": float(extractor.get_sampling_frequency()),
        "units": int(extractor.get_num_units()),
        "spikes": int(counts.sum()),
    }


def imaging(interface: Any) -> Facts:
    """A roiextractors movie."""
    extractor = interface.imaging_extractor
    shape = [int(extractor.get_num_samples()), *(int(n) for n in extractor.get_image_shape())]
    planes = getattr(extractor, "is_volumetric", False) and extractor.get_num_planes()
    return {
        "rate": float(extractor.get_sampling_frequency()),
        "shape": [*shape, int(planes)] if planes else shape,
        "dtype": str(extractor.get_dtype()),
        "first_frame_mean": float(extractor.get_series(start_sample=0, end_sample=1).mean()),
    }


def segmentation(interface: Any) -> Facts:
    """A roiextractors segmentation."""
    extractor = interface.segmentation_extractor
    traces = extractor.get_traces_dict()
    some = next(t for t in traces.values() if t is not None)
    return {
        "rate": float(extractor.get_sampling_frequency()),
        "rois": int(extractor.get_num_rois()),
        "frames": int(some.shape[0]),
        "size": [int(n) for n in extractor.get_frame_shape()],
    }


def pose(interface: Any) -> Facts:
    """Keypoints of one individual."""
    import numpy as np

    names = interface._get_keypoint_names()
    data = interface._get_keypoint_data()
    positions, confidence = data[names[0]]
    facts = {
        "keypoints": [str(n) for n in names],
        "frames": len(positions),
        "first": [
            float(v) for v in (*positions[0], *([] if confidence is None else [confidence[0]]))
        ],
    }
    try:
        times = np.asarray(interface.get_timestamps())
    except NotImplementedError:  # DeepLabCut: the rate is what the user says
        return facts
    return facts | {"rate": float((len(times) - 1) / (times[-1] - times[0]))}


def video(interface: Any) -> Facts:
    """A video file."""
    (times,) = interface.get_original_timestamps()
    return {
        "frames": int(interface._get_header_frame_counts()[0]),
        "rate": float(interface._get_header_frame_rates()[0]),
        "times": len(times),
    }


def audio(interface: Any) -> Facts:
    """A sound file."""
    import scipy.io.wavfile

    rate, data = scipy.io.wavfile.read(interface.source_data["file_paths"][0])
    return {
        "rate": float(rate),
        "samples": [int(data.shape[0])],
        "channels": int(data.shape[1]) if data.ndim > 1 else 1,
    }


def timed(interface: Any) -> Facts:
    """Rows with times."""
    times = interface.get_original_timestamps()
    return {"rows": len(times), "first_s": float(times[0]), "last_s": float(times[-1])}


def table(interface: Any) -> Facts:
    """Time intervals."""
    frame = interface.dataframe
    return {"rows": len(frame), "columns": [str(c) for c in frame.columns]}


KINDS = (
    ("recording_extractor", recording),
    ("sorting_extractor", sorting),
    ("imaging_extractor", imaging),
    ("segmentation_extractor", segmentation),
    ("_get_keypoint_data", pose),
    ("_get_header_frame_counts", video),
    ("dataframe", table),
)
NAMED = {"AudioInterface": audio}


def read(task: Facts) -> Facts:
    """One task."""
    import neuroconv.datainterfaces as interfaces

    interface = getattr(interfaces, task["interface"])(**task["kwargs"])
    by_kind = next((f for attribute, f in KINDS if hasattr(interface, attribute)), timed)
    facts = NAMED.get(task["interface"], by_kind)(interface)
    start = interface.get_metadata()["NWBFile"].get("session_start_time")
    facts["start"] = (
        None if start is None else start if isinstance(start, str) else start.isoformat()
    )
    return facts


def main() -> None:
    """Read what stdin asks for."""
    warnings.simplefilter("ignore")
    found = {}
    for task in json.load(sys.stdin):
        with redirect_stdout(io.StringIO()):  # some interfaces print
            try:
                found[task["id"]] = read(task)
            except BaseException as error:  # noqa: BLE001 - what it cannot read is a finding too
                lines = str(error).strip().splitlines() or [""]
                found[task["id"]] = {"error": f"{type(error).__name__}: {lines[0]}"}
    json.dump({"version": version("neuroconv"), "found": found}, sys.stdout)


if __name__ == "__main__":
    main()
