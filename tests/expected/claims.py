"""What is where below the samples: folder -> (format, main file) of every source.

Each line was held against README.md of the samples. A folder that is not here holds nothing that
nwbkit reads. TIFF stacks of Micro-Manager and ThorImage are what their files say they are as long
as there is no format for these systems.
"""

# fmt: off
CLAIMS: dict[str, list[tuple[str, str]]] = {
    "audio/generated_and_natural": [
        ("audio", "5.1_Surround_16bit_AIFF.aiff"),
        ("audio", "5.1_Surround_16bit_FLAC.flac"),
        ("audio", "5.1_Surround_16bit_OGG.ogg"),
        ("audio", "5.1_Surround_16bit_PCM.wav"),
        ("audio", "7.1_Surround_16bit_AIFF.aiff"),
        ("audio", "7.1_Surround_16bit_FLAC.flac"),
        ("audio", "7.1_Surround_16bit_OGG.ogg"),
        ("audio", "7.1_Surround_16bit_PCM.wav"),
        ("audio", "Mono_128kbps_MP3.mp3"),
        ("audio", "Mono_16bit_AIFF.aiff"),
        ("audio", "Mono_16bit_FLAC.flac"),
        ("audio", "Mono_16bit_OGG.ogg"),
        ("audio", "Mono_16bit_PCM.wav"),
        ("audio", "Mono_320kbps_MP3.mp3"),
        ("audio", "Stereo_128kbps_MP3.mp3"),
        ("audio", "Stereo_16bit_AIFF.aiff"),
        ("audio", "Stereo_16bit_FLAC.flac"),
        ("audio", "Stereo_16bit_OGG.ogg"),
        ("audio", "Stereo_16bit_PCM.wav"),
        ("audio", "Stereo_24bit_PCM.wav"),
        ("audio", "Stereo_320kbps_MP3.mp3"),
        ("audio", "Stereo_32bit_Float_PCM.wav"),
        ("audio", "natural_audio_recording.wav"),
    ],
    "blackrock/PauseCorrect": [
        ("blackrock", "pause_correct.ns2"),
    ],
    "blackrock/blackrock_2_1": [
        ("blackrock", "l101210-001.ns2"),
    ],
    "blackrock/nev_only": [
        ("blackrock", "FileSpec2.3001.nev"),
        ("blackrock", "file_spec_3_0.nev"),
        ("blackrock", "reset_fail.nev"),
    ],
    "bruker/SYNTH_first_tif_single_plane": [
        ("bruker", "NCCR32_2023_02_20_Into_the_void_t_series_baseline-000/NCCR32_2023_02_20_Into_the_void_t_series_baseline-000.xml"),
    ],
    "bruker/dual_color_xml_only": [
        ("bruker", "NCCR62_2023_07_06_IntoTheVoid_t_series_Dual_color-000/NCCR62_2023_07_06_IntoTheVoid_t_series_Dual_color-000.xml"),
    ],
    "bruker/volumetric_t_series-005": [
        ("bruker", "NCCR32_2022_11_03_IntoTheVoid_t_series-005/NCCR32_2022_11_03_IntoTheVoid_t_series-005.xml"),
    ],
    "caiman/caiman_analysis": [
        ("caiman", "caiman_analysis.hdf5"),
    ],
    "cellexplorer/dataset_4": [
        ("cellexplorer", "Peter_MS22_180629_110319_concat_stubbed/Peter_MS22_180629_110319_concat_stubbed.spikes.cellinfo.mat"),
        ("cellexplorer", "Peter_MS22_180629_110319_concat_stubbed_hdf5/Peter_MS22_180629_110319_concat_stubbed_hdf5.spikes.cellinfo.mat"),
    ],
    "cellexplorer/groundtruth_cell_metrics": [
        ("cellexplorer", "d533101.cell_metrics.cellinfo.mat"),
    ],
    "dlc/csv_single_multi_header_variants": [
        ("dlc", "CollectedData_LM.csv"),
        ("dlc", "dlc_testdata.csv"),
        ("dlc", "dlc_testdata_v2.csv"),
        ("dlc", "madlc_testdata.csv"),
        ("dlc", "madlc_testdata_v2.csv"),
        ("dlc", "maudlc_testdata.csv"),
        ("dlc", "maudlc_testdata_v2.csv"),
    ],
    "dlc/labeled_collected_data": [
        ("dlc", "CollectedData_Pranav.h5"),
    ],
    "dlc/open_field_with_video": [
        ("dlc", "m3v1mp4DLC_resnet50_openfieldOct30shuffle1_1000.h5"),
        ("video", "m3v1mp4.mp4"),
    ],
    "dlc/open_field_without_video": [
        ("dlc", "m3v1mp4DLC_resnet50_openfieldAug20shuffle1_30000.h5"),
    ],
    "dlc/vame_cropped_video_csv": [
        ("dlc", "cropped_video.csv"),
    ],
    "extract/extract_public_output": [
        ("extract", "extract_public_output.mat"),
    ],
    "fictrac/sample": [
        ("fictrac", "sample/sample-20230724_113055.dat"),
        ("video", "sample/sample.mp4"),
    ],
    "fictrac/utils2p_camera_3": [
        ("fictrac", "camera_3-20210802_083044.dat"),
    ],
    "intan/SYNTH_rhs_traditional": [
        ("intan", "synth_rhs_240101_120000.rhs"),
    ],
    "intan/fpc_one_file_per_channel": [
        ("intan", "info.rhd"),
    ],
    "intan/fps_one_file_per_signal": [
        ("intan", "info.rhd"),
    ],
    "intan/rhd_traditional_A": [
        ("intan", "sampledata.rhd"),
    ],
    "lightningpose/outputs_2023-11-09": [
        ("lightningpose", "test_vid.csv"),
        ("video", "test_vid.mp4"),
    ],
    "medpc/example_3_sessions": [
        ("medpc", "example_medpc_file_06_06_2024.txt"),
        ("medpc", "example_medpc_file_06_06_2024.txt"),
        ("medpc", "example_medpc_file_06_06_2024.txt"),
    ],
    "medpc/medpcpy_raw": [
        ("medpc", "R1_LAT_COUNT_5"),
        ("medpc", "S1_RESP_DIST_8"),
        ("medpc", "S28_TOTAL_COUNT_1"),
    ],
    "micromanager/SYNTH_MMStack_ome_tif": [
        ("tiff", "TS12_synth_1_MMStack_Default.ome.tif"),
    ],
    "micromanager/ndtiff_v2_test": [
        ("tiff", "Full resolution/ndtiffv2.0_test_NDTiffStack.tif"),
    ],
    "micromanager/ndtiff_v3_12bit": [
        ("tiff", "12_bit_pycromanager_mda_NDTiffStack.tif"),
    ],
    "miniscope/C6-J588_Disc5": [
        ("miniscope", "C6-J588_Disc5/15_03_28/metaData.json"),
        ("miniscope", "C6-J588_Disc5/15_06_28/metaData.json"),
    ],
    "neuralynx/BML_unfilledsplit": [
        ("neuralynx", "original_data/unfilledSplitRecords.Ncs"),
    ],
    "neuralynx/Cheetah_v1.1.0": [
        ("neuralynx", "original_data/CSC67_trunc.Ncs"),
    ],
    "neuralynx/Cheetah_v4.0.2": [
        ("neuralynx", "original_data/CSC14_trunc.Ncs"),
    ],
    "neuralynx/Cheetah_v5.5.1": [
        ("neuralynx", "Tet3a.ncs"),
    ],
    "neuralynx/Cheetah_v6.4.1dev": [
        ("neuralynx", "original_data/CSC1_truncated.ncs"),
    ],
    "neuralynx/NCS_jl": [
        ("neuralynx", "TestFile.Ncs"),
    ],
    "neuralynx/Neuraview_v2": [
        ("neuralynx", "original_data/NeuraviewEventMarkers-sample.nev"),
    ],
    "neuralynx/mne_atlas": [
        ("neuralynx", "LAHC1.ncs"),
    ],
    "neuralynx_nvt/test_nvt": [
        ("neuralynx_nvt", "test.nvt"),
    ],
    "nwb/pynwb_tutorial": [
        ("nwb", "ecephys_tutorial_v2.5.0.nwb"),
    ],
    "openephys_binary/aind_v0.6.x_neuropixels_not_aligned": [
        ("openephys_binary", "Record Node 101/experiment1/recording1/continuous/Neuropix-PXI-100.ProbeB/continuous.dat"),
        ("openephys_binary", "Record Node 101/experiment3/recording1/continuous/Neuropix-PXI-100.ProbeB/continuous.dat"),
        ("openephys_binary", "Record Node 101/experiment6/recording1/continuous/Neuropix-PXI-100.ProbeB/continuous.dat"),
    ],
    "openephys_binary/jdb_Rhythm_FPGA_264ch": [
        ("openephys_binary", "2022-07-25_15-30-00/experiment1/recording1/continuous/Rhythm_FPGA-100.0/continuous.dat"),
    ],
    "openephys_binary/neural_and_non_neural_data_mixed": [
        ("openephys_binary", "experiment1/recording1/continuous/Rhythm_FPGA-100.0/continuous.dat"),
    ],
    "openephys_binary/settings_and_oebin_only_probeinterface": [
        ("openephys_binary", "OE_Neuropix-PXI-NP1-binary/Record_Node_101/experiment1/recording1/structure.oebin"),
        ("openephys_binary", "OE_Neuropix-PXI-NP2-multishank-binary/Record_Node_109/experiment1/recording1/structure.oebin"),
        ("openephys_binary", "OE_OneBox-NP2014-binary/Record_Node_101/experiment1/recording1/structure.oebin"),
    ],
    "openephys_binary/v0.4.4.1_with_spikes": [
        ("openephys_binary", "experiment1/recording1/continuous/Rhythm_FPGA-100.0/continuous.dat"),
    ],
    "openephys_binary/v0.6.x_neuropixels_multiexp_multistream": [
        ("openephys_binary", "Record Node 101/experiment1/recording1/continuous/Neuropix-PXI-100.ProbeB/continuous.dat"),
        ("openephys_binary", "Record Node 101/experiment3/recording1/continuous/Neuropix-PXI-100.ProbeB/continuous.dat"),
        ("openephys_binary", "Record Node 101/experiment6/recording1/continuous/Neuropix-PXI-100.ProbeB/continuous.dat"),
    ],
    "openephys_legacy/SampleData_1": [
        ("openephys_legacy", "101_CH0.continuous"),
    ],
    "openephys_legacy/v0.6.7_OpenEphys": [
        ("openephys_legacy", "Record Node 105/100_example-data_CH1.continuous"),
    ],
    "phy/phy_example_0_ks25": [
        ("phy", "params.py"),
    ],
    "scanimage/v2022_noroi": [
        ("scanimage", "scanimage_20220923_noroi.tif"),
    ],
    "scanimage/v3_8": [
        ("scanimage", "sample_scanimage_version_3_8.tiff"),
    ],
    "scanimage/volumetric_no_flyback": [
        ("scanimage", "vol_no_flyback_00001_00001.tif"),
    ],
    "scanimage/volumetric_two_channels_multi_file_2of10": [
        ("scanimage", "vol_two_ch_multi_files_00001_00001.tif"),
    ],
    "sleap/predictions_and_courtship": [
        ("sleap", "melanogaster_courtship.slp"),
        ("sleap", "predictions_1.2.7_provenance_and_tracking.slp"),
        ("video", "melanogaster_courtship.mp4"),
    ],
    "spikeglx/DigitalChannelTest_g0": [
        ("spikeglx", "DigitalChannelTest_g0_t0.nidq.bin"),
    ],
    "spikeglx/NP2_with_sync": [
        ("spikeglx", "all_chan_g0_imec0/all_chan_g0_t0.imec0.ap.bin"),
    ],
    "spikeglx/Noise4Sam_g0": [
        ("spikeglx", "Noise4Sam_g0_imec0/Noise4Sam_g0_t0.imec0.ap.bin"),
    ],
    "spikeglx/TEST_20210920_0_g0": [
        ("spikeglx", "TEST_20210920_0_g0_t0.imec0.ap.bin"),
    ],
    "spikeglx/long_nhp_lf_only": [
        ("spikeglx", "snippet_g0_imec0/snippet_g0_t0.imec0.lf.bin"),
    ],
    "spikeglx/meta_only_ibl": [
        ("spikeglx", "np2split/NP1_meta/_spikeglx_ephysData_g0_t0.imec0.ap.meta"),
        ("spikeglx", "np2split/NP21_meta/_spikeglx_ephysData_g0_t0.imec0.ap.meta"),
        ("spikeglx", "np2split/NP24_meta/_spikeglx_ephysData_g0_t0.imec0.ap.meta"),
        ("spikeglx", "np2split/NP2QB_meta/_spikeglx_ephysData_g0_t0.imec0.ap.meta"),
        ("spikeglx", "np2split/NP2QB_single_shank_meta/_spikeglx_ephysData_g0_t0.imec0.ap.meta"),
        ("spikeglx", "np2split/_spikeglx_ephysData_g0_t0.imec0.ap.meta"),
        ("spikeglx", "sample3A_376_channels.ap.meta"),
        ("spikeglx", "sample3A_g0_t0.imec.ap.meta"),
        ("spikeglx", "sample3A_g0_t0.imec.lf.meta"),
        ("spikeglx", "sample3A_short_g0_t0.imec.ap.meta"),
        ("spikeglx", "sample3B2_exported.imec0.ap.meta"),
        ("spikeglx", "sample3B_catgt.ap.meta"),
        ("spikeglx", "sample3B_g0_t0.imec1.ap.meta"),
        ("spikeglx", "sample3B_version202304.ap.meta"),
        ("spikeglx", "sampleNHPlong_prototype.ap.meta"),
        ("spikeglx", "sampleNP2.1_g0_t0.imec.ap.meta"),
        ("spikeglx", "sampleNP2.4_1shank_g0_t0.imec.ap.meta"),
        ("spikeglx", "sampleNP2.4_4shanks_appVersion20230905.ap.meta"),
        ("spikeglx", "sampleNP2.4_4shanks_g0_t0.imec.ap.meta"),
        ("spikeglx", "sampleNP2.4_4shanks_while_acquiring_incomplete.ap.meta"),
        ("spikeglx", "sampleNP2QB.imec.ap.meta"),
        ("spikeglx", "sampleNPultra_g0_t0.imec0.ap.meta"),
    ],
    "spikeglx/meta_only_probeinterface": [
        ("spikeglx", "NP-Ultra.meta"),
        ("spikeglx", "NP1110_2x192_bank4_g0_t0.imec0.ap.meta"),
        ("spikeglx", "NP1110_bank0_g0_t0.imec0.ap.meta"),
        ("spikeglx", "NP1110_botrow80_g0_t0.imec0.ap.meta"),
        ("spikeglx", "NP1110_vstripe_g0_t0.imec0.ap.meta"),
        ("spikeglx", "NP1_saved_only_subset_of_channels.meta"),
        ("spikeglx", "NP2020_sample_g0_t0.imec0.ap.meta"),
        ("spikeglx", "NP2_2013_all_channels.imec0.ap.meta"),
        ("spikeglx", "NP2_2013_subset_channels.imec0.ap.meta"),
        ("spikeglx", "NP2_4_shanks.imec0.ap.meta"),
        ("spikeglx", "NP2_4_shanks_save_different_electrodes.imec0.ap.meta"),
        ("spikeglx", "Noise_g0_t0.imec0.ap.meta"),
        ("spikeglx", "allan-longcol_g0_t0.imec0.ap.meta"),
        ("spikeglx", "catgt.meta"),
        ("spikeglx", "doppio-checkerboard_t0.imec0.ap.meta"),
        ("spikeglx", "non_human_primate_long_staggered.imec0.ap.meta"),
        ("spikeglx", "non_human_primate_short_linear_probe_type_0.meta"),
        ("spikeglx", "p2_g0_t0.imec0.ap.meta"),
        ("spikeglx", "phase3a.imec.ap.meta"),
    ],
    "spikeglx/multi_probe_filename_without_info": [
        ("spikeglx", "probe_1/npx.imec.ap.bin"),
    ],
    "suite2p/two_planes_combined": [
        ("suite2p", "plane0/stat.npy"),
    ],
    "text/trials": [
        ("csv", "trials.csv"),
        ("csv", "trials.xlsx"),
    ],
    "thor/thorlabs_tiff_20231018-002": [
        ("tiff", "20231018-002/ChanA_001_001_001_001.tif"),
    ],
    "tiff/fissa_dtypes": [
        ("tiff", "b/images/AVG_A01.tif"),
        ("tiff", "b/images/AVG_A02.tif"),
        ("tiff", "b/images/AVG_A03.tif"),
        ("tiff", "tiffs/tifffile.imsave_float32.tif"),
    ],
    "tiff/sima_example": [
        ("tiff", "example-tiffs/0.tif"),
        ("tiff", "example.tif"),
    ],
    "video/CFR": [
        ("video", "video_avi.avi"),
        ("video", "video_flv.flv"),
        ("video", "video_mp4.mp4"),
    ],
}

