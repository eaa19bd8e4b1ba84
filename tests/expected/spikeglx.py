"""What every sample in DATA/spikeglx holds. Written by derive_spikeglx.py, which states the rules.

A key is absent where it does not apply, or where the header does not say.
n_saved: AP, LF, SY counts (imec) or MN, MA, XA, DW (nidq). n_samples counts what is in the .bin, n_header what
the header says; truncated: (bytes in the .bin, fileSizeBytes). gain_uV: first, last and all distinct of the
saved analog channels, microvolts a count. ends: column -> its first three and last three samples.
lines: digital line -> (rising, falling), where it ever toggles (imec: of the SY words). n_shanks: of the probe;
shanks: those with a saved electrode. electrodes: position among the saved channels -> (shank, x, y), um from the
left edge of the shank and its lowest row; shank s lies s * shank_pitch further right. unused: positions that the
vendor flags, such as references.
"""

# fmt: off
SAMPLES = [
    {"meta": "DigitalChannelTest_g0/DigitalChannelTest_g0_t0.nidq.meta", "kind": "nidq", "band": "nidq",
     "max_int": 32768, "rate": 2500.0, "n_channels": 1, "n_saved": (0, 0, 0, 1), "subset": "all", "n_header":
     406776, "first_sample": 29752, "start_time": "2024-04-11T14:40:32", "has_bin": True, "n_samples": 406776,
     "sha1_agrees": True, "ends": {0: [0, 0, 0, 0, 0, 0]}, "lines": {0: (163, 163)}, "n_agrees": True},
    {"meta": "NP2_with_sync/all_chan_g0_imec0/all_chan_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap",
     "part": "NP2013", "serial": "12345601012", "probe_type": "2013", "max_int": 2048, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 241760, "first_sample": 500141,
     "start_time": "2023-09-04T16:01:07", "gain_uV": (3.02734375, 3.02734375, [3.02734375]), "n_shanks": 4,
     "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [], "electrodes": {0: (0,
     27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (2, 27.0, 0.0), 383: (0, 59.0, 2145.0)}, "has_bin":
     True, "n_samples": 1000, "sha1_agrees": False, "truncated": (770000, 186155200), "ends": {0: [-292, -292,
     -293, -272, -272, -272], 192: [-238, -237, -243, -220, -223, -224], 384: [0, 0, 0, 0, 0, 0]}, "sync_words":
     [0], "lines": {}, "n_agrees": False},
    {"meta": "NP2_with_sync/all_chan_g0_t0.nidq.meta", "kind": "nidq", "band": "nidq", "max_int": 32768, "rate":
     25000.0, "n_channels": 2, "n_saved": (0, 0, 1, 1), "subset": "all", "n_header": 201444, "first_sample":
     416715, "start_time": "2023-09-04T16:01:07", "gain_uV": (305.17578125, 305.17578125, [305.17578125]),
     "has_bin": True, "n_samples": 1000, "sha1_agrees": False, "truncated": (4000, 805776), "ends": {0: [8657,
     8658, 8657, 8661, 8662, 8662], 1: [0, 0, 0, 0, 0, 0]}, "lines": {}, "n_agrees": False},
    {"meta": "Noise4Sam_g0/Noise4Sam_g0_imec0/Noise4Sam_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap",
     "part": "PRB_1_4_0480_1", "serial": "18194809281", "probe_type": "0", "max_int": 512, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 157955, "first_sample":
     177385, "start_time": "2020-11-03T10:35:10", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1,
     "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0: (0, 27.0, 0.0),
     1: (0, 59.0, 0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0, 43.0, 3820.0)}, "has_bin": True,
     "n_samples": 1155, "sha1_agrees": False, "truncated": (889350, 121625350), "ends": {0: [-273, -285, -285,
     -257, -257, -257], 192: [485, 485, 483, 390, 389, 389], 384: [0, 0, 0, 0, 0, 0]}, "sync_words": [0],
     "lines": {}, "n_agrees": False},
    {"meta": "Noise4Sam_g0/Noise4Sam_g0_t0.nidq.meta", "kind": "nidq", "band": "nidq", "max_int": 32768, "rate":
     11574.074074, "n_channels": 9, "n_saved": (0, 0, 8, 1), "subset": "all", "n_header": 60864, "first_sample":
     68528, "start_time": "2020-11-03T10:35:10", "gain_uV": (61.03515625, 61.03515625, [61.03515625]),
     "has_bin": True, "n_samples": 60864, "sha1_agrees": True, "ends": {0: [13, -5, 20, 10, 20, 4], 4: [-33,
     -34, -40, -41, -33, -35], 8: [0, 0, 0, 0, 0, 0]}, "lines": {}, "n_agrees": True},
    {"meta": "TEST_20210920_0_g0/TEST_20210920_0_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap", "part":
     "NP2010", "serial": "19122510362", "probe_type": "24", "max_int": 8192, "rate": 30000.0, "n_channels": 385,
     "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 30648, "first_sample": 94827, "start_time":
     "2021-09-20T14:13:34", "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]), "n_shanks": 4,
     "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [127], "electrodes": {0: (0,
     27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (2, 27.0, 0.0), 383: (3, 59.0, 705.0)}, "has_bin":
     True, "n_samples": 1000, "sha1_agrees": False, "truncated": (770000, 23598960), "ends": {0: [2665, 2666,
     2672, -1659, -1640, -1659], 192: [5310, 5319, 5336, -2177, -2153, -2190], 384: [0, 0, 0, 0, 0, 0]},
     "sync_words": [0], "lines": {}, "n_agrees": False},
    {"meta": "long_nhp_lf_only/snippet_g0_imec0/snippet_g0_t0.imec0.lf.meta", "kind": "imec", "band": "lf",
     "part": "NP1032", "serial": "22327214192", "probe_type": "1030", "max_int": 512, "rate": 2500.0,
     "n_channels": 385, "n_saved": (0, 384, 1), "subset": "384:768", "n_header": 625, "first_sample": 52857,
     "start_time": "2024-01-03T11:51:51", "gain_uV": (4.6875, 4.6875, [4.6875]), "n_shanks": 1, "shanks": [0],
     "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0: (0, 11.0, 3840.0), 1: (0,
     114.0, 3840.0), 2: (0, 11.0, 3860.0), 192: (0, 11.0, 1920.0), 383: (0, 114.0, 3820.0)}, "has_bin": True,
     "n_samples": 625, "sha1_agrees": True, "ends": {0: [-19, -19, -19, -22, -21, -21], 192: [-18, -18, -19,
     -30, -29, -30], 384: [0, 0, 0, 0, 0, 0]}, "sync_words": [0], "lines": {}, "n_agrees": True},
    {"meta": "meta_only_ibl/np2split/NP1_meta/_spikeglx_ephysData_g0_t0.imec0.ap.meta", "kind": "imec", "band":
     "ap", "part": "PRB_1_4_0480_1", "serial": "18005108181", "probe_type": "0", "max_int": 512, "rate":
     29999.757983, "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 30000,
     "first_sample": 110884048, "start_time": "2021-07-28T20:00:30", "gain_uV": (2.34375, 2.34375, [2.34375]),
     "n_shanks": 1, "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0:
     (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0, 43.0, 3820.0)},
     "has_bin": False},
    {"meta": "meta_only_ibl/np2split/NP21_meta/_spikeglx_ephysData_g0_t0.imec0.ap.meta", "kind": "imec", "band":
     "ap", "part": "PRB2_1_2_0640_0", "serial": "19011116954", "probe_type": "21", "max_int": 8192, "rate":
     30000.0, "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 30000, "first_sample":
     110884048, "start_time": "2020-10-29T16:54:09", "gain_uV": (0.762939453125, 0.762939453125,
     [0.762939453125]), "n_shanks": 1, "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [127],
     "electrodes": {0: (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (0, 27.0, 1440.0), 383: (0,
     59.0, 2865.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/np2split/NP24_meta/_spikeglx_ephysData_g0_t0.imec0.ap.meta", "kind": "imec", "band":
     "ap", "part": "NP2010", "serial": "19011110513", "probe_type": "24", "max_int": 8192, "rate": 29999.757983,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 30000, "first_sample": 110884048,
     "start_time": "2021-08-02T14:30:26", "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]),
     "n_shanks": 4, "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [127],
     "electrodes": {0: (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (2, 27.0, 0.0), 383: (3,
     59.0, 705.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/np2split/NP2QB_meta/_spikeglx_ephysData_g0_t0.imec0.ap.meta", "kind": "imec",
     "band": "ap", "part": "NP2021", "serial": "23207214152", "probe_type": "2020", "max_int": 2048, "rate":
     30000.0, "n_channels": 1540, "n_saved": (1536, 0, 4), "subset": "0:1539", "n_header": 6048095,
     "first_sample": 37302898, "start_time": "2026-01-13T10:44:48", "gain_uV": (3.02734375, 3.02734375,
     [3.02734375]), "n_shanks": 4, "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 1536, "unused":
     [], "electrodes": {0: (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 768: (2, 27.0, 0.0), 1535: (3,
     59.0, 2865.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/np2split/NP2QB_single_shank_meta/_spikeglx_ephysData_g0_t0.imec0.ap.meta", "kind":
     "imec", "band": "ap", "part": "NP2021", "serial": "23207214112", "probe_type": "2020", "max_int": 2048,
     "rate": 30000.0, "n_channels": 388, "n_saved": (384, 0, 4), "subset": "0:383,1536:1539", "n_header":
     136393240, "first_sample": 346317234, "start_time": "2026-05-14T15:29:50", "gain_uV": (3.02734375,
     3.02734375, [3.02734375]), "n_shanks": 4, "shanks": [0], "shank_pitch": 250.0, "n_electrodes": 384,
     "unused": [], "electrodes": {0: (0, 27.0, 0.0), 1: (0, 59.0, 2880.0), 2: (0, 27.0, 15.0), 192: (0, 27.0,
     1440.0), 383: (0, 59.0, 5745.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/np2split/_spikeglx_ephysData_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap",
     "part": "NP2010", "serial": "19011110513", "probe_type": "24", "max_int": 8192, "rate": 29999.757983,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 30000, "first_sample": 110884048,
     "start_time": "2021-08-02T14:30:26", "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]),
     "n_shanks": 4, "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [127],
     "electrodes": {0: (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (2, 27.0, 0.0), 383: (3,
     59.0, 705.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/sample3A_376_channels.ap.meta", "kind": "imec", "band": "ap", "part": "3A",
     "serial": "513180821", "probe_type": "3A", "max_int": 512, "rate": 30000.0, "n_channels": 277, "n_saved":
     (276, 0, 1), "subset": "0:275,552", "n_header": 205638792, "first_sample": 35438376, "start_time":
     "2020-10-04T17:08:08", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1, "shanks": [0],
     "shank_pitch": 0.0, "n_electrodes": 276, "unused": [36, 75, 112, 151, 188, 227, 264], "electrodes": {0: (0,
     27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 11.0, 20.0), 138: (0, 11.0, 1380.0), 275: (0, 43.0, 2740.0)},
     "has_bin": False},
    {"meta": "meta_only_ibl/sample3A_g0_t0.imec.ap.meta", "kind": "imec", "band": "ap", "part": "3A", "serial":
     "641251510", "probe_type": "3A", "max_int": 512, "rate": 30000.0, "n_channels": 385, "n_saved": (384, 0,
     1), "subset": "0:383,768", "n_header": 47056104, "first_sample": 84149244, "start_time":
     "2019-05-07T17:24:02", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1, "shanks": [0],
     "shank_pitch": 0.0, "n_electrodes": 384, "unused": [36, 75, 112, 151, 188, 227, 264, 303, 340, 379],
     "electrodes": {0: (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0,
     43.0, 3820.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/sample3A_g0_t0.imec.lf.meta", "kind": "imec", "band": "lf", "part": "3A", "serial":
     "641251510", "probe_type": "3A", "max_int": 512, "rate": 2500.0, "n_channels": 385, "n_saved": (0, 384, 1),
     "subset": "384:768", "n_header": 9002799, "first_sample": 6246741, "start_time": "2018-10-10T14:57:03",
     "gain_uV": (4.6875, 4.6875, [4.6875]), "has_bin": False},
    {"meta": "meta_only_ibl/sample3A_short_g0_t0.imec.ap.meta", "kind": "imec", "band": "ap", "part": "3A",
     "serial": "641251510", "probe_type": "3A", "max_int": 512, "rate": 30000.0, "n_channels": 385, "n_saved":
     (384, 0, 1), "subset": "0:383,768", "n_header": 76104, "first_sample": 84149244, "start_time":
     "2019-05-07T17:24:02", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1, "shanks": [0],
     "shank_pitch": 0.0, "n_electrodes": 384, "unused": [36, 75, 112, 151, 188, 227, 264, 303, 340, 379],
     "electrodes": {0: (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0,
     43.0, 3820.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/sample3B2_exported.imec0.ap.meta", "kind": "imec", "band": "ap", "part":
     "PRB_1_2_0480_2", "serial": "17216703352", "probe_type": "0", "max_int": 512, "rate": 29999.83625,
     "n_channels": 302, "n_saved": (301, 0, 1), "subset": "0:300,768", "n_header": 2999983, "first_sample":
     198239280, "start_time": "2020-02-24T07:36:27", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1,
     "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 301, "unused": [191], "electrodes": {0: (0, 27.0, 0.0),
     1: (0, 59.0, 0.0), 2: (0, 11.0, 20.0), 150: (0, 11.0, 1500.0), 300: (0, 27.0, 3000.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/sample3B_catgt.ap.meta", "kind": "imec", "band": "ap", "part": "PRB_1_4_0480_1_C",
     "serial": "19051020361", "probe_type": "0", "max_int": 512, "rate": 30000.37095, "n_channels": 385,
     "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 153044536, "first_sample": 78553226,
     "start_time": "2022-09-16T00:41:50", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1, "shanks":
     [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0: (0, 27.0, 0.0), 1: (0,
     59.0, 0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0, 43.0, 3820.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/sample3B_g0_t0.imec1.ap.meta", "kind": "imec", "band": "ap", "part":
     "PRB_1_4_0480_1", "serial": "18005116811", "probe_type": "0", "max_int": 512, "rate": 30000.390639481,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 24734244, "first_sample":
     1738008, "start_time": "2019-08-15T17:37:20", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1,
     "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0: (0, 27.0, 0.0),
     1: (0, 59.0, 0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0, 43.0, 3820.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/sample3B_g0_t0.imec1.lf.meta", "kind": "imec", "band": "lf", "part":
     "PRB_1_4_0480_1", "serial": "18005116811", "probe_type": "0", "max_int": 512, "rate": 2500.0325532900833,
     "n_channels": 385, "n_saved": (0, 384, 1), "subset": "384:768", "n_header": 2061187, "first_sample":
     144834, "start_time": "2019-08-15T17:37:20", "gain_uV": (4.6875, 4.6875, [4.6875]), "has_bin": False},
    {"meta": "meta_only_ibl/sample3B_g0_t0.nidq.meta", "kind": "nidq", "band": "nidq", "max_int": 32768, "rate":
     30003.0003, "n_channels": 2, "n_saved": (0, 0, 1, 1), "subset": "all", "n_header": 24736317,
     "first_sample": 1738164, "start_time": "2019-08-15T17:37:20", "gain_uV": (152.587890625, 152.587890625,
     [152.587890625]), "has_bin": False},
    {"meta": "meta_only_ibl/sample3B_version202304.ap.meta", "kind": "imec", "band": "ap", "part":
     "PRB_1_4_0480_1_C", "serial": "20097916182", "probe_type": "0", "max_int": 512, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 126124286, "first_sample":
     373138, "start_time": "2023-08-14T17:42:44", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1,
     "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0: (0, 27.0, 0.0),
     1: (0, 59.0, 0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0, 43.0, 3820.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/sampleNHPlong_prototype.ap.meta", "kind": "imec", "band": "ap", "part": "NP1030",
     "serial": "19445518081", "probe_type": "1030", "max_int": 512, "rate": 30000.0, "n_channels": 385,
     "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 267868738, "first_sample": 422882, "start_time":
     "2021-08-03T13:48:51", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1, "shanks": [0],
     "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0: (0, 27.0, 0.0), 1: (0, 114.0,
     0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0, 98.0, 3820.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/sampleNP2.1_g0_t0.imec.ap.meta", "kind": "imec", "band": "ap", "part":
     "PRB2_1_2_0640_0", "serial": "19011116954", "probe_type": "21", "max_int": 8192, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 90000, "first_sample": 110884048,
     "start_time": "2020-10-29T16:54:09", "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]),
     "n_shanks": 1, "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [127], "electrodes": {0:
     (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (0, 27.0, 1440.0), 383: (0, 59.0, 2865.0)},
     "has_bin": False},
    {"meta": "meta_only_ibl/sampleNP2.4_1shank_g0_t0.imec.ap.meta", "kind": "imec", "band": "ap", "part":
     "NP2010", "serial": "20403308181", "probe_type": "24", "max_int": 8192, "rate": 30000.0, "n_channels": 385,
     "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 129650012, "first_sample": 115958162, "start_time":
     "2022-05-12T16:09:55", "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]), "n_shanks": 4,
     "shanks": [0], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [127], "electrodes": {0: (0, 27.0,
     0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (0, 27.0, 720.0), 383: (0, 59.0, 2145.0)}, "has_bin":
     False},
    {"meta": "meta_only_ibl/sampleNP2.4_4shanks_appVersion20230905.ap.meta", "kind": "imec", "band": "ap",
     "part": "NP2014", "serial": "22420006883", "probe_type": "2013", "max_int": 2048, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 141972381, "first_sample":
     2846884, "start_time": "2024-03-13T14:40:27", "gain_uV": (3.02734375, 3.02734375, [3.02734375]),
     "n_shanks": 4, "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [],
     "electrodes": {0: (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (2, 27.0, 0.0), 383: (3,
     59.0, 705.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/sampleNP2.4_4shanks_g0_t0.imec.ap.meta", "kind": "imec", "band": "ap", "part":
     "NP2010", "serial": "19011110513", "probe_type": "24", "max_int": 8192, "rate": 29999.757983, "n_channels":
     385, "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 90000, "first_sample": 110884048, "start_time":
     "2021-08-02T14:30:26", "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]), "n_shanks": 4,
     "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [127], "electrodes": {0: (0,
     27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (2, 27.0, 0.0), 383: (3, 59.0, 705.0)}, "has_bin":
     False},
    {"meta": "meta_only_ibl/sampleNP2.4_4shanks_while_acquiring_incomplete.ap.meta", "kind": "imec", "band":
     "ap", "part": "NP2010", "serial": "19122519691", "probe_type": "24", "max_int": 8192, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:384", "start_time": "2024-03-13T12:16:32",
     "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]), "n_shanks": 4, "shanks": [0, 1, 2, 3],
     "shank_pitch": 250.0, "n_electrodes": 384, "unused": [127], "electrodes": {0: (0, 27.0, 0.0), 1: (1, 59.0,
     2160.0), 2: (2, 27.0, 735.0), 192: (0, 27.0, 720.0), 383: (3, 59.0, 705.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/sampleNP2QB.imec.ap.meta", "kind": "imec", "band": "ap", "part": "NP2021", "serial":
     "23207214152", "probe_type": "2020", "max_int": 2048, "rate": 30000.0, "n_channels": 1540, "n_saved":
     (1536, 0, 4), "subset": "0:1539", "n_header": 6048095, "first_sample": 37302898, "start_time":
     "2026-01-13T10:44:48", "gain_uV": (3.02734375, 3.02734375, [3.02734375]), "n_shanks": 4, "shanks": [0, 1,
     2, 3], "shank_pitch": 250.0, "n_electrodes": 1536, "unused": [], "electrodes": {0: (0, 27.0, 0.0), 1: (0,
     59.0, 0.0), 2: (0, 27.0, 15.0), 768: (2, 27.0, 0.0), 1535: (3, 59.0, 2865.0)}, "has_bin": False},
    {"meta": "meta_only_ibl/sampleNPultra_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap", "part": "NP1100",
     "serial": "20088317081", "probe_type": "1100", "max_int": 512, "rate": 30000.0, "n_channels": 385,
     "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 121209192, "first_sample": 89223960,
     "start_time": "2021-05-01T15:44:27", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1, "shanks":
     [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [], "electrodes": {0: (0, 14.0, 0.0), 1: (0, 20.0,
     0.0), 2: (0, 26.0, 0.0), 192: (0, 14.0, 144.0), 383: (0, 56.0, 282.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/NP-Ultra.meta", "kind": "imec", "band": "ap", "part": "NP1100", "serial":
     "20088315201", "probe_type": "1100", "max_int": 512, "rate": 30000.0, "n_channels": 385, "n_saved": (384,
     0, 1), "subset": "0:383,768", "n_header": 135970681, "first_sample": 434819, "start_time":
     "2021-11-30T16:10:26", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1, "shanks": [0],
     "shank_pitch": 0.0, "n_electrodes": 384, "unused": [], "electrodes": {0: (0, 14.0, 0.0), 1: (0, 20.0, 0.0),
     2: (0, 26.0, 0.0), 192: (0, 14.0, 144.0), 383: (0, 56.0, 282.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/NP1110_2x192_bank4_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap",
     "part": "NP1110", "serial": "21144116901", "probe_type": "1110", "max_int": 512, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 224064, "first_sample":
     305280, "start_time": "2026-03-19T22:20:16", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1,
     "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [], "electrodes": {0: (0, 33.5, 1440.0),
     1: (0, 39.5, 2058.0), 2: (0, 27.5, 1440.0), 192: (0, 33.5, 1584.0), 383: (0, 45.5, 1968.0)}, "has_bin":
     False},
    {"meta": "meta_only_probeinterface/NP1110_bank0_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap", "part":
     "NP1110", "serial": "21144116901", "probe_type": "1110", "max_int": 512, "rate": 30000.0, "n_channels":
     385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 491784, "first_sample": 1462140,
     "start_time": "2026-03-19T22:16:27", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1, "shanks":
     [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [], "electrodes": {0: (0, 15.5, 0.0), 1: (0, 57.5,
     42.0), 2: (0, 21.5, 0.0), 192: (0, 15.5, 144.0), 383: (0, 39.5, 240.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/NP1110_botrow80_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap",
     "part": "NP1110", "serial": "21144116901", "probe_type": "1110", "max_int": 512, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 196537, "first_sample":
     4551371, "start_time": "2026-03-19T22:18:10", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1,
     "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [], "electrodes": {0: (0, 15.5, 576.0),
     1: (0, 57.5, 618.0), 2: (0, 21.5, 576.0), 192: (0, 15.5, 720.0), 383: (0, 51.5, 528.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/NP1110_vstripe_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap",
     "part": "NP1110", "serial": "21144116901", "probe_type": "1110", "max_int": 512, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 293856, "first_sample":
     467544, "start_time": "2026-03-19T22:15:54", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1,
     "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [], "electrodes": {0: (0, 33.5, 3744.0),
     1: (0, 39.5, 4362.0), 2: (0, 33.5, 2592.0), 192: (0, 33.5, 3888.0), 383: (0, 39.5, 3120.0)}, "has_bin":
     False},
    {"meta": "meta_only_probeinterface/NP1_saved_only_subset_of_channels.meta", "kind": "imec", "band": "ap",
     "part": "PRB_1_4_0480_1_C", "serial": "19398105682", "probe_type": "0", "max_int": 512, "rate": 30000.0,
     "n_channels": 152, "n_saved": (151, 0, 1), "subset": "0:150,768", "n_header": 324823884, "first_sample":
     53573280, "start_time": "2022-09-29T11:43:49", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1,
     "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 151, "unused": [], "electrodes": {0: (0, 27.0, 0.0), 1:
     (0, 59.0, 0.0), 2: (0, 11.0, 20.0), 75: (0, 43.0, 740.0), 150: (0, 11.0, 1500.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/NP2020_sample_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap", "part":
     "NP2020", "serial": "22053118151", "probe_type": "2020", "max_int": 2048, "rate": 30000.0, "n_channels":
     1540, "n_saved": (1536, 0, 4), "subset": "0:1539", "n_header": 278601, "first_sample": 249578,
     "start_time": "2026-05-06T22:05:09", "gain_uV": (3.02734375, 3.02734375, [3.02734375]), "n_shanks": 4,
     "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 1536, "unused": [], "electrodes": {0: (0,
     27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 768: (2, 27.0, 0.0), 1535: (3, 59.0, 2865.0)},
     "has_bin": False},
    {"meta": "meta_only_probeinterface/NP2_2013_all_channels.imec0.ap.meta", "kind": "imec", "band": "ap",
     "part": "NP2013", "serial": "12345601012", "probe_type": "2013", "max_int": 2048, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 241760, "first_sample": 500141,
     "start_time": "2023-09-04T16:01:07", "gain_uV": (3.02734375, 3.02734375, [3.02734375]), "n_shanks": 4,
     "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [], "electrodes": {0: (0,
     27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (2, 27.0, 0.0), 383: (0, 59.0, 2145.0)}, "has_bin":
     False},
    {"meta": "meta_only_probeinterface/NP2_2013_subset_channels.imec0.ap.meta", "kind": "imec", "band": "ap",
     "part": "NP2013", "serial": "12345601012", "probe_type": "2013", "max_int": 2048, "rate": 30000.0,
     "n_channels": 121, "n_saved": (120, 0, 1), "subset": "0:35,72:95,192:227,264:287,384", "n_header": 312030,
     "first_sample": 920506, "start_time": "2023-09-04T16:03:26", "gain_uV": (3.02734375, 3.02734375,
     [3.02734375]), "n_shanks": 4, "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 120, "unused":
     [], "electrodes": {0: (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 60: (2, 27.0, 0.0), 119: (3,
     59.0, 345.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/NP2_4_shanks.imec0.ap.meta", "kind": "imec", "band": "ap", "part":
     "NP2010", "serial": "19122510362", "probe_type": "24", "max_int": 8192, "rate": 30000.0, "n_channels": 385,
     "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 30648, "first_sample": 94827, "start_time":
     "2021-09-20T14:13:34", "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]), "n_shanks": 4,
     "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [127], "electrodes": {0: (0,
     27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (2, 27.0, 0.0), 383: (3, 59.0, 705.0)}, "has_bin":
     False},
    {"meta": "meta_only_probeinterface/NP2_4_shanks_save_different_electrodes.imec0.ap.meta", "kind": "imec",
     "band": "ap", "part": "NP2010", "serial": "19011111323", "probe_type": "24", "max_int": 8192, "rate":
     30000.0, "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 140292, "first_sample":
     135473, "start_time": "2022-10-25T14:53:42", "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]),
     "n_shanks": 4, "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [127],
     "electrodes": {0: (3, 27.0, 4320.0), 1: (3, 59.0, 4320.0), 2: (3, 27.0, 4335.0), 192: (1, 27.0, 4320.0),
     383: (1, 59.0, 4305.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/Noise_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap", "part":
     "PRB_1_4_0480_1", "serial": "18194809281", "probe_type": "0", "max_int": 512, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 157955, "first_sample":
     177385, "start_time": "2020-11-03T10:35:10", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1,
     "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0: (0, 27.0, 0.0),
     1: (0, 59.0, 0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0, 43.0, 3820.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/allan-longcol_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap", "part":
     "PRB_1_4_0480_1_C", "serial": "19076619641", "probe_type": "0", "max_int": 512, "rate": 29999.941586,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 52022988, "first_sample":
     26021568, "start_time": "2021-03-01T09:00:05", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1,
     "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0: (0, 27.0, 0.0),
     1: (0, 59.0, 3840.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0, 43.0, 7660.0)}, "has_bin":
     False},
    {"meta": "meta_only_probeinterface/catgt.meta", "kind": "imec", "band": "ap", "part": "PRB_1_4_0480_1_C",
     "serial": "19454409771", "probe_type": "0", "max_int": 512, "rate": 30000.149579831934, "n_channels": 385,
     "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 128084059, "first_sample": 48994605,
     "start_time": "2023-06-05T17:20:39", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1, "shanks":
     [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0: (0, 27.0, 0.0), 1: (0,
     59.0, 0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0, 43.0, 3820.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/doppio-checkerboard_t0.imec0.ap.meta", "kind": "imec", "band": "ap",
     "part": "PRB_1_4_0480_1_C", "serial": "19076614052", "probe_type": "0", "max_int": 512, "rate":
     30000.030168, "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 216000217,
     "first_sample": 1794959, "start_time": "2020-03-17T09:08:06", "gain_uV": (2.34375, 2.34375, [2.34375]),
     "n_shanks": 1, "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0:
     (0, 27.0, 0.0), 1: (0, 59.0, 3840.0), 2: (0, 11.0, 3860.0), 192: (0, 27.0, 1920.0), 383: (0, 43.0,
     3820.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/non_human_primate_long_staggered.imec0.ap.meta", "kind": "imec", "band":
     "ap", "part": "NP1030", "serial": "19445524222", "probe_type": "1030", "max_int": 512, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 13743300, "first_sample":
     1037484, "start_time": "2023-03-13T14:19:21", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1,
     "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0: (0, 27.0, 0.0),
     1: (0, 114.0, 0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0, 98.0, 3820.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/non_human_primate_short_linear_probe_type_0.meta", "kind": "imec",
     "band": "ap", "part": "NP1015", "serial": "22168303281", "probe_type": "0", "max_int": 512, "rate":
     30000.0, "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:383,768", "n_header": 128972112,
     "first_sample": 105889716, "start_time": "2023-02-24T09:53:29", "gain_uV": (2.34375, 2.34375, [2.34375]),
     "n_shanks": 1, "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [191], "electrodes": {0:
     (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0, 59.0, 3820.0)},
     "has_bin": False},
    {"meta": "meta_only_probeinterface/p2_g0_t0.imec0.ap.meta", "kind": "imec", "band": "ap", "part":
     "PRB2_1_2_0640_0", "serial": "19011116954", "probe_type": "21", "max_int": 8192, "rate": 30000.0,
     "n_channels": 385, "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 58708634, "first_sample":
     1416311, "start_time": "2019-09-27T16:04:32", "gain_uV": (0.762939453125, 0.762939453125,
     [0.762939453125]), "n_shanks": 1, "shanks": [0], "shank_pitch": 0.0, "n_electrodes": 384, "unused": [127],
     "electrodes": {0: (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 27.0, 15.0), 192: (0, 27.0, 1440.0), 383: (0,
     59.0, 2865.0)}, "has_bin": False},
    {"meta": "meta_only_probeinterface/phase3a.imec.ap.meta", "kind": "imec", "band": "ap", "part": "3A",
     "serial": "262720641", "probe_type": "3A", "max_int": 512, "rate": 30000.0, "n_channels": 385, "n_saved":
     (384, 0, 1), "subset": "0:383,768", "n_header": 5822496, "first_sample": 174660732, "start_time":
     "2018-10-18T00:54:51", "gain_uV": (2.34375, 2.34375, [2.34375]), "n_shanks": 1, "shanks": [0],
     "shank_pitch": 0.0, "n_electrodes": 384, "unused": [36, 75, 112, 151, 188, 227, 264, 303, 340, 379],
     "electrodes": {0: (0, 27.0, 0.0), 1: (0, 59.0, 0.0), 2: (0, 11.0, 20.0), 192: (0, 27.0, 1920.0), 383: (0,
     43.0, 3820.0)}, "has_bin": False},
    {"meta": "multi_probe_filename_without_info/probe_1/npx.imec.ap.meta", "kind": "imec", "band": "ap", "part":
     "NP2010", "serial": "19122511841", "probe_type": "24", "max_int": 8192, "rate": 30000.0, "n_channels": 385,
     "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 6736368, "first_sample": 22, "start_time":
     "2021-07-02T14:43:02", "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]), "n_shanks": 4,
     "shanks": [3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [127], "electrodes": {0: (3, 27.0,
     1440.0), 1: (3, 59.0, 1440.0), 2: (3, 27.0, 1455.0), 192: (3, 27.0, 2160.0), 383: (3, 59.0, 3585.0)},
     "has_bin": True, "n_samples": 100, "sha1_agrees": False, "truncated": (77000, 5187003360), "ends": {0:
     [-195, -251, -268, -101, -124, -195], 192: [-43, -112, -133, 59, 45, 59], 384: [0, 0, 0, 64, 64, 64]},
     "sync_words": [0, 64], "lines": {6: (1, 0)}, "n_agrees": False},
    {"meta": "multi_probe_filename_without_info/probe_2/npx.imec.ap.meta", "kind": "imec", "band": "ap", "part":
     "NP2010", "serial": "19122514182", "probe_type": "24", "max_int": 8192, "rate": 30000.0, "n_channels": 385,
     "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 6736341, "first_sample": 22, "start_time":
     "2021-07-02T14:43:02", "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]), "n_shanks": 4,
     "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [127], "electrodes": {0: (2,
     27.0, 3600.0), 1: (2, 59.0, 3600.0), 2: (2, 27.0, 3615.0), 192: (0, 27.0, 3600.0), 383: (3, 59.0, 3585.0)},
     "has_bin": True, "n_samples": 100, "sha1_agrees": False, "truncated": (77000, 5186982570), "ends": {0: [9,
     17, 34, -47, -102, -74], 192: [258, 243, 262, 254, 232, 229], 384: [0, 0, 0, 64, 64, 64]}, "sync_words":
     [0, 64], "lines": {6: (1, 0)}, "n_agrees": False},
    {"meta": "multi_probe_filename_without_info/probe_3/npx.imec.ap.meta", "kind": "imec", "band": "ap", "part":
     "NP2010", "serial": "19122502062", "probe_type": "24", "max_int": 8192, "rate": 30000.0, "n_channels": 385,
     "n_saved": (384, 0, 1), "subset": "0:384", "n_header": 6736343, "first_sample": 22, "start_time":
     "2021-07-02T14:43:02", "gain_uV": (0.762939453125, 0.762939453125, [0.762939453125]), "n_shanks": 4,
     "shanks": [0, 1, 2, 3], "shank_pitch": 250.0, "n_electrodes": 384, "unused": [127], "electrodes": {0: (2,
     27.0, 720.0), 1: (2, 59.0, 720.0), 2: (2, 27.0, 735.0), 192: (0, 27.0, 720.0), 383: (3, 59.0, 705.0)},
     "has_bin": True, "n_samples": 100, "sha1_agrees": False, "truncated": (77000, 5186984110), "ends": {0:
     [1650, 1622, 1641, 1589, 1583, 1585], 192: [274, 294, 282, 179, 172, 160], 384: [0, 0, 0, 64, 64, 64]},
     "sync_words": [0, 64], "lines": {6: (1, 0)}, "n_agrees": False},
]
