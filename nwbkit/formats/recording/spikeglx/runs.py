"""The files of a source by device, band and trigger, held against their headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from nwbkit.errors import DamagedInput, NoInput
from nwbkit.formats.io.flat import complete_rows
from nwbkit.formats.recording.spikeglx.grouping import Item, indices
from nwbkit.formats.recording.spikeglx.layout import Layout, layout
from nwbkit.formats.recording.spikeglx.look import binary_of
from nwbkit.formats.recording.spikeglx.meta import Meta
from nwbkit.streams.timebase import Segment

SAMPLE_BYTES = 2  # int16, little-endian
#: fileTimeSecs may have been reckoned with the nominal rate, and with the measured one
#: replaced in the header later; these differ by up to about 100 ppm.
TIME_TOLERANCE = 500e-6
#: LF is decimated from AP in the headstage.
LF_DIVISOR = 12


@dataclass
class Complaints:
    """What contradicts itself: an error, or with ``--salvage`` a recorded loss."""

    salvage: bool
    losses: list[str] = field(default_factory=list)

    def __call__(self, message: str, hint: str = "") -> None:
        """Raise DamagedInput, or take note."""
        if not self.salvage:
            raise DamagedInput(message, hint=hint or "--salvage reads what is there regardless")
        self.losses.append(message)


@dataclass(frozen=True)
class BinFile:
    """One .bin with its header.

    Parameters
    ----------
    path : Path
    meta : Meta
    item : Item
    layout : Layout
    n_samples : int
        Complete samples in the file.
    first_sample : int or None
        Index of the first one since acquisition began.
    whole : bool
        Size and time are as the header says.
    """

    path: Path
    meta: Meta
    item: Item
    layout: Layout
    n_samples: int
    first_sample: int | None
    whole: bool


@dataclass(frozen=True)
class Band:
    """The triggers of one band of one device, in order of time.

    Parameters
    ----------
    device : str
        ``imec0``, ``nidq``, ``obx0``.
    band : str
        ``ap``, ``lf``, ``nidq`` or ``obx``.
    files : tuple of BinFile
    """

    device: str
    band: str
    files: tuple[BinFile, ...]

    @property
    def meta(self) -> Meta:
        """The header of the first file."""
        return self.files[0].meta

    @property
    def layout(self) -> Layout:
        """Which columns the files have; the same for all."""
        return self.files[0].layout

    @property
    def rate(self) -> float:
        """Samples per second, as the headers say."""
        return self.meta.rate

    @property
    def n_samples(self) -> int:
        """Samples of all triggers."""
        return sum(f.n_samples for f in self.files)


def read_bands(paths: Sequence[Path], complaints: Complaints) -> list[Band]:
    """Parse every header, hold it against its .bin, and sort the files into bands.

    Raises
    ------
    nwbkit.errors.NoInput
        Where a .bin is missing.
    nwbkit.errors.DamagedInput
        Where headers contradict their files or each other.
    """
    headers = _headers(paths)
    often = Counter(path.name for path in headers)
    metas = [Meta.read(path, with_folder=often[path.name] > 1) for path in headers]
    if not metas:
        named = ", ".join(f"'{p.name}'" for p in paths[:3])
        raise NoInput(f"no SpikeGLX header (.meta) beside {named}")
    items = {id(m): Item.of(m.path, m.fields, m.kind) for m in metas}
    numbers = indices(list(items.values()))
    found: dict[tuple[str, str], list[BinFile]] = {}
    missing: list[NoInput] = []
    for meta in metas:
        item = items[id(meta)]
        device = item.kind if item.kind == "nidq" else f"{item.kind}{numbers[item.device]}"
        try:
            file = _bin_file(meta, item, complaints)
        except NoInput as error:
            missing.append(error)
            continue
        found.setdefault((device, item.band), []).append(file)
    _settle_missing(missing, bool(found), complaints)
    bands = [_band(device, band, files, complaints) for (device, band), files in found.items()]
    bands = [b for b in bands if b.files]
    order = {"imec": 0, "obx": 1, "nidq": 2}
    bands.sort(key=lambda b: (order[b.meta.kind], len(b.device), b.device, b.band))
    _check_rates(bands, complaints)
    return bands


def _headers(paths: Sequence[Path]) -> list[Path]:
    found = {p: None for p in paths if p.name.lower().endswith(".meta")}
    for path in paths:
        if path.name.lower().endswith((".bin", ".cbin")):
            beside = [path.with_suffix(s) for s in (".meta", ".META")]
            if not any(m in found for m in beside):
                found.update({m: None for m in beside if m.is_file()})
    return list(found)


def _settle_missing(missing: Sequence[NoInput], some: bool, complaints: Complaints) -> None:
    if not missing:
        return
    if not (some and complaints.salvage):
        if some and missing[0].hint is None:
            missing[0].hint = "--salvage reads the files that are there"
        raise missing[0]
    complaints.losses += [error.message for error in missing]


def _bin_file(meta: Meta, item: Item, complaints: Complaints) -> BinFile:
    path = binary_of(meta.path)
    if path is None:
        expected = meta.path.with_suffix(".bin").name
        packed = meta.path.with_suffix(".cbin")
        if packed.is_file():
            raise NoInput(
                f"'{meta.name}' has its data compressed by mtscomp ('{packed.name}')",
                hint=f"mtsdecomp '{packed.name}' -o '{expected}'",
            )
        raise NoInput(f"'{meta.name}' has no data: '{expected}' is missing")
    columns = layout(meta)
    rate = meta.rate
    rows, rest = complete_rows(path, columns.n_columns * SAMPLE_BYTES)
    whole = _check_size(meta, path, columns.n_columns, rows, rest, complaints)
    if whole:
        _check_time(meta, path, rows, rate, complaints)
    return BinFile(path, meta, item, columns, rows, meta.whole("firstSample"), whole)


def _check_size(
    meta: Meta, path: Path, n_columns: int, rows: int, rest: int, complaints: Complaints
) -> bool:
    size = rows * n_columns * SAMPLE_BYTES + rest
    said = meta.whole("fileSizeBytes")
    hint = f"--salvage reads the {rows} complete samples that are there"
    if rows == 0:
        hint = "there is nothing to salvage: copy the file from the recording computer again"
    if said is None:
        complaints(
            f"'{meta.name}' has no fileSizeBytes: recording was not ended properly, or goes on",
            hint,
        )
    elif said != size:
        complaints(
            f"'{meta.shown(path)}' holds {size} bytes, its header says {said} (fileSizeBytes)", hint
        )
    elif rest:
        complaints(
            f"'{meta.shown(path)}' holds {size} bytes, which is no whole number of samples of "
            f"{n_columns} channels (nSavedChans)",
            hint,
        )
    return said == size and not rest


def _check_time(meta: Meta, path: Path, rows: int, rate: float, complaints: Complaints) -> None:
    said = meta.number("fileTimeSecs")
    if said is None:
        return
    found = rows / rate
    if abs(found - said) > max(found, said) * TIME_TOLERANCE + 1 / rate:
        key = {"imec": "imSampRate", "nidq": "niSampRate", "obx": "obSampRate"}[meta.kind]
        complaints(
            f"'{meta.shown(path)}' holds {rows} samples, at {meta.fields[key]} Hz ({key}) "
            f"{found:.6g} s, its header says {said:.6g} s (fileTimeSecs)",
            f"--salvage believes {key}",
        )


def _band(device: str, band: str, files: list[BinFile], complaints: Complaints) -> Band:
    """Order the triggers and hold them against each other."""
    # an empty file is what a trigger leaves that ended as it began
    kept = [f for f in files if f.n_samples] or files[:1]
    if len(kept) == 1:
        return Band(device, band, tuple(kept))
    for file in kept:
        if file.first_sample is None:
            raise DamagedInput(
                f"'{file.meta.name}' has no firstSample, so that it cannot be put in order with "
                f"the {len(kept) - 1} other triggers of {device}"
            )
    kept.sort(key=lambda f: (f.first_sample or 0, str(f.path)))
    for before, after in pairwise(kept):
        _check_pair(before, after, complaints)
    return Band(device, band, tuple(kept))


def _check_pair(before: BinFile, after: BinFile, complaints: Complaints) -> None:
    first = before.meta
    for key in ("snsSaveChanSubset", "nSavedChans", "imroTbl", "imAiRangeMax", "niAiRangeMax"):
        if first.fields.get(key) != after.meta.fields.get(key):
            raise DamagedInput(
                f"'{after.meta.name}' differs from '{first.name}' in {key}: "
                "they cannot be triggers of one recording"
            )
    if first.rate != after.meta.rate:
        raise DamagedInput(
            f"'{after.meta.name}' says {after.meta.rate!r} Hz, '{first.name}' {first.rate!r} Hz"
        )
    end = (before.first_sample or 0) + before.n_samples
    if end > (after.first_sample or 0):
        raise DamagedInput(
            f"'{after.meta.shown(after.path)}' begins at sample {after.first_sample} "
            f"(firstSample), before '{first.shown(before.path)}' ends at {end}"
        )


def _check_rates(bands: Sequence[Band], complaints: Complaints) -> None:
    """LF is decimated by 12 from AP; a header that says otherwise is wrong."""
    by_device: dict[str, dict[str, Band]] = {}
    for band in bands:
        by_device.setdefault(band.device, {})[band.band] = band
    for device, both in by_device.items():
        if {"ap", "lf"} <= set(both):
            ap, lf = both["ap"], both["lf"]
            if abs(ap.rate / lf.rate / LF_DIVISOR - 1) > TIME_TOLERANCE:
                complaints(
                    f"'{lf.meta.name}' says imSampRate={lf.meta.fields['imSampRate']}, which is "
                    f"not a twelfth of the {ap.meta.fields['imSampRate']} of {device}'s AP band",
                    "--salvage believes both",
                )


def segments_of(
    bands: Sequence[Band], note: Callable[[str], None]
) -> dict[str, tuple[Segment, ...]]:
    """The segments of all bands of one device, on its clock, by band.

    The clock's zero is the first sample of the device's earliest file. Times follow from
    sample numbers (``firstSample``) exactly; LF samples are counted in AP samples where
    both bands are there, since both are ticks of one oscillator.
    """
    ap = next((b for b in bands if b.band == "ap"), None)
    begins: dict[str, list[Fraction]] = {}
    for band in bands:
        tick = Fraction(band.rate)
        divisor = 1
        if ap is not None and band.band == "lf" and _twelfth(ap, band):
            tick, divisor = Fraction(ap.rate), LF_DIVISOR
        for file in band.files:
            if file.first_sample is None:
                note(f"'{file.meta.name}' has no firstSample: its data are placed at 0 s")
            first = file.first_sample or 0
            begins.setdefault(band.band, []).append(Fraction(first * divisor) / tick)
    zero = min(t for times in begins.values() for t in times)
    found = {}
    for band in bands:
        segments = []
        at = 0
        for file, begin in zip(band.files, begins[band.band], strict=True):
            segments.append(Segment(at, file.n_samples, float(begin - zero), band.rate))
            at += file.n_samples
        found[band.band] = tuple(segments)
    return found


def _twelfth(ap: Band, lf: Band) -> bool:
    return abs(ap.rate / lf.rate / LF_DIVISOR - 1) < 1e-7
