"""examples/spikeglx_run.py writes what it says it writes."""

import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from examples.spikeglx_run import BLOCK, Nidq, Probe, Pulses, main, write_run

MIXED = [500 if c % 2 else 250 for c in range(384)]
SUBSET = [*range(0, 36), *range(73, 96), 190, 380]
KINDS = ["NP1.0", "NP2.0-1shank", "NP2.0-4shank"]


def meta(path):
    lines = path.read_bytes().decode("latin-1").splitlines()
    return dict(line.split("=", 1) for line in lines)


def data(root, f):
    return np.fromfile(root / f.path, "<i2").reshape(f.n_samples, f.n_channels)


def edges(level):
    step = np.diff(level.astype(int))
    return (np.flatnonzero(step == 1) + 1).tolist(), (np.flatnonzero(step == -1) + 1).tolist()


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Two probes and a nidq with 40 lines; two gates of two triggers; both probes drift."""
    root = tmp_path_factory.mktemp("run")
    probes = [
        Probe(0, drift_ppm=40, units=3),
        Probe(1, "NP2.0-4shank", start_s=-0.9, drift_ppm=-25, units=3),
    ]
    nidq = Nidq(
        lines=40, xa=2, sync_line=7, pulses=[Pulses(15, 20.0), Pulses(33, 3.0, 0.02, jitter=0.5)]
    )
    truth = write_run(
        root,
        gates=(0, 3),
        triggers=(0, 1),
        probes=probes,
        nidq=nidq,
        seconds=0.8,
        trigger_gap_s=0.35,
    )
    return root, truth


def test_header_tells_the_truth(session):
    root, truth = session
    assert len(truth.files) == 4 * 4
    for f in truth.files:
        raw, m = (root / f.path).read_bytes(), meta(root / f.meta)
        assert int(m["fileSizeBytes"]) == len(raw) == f.n_samples * f.n_channels * 2
        assert m["fileSHA1"] == hashlib.sha1(raw).hexdigest().upper() == f.sha1
        assert float(m["niSampRate" if f.device == "nidq" else "imSampRate"]) == f.rate
        assert float(m["fileTimeSecs"]) == pytest.approx(f.n_samples / f.rate, rel=1e-15)
        assert int(m["nSavedChans"]) == f.n_channels
        assert int(m["firstSample"]) == f.first_sample
        assert m["fileCreateTime"] == f.create_time
        assert list(m) == sorted(m)
        assert (root / f.meta).read_bytes().count(b"\r\n") == len(m)


def test_sync_edges_are_where_the_truth_says(session):
    root, truth = session
    for f in truth.files:
        word = data(root, f)[:, -1] if f.device != "nidq" else data(root, f)[:, 2]
        assert edges((word >> (7 if f.device == "nidq" else 6)) & 1) == (
            f.sync_rising,
            f.sync_falling,
        )
        assert f.sync_rising or f.sync_falling
        for kind, phase in (("sync_rising", 0.0), ("sync_falling", 0.5)):
            true = (
                f.start_s + np.array(getattr(f, kind)) / f.true_rate
            )  # the first sample at or after the edge
            assert np.all((true - phase) % 1 < 1 / f.true_rate + 1e-9)


def test_every_digital_line(session):
    root, truth = session
    for f in (f for f in truth.files if f.device == "nidq"):
        words = data(root, f)[:, 2:].view("<u2")
        for line in range(48):
            expected = f.lines.get(line, {"rising": [], "falling": []})
            assert edges((words[:, line // 16] >> line % 16) & 1) == (
                expected["rising"],
                expected["falling"],
            )
    assert set(f.lines) == {7, 15, 33}
    assert len(f.lines[15]["rising"]) >= 10


def test_first_sample_runs_on_within_a_gate(session):
    _, truth = session
    for device in truth.devices:
        a, b, c = (truth.find(device, gate=g, trigger=t) for g, t in ((0, 0), (0, 1), (3, 0)))
        assert (b.first_sample - a.first_sample) / a.true_rate == pytest.approx(
            0.8 + 0.35, abs=0.001
        )
        assert c.first_sample == a.first_sample
        assert c.create_time > b.create_time > a.create_time
    ap, lf = truth.find("imec0", "ap", 0, 1), truth.find("imec0", "lf", 0, 1)
    assert (ap.first_sample, ap.n_samples) == (12 * lf.first_sample, 12 * lf.n_samples)
    assert lf.rate == ap.rate / 12


def test_spikes(session):
    root, truth = session
    for f in (f for f in truth.files if f.band == "ap"):
        x = data(root, f)
        for unit in f.spikes:
            assert f.channels[unit["column"]] == unit["channel"]
            trace = x[:, unit["column"]].astype(float)
            depth = np.mean(trace[unit["samples"]] - np.median(trace))
            assert depth == pytest.approx(unit["counts"], rel=0.35)


def test_blocks_differ_and_the_seed_decides(tmp_path):
    def write(name, seed):
        truth = write_run(tmp_path / name, probes=[Probe(bands=["ap"], save_sync=False, units=0)], nidq=None,
                          seconds=4 * BLOCK / 30000, seed=seed)  # fmt: skip
        return truth.files[0].sha1, data(tmp_path / name, truth.files[0])

    (one, x), (again, _), (other, _) = write("a", 1), write("b", 1), write("c", 2)
    assert one == again != other
    assert len({x[i : i + BLOCK].tobytes() for i in range(0, 3 * BLOCK, BLOCK)}) == 3
    assert 3 < np.median(x[:5000].std(0)) < 8


@pytest.mark.parametrize("geometry", ["geom", "shank"])
@pytest.mark.parametrize("kind", KINDS)
def test_probeinterface_reads_the_geometry(tmp_path, kind, geometry):
    probeinterface = pytest.importorskip("probeinterface")
    truth = write_run(
        tmp_path,
        probes=[Probe(kind=kind, bands=["ap"], geometry=geometry)],
        nidq=None,
        seconds=0.01,
    )
    p = probeinterface.read_spikeglx(tmp_path / truth.files[0].meta)
    assert p.get_contact_count() == 384
    assert p.get_shank_count() == (4 if "4shank" in kind else 1)
    np.testing.assert_array_equal(np.diff(p.contact_positions[:2], axis=0), [[32, 0]])
    assert p.contact_positions[2, 1] - p.contact_positions[0, 1] == (20 if kind == "NP1.0" else 15)


def test_phase_3a(tmp_path):
    probeinterface = pytest.importorskip("probeinterface")
    truth = write_run(tmp_path, probes=[Probe(kind="3A", serial=123)], nidq=None, seconds=0.02)
    assert [f.path for f in truth.files] == [
        "demo_g0/demo_g0_t0.imec.ap.bin",
        "demo_g0/demo_g0_t0.imec.lf.bin",
    ]
    m = meta(tmp_path / truth.files[0].meta)
    assert m["~imroTbl"].startswith("(123,3,384)(0 0 0 500 250)")
    assert "imDatPrb_type" not in m
    assert probeinterface.read_spikeglx(tmp_path / truth.files[0].meta).get_contact_count() == 384


def test_saved_subset_with_mixed_gains(tmp_path):
    probe = Probe(ap_gain=MIXED, lf_gain=125, save_channels=SUBSET)
    truth = write_run(tmp_path, probes=[probe], nidq=None, seconds=0.02)
    ap, lf = truth.find("imec0", "ap"), truth.find("imec0", "lf")
    m = meta(tmp_path / ap.meta)
    assert m["snsSaveChanSubset"] == "0:35,73:95,190,380,768"
    assert m["snsApLfSy"] == "61,0,1"
    assert [len(re.findall(r"\(", m[k])) for k in ("~imroTbl", "~snsChanMap", "~snsGeomMap")] == [
        385,
        63,
        62,
    ]
    assert ap.volts_per_count == [0.6 / 512 / MIXED[c] for c in SUBSET]
    assert lf.volts_per_count == [0.6 / 512 / 125] * 61
    assert meta(tmp_path / lf.meta)["snsSaveChanSubset"] == "384:419,457:479,574,764,768"


def test_saved_without_sync(tmp_path):
    truth = write_run(tmp_path, probes=[Probe(save_sync=False)], nidq=None, seconds=0.02)
    for f in truth.files:
        m = meta(tmp_path / f.meta)
        assert m["snsApLfSy"] == ("384,0,0" if f.band == "ap" else "0,384,0")
        assert f.n_channels == 384
        assert "SY0" not in m["~snsChanMap"]
        assert data(tmp_path, f)[:, -1].std() > 0
        assert not f.sync_rising


def test_catgt(tmp_path):
    truth = write_run(tmp_path, probes=[Probe()], catgt=True, triggers=(0, 1, 2), seconds=0.02)
    f = truth.find("imec0", "ap")
    assert f.path == "catgt_demo_g0/demo_g0_imec0/demo_g0_tcat.imec0.ap.bin"
    m = meta(tmp_path / f.meta)
    assert (m["catGVals"], m["catTVals"], m["catNFiles"], m["fileSHA1"]) == ("0,0", "0,2", "3", "0")
    assert f.n_samples / f.rate == pytest.approx(0.06, abs=0.001)


def test_multiplexed_analog(tmp_path):
    truth = write_run(
        tmp_path, probes=[], nidq=Nidq(mn=64, ma=32, xa=1, lines=16, max_int=None), seconds=0.05
    )
    f = truth.files[0]
    m = meta(tmp_path / f.meta)
    assert (m["snsMnMaXaDw"], m["niMNChans1"], m["niMAChans1"], m["niXAChans1"]) == (
        "64,32,1,1",
        "0:1",
        "2",
        "3",
    )
    assert "niMaxInt" not in m
    assert sorted(set(f.volts_per_count)) == [5 / 32768 / 200, 5 / 32768]


def test_bad_requests(tmp_path):
    for probes in ([Probe(), Probe()], [Probe(kind="NP3")], [Probe(kind="NP2.0-1shank", bands=["lf"])],
                   [Probe(start_s=1.0)], [Probe(save_channels=[384])]):  # fmt: skip
        with pytest.raises(ValueError):
            write_run(tmp_path, probes=probes, nidq=None, seconds=0.01)
    with pytest.raises(ValueError, match="run into each other"):
        write_run(tmp_path, nidq=Nidq(pulses=[Pulses(1, 100.0, 0.02)]), seconds=0.01)


def test_command_line(tmp_path, capsys):
    main(
        [
            str(tmp_path / "out"),
            "--seconds",
            "0.05",
            "--flat",
            "--truth",
            str(tmp_path / "truth.json"),
        ]
    )
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert len(capsys.readouterr().out.splitlines()) == len(truth["files"]) == 3
    assert all((tmp_path / "out" / f["path"]).parent.name == "demo_g0" for f in truth["files"])
