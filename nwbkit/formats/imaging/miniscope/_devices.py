"""Which devices a recording has, and which files are whose; both layouts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, MissingFact
from nwbkit.formats.base import Source
from nwbkit.formats.imaging.miniscope import _texts
from nwbkit.formats.imaging.miniscope._look import kind_of
from nwbkit.formats.io import avi
from nwbkit.formats.io.complaints import Complaints
from nwbkit.formats.io.names import camel

Times = npt.NDArray[np.float64]


@dataclass
class Device:
    """A miniscope or a camera.

    Parameters
    ----------
    id : str
        Of its stream.
    name : str
        As the user called it.
    folder : str
        Where its files lie, for messages.
    is_scope : bool
    said : dict
        Its metaData.json.
    movies : list of Path
        In order.
    missing : list of str
        Movie files whose numbers are skipped.
    per_file : int
        Frames a movie file; 0 where it is not said.
    times : numpy.ndarray of float64, optional
        Seconds since the recording's start, of each frame.
    """

    id: str
    name: str
    folder: str
    is_scope: bool
    said: dict[str, Any]
    movies: list[Path]
    missing: list[str] = field(default_factory=list)
    per_file: int = 0
    times: Times | None = None
    times_path: Path | None = None
    frame_numbers: Times | None = None
    orientation: Path | None = None
    first_number: int = 0

    @property
    def camel(self) -> str:
        """Its name in CamelCase."""
        return camel(self.id)

    def number(self, path: Path) -> int:
        """How many movie files come before `path`."""
        found = re.search(r"(\d+)\.avi$", path.name, re.IGNORECASE)
        return (int(found[1]) if found else 0) - self.first_number


@dataclass
class Recording:
    """All devices of a recording, and what is said of it."""

    root: Path
    devices: list[Device]
    said: dict[str, Any] = field(default_factory=dict)
    notes: tuple[Times, list[str]] = field(default_factory=lambda: (np.empty(0), []))
    is_old: bool = False

    @property
    def turned(self) -> list[Device]:
        """Those with a head orientation."""
        return [d for d in self.devices if d.orientation is not None]


def devices_of(source: Source, complaints: Complaints) -> Recording:
    """Sort the files of a source.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where a file is no what its name says.
    """
    names = [p.name.lower() for p in source.paths]
    if any(n.startswith("mscam") for n in names):
        return _old(source, complaints)
    folders: dict[Path, list[Path]] = {}
    for path in source.paths:
        folders.setdefault(path.parent, []).append(path)
    session: dict[str, Any] = {}
    notes: tuple[Times, list[str]] = (np.empty(0), [])
    root = source.paths[0].parent
    found: list[tuple[Path, dict[str, Any], list[Path]]] = []
    for folder, paths in folders.items():
        said = _named(paths, "metadata.json")
        settings = _texts.settings(said) if said is not None else {}
        movies = [p for p in paths if p.suffix.lower() == ".avi"]
        if kind_of(settings) == "session":
            session, root = settings, folder
        elif movies:
            found.append((folder, settings, paths))
        noted = _named(paths, "notes.csv")
        if noted is not None:
            notes = _texts.notes(noted)
    if not found:
        raise DamagedInput(f"'{root.name}' holds no folder of a device with a movie")
    devices = [_device(f, said, paths, session, complaints) for f, said, paths in found]
    _tell_apart(devices)
    return Recording(root, devices, session, notes)


def _named(paths: Sequence[Path], name: str) -> Path | None:
    return next((p for p in paths if p.name.lower() == name), None)


def _device(
    folder: Path,
    said: dict[str, Any],
    paths: Sequence[Path],
    session: dict[str, Any],
    complaints: Complaints,
) -> Device:
    name = str(said.get("deviceName") or folder.name)
    movies = _texts.in_order([p for p in paths if re.fullmatch(r"\d+\.avi", p.name, re.I)])
    per_file = said.get("framesPerFile")
    device = Device(
        id=re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_") or "device",
        name=name,
        folder=folder.name,
        is_scope=_is_scope(name, said, session),
        said=said,
        movies=movies,
        missing=_skipped(movies, 0),
        per_file=int(per_file) if isinstance(per_file, int | float) and per_file > 0 else 0,
        orientation=_named(paths, "headorientation.csv"),
    )
    times = _named(paths, "timestamps.csv")
    if times is not None:
        listed = _texts.numbers(times, 2)
        if listed.cut:
            complaints(f"'{_texts.label(times)}': {listed.cut}", "keeps the rows before it")
        device.times = listed.column("time", 1) / 1000
        device.frame_numbers = listed.column("frame", 0)
        device.times_path = times
    return device


def _is_scope(name: str, said: dict[str, Any], session: dict[str, Any]) -> bool:
    """Whether a device is a miniscope: by the session's lists, else by its type."""
    for key, answer in (("miniscopes", True), ("cameras", False)):
        listed = session.get(key)
        if isinstance(listed, list) and name in listed:
            return answer
    kind = str(said.get("deviceType") or "").lower()
    if kind:
        return "miniscope" in kind or "miniscope" in name.lower()
    return not re.search(r"cam", name, re.IGNORECASE)