#: Parts of names that people or the system's user settings choose: what they become. The sample's
#: folder is called x in any case.
FREE_NAMES: dict[str, dict[str, str]] = {
    "audio/generated_and_natural": {"5.1_Surround": "x", "natural_audio_recording": "xx"},
    "blackrock/PauseCorrect": {"pause_correct": "x"},
    "blackrock/blackrock_2_1": {"l101210-001": "x"},
    "blackrock/nev_only": {"FileSpec2.3001": "x", "file_spec_3_0": "xx", "reset_fail": "xxx"},
    "caiman/caiman_analysis": {"caiman_analysis": "x"},
    "cellexplorer/dataset_4": {
        "Peter_MS22_180629_110319_concat_stubbed_hdf5": "xx",
        "Peter_MS22_180629_110319_concat_stubbed": "x",
    },
    "cellexplorer/groundtruth_cell_metrics": {"d533101": "x"},
    "dlc/csv_single_multi_header_variants": {
        "CollectedData_LM": "x",
        "maudlc_testdata": "a",
        "madlc_testdata": "b",
        "dlc_testdata": "c",
    },
    "dlc/labeled_collected_data": {"CollectedData_Pranav": "x"},
    "dlc/open_field_with_video": {"m3v1mp4DLC_resnet50_openfieldOct30shuffle1_1000": "x"},
    "dlc/open_field_without_video": {"m3v1mp4DLC_resnet50_openfieldAug20shuffle1_30000": "x"},
    "dlc/vame_cropped_video_csv": {"cropped_video": "x"},
    "extract/extract_public_output": {"extract_public_output": "x"},
    "fictrac/sample": {"sample-20230724_113055": "x", "sample": "xx"},
    "fictrac/utils2p_camera_3": {"camera_3-20210802_083044": "x"},
    "intan/SYNTH_rhs_traditional": {"synth_rhs_240101_120000": "x"},
    "intan/rhd_traditional_A": {"sampledata": "x"},
    "lightningpose/outputs_2023-11-09": {"test_vid": "x"},
    "medpc/example_3_sessions": {"example_medpc_file_06_06_2024": "x"},
    "medpc/medpcpy_raw": {"R1_LAT_COUNT_5": "x", "S1_RESP_DIST_8": "xx", "S28_TOTAL_COUNT_1": "y"},
    "micromanager/ndtiff_v2_test": {"Full resolution": "x"},
    "micromanager/ndtiff_v3_12bit": {"12_bit_pycromanager_mda": "x"},
    "miniscope/C6-J588_Disc5": {"C6-J588_Disc5": "x", "15_03_28": "y", "15_06_28": "z"},
    "neuralynx/BML_unfilledsplit": {"original_data": "x", "unfilledSplitRecords": "y"},
    "neuralynx/Cheetah_v1.1.0": {"original_data": "x", "CSC67_trunc": "y"},
    "neuralynx/Cheetah_v4.0.2": {"original_data": "x", "CSC14_trunc": "y"},
    "neuralynx/Cheetah_v5.5.1": {"STet3a": "x", "Tet3a": "y", "Events": "z"},
    "neuralynx/Cheetah_v6.4.1dev": {"original_data": "x", "_truncated": ""},
    "neuralynx/NCS_jl": {"TestFile": "x"},
    "neuralynx/Neuraview_v2": {"original_data": "x", "NeuraviewEventMarkers-sample": "y"},
    "neuralynx/mne_atlas": {"LAHC": "c", "xAIR1": "x"},
    "neuralynx_nvt/test_nvt": {"test": "x"},
    "nwb/pynwb_tutorial": {"ecephys_tutorial_v2.5.0": "x"},
    "openephys_binary/aind_v0.6.x_neuropixels_not_aligned": {"Record Node 101": "x"},
    "openephys_binary/jdb_Rhythm_FPGA_264ch": {"2022-07-25_15-30-00": "x"},
    "openephys_binary/settings_and_oebin_only_probeinterface": {
        "OE_Neuropix-PXI-NP1-binary": "x",
        "OE_Neuropix-PXI-NP2-multishank-binary": "xx",
        "OE_OneBox-NP2014-binary": "xxx",
    },
    "openephys_binary/v0.6.x_neuropixels_multiexp_multistream": {"Record Node 101": "x"},
    "openephys_legacy/v0.6.7_OpenEphys": {"Record Node 105": "x", "example-data": "y"},
    "scanimage/v2022_noroi": {"scanimage_20220923_noroi": "x"},
    "scanimage/v3_8": {"sample_scanimage_version_3_8": "x"},
    "scanimage/volumetric_no_flyback": {"vol_no_flyback": "x"},
    "scanimage/volumetric_two_channels_multi_file_2of10": {"vol_two_ch_multi_files": "x"},
    "sleap/predictions_and_courtship": {
        "predictions_1.2.7_provenance_and_tracking": "x",
        "melanogaster_courtship": "y",
    },
    "spikeglx/DigitalChannelTest_g0": {"DigitalChannelTest": "x"},
    "spikeglx/NP2_with_sync": {"all_chan": "x"},
    "spikeglx/Noise4Sam_g0": {"Noise4Sam": "x"},
    "spikeglx/TEST_20210920_0_g0": {"TEST_20210920_0": "x"},
    "spikeglx/long_nhp_lf_only": {"snippet": "x"},
    "spikeglx/meta_only_ibl": {"np2split": "x"},
    "spikeglx/meta_only_probeinterface": {"catgt": "x", "NP-Ultra": "y"},
    "spikeglx/multi_probe_filename_without_info": {"npx": "x", "probe_": "p"},
    "text/trials": {"trials": "x"},
    "thor/thorlabs_tiff_20231018-002": {"20231018-002": "x"},
    "tiff/fissa_dtypes": {"AVG_A0": "x", "tifffile.imsave_float32": "y"},
    "tiff/sima_example": {"example": "x"},
    "video/CFR": {"video_avi": "x", "video_flv": "y", "video_mp4": "z"},
}

#: Samples whose names are all the system's own, or are named inside its files.
FIXED_NAMES: dict[str, str] = {
    "micromanager/SYNTH_MMStack_ome_tif": "the OME-XML names both files",
    "bruker/SYNTH_first_tif_single_plane": "the XML names its TIFF files",
    "bruker/dual_color_xml_only": "the XML names its TIFF files",
    "bruker/volumetric_t_series-005": "the XML names its TIFF files",
    "intan/fpc_one_file_per_channel": "info.rhd, amp-A-000.dat, ...",
    "intan/fps_one_file_per_signal": "info.rhd, amplifier.dat, ...",
    "openephys_binary/neural_and_non_neural_data_mixed": "experiment1, recording1, ...",
    "openephys_binary/v0.4.4.1_with_spikes": "experiment1, recording1, ...",
    "openephys_legacy/SampleData_1": "101_CH0.continuous, ...",
    "phy/phy_example_0_ks25": "params.py, spike_times.npy, ...",
    "suite2p/two_planes_combined": "plane0, stat.npy, ...",
}
