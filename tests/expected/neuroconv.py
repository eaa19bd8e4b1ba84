"""Why nwbkit and NeuroConv differ where they do, for the cases of neuroconv_cases.py.

A reason is wanted for every difference, and a difference for every reason; the reasons come from
the vendors' bytes and documents.
"""

from __future__ import annotations

_CLOCK = (
    "UTC, from the time that the recording's messages or metadata name in ms since 1970; NeuroConv "
    "takes the settings file's date, for every experiment the first one's, without a zone"
)
_ADC = (
    "bit_volts of an ADC channel is volts a count (Open Ephys, binary format); neo labels every "
    "channel uV, a millionth"
)
_UTC = (
    "the specification says that the header's time is UTC; NeuroConv's is naive, and pynwb then "
    "takes the zone of the computer that converts"
)
_INVERTED = (
    "the header says InputInverted True, so a count is a negative voltage; neo drops the sign"
)
_NAME = "the software's own file name says it: NAME_yymmdd_hhmmss"
_DATE = "general.date and general.time in session.mat"
_MEASURED = (
    "frameTimestamps_sec of every frame, which ScanImage measured; NeuroConv takes the header's"
)
_EPOCH = "the page's epoch says {}; NeuroConv loses a microsecond in binary fractions of a second"
_FRAMES = (
    "a video frame without the animal is a row of NaN; NeuroConv leaves the row out, and its rate is "
    "over what is left"
)
_TWO = (
    "two frames a slice: volumes are 17 ms and 1.3 s apart in turn, so there is no rate but times"
)
_WORD = (
    "the last of the saved channels is the word of digital lines (snsMnMaXaDw), which is no voltage"
)
_ATLAS = (
    "asked for 'stream0_32000Hz_1mVRange_DSPFilter1', neo hands out the five channels of 2 kHz; "
    "the file LAHCu1.ncs says 32 kHz, one channel"
)
_MANY = "v0.6.x_neuropixels_multiexp_multistream"

