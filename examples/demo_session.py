"""Write the folder of one recording session, with every truth about it known.

    python examples/demo_session.py OUTDIR --seconds 20 --truth truth.json

    OUTDIR/run_g0/       SpikeGLX: a Neuropixels 1.0 probe (ap, lf, sync), and a nidq with the camera's
                         and the trials' pulses
    OUTDIR/kilosort/     Kilosort's and Phy's arrays: the spikes that are in the ap band
    OUTDIR/cam.mp4       a mouse, one frame a camera pulse; camDLC_...csv: DeepLabCut's tracks of it
    OUTDIR/trials.xlsx   what the behaviour program noted, in seconds since it was started
    OUTDIR/lab.yaml      what only people know

Four devices, four clocks: where the zeros of the nidq's, the camera's and the behaviour program's clocks
lie on the probe's is told, and `nwbkit convert` takes it as `--offset CLOCK=SECONDS`.
The same arguments give the same bytes.

Needs numpy, av and openpyxl.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples.spikeglx_run import CHANNELS, FileTruth, Nidq, Probe, Pulses, write_run

RUN = "run"
FPS = 60
WIDTH, HEIGHT = 64, 48
CAMERA_LINE, TRIAL_LINE = 1, 2
# When the devices began to acquire: the probe's file begins some us after the true 0, the nidq's later.
PROBE_START_S = -94847.9 / 30000.123456
NIDQ_START_S = -2.99998
CAMERA_START_S = 0.25  # true time of the first frame
PROGRAM_LEAD_S = 7.25  # the behaviour program runs since then, when the probe begins to record
TRIAL_S = 1.2
SCORER = "DLC_resnet50_demoMay2shuffle1_1000"
KEYPOINTS = {"nose": (9.0, 0.0), "leftear": (4.0, -4.0), "rightear": (4.0, 4.0), "tailbase": (-9.0, 0.0)}  # fmt: skip
REFERENCE = 191  # the channel of this probe that records no site; Kilosort leaves it out
LAB = """\
# What only people know; every field is NWB's own.
NWBFile:
  session_description: a mouse chooses a side while one probe records
  experiment_description: a demonstration with generated data
  experimenter: ["Doe, Jane"]
  lab: Example Lab
  institution: University of Examples
  keywords: [Neuropixels, decision making, demonstration]
Subject:
  subject_id: mouse1
  species: Mus musculus
  sex: F
  age: P90D
  strain: C57BL/6J
  weight: 0.025 kg
  description: a generated mouse
ElectrodeGroups:
  NeuropixelsImec0:
    location: VISp
"""


@dataclass
class SessionTruth:
    """What was written. Times are seconds; those of the probe's clock count from its first sample."""

    out_dir: str
    seconds: float
    offsets: dict[str, float]  # clock id -> where its zero lies on the probe's clock
    n_frames: int
    spikes: dict[int, list[int]]  # cluster -> samples of the ap file
    groups: dict[int, str]  # cluster -> what the curator said
    trials: dict[str, list] = field(default_factory=dict)  # columns as in the workbook
    pose: dict[str, list] = field(default_factory=dict)  # keypoint -> x, y, likelihood a frame
    files: list[FileTruth] = field(default_factory=list)  # of the run

    def on_probe(self, clock: str, times) -> np.ndarray:
        """Times of another clock on the probe's."""
        return np.asarray(times, float) + self.offsets[clock]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


# ---------------------------------------------------------------- the sorting


def write_sorting(folder: Path, ap: FileTruth, raw: Path) -> tuple[dict, dict]:
    """The arrays that Kilosort writes and the tables that Phy adds; clusters are the units of the run."""
    folder.mkdir()
    used = [i for i, c in enumerate(ap.channels) if c != REFERENCE]
    channels = np.array([ap.channels[i] for i in used])
    rows, columns = channels // 2, channels % 2
    units = np.repeat([s["unit"] for s in ap.spikes], [len(s["samples"]) for s in ap.spikes])
    times = np.concatenate([np.array(s["samples"], np.int64) for s in ap.spikes])
    order = np.argsort(times, kind="stable")
    units, times = units[order].astype(np.int32), times[order]
    rng = np.random.default_rng([len(times), 7])
    depth = np.array([-s["counts"] for s in ap.spikes], float)
    arrays = {
        "spike_times": times[:, None],
        "spike_clusters": units,
        "spike_templates": units[:, None],
        "amplitudes": (depth[units] * rng.normal(1, 0.05, len(units)))[:, None],
        "templates": _templates(ap, channels),
        "channel_map": np.array(used, np.int32)[:, None],
        "channel_positions": np.stack([np.where(rows % 2, 11, 27) + 32.0 * columns, 20.0 * rows], 1),
    }  # fmt: skip
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    clusters = [s["unit"] for s in ap.spikes]
    groups = {u: "mua" if u == clusters[-1] else "good" for u in clusters}
    _tsv(folder / "cluster_group.tsv", "group", groups)
    _tsv(folder / "cluster_KSLabel.tsv", "KSLabel", dict.fromkeys(clusters, "good"))
    (folder / "params.py").write_text(
        f"dat_path = r'{raw.as_posix()}'\nn_channels_dat = {ap.n_channels}\ndtype = 'int16'\n"
        f"offset = 0\nsample_rate = {ap.rate!r}\nhp_filtered = False\n"
    )
    return {s["unit"]: list(s["samples"]) for s in ap.spikes}, groups