def _skipped(movies: Sequence[Path], first: int) -> list[str]:
    """Names of movie files whose numbers are skipped."""
    there = [int(m[1]) for p in movies if (m := re.search(r"(\d+)\.avi$", p.name, re.I))]
    if not there or max(there) > 1_000_000:
        return []
    head = re.sub(r"\d+\.avi$", "", movies[0].name, flags=re.I)
    have = set(there)
    return [f"{head}{k}.avi" for k in range(first, max(there)) if k not in have][:20]


def _tell_apart(devices: Sequence[Device]) -> None:
    """Ids that two devices share get the folder's name."""
    ids = [d.camel.lower() for d in devices]
    for device in devices:
        if ids.count(device.camel.lower()) > 1:
            device.id = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{device.id}_{device.folder}")


# ---------------------------------------------------------------- the older program


def _old(source: Source, complaints: Complaints) -> Recording:
    """``msCam1.avi``, ``behavCam1.avi`` and one ``timestamp.dat`` for both."""
    root = source.paths[0].parent
    devices = []
    for stem, is_scope in (("msCam", True), ("behavCam", False)):
        movies = _texts.in_order(
            [p for p in source.paths if p.name.lower().startswith(stem.lower())]
        )
        if movies:
            device = Device(stem, stem, stem, is_scope, {}, movies, _skipped(movies, 1))
            device.first_number = 1
            devices.append(device)
    recording = Recording(root, devices, is_old=True)
    settings = _named(source.paths, "settings_and_notes.dat")
    if settings is not None:
        said, taken = _texts.old_settings(settings)
        recording.said = dict(said)
        devices[0].said = {k: v for k, v in said.items() if k.lower() != "animal"}
        recording.notes = (np.array([t for t, _ in taken], np.float64), [n for _, n in taken])
    times = _named(source.paths, "timestamp.dat")
    if times is not None:
        _old_times(source, times, devices, complaints)
    return recording


def _old_times(
    source: Source, path: Path, devices: Sequence[Device], complaints: Complaints
) -> None:
    """Give each device the rows of its camera in ``timestamp.dat``."""
    listed = _texts.numbers(path, 3, None)
    if listed.cut:
        complaints(f"'{_texts.label(path)}': {listed.cut}", "keeps the rows before it")
    cameras = {int(c): listed.rows[listed.rows[:, 0] == c] for c in np.unique(listed.rows[:, 0])}
    for device in devices:
        device.per_file = avi.index(device.movies[0]).n_frames if device.missing else 0
    chosen = _cameras(source, path, devices, {c: len(r) for c, r in cameras.items()})
    for device, camera in zip(devices, chosen, strict=True):
        if camera is None:
            continue
        rows = cameras[camera]
        seconds = rows[:, 2] / 1000
        if len(seconds) > 1 and seconds[0] > seconds[1]:
            complaints.note(
                f"'{path.name}': the first frame of camera {camera} is at {seconds[0]:.3f} s, the "
                "second at "
                f"{seconds[1]:.3f} s: the program's counter was not set yet, taken as 0"
            )
            seconds = np.concatenate([[min(0.0, seconds[1])], seconds[1:]])
        device.times, device.times_path = seconds, path
        device.frame_numbers = rows[:, 1]


def _cameras(
    source: Source, path: Path, devices: Sequence[Device], counts: dict[int, int]
) -> list[int | None]:
    """The camera number of each device: as said, else by the number of frames.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where numbers of frames do not tell.
    """
    given = source.options.get("miniscope_camera")
    others = [c for c in counts if c != given]
    if given is not None:
        if given not in counts:
            known = ", ".join(map(str, counts))
            raise MissingFact(
                f"'{path.name}' has no camera {given}",
                hint=f"--set {source.id}.miniscope_camera=N, one of {known}",
            )
        return [given if d.is_scope else (others[0] if others else None) for d in devices]
    if len(counts) == 1 and len(devices) == 1:
        return [next(iter(counts))]
    frames = [sum(avi.index(m).n_frames for m in d.movies) for d in devices]
    fitting = [[c for c, n in counts.items() if n == f] for f in frames]
    if len(devices) == 2 and len(counts) == 2:
        for first, second in ((0, 1), (1, 0)):
            if len(fitting[first]) == 1:
                mine = fitting[first][0]
                other = next(c for c in counts if c != mine)
                if mine not in fitting[second] or len(fitting[second]) == 1:
                    return [mine, other] if first == 0 else [other, mine]
    if all(len(f) == 1 for f in fitting) and len({f[0] for f in fitting}) == len(fitting):
        return [f[0] for f in fitting]
    seen = ", ".join(f"{c} ({n} frames)" for c, n in counts.items())
    raise MissingFact(
        f"'{path.name}' has the cameras {seen}; which is the miniscope, with {frames[0]} frames, "
        "cannot be told",
        hint=f"--set {source.id}.miniscope_camera={next(iter(counts), 0)}, or another of them",
    )
