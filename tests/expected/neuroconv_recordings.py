"""Recordings that are read beside NeuroConv; the rest stands in neuroconv_cases.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """One stream, read by both."""

    sample: str
    stream: str
    interface: str
    kwargs: dict[str, Any]
    session: str | None = None
    sets: tuple[str, ...] = ()
    salvage: bool = False

    @property
    def id(self) -> str:
        """``SAMPLE[:SESSION] STREAM``."""
        session = f":{self.session}" if self.session else ""
        return f"{self.sample}{session} {self.stream}"


def _spikeglx() -> list[Case]:
    at, probe, nidq = "spikeglx/", "SpikeGLXRecordingInterface", "SpikeGLXNIDQInterface"
    here = {"folder_path": ""}
    return [
        Case(
            at + "NP2_with_sync",
            "imec0.ap",
            probe,
            here | {"stream_id": "imec0.ap"},
            None,
            (),
            True,
        ),
        Case(at + "NP2_with_sync", "nidq.analog", nidq, here, None, (), True),
        Case(
            at + "Noise4Sam_g0", "imec0.ap", probe, here | {"stream_id": "imec0.ap"}, None, (), True
        ),
        Case(at + "Noise4Sam_g0", "nidq.analog", nidq, here, None, (), True),
        Case(
            at + "TEST_20210920_0_g0",
            "imec0.ap",
            probe,
            here | {"stream_id": "imec0.ap"},
            None,
            (),
            True,
        ),
        Case(at + "long_nhp_lf_only", "imec0.lf", probe, here | {"stream_id": "imec0.lf"}),
        Case(at + "DigitalChannelTest_g0", "nidq.digital", nidq, here),
        Case(
            at + "multi_probe_filename_without_info",
            "imec0.ap",
            probe,
            here | {"stream_id": "imec0.ap"},
            None,
            (),
            True,
        ),
    ]


def _openephys() -> list[Case]:
    at, probe = "openephys_binary/", "OpenEphysBinaryRecordingInterface"
    analog, legacy = "OpenEphysBinaryAnalogInterface", "OpenEphysLegacyRecordingInterface"
    many = at + "v0.6.x_neuropixels_multiexp_multistream"
    node = "Record Node 101#"
    cases = [
        Case(
            many,
            "ProbeB",
            probe,
            {
                "folder_path": "",
                "stream_name": f"{node}Neuropix-PXI-100.ProbeB",
                "block_index": block,
            },
            f"experiment{number}",
        )
        for block, number in enumerate((1, 3, 6))
    ]
    ni = {"folder_path": "", "stream_name": f"{node}NI-DAQmx-103.PXIe-6341", "block_index": 0}
    fpga = {"folder_path": "", "stream_name": "Rhythm_FPGA-100.0"}
    return [
        *cases,
        Case(many, "PXIe-6341.adc", analog, ni, cases[0].session),
        Case(at + "jdb_Rhythm_FPGA_264ch", "Rhythm_FPGA-100.0", probe, fpga),
        Case(at + "neural_and_non_neural_data_mixed", "Rhythm_FPGA-100.0", probe, fpga),
        Case(
            at + "neural_and_non_neural_data_mixed",
            "Rhythm_FPGA-100.0.adc",
            analog,
            {"folder_path": "", "stream_name": "Rhythm_FPGA-100.0_ADC"},
        ),
        Case(at + "v0.4.4.1_with_spikes", "Rhythm_FPGA-100.0", probe, fpga),
        Case("openephys_legacy/SampleData_1", "processor101", legacy, {"folder_path": ""}),
        Case(
            "openephys_legacy/v0.6.7_OpenEphys",
            "example-data",
            legacy,
            {"folder_path": "Record Node 105"},
        ),
    ]


def _blackrock() -> list[Case]:
    raw, units = "BlackrockRecordingInterface", "BlackrockSortingInterface"
    pause, older = "blackrock/PauseCorrect", "blackrock/blackrock_2_1"
    clock = {"sampling_frequency": 30000.0}
    return [
        Case(pause, "ns2.analog", raw, {"file_path": "pause_correct.ns2"}),
        Case(pause, "units", units, {"file_path": "pause_correct.nev"} | clock),
        Case(older, "ns2.analog", raw, {"file_path": "l101210-001.ns2"}),
        Case(older, "units", units, {"file_path": "l101210-001.nev"} | clock),
        Case(
            "blackrock/nev_only",
            "units",
            units,
            {"file_path": "FileSpec2.3001.nev"},
            "FileSpec2-3001",
        ),
        *(
            Case("blackrock/nev_only", "units", units, {"file_path": f"{n}.nev"} | clock, n)
            for n in ("file_spec_3_0", "reset_fail")
        ),
    ]


def _neuralynx() -> list[Case]:
    at, raw = "neuralynx/", "NeuralynxRecordingInterface"
    inside = {"folder_path": "original_data"}
    newest = at + "Cheetah_v6.4.1dev"
    return [
        Case(at + "BML_unfilledsplit", "csc*", raw, inside),
        Case(at + "Cheetah_v1.1.0", "csc*", raw, inside),
        Case(at + "Cheetah_v4.0.2", "csc*", raw, inside),
        Case(at + "Cheetah_v5.5.1", "csc*", raw, {"folder_path": ""}),
        Case(at + "Cheetah_v5.5.1", "units", "NeuralynxSortingInterface", {"folder_path": ""}),
        Case(
            newest,
            "csc.32000Hz",
            raw,
            inside | {"stream_name": "stream0_32000Hz_2mVRange_DSPFilter2"},
        ),
        Case(
            newest,
            "csc.2666.67Hz",
            raw,
            inside | {"stream_name": "stream1_2666Hz_5mVRange_DSPFilter1"},
        ),
        Case(at + "NCS_jl", "csc*", raw, {"folder_path": ""}, None, ("NCS_jl.ad_bit_volts=1e-7",)),
        Case(at + "Neuraview_v2", "events", raw, inside),
        Case(
            at + "mne_atlas",
            "csc.32000Hz",
            raw,
            {"folder_path": "", "stream_name": "stream0_32000Hz_1mVRange_DSPFilter1"},
        ),
        Case(
            "neuralynx_nvt/test_nvt", "position", "NeuralynxNvtInterface", {"file_path": "test.nvt"}
        ),
    ]


def _intan() -> list[Case]:
    raw, analog = "IntanRecordingInterface", "IntanAnalogInterface"
    files = {
        "rhd_traditional_A": "sampledata.rhd",
        "SYNTH_rhs_traditional": "synth_rhs_240101_120000.rhs",
        "fps_one_file_per_signal": "info.rhd",
        "fpc_one_file_per_channel": "info.rhd",
    }
    cases = [Case(f"intan/{n}", "amplifier", raw, {"file_path": f}) for n, f in files.items()]
    for name, stream, called in (
        ("rhd_traditional_A", "auxiliary", "RHD2000 auxiliary input channel"),
        ("fps_one_file_per_signal", "auxiliary", "RHD2000 auxiliary input channel"),
        ("fps_one_file_per_signal", "adc", "USB board ADC input channel"),
        ("SYNTH_rhs_traditional", "adc", "USB board ADC input channel"),
    ):
        kwargs = {"file_path": files[name], "stream_name": called}
        cases.append(Case(f"intan/{name}", stream, analog, kwargs))
    rhs = {"file_path": files["SYNTH_rhs_traditional"]}
    return [*cases, Case("intan/SYNTH_rhs_traditional", "stim", "IntanStimInterface", rhs)]


RECORDINGS: list[Case] = [
    *_spikeglx(),
    *_openephys(),
    *_blackrock(),
    *_neuralynx(),
    *_intan(),
]
