"""What is read beside NeuroConv: an interface of its, and the stream of ours that holds the same."""

from __future__ import annotations

from tests.expected.neuroconv_recordings import RECORDINGS, Case


def _sortings() -> list[Case]:
    peter, explorer = "Peter_MS22_180629_110319_concat_stubbed", "CellExplorerSortingInterface"
    truth = {"file_path": "d533101.cell_metrics.cellinfo.mat"}
    return [
        *(
            Case(
                "cellexplorer/dataset_4",
                "units",
                explorer,
                {"file_path": f"{name}/{name}.spikes.cellinfo.mat"},
                name,
            )
            for name in (peter, peter + "_hdf5")
        ),
        Case("cellexplorer/groundtruth_cell_metrics", "units", explorer, truth),
        Case("phy/phy_example_0_ks25", "units", "PhySortingInterface", {"folder_path": ""}),
    ]


def _movies() -> list[Case]:
    new, at = "ScanImageImagingInterface", "scanimage/"
    noroi = {"file_path": "scanimage_20220923_noroi.tif", "interleave_slice_samples": True}
    names = [f"vol_two_ch_multi_files_00001_0000{n}.tif" for n in (1, 2)]
    two = {"file_paths": names}
    flat = {"file_path": "vol_no_flyback_00001_00001.tif"}
    bruker, scope = "BrukerTiffImagingInterface", "MiniscopeImagingInterface"
    volumes = "NCCR32_2022_11_03_IntoTheVoid_t_series-005"
    single = "NCCR32_2023_02_20_Into_the_void_t_series_baseline-000"
    old = {"file_path": "sample_scanimage_version_3_8.tiff"}
    ten = {"sampling_frequency": 10.0}
    fissa = {"file_path": "b/images/AVG_A01.tif"} | ten
    example = {"file_path": "example.tif"} | ten
    thor = {"file_path": "20231018-002/ChanA_001_001_001_001.tif", "channel_name": "ChanA"}
    return [
        Case(at + "v2022_noroi", "Channel1", new, noroi | {"channel_name": "Channel 1"}),
        Case(at + "v2022_noroi", "Channel4", new, noroi | {"channel_name": "Channel 4"}),
        Case(at + "v3_8", "Channel1", "ScanImageLegacyImagingInterface", old),
        Case(at + "volumetric_no_flyback", "Channel1", new, flat),
        Case(
            at + "volumetric_two_channels_multi_file_2of10",
            "Channel1",
            new,
            two | {"channel_name": "Channel 1"},
        ),
        Case(
            at + "volumetric_two_channels_multi_file_2of10",
            "Channel2",
            new,
            two | {"channel_name": "Channel 2"},
        ),
        Case("bruker/volumetric_t_series-005", "Ch2", bruker, {"folder_path": volumes}),
        Case("bruker/SYNTH_first_tif_single_plane", "Ch2", bruker, {"folder_path": single}),
        Case(
            "tiff/sima_example",
            "movie",
            "TiffImagingInterface",
            example,
            "example",
            ("tiff.rate=10",),
        ),
        Case(
            "tiff/fissa_dtypes",
            "movie",
            "TiffImagingInterface",
            fissa,
            "AVG_A01",
            ("tiff.rate=10",),
        ),
        Case(
            "thor/thorlabs_tiff_20231018-002",
            "movie",
            "ThorImagingInterface",
            thor,
            None,
            ("tiff.rate=13.967",),
        ),
        Case(
            "micromanager/SYNTH_MMStack_ome_tif",
            "Default",
            "MicroManagerTiffImagingInterface",
            {"folder_path": ""},
            None,
            ("tiff.rate=20",),  # as its frames' ElapsedTime-ms says; no rate is read from it
        ),
        Case(
            "miniscope/C6-J588_Disc5",
            "Miniscope",
            scope,
            {"folder_path": "C6-J588_Disc5/15_03_28/Miniscope"},
            "*15_03_28",
        ),
        Case(
            "miniscope/C6-J588_Disc5",
            "Miniscope",
            scope,
            {"folder_path": "C6-J588_Disc5/15_06_28/Miniscope"},
            "*15_06_28",
        ),
    ]


