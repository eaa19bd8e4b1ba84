"""What every sample in DATA/neuralynx and DATA/neuralynx_nvt holds, read by struct and by eye.

channels: file -> first three samples, last three, sum of all valid ones. gain: volts a count as the header
says, negative where it says InputInverted True. rate: by the timestamps, Hz. first: timestamp of the stream's
first sample, us. gaps: (sample, seconds from the last sample's end). zero: earliest timestamp of all files.
"""

# fmt: off
SAMPLES = {
    "BML_unfilledsplit": {
        "start": "2006-10-20T17:35:12", "zero": 1837623129, "session_id": None,
        "streams": [{
            "name": "ElectricalSeries", "rate": 1e6 / 34, "n": 1332, "gain": 1.52587890625e-7,
            "first": 1837623129, "gaps": [(820, 6132625241 - 1837640537 - 308 * 34)],
            "channels": {"original_data/unfilledSplitRecords.Ncs":
                         ([-5617, -5554, -5391], [-16664, -16661, -16663], -14234380)},
        }],
    },
    "Cheetah_v1.1.0": {
        "start": "2000-01-01T18:28:39.821000", "zero": 253293161778, "session_id": None,
        "streams": [{
            "name": "ElectricalSeries", "rate": 32768.0, "n": 6144, "gain": -3.0518510385491027e-8,
            "first": 253293161778, "gaps": [],
            "channels": {"original_data/CSC67_trunc.Ncs":
                         ([-4113, -4477, -4227], [3572, 3180, 3095], 10034319)},
        }],
    },
    "Cheetah_v4.0.2": {
        "start": "2003-10-04T10:03:00.578000", "zero": 266982936, "session_id": None,
        "streams": [{
            "name": "ElectricalSeries", "rate": 1e6 / 35, "n": 5120, "gain": 2.4426e-7,
            "first": 266982936, "gaps": [],
            "channels": {"original_data/CSC14_trunc.Ncs":
                         ([-306, -331, -351], [-359, -361, -356], -1770320)},
        }],
    },
    "Cheetah_v5.5.1": {
        "start": "2013-11-29T17:05:16.793000", "zero": 26122557633, "session_id": None,
        "streams": [{
            "name": "ElectricalSeries", "rate": 32000.0, "n": 1705984, "gain": 3.05185e-8,
            "first": 26122557633, "gaps": [(1278976, 203835000)],
            "channels": {"Tet3a.ncs": ([-4552, -4957, -5543], [1256, 1109, 1156], -27691414)},
        }],
        "events": {"Events": [
            (26122558117, 0, 11, "Starting Recording"),
            (26366361117, 0, 11, "Starting Recording"),
            (26379492742, 2, 11, "TTL Input on AcqSystem1_0 board 0 port 0 value (0x0002)."),
            (26379696805, 0, 11, "TTL Input on AcqSystem1_0 board 0 port 0 value (0x0000)."),
        ]},
        "units": {"STet3a_0": (1398, 26122760712, 26379604587)},
    },
    "Cheetah_v6.4.1dev": {
        "start": "2021-02-26T15:46:52", "zero": 1614363777825263,
        "session_id": "f58d55bb-22f6-4682-b3a2-aa116fabb78e",
        "streams": [
            {"name": "ElectricalSeries32000Hz", "rate": 32000.0, "n": 15872,
             "gain": -6.1035156250000001e-8, "first": 1614363777985169, "gaps": [],
             "channels": {"original_data/CSC1_truncated.ncs":
                          ([527, 497, 618], [-67, -152, -75], 1021597)}},
            {"name": "ElectricalSeries2667Hz", "rate": 2666.67, "n": 1024,
             "gain": -1.52587890625000003e-7, "first": 1614363777825263, "gaps": [],
             "channels": {"original_data/LFP4_truncated.ncs":
                          ([-2309, -2277, -2283], [-2602, -2629, -2667], -1986224)}},
            {"name": "ElectricalSeries2000Hz", "rate": 2000.0, "n": 512,
             "gain": -3.051757812500000169e-6, "first": 1614363777825638, "gaps": [],
             "channels": {"original_data/WE1_truncated.ncs":
                          ([4827, 4824, 4822], [4817, 4817, 4816], 2468655)}},
        ],
    },
    "Neuraview_v2": {
        "start": "2015-12-14T15:58:32", "zero": 2354278867, "session_id": None, "streams": [],
        "events": {"Events": [
            (2354278867, 0, 11, "Starting Recording"), (2359866604, 0, 4, "PreStart"),
            (2362970902, 0, 4, "AWAKE"), (2629785209, 0, 4, "NREM"),
        ]},
        "n_events": 36,
    },
    "mne_atlas": {
        "start": "2023-11-02T13:39:27", "zero": 1698932395971990,
        "session_id": "c6e1f50d-ff9c-40e4-9b9a-b43f627c74c8",
        "streams": [
            {"name": "ElectricalSeries32000Hz", "rate": 365 * 512e6 / 5839998, "n": 187071,
             "gain": -3.0517578125000001e-8, "first": 1698932395972006, "gaps": [],
             "channels": {"LAHCu1.ncs": ([-95, -17, 59], [19, -1, -26], 343749)}},
            {"name": "ElectricalSeries2000Hz", "rate": 22 * 512e6 / 5631998, "n": 11691,
             "gain": -3.05175781250000006e-7, "first": 1698932395972475, "gaps": [],
             "channels": {
                 "LAHC1.ncs": ([-3851, -1196, 1895], [-6229, -7167, -7930], 112017),
                 "LAHC2.ncs": ([-3827, -1148, 1966], [-6294, -7235, -8002], 74870),
                 "LAHC3.ncs": ([-3890, -1220, 1886], [-6267, -7217, -7990], 59503),
                 "xAIR1.ncs": ([4851, 10261, 16287], [-19148, -19162, -18681], 104986),
                 "xEKG1.ncs": ([4921, 10373, 16442], [-19346, -19368, -18887], 130447)}},
        ],
        "events": {"Events": [
            (1698932395971990, 0, 19, "Starting Recording"),
            (1698932395972179, 0, 19, "Starting Recording"),
            (1698932401817632, 0, 19, "Stopping Recording"),
            (1698932401817957, 0, 19, "Stopping Recording"),
        ]},
    },
    # the header says nothing: neither gain nor time of opening
    "NCS_jl": {
        "start": None, "zero": 0, "session_id": None, "refused": "says no ADBitVolts",
        "options": ["NCS_jl.ad_bit_volts=1e-7"],
        "streams": [{
            "name": "ElectricalSeries", "rate": 32000.0, "n": 65536, "gain": 1e-7, "first": 0,
            "gaps": [],
            "channels": {"TestFile.Ncs":
                         ([-32768, -32767, -32766], [32765, 32766, 32767], -32768)},
        }],
    },
}

#: test.nvt: frames, first and last timestamps, first and last positions, frames without target.
NVT = {
    "start": "2023-05-15T10:35:29", "n": 100, "rate": 29.97,
    "times": (1684147060169278, 1684147060201892, 1684147060234465),
    "first": [(295, 186), (296, 187), (295, 188)], "last": [(334, 204), (333, 202), (331, 203)],
    "lost": [8], "unit": "pixels",
}
