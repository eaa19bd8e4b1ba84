"""What the SLEAP, Lightning Pose, FicTrac and MED-PC samples hold.

Read from the files by hand: h5py on the tables of the .slp and a loop over frames and instances,
Python's csv reader, the text itself. None of it comes from nwbkit's readers.
"""

from __future__ import annotations

from typing import Any

FLY = [
    *("head", "thorax", "abdomen", "wingL", "wingR", "forelegL4", "forelegR4"),
    *("midlegL4", "midlegR4", "hindlegL4", "hindlegR4", "eyeL", "eyeR"),
]
FLY_EDGES = [(1, n) for n in (0, 2, 3, 4, 5, 6, 7, 8, 9, 10)] + [(0, 11), (0, 12)]

#: Below DATA/sleap/predictions_and_courtship. Per track: instances, first head (x, y, score),
#: last right eye, number of missing abdomens, sum of the head's x.
SLEAP: list[dict[str, Any]] = [
    {
        "file": "melanogaster_courtship.slp",
        "session": "melanogaster_courtship",
        "frames": 1101,
        "rate": 25.0,
        "sets": [],
        "tracks": {
            "track_0": (
                1100,
                (196.153076171875, 481.27392578125, 0.9952201247215271),
                (548.515625, 525.1450805664062, 0.9872586131095886),
                1,
                566698.6887435913,
            ),
            "track_1": (
                1099,
                (243.55242919921875, 484.32025146484375, 0.5505995750427246),
                (532.150634765625, 457.30889892578125, 0.9573241472244263),
                0,
                554518.2084884644,
            ),
        },
    },
    {
        "file": "predictions_1.2.7_provenance_and_tracking.slp",
        "session": "predictions_1-2-7_provenance_and_tracking",
        "frames": 101,
        "rate": 30.0,
        "sets": ["sleap.rate=30"],
        "tracks": {
            "track_0": (
                101,
                (196.73309326171875, 480.9383239746094, 0.9149464964866638),
                (607.6209716796875, 444.1324157714844, 0.9302024245262146),
                0,
                49349.81994628906,
            ),
            "track_1": (
                100,
                (240.89599609375, 484.5497131347656, 0.6480188965797424),
                (731.8800048828125, 439.7867431640625, 1.0055279731750488),
                0,
                52716.050216674805,
            ),
        },
    },
]

#: lightningpose/outputs_2023-11-09/test_vid.csv
LIGHTNING: dict[str, Any] = {
    "rows": 994,
    "keypoints": [
        *("paw1LH_top", "paw2LF_top", "paw3RF_top", "paw4RH_top", "tailBase_top", "tailMid_top"),
        *("nose_top", "obs_top", "paw1LH_bot", "paw2LF_bot", "paw3RF_bot", "paw4RH_bot"),
        *("tailBase_bot", "tailMid_bot", "nose_bot", "obsHigh_bot", "obsLow_bot"),
    ],
    "first": [95.11188507080078, 116.18701934814453, 0.9894822835922241],
    "last": [163.07752990722656, 317.3734436035156, 3.996671148343012e-05],
    "rate": 250.0,
}

#: Below DATA/fictrac: rows, first and last frame counter, cells of the second and the last row
#: by their column (from 1), and what must be said for times.
FICTRAC: list[dict[str, Any]] = [
    {
        "file": "sample/sample/sample-20230724_113055.dat",
        "rows": 300,
        "second": {2: -0.00054400093418033, 15: 0.021627690753515, 17: 6.2592033707321},
        "last": {5: 4288.8839015969, 16: -2.5780367178994, 19: 0.066467005251175, 23: 299.0},
        "times": None,  # the clock of the computer stands in rows 0 and 292 to 299
    },
    {
        "file": "utils2p_camera_3/camera_3-20210802_083044.dat",
        "rows": 11,
        "second": {2: -0.00099283943556296, 15: 0.0009930728140172, 17: 6.2830921927182},
        "last": {5: 3511.842550519, 16: -0.0010246033303475, 19: 0.00022166272550182, 23: 10.0},
        "times": [0.01 * (k + 1) for k in range(11)],
    },
]

#: Below DATA/medpc. Per session: start, animal, box, program, arrays with length, first, last.
MEDPC: list[dict[str, Any]] = [
    {
        "file": "example_3_sessions/example_medpc_file_06_06_2024.txt",
        "session": f"95-259_{start.replace('T', '_').replace(':', '-')}",
        "start": start,
        "subject": "95.259",
        "program": "FOOD_FR1 TTL Left",
        "notes": "MED-PC: Box 1",
        "arrays": arrays,
    }
    for start, arrays in {
        "2019-04-09T10:34:30": {
            "K": (1, 3601.0, 3601.0),
            "A": (12, 175.15, 2726.25),
            "D": (0, None, None),
            "E": (182, 0.16, 0.18),
            "G": (184, 79.0, 3405.55),
            "T": (4, 60.0, 0.18),
        },
        "2019-04-10T12:36:13": {"K": (1, 3601.0, 3601.0), "W": (1, 114.0, 114.0)},
        "2019-04-11T09:41:34": {"P": (1, 107.0, 107.0), "W": (1, 102.0, 102.0)},
    }.items()
]
MEDPC += [
    {
        "file": f"medpcpy_raw/{name}",
        "session": name,
        "start": start,
        "subject": subject,
        "program": program,
        "notes": notes,
        "arrays": arrays,
    }
    for name, start, subject, program, notes, arrays in [
        (
            "R1_LAT_COUNT_5",
            "2022-05-02T11:27:29",
            "1",
            "DH_DD_LL_DER",
            "MED-PC: Experiment DH_EXP_1; Group 1; Box 1",
            {"F": (1, 900.0, 900.0), "H": (154, 0.99, 9808.7)},
        ),
        (
            "S1_RESP_DIST_8",
            "2022-10-21T11:44:57",
            "1",
            "RS_FIXED_TIME_2",
            "MED-PC: Experiment FI; Group VERDE; Box 1",
            {"T": (1, 13617.0, 13617.0), "C": (1691, 1.2, None), "Q": (6, None, 2.0)},
        ),
        (
            "S28_TOTAL_COUNT_1",
            "2021-12-19T18:38:03",
            "28",
            "Programa Conjuntivo TF15 & RF10 AR",
            "MED-PC: Experiment RF10; Group TF15; Box 8",
            {"A": (1, 9143.0, 9143.0), "F": (3506, 0.4, 9143.3)},
        ),
    ]
]