def _templates(ap: FileTruth, channels: np.ndarray) -> np.ndarray:
    """(units, samples, channels), the largest value 1: the shape that the generator adds to the noise."""
    t = np.arange(-20, 41)
    shape = -np.exp(-((t / 4) ** 2)) + 0.3 * np.exp(-(((t - 16) / 9) ** 2))
    far = np.abs(channels[None, :] - np.array([[s["channel"]] for s in ap.spikes]))
    fall = np.where(far <= 4, np.exp(-far / 2), 0.0)
    return (shape[None, :, None] * fall[:, None, :]).astype(np.float32)


def _tsv(path: Path, column: str, values: dict) -> None:
    lines = [f"cluster_id\t{column}", *(f"{k}\t{v}" for k, v in values.items())]
    path.write_text("\n".join(lines) + "\n")


# ---------------------------------------------------------------- the camera


def walk(n_frames: int, seed: int) -> dict[str, np.ndarray]:
    """x, y (pixels), likelihood of each keypoint: a mouse that runs in a loop."""
    rng = np.random.default_rng([seed, 8])
    t = np.arange(n_frames) / FPS
    x, y = 32 + 18 * np.sin(0.9 * t), 24 + 11 * np.sin(1.3 * t + 0.4)
    heading = np.arctan2(np.cos(1.3 * t + 0.4) * 14.3, np.cos(0.9 * t) * 16.2)
    tracks = {}
    for name, (ahead, aside) in KEYPOINTS.items():
        jitter = rng.normal(0, 0.2, (2, n_frames))
        dx = ahead * np.cos(heading) - aside * np.sin(heading)
        dy = ahead * np.sin(heading) + aside * np.cos(heading)
        likelihood = np.clip(rng.normal(0.98, 0.03, n_frames), 0.2, 1)
        tracks[name] = np.stack([x + dx + jitter[0], y + dy + jitter[1], likelihood], 1)
    return tracks


def write_video(path: Path, tracks: dict[str, np.ndarray], n_frames: int) -> None:
    """One small grey frame a camera pulse, at exactly 60 frames a second."""
    import av

    yy, xx = np.mgrid[:HEIGHT, :WIDTH]
    container_options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=container_options) as out:
        stream = out.add_stream("mpeg4", rate=FPS, options={"flags": "+bitexact", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i in range(n_frames):
            grey = np.full((HEIGHT, WIDTH), 40.0)
            for name in KEYPOINTS:
                x, y, _ = tracks[name][i]
                grey += 180 * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / 6)
            grey = np.minimum(grey, 235).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, 2), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def write_tracks(path: Path, tracks: dict[str, np.ndarray]) -> None:
    """DeepLabCut's csv: three header rows, one row a frame."""
    parts = ("x", "y", "likelihood")
    header = [
        ["scorer"] + [SCORER] * 3 * len(tracks),
        ["bodyparts"] + [name for name in tracks for _ in parts],
        ["coords"] + [part for _ in tracks for part in parts],
    ]
    values = np.concatenate(list(tracks.values()), 1)
    lines = [",".join(row) for row in header]
    lines += [",".join([str(i), *map(repr, row)]) for i, row in enumerate(values.tolist())]
    path.write_text("\n".join(lines) + "\n")


# ---------------------------------------------------------------- the trials


def write_trials(path: Path, starts: np.ndarray, seed: int, created: datetime) -> dict[str, list]:
    """One row a trial, in seconds since the behaviour program was started, to a tenth of a ms."""
    import openpyxl

    rng = np.random.default_rng([seed, 9])
    columns = {
        "start_time": np.round(starts, 4).tolist(),
        "stop_time": np.round(starts + TRIAL_S * rng.uniform(0.6, 1, len(starts)), 4).tolist(),
        "choice": [("left", "right")[i] for i in rng.integers(0, 2, len(starts))],
        "correct": (rng.random(len(starts)) < 0.8).tolist(),
    }
    book = openpyxl.Workbook()
    book.active.title = "trials"
    for row in [list(columns), *map(list, zip(*columns.values(), strict=True))]:
        book.active.append(row)
    book.properties.created = created
    book.save(path)
    _without_date(path, created)
    return columns


