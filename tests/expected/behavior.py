"""What the behavior samples hold, read from their bytes by hand and by numpy alone.

Videos: counts and times from the boxes (``stts``), the AVI header (``strh``, ``idx1``) and the
FLV tags; tables: from the text, and from the rows of the compound in the h5.
"""

from __future__ import annotations

from typing import Any

#: Below DATA: frames, (width, height), rate in Hz (None: written as timestamps), container.
VIDEOS: list[dict[str, Any]] = [
    {"path": "video/CFR/video_avi.avi", "frames": 152, "size": [640, 512], "rate": 150.0},
    {"path": "video/CFR/video_mp4.mp4", "frames": 152, "size": [640, 512], "rate": 150.0},
    {"path": "video/CFR/video_flv.flv", "frames": 152, "size": [640, 512], "rate": None},
    {
        "path": "dlc/open_field_with_video/m3v1mp4.mp4",
        "frames": 2330,
        "size": [640, 480],
        "rate": 1_000_000 / 33_333,  # stts: 33333 ticks of a microsecond
    },
    {"path": "fictrac/sample/sample/sample.mp4", "frames": 300, "size": [384, 288], "rate": 30.0},
    {
        "path": "lightningpose/outputs_2023-11-09/test_vid.mp4",
        "frames": 994,
        "size": [396, 406],
        "rate": 250.0,
    },
    {
        "path": "sleap/predictions_and_courtship/melanogaster_courtship.mp4",
        "frames": 1101,
        "size": [1024, 1024],
        "rate": 25.0,
    },
    {
        "path": "miniscope/C6-J588_Disc5/C6-J588_Disc5/15_03_28/BehavCam_2/0.avi",
        "frames": 5,
        "size": [1280, 720],
        "rate": 60.0,
    },
]

_MOUSE = ["snout", "leftear", "rightear", "tailbase"]
_VAME = ["Nose", "Forehand-Left", "Forehand-Right", "Hindhand-Left", "Hindhand-Right", "Tailroot"]

#: Folders below DATA/dlc that hold tracks. `options`: what must be given.
TRACKS: list[dict[str, Any]] = [
    {
        "folder": "open_field_with_video",
        "table": "m3v1mp4DLC_resnet50_openfieldOct30shuffle1_1000.h5",
        "scorer": "DLC_resnet50_openfieldOct30shuffle1_1000",
        "keypoints": _MOUSE,
        "rows": 2330,
        "rate": 1_000_000 / 33_333,
        "sets": [],
        "video": "m3v1mp4.mp4",
    },
    {
        "folder": "open_field_without_video",
        "table": "m3v1mp4DLC_resnet50_openfieldAug20shuffle1_30000.h5",
        "scorer": "DLC_resnet50_openfieldAug20shuffle1_30000",
        "keypoints": _MOUSE,
        "rows": 2330,
        "rate": 30.0,
        "sets": ["dlc.rate=30"],
        "video": None,
    },
    {
        "folder": "vame_cropped_video_csv",
        "table": "cropped_video.csv",
        "scorer": "DeepCut_resnet50_VAME-FinalNov7shuffle1_350000",
        "keypoints": _VAME,
        "rows": 750,
        "rate": 30.0,
        "sets": ["dlc.rate=30"],
        "video": None,
    },
]

#: First row of the first keypoint: x, y, likelihood.
FIRST: dict[str, list[float]] = {
    "vame_cropped_video_csv": [379.3179750442505, 911.2349543571472, 1.0],
}

#: Below DATA/dlc: labels of images. Rows, animals with their keypoints.
LABELS: list[dict[str, Any]] = [
    {"file": "labeled_collected_data/CollectedData_Pranav.csv", "rows": 116, "animals": [_MOUSE]},
    *(
        {
            "file": f"csv_single_multi_header_variants/{name}",
            "rows": 4,
            "animals": animals,
        }
        for name, animals in {
            "dlc_testdata.csv": [["A", "B", "C"]],
            "dlc_testdata_v2.csv": [["A", "B", "C"]],
            "madlc_testdata.csv": [["A", "B", "C"]] * 2,
            "madlc_testdata_v2.csv": [["A", "B", "C"]] * 2,
        }.items()
    ),
    # its scorer row is shorter than the others; of the other two a row is shorter than its header
    *(
        {"file": f"csv_single_multi_header_variants/{name}", "damaged": said}
        for name, said in {
            "maudlc_testdata.csv": "header rows of 13 to 17 cells",
            "maudlc_testdata_v2.csv": "row 2 has 15 cells, expected 19",
            "CollectedData_LM.csv": "row 2 has 15 cells, expected 19",
        }.items()
    ),
]