def _segmentations() -> list[Case]:
    planes = [
        {"folder_path": "", "plane_name": f"plane{n}", "channel_name": "chan1"} for n in (0, 1)
    ]
    s2p = "Suite2pSegmentationInterface"
    caiman = {"file_path": "caiman_analysis.hdf5"}
    extract = {"file_path": "extract_public_output.mat", "sampling_frequency": 20.0}
    return [
        *(Case("suite2p/two_planes_combined", f"plane{n}_masks", s2p, planes[n]) for n in (0, 1)),
        Case("caiman/caiman_analysis", "masks", "CaimanSegmentationInterface", caiman),
        Case(
            "extract/extract_public_output",
            "masks",
            "ExtractSegmentationInterface",
            extract,
            None,
            ("extract.rate=20",),
        ),
    ]


def _behaviour() -> list[Case]:
    dlc, fly = "DeepLabCutInterface", "sleap/predictions_and_courtship"
    with_video = "m3v1mp4DLC_resnet50_openfieldOct30shuffle1_1000.h5"
    without = "m3v1mp4DLC_resnet50_openfieldAug20shuffle1_30000.h5"
    labels = {
        "file_path": "melanogaster_courtship.slp",
        "video_file_path": "melanogaster_courtship.mp4",
    }
    tracked = {
        "file_path": "predictions_1.2.7_provenance_and_tracking.slp",
        "frames_per_second": 30.0,
    }
    lightning = {"file_path": "test_vid.csv", "original_video_file_path": "test_vid.mp4"}
    thirty = {"sampling_frequency": 30.0}
    videos = (
        ("video/CFR", "video_avi.avi", "video_avi"),
        ("video/CFR", "video_mp4.mp4", "video_mp4"),
        ("video/CFR", "video_flv.flv", "video_flv"),
        ("dlc/open_field_with_video", "m3v1mp4.mp4", None),
        ("lightningpose/outputs_2023-11-09", "test_vid.mp4", None),
        ("fictrac/sample", "sample/sample.mp4", None),
        (fly, "melanogaster_courtship.mp4", "melanogaster_courtship"),
    )
    sounds = (
        "Mono_16bit_PCM",
        "Stereo_24bit_PCM",
        "5.1_Surround_16bit_PCM",
        "Stereo_32bit_Float_PCM",
    )
    return [
        Case(
            "dlc/open_field_with_video",
            "pose",
            dlc,
            {"file_path": with_video, "sampling_frequency": 30.0003},
        ),
        Case(
            "dlc/open_field_without_video",
            "pose",
            dlc,
            {"file_path": without} | thirty,
            None,
            ("dlc.rate=30",),
        ),
        Case(
            "dlc/vame_cropped_video_csv",
            "pose",
            dlc,
            {"file_path": "cropped_video.csv"} | thirty,
            None,
            ("dlc.rate=30",),
        ),
        *(
            Case(
                fly,
                f"pose-{t}",
                "SLEAPInterface",
                labels | {"track_name": t},
                "melanogaster_courtship",
            )
            for t in ("track_0", "track_1")
        ),
        *(
            Case(
                fly,
                f"pose-{t}",
                "SLEAPInterface",
                tracked | {"track_name": t},
                "predictions_1-2-7_provenance_and_tracking",
                ("sleap.rate=30",),
            )
            for t in ("track_0", "track_1")
        ),
        Case("lightningpose/outputs_2023-11-09", "pose", "LightningPoseDataInterface", lightning),
        *(
            Case(sample, "frames", "ExternalVideoInterface", {"file_paths": [name]}, session)
            for sample, name, session in videos
        ),
        *(
            Case(
                "audio/generated_and_natural",
                "*",
                "AudioInterface",
                {"file_paths": [f"{n}.wav"]},
                _slug(n),
            )
            for n in (*sounds, "natural_audio_recording")
        ),
        Case(
            "fictrac/sample",
            "position",
            "FicTracDataInterface",
            {"file_path": "sample/sample-20230724_113055.dat"},
        ),
        Case(
            "fictrac/utils2p_camera_3",
            "position",
            "FicTracDataInterface",
            {"file_path": "camera_3-20210802_083044.dat"},
        ),
        Case(
            "text/trials",
            "intervals",
            "CsvTimeIntervalsInterface",
            {"file_path": "trials.csv"},
            "trials-csv",
        ),
        Case(
            "text/trials",
            "intervals",
            "ExcelTimeIntervalsInterface",
            {"file_path": "trials.xlsx"},
            "trials-xlsx",
        ),
    ]


def _slug(name: str) -> str:
    return name.replace(".", "-")


CASES: list[Case] = [
    *RECORDINGS,
    *_sortings(),
    *_movies(),
    *_segmentations(),
    *_behaviour(),
]