#: By case and what differs: why ours is right.
REASONS: dict[tuple[str, str], str] = {
    ("spikeglx/NP2_with_sync nidq.analog", "channels"): _WORD,
    ("spikeglx/Noise4Sam_g0 nidq.analog", "channels"): _WORD,
    ("spikeglx/long_nhp_lf_only imec0.lf", "error"): "an LF band without its AP band is read; the "
    ".meta holds the geometry",
    ("spikeglx/DigitalChannelTest_g0 nidq.digital", "gain"): _WORD,
    **{(f"openephys_binary/{_MANY}:experiment{n} ProbeB", "start"): _CLOCK for n in (1, 3, 6)},
    (f"openephys_binary/{_MANY}:experiment1 PXIe-6341.adc", "start"): _CLOCK,
    (f"openephys_binary/{_MANY}:experiment1 PXIe-6341.adc", "gain"): _ADC,
    ("openephys_binary/neural_and_non_neural_data_mixed Rhythm_FPGA-100.0.adc", "gain"): _ADC,
    ("blackrock/PauseCorrect ns2.analog", "start"): "the headers of nev and ns2 differ by a "
    "millisecond; a session has one start, that of the nev, in UTC as the specification says",
    ("blackrock/PauseCorrect units", "zone"): _UTC,
    ("blackrock/blackrock_2_1 ns2.analog", "samples"): "56 bytes of header and 43 692 of data are "
    "3641 samples of 6 channels; neo leaves out the last",
    (
        "blackrock/blackrock_2_1 ns2.analog",
        "gain",
    ): "a NEURALSG file holds no scale; the nev beside it "
    "does (152 592 547 pV/bit); NeuroConv takes 1 uV",
    ("blackrock/blackrock_2_1 ns2.analog", "start"): "the nev beside it says it",
    ("blackrock/blackrock_2_1 units", "units"): "l101210-001-02.nev is the same recording, sorted "
    "later; as many spikes, in 324 units",
    ("blackrock/blackrock_2_1 units", "zone"): _UTC,
    (
        "blackrock/nev_only:FileSpec2-3001 units",
        "error",
    ): "the nev's header holds the clock's rate, 30 kHz",
    ("blackrock/nev_only:file_spec_3_0 units", "zone"): _UTC,
    ("blackrock/nev_only:reset_fail units", "zone"): _UTC,
    (
        "neuralynx/BML_unfilledsplit csc*",
        "rate",
    ): "time stamps are 34 us a sample apart, record after "
    "record: 29 411.76 Hz; the header's 29 411 is cut off",
    ("neuralynx/Cheetah_v4.0.2 csc*", "rate"): "time stamps are 35 us a sample apart, record after "
    "record: 28 571.43 Hz; the header says 27 789 Hz, three per cent off",
    ("neuralynx/Cheetah_v1.1.0 csc*", "gain"): _INVERTED,
    (
        "neuralynx/Cheetah_v5.5.1 units",
        "error",
    ): "a gap in the recording beside them does not touch the spikes' own times",
    ("neuralynx/Cheetah_v6.4.1dev csc.32000Hz", "gain"): _INVERTED,
    ("neuralynx/Cheetah_v6.4.1dev csc.2666.67Hz", "gain"): _INVERTED,
    (
        "neuralynx/NCS_jl csc*",
        "error",
    ): "a header without the time of opening is no reason to refuse; "
    "the missing ADBitVolts is, until the user gives it",
    ("neuralynx/Neuraview_v2 events", "error"): "event markers without a recording are read",
    ("neuralynx/mne_atlas csc.32000Hz", "rate"): _ATLAS,
    ("neuralynx/mne_atlas csc.32000Hz", "channels"): _ATLAS,
    ("neuralynx/mne_atlas csc.32000Hz", "samples"): _ATLAS,
    ("neuralynx/mne_atlas csc.32000Hz", "gain"): _ATLAS,
    ("intan/SYNTH_rhs_traditional amplifier", "start"): _NAME,
    ("intan/SYNTH_rhs_traditional adc", "start"): _NAME,
    ("intan/SYNTH_rhs_traditional stim", "start"): _NAME,
    ("intan/fps_one_file_per_signal auxiliary", "rate"): "auxiliary.dat holds as many samples as "
    "time.dat: 24 320, at 30 kHz; a quarter of that is the rate in .rhd files of the old layout",
    ("cellexplorer/groundtruth_cell_metrics units", "error"): "cell_metrics holds the spike times, "
    "too (spikes.times)",
    **{
        (f"cellexplorer/dataset_4:Peter_MS22_180629_110319_concat_stubbed{x} units", "start"): _DATE
        for x in ("", "_hdf5")
    },
    ("scanimage/v2022_noroi Channel1", "rate"): _TWO,
    ("scanimage/v2022_noroi Channel4", "rate"): _TWO,
    ("scanimage/v2022_noroi Channel1", "start"): _EPOCH.format("12:46:09.383"),
    ("scanimage/v2022_noroi Channel4", "start"): _EPOCH.format("12:46:09.383"),
    ("scanimage/volumetric_no_flyback Channel1", "rate"): _MEASURED
    + " scanVolumeRate, 8.9 Hz, which "
    "contradicts the 1.9 ms between frames",
    ("scanimage/volumetric_no_flyback Channel1", "start"): _EPOCH.format("14:51:53.601"),
    **{
        (f"scanimage/volumetric_two_channels_multi_file_2of10 Channel{n}", "rate"): _MEASURED
        + " scanVolumeRate, 94 ppm slower"
        for n in (1, 2)
    },
    **{
        (
            f"scanimage/volumetric_two_channels_multi_file_2of10 Channel{n}",
            "start",
        ): _EPOCH.format("16:41:20.802")
        for n in (1, 2)
    },
    (
        "thor/thorlabs_tiff_20231018-002 movie",
        "start",
    ): "AcquiredDate in the TIFF's own OME-XML; "
    "that Experiment.xml says a second less is not looked at as long as ThorImage is no format",
    **{
        (f"sleap/predictions_and_courtship:melanogaster_courtship pose-track_{n}", what): _FRAMES
        for n in (0, 1)
        for what in ("frames", "rate")
    },
    **{
        (
            "sleap/predictions_and_courtship:predictions_1-2-7_provenance_and_tracking pose-track_1",
            what,
        ): _FRAMES
        for what in ("frames", "rate")
    },
    (
        "openephys_legacy/v0.6.7_OpenEphys example-data",
        "start",
    ): "UTC to the millisecond, from the time "
    "that messages.events names; NeuroConv takes the day of date_created and drops the hour",
    **{
        (
            f"miniscope/C6-J588_Disc5:*15_{n}_28 Miniscope",
            "rate",
        ): "timeStamps.csv has a time for every frame, and they are not even; NeuroConv's is a mean"
        for n in ("03", "06")
    },
    **{
        (
            f"miniscope/C6-J588_Disc5:*15_{n}_28 Miniscope",
            "zone",
        ): "msecSinceEpoch and the local hour, both in metaData.json, tell the zone"
        for n in ("03", "06")
    },
    (
        "video/CFR:video_flv frames",
        "frames",
    ): "152 video tags, each with its time; NeuroConv counts "
    "duration times rate, which the header rounds",
    ("fictrac/sample position", "last_s"): "only rows 0 and 292 to 299 hold the computer's time; "
    "NeuroConv joins them with the frame times of the rest, and time jumps by 53 years",
}

#: Differences in which ours is not, or not yet, shown to be right.
OPEN: dict[tuple[str, str], str] = {
    (
        "micromanager/SYNTH_MMStack_ome_tif Default",
        "zone",
    ): "Micro-Manager's StartTime has the zone, "
    "OME's AcquisitionDate has none; Micro-Manager is no format yet",
    ("fictrac/sample position", "start"): "row 0 holds the computer's time in ms since 1970, "
    "09:30:55.4406 UTC, which agrees with the file's name",
}
