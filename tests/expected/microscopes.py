"""What every sample in DATA/bruker and DATA/miniscope holds.

Bruker: pages by tifffile one file at a time, in the order of the XML's File elements found by a
regular expression; volumes put together by hand; rate = 1 / (framePeriod of the frames * planes).
Miniscope: frames by PyAV's demuxer, one of the equal colours; times as in timeStamps.csv; local
start time of metaData.json, zone by msecSinceEpoch (22:03:28.635 and 22:06:28.607 UTC).

ends: first and last three pixels in C order. mid: six pixels of the last frame, row 240 from 300.
"""

# fmt: off
SAMPLES = [{'sample': 'bruker/SYNTH_first_tif_single_plane',
  'format': 'bruker',
  'start': '2023-02-20T15:58:25',
  'files': 4,
  'spacing': [1.1078125e-06, 1.1078125e-06],
  'streams': {'TwoPhotonSeriesCh2': {'shape': (3, 512, 512),
                                     'dtype': 'uint16',
                                     'rate': 29.873732099062256,
                                     'times': [0.0, 0.033474224, 0.066948448],
                                     'ends': [231, 176, 388, 11, 0, 9],
                                     'total': 219844155}}},
 {'sample': 'bruker/volumetric_t_series-005',
  'format': 'bruker',
  'start': '2022-11-03T11:20:34',
  'files': 11,
  'spacing': [1.1078125e-06, 1.1078125e-06, 0.00026],
  'streams': {'TwoPhotonSeriesCh2': {'shape': (5, 512, 512, 2),
                                     'dtype': 'uint16',
                                     'rate': 10.314757507168189,
                                     'times': [0.0, 0.096948474, 0.193896948, 0.290845422, 0.387793896],
                                     'ends': [1184, 501, 506, 768, 446, 21],
                                     'total': 1117839199}}},
 {'sample': 'miniscope/C6-J588_Disc5/C6-J588_Disc5/15_03_28',
  'format': 'miniscope',
  'start': '2021-10-07T15:03:28.635000-07:00',
  'files': 7,
  'spacing': None,
  'streams': {'OnePhotonSeries': {'shape': (5, 480, 752),
                                  'dtype': 'uint8',
                                  'rate': None,
                                  'times': [-0.024, 0.052, 0.109, 0.174, 0.242],
                                  'ends': [0, 0, 0, 20, 24, 24],
                                  'mid': [79, 76, 86, 82, 73, 74],
                                  'total': 51777851}},
  'video': {'name': 'VideoBehavCam2',
            'n_frames': 5,
            'size': (1280, 720),
            'times': [-0.011, 0.02, 0.07, 0.101, 0.132]}},
 {'sample': 'miniscope/C6-J588_Disc5/C6-J588_Disc5/15_06_28',
  'format': 'miniscope',
  'start': '2021-10-07T15:06:28.607000-07:00',
  'files': 7,
  'spacing': None,
  'streams': {'OnePhotonSeries': {'shape': (5, 480, 752),
                                  'dtype': 'uint8',
                                  'rate': None,
                                  'times': [-0.025, 0.052, 0.109, 0.176, 0.242],
                                  'ends': [0, 0, 0, 18, 25, 19],
                                  'mid': [75, 75, 87, 80, 75, 67],
                                  'total': 50819483}},
  'video': {'name': 'VideoBehavCam2',
            'n_frames': 5,
            'size': (1280, 720),
            'times': [-0.031, 0.018, 0.048, 0.081, 0.113]}}]
# fmt: on

#: Samples that cannot be converted, and why.
REFUSED = [
    (
        "bruker/dual_color_xml_only",
        66,
        "'NCCR62_2023_07_06_IntoTheVoid_t_series_Dual_color-000.xml' names 2 TIFF files, none of "
        "which is beside it",
    )
]