def _without_date(path: Path, created: datetime) -> None:
    """openpyxl notes when it saved; the same session is to give the same bytes."""
    with zipfile.ZipFile(path) as old:
        parts = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in parts:
            if name == "docProps/core.xml":
                head, tail = data.split(b"<dcterms:modified", 1)
                rest = tail[tail.index(b">") : tail.index(b">") + 1] + created.isoformat().encode()
                data = head + b"<dcterms:modified" + tail[: tail.index(b">")] + rest + b"Z"
                data += tail[tail.index(b"</dcterms:modified>") :]
            new.writestr(zipfile.ZipInfo(name, (2024, 5, 2, 10, 0, 0)), data)


# ---------------------------------------------------------------- all of it


def write_session(
    out_dir,
    *,
    seconds: float = 20.0,
    seed: int = 0,
    channels: Sequence[int] | None = None,
    units: int = 8,
    create_time: str = "2024-05-02T10:00:00",
    truth_file=None,
) -> SessionTruth:
    """Write a session into `out_dir`, which must be empty or new.

    channels: those of the probe that are saved, all 384 where None; fewer make a small session.
    """
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise FileExistsError(f"'{out}' is not empty")
    pulses = [
        Pulses(CAMERA_LINE, FPS, 0.005, CAMERA_START_S, 0.0, "camera"),
        Pulses(TRIAL_LINE, 0.5, 0.1, 0.4, 0.3, "trial"),
    ]
    probe = Probe(units=units, save_channels=channels, start_s=PROBE_START_S)
    nidq = Nidq(pulses=pulses, start_s=NIDQ_START_S)
    run = write_run(out, run=RUN, probes=[probe], nidq=nidq, seconds=seconds, seed=seed,
                    create_time=create_time)  # fmt: skip
    ap, ni = run.find("imec0", "ap"), run.find("nidq")

    raw = Path("..", *Path(ap.path).parts)
    spikes, groups = write_sorting(out / "kilosort", ap, raw)
    n_frames = len(ni.lines[CAMERA_LINE]["rising"])
    tracks = walk(n_frames, seed)
    write_video(out / "cam.mp4", tracks, n_frames)
    write_tracks(out / f"cam{SCORER}.csv", tracks)
    true_starts = ni.start_s + np.array(ni.lines[TRIAL_LINE]["rising"]) / ni.true_rate
    started = datetime.fromisoformat(create_time)
    trials = write_trials(out / "trials.xlsx", true_starts + PROGRAM_LEAD_S, seed, started)
    (out / "lab.yaml").write_text(LAB)

    truth = SessionTruth(
        out_dir=str(out),
        seconds=seconds,
        offsets={
            f"{RUN}_g0/nidq": ni.start_s - ap.start_s,
            "cam/frames": CAMERA_START_S - ap.start_s,
            "trials/table": -PROGRAM_LEAD_S - ap.start_s,
        },
        n_frames=n_frames,
        spikes=spikes,
        groups=groups,
        trials=trials,
        pose={name: values.tolist() for name, values in tracks.items()},
        files=run.files,
    )
    if truth_file is not None:
        Path(truth_file).write_text(truth.to_json())
    return truth


def main(argv: Sequence[str] | None = None) -> None:
    ap = argparse.ArgumentParser(description="Write the folder of one recording session.")
    ap.add_argument("out_dir", type=Path)
    ap.add_argument("--seconds", type=float, default=20.0)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument(
        "--channels", type=int, default=CHANNELS, help="how many of the probe's are saved"
    )
    ap.add_argument("--create-time", default="2024-05-02T10:00:00")
    ap.add_argument(
        "--truth", type=Path, metavar="FILE", help="write what is known about the session"
    )
    a = ap.parse_args(argv)
    try:
        truth = write_session(a.out_dir, seconds=a.seconds, seed=a.seed, channels=range(a.channels),
                              create_time=a.create_time, truth_file=a.truth)  # fmt: skip
    except FileExistsError as error:
        raise SystemExit(f"demo_session: {error}") from None
    n_spikes = sum(map(len, truth.spikes.values()))
    print(f"{a.out_dir}: {a.seconds:g} s of {a.channels} channels, {n_spikes} spikes of "
          f"{len(truth.spikes)} units,\n{truth.n_frames} frames, {len(truth.trials['choice'])} trials; "
          "where each clock's zero lies on the probe's:")  # fmt: skip
    for clock, offset in truth.offsets.items():
        print(f"  {clock}={offset:.9f}")


if __name__ == "__main__":
    main()
