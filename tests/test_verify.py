"""verify finds what convert is trusted to prevent: mutations of OUT and of the reader."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nwbkit import convert as journey
from nwbkit import verify as verifying
from nwbkit.convert import Request
from nwbkit.errors import NwbkitError
from nwbkit.streams import Segment, Timebase
from tests.toy import AP, EVENTS, LF, OTHER, SY, Columns, ToyReader, toys, write_toy

__all__ = ["toys"]
pytestmark = pytest.mark.usefixtures("toys")

MIXED = {**AP, "gain": [1e-6, 2e-6, 3e-6, 4e-6]}
GAPPED = [[2000, 0.0], [3000, 7.5]]


def make(folder: Path, streams: Any = None, **options: Any) -> tuple[str, str]:
    raw = write_toy(folder / "raw", streams or [MIXED, LF, SY, EVENTS])
    out = folder / "out.nwb"
    journey.convert(Request(inputs=[str(raw)], output=str(out), **options))
    return str(out), str(raw.parent)


@pytest.mark.parametrize(
    ("streams", "options"),
    [
        ([MIXED, LF, SY, EVENTS], {}),
        ([{**AP, "segments": GAPPED}, {**SY, "segments": GAPPED}, EVENTS], {}),
        ([{**AP, "segments": GAPPED}], {"segments": "split"}),
        ([AP, OTHER], {"offsets": ["rec/box=0.125"]}),
        ([AP, OTHER], {"unaligned": "keep"}),
        ([AP, SY, EVENTS], {"stub": 0.5}),
        ([AP, SY], {"only": ["*/sync"]}),
        ([AP], {"prove": "none"}),
    ],
)
def test_an_untouched_output_is_verified(
    tmp_path: Path, streams: Any, options: dict[str, Any]
) -> None:
    out, raw = make(tmp_path, streams, **options)
    document = verifying.verify(out, against=[raw], jobs=2)
    assert document.ok, document.findings
    assert not document.findings
    assert {c.what for c in document.checked} >= {"values", "content", "size", "samples", "times"}
    assert any(c.reader == "independent" for c in document.checked)
    assert "verified" in verifying.render(document, 80)


def _data(name: str) -> str:
    return f"acquisition/ElectricalSeries{name}/data"


def flip_sample(f: h5py.File) -> None:
    f[_data("AP")][4321, 2] += 1


def swap_channels(f: h5py.File) -> None:
    data = f[_data("LF")]
    data[...] = data[...][:, [1, 0, 2, 3]]


def change_gain(f: h5py.File) -> None:
    f["acquisition/ElectricalSeriesAP/channel_conversion"][2] *= 1.0000001


def change_one_gain_for_all(f: h5py.File) -> None:
    f[_data("LF")].attrs["conversion"] = 4.6875e-7


def change_rate(f: h5py.File) -> None:
    f["acquisition/ElectricalSeriesLF/starting_time"].attrs["rate"] = 1000.0


def change_start(f: h5py.File) -> None:
    f["acquisition/ElectricalSeriesLF/starting_time"][()] = 0.001


def swap_electrodes(f: h5py.File) -> None:
    region = f["acquisition/ElectricalSeriesAP/electrodes"]
    region[...] = region[...][::-1]


def move_electrode(f: h5py.File) -> None:
    f["general/extracellular_ephys/electrodes/rel_y"][1] += 1


def shift_event(f: h5py.File) -> None:
    f["events/EventsTtl/timestamp"][1] += 0.001


def rename_event(f: h5py.File) -> None:
    f["events/EventsTtl/line"][0] = "L9"


def delete_series(f: h5py.File) -> None:
    del f["acquisition/TimeSeriesSync"]


def retype(f: h5py.File) -> None:
    f["acquisition/TimeSeriesSync"].attrs["neurodata_type"] = "SpatialSeries"


CONTENT = [
    flip_sample,
    swap_channels,
    change_gain,
    change_one_gain_for_all,
    change_rate,
    change_start,
    swap_electrodes,
    move_electrode,
    shift_event,
    rename_event,
    delete_series,
    retype,
]


@pytest.mark.parametrize("mutate", CONTENT)
def test_a_changed_output_is_found_from_the_sidecar(
    tmp_path: Path, mutate: Callable[[h5py.File], None]
) -> None:
    out, _ = make(tmp_path)
    with h5py.File(out, "r+") as f:
        mutate(f)
    document = verifying.verify(out)
    assert not document.ok
    assert "NOT verified" in verifying.render(document, 80)


#: What is wrong is told by the source alone: the sidecar was rewritten to agree with OUT.
AGAINST = [m for m in CONTENT if m not in (delete_series, retype)]


@pytest.mark.parametrize("mutate", AGAINST)
def test_a_changed_output_is_found_from_the_source(
    tmp_path: Path, mutate: Callable[[h5py.File], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, raw = make(tmp_path)
    with h5py.File(out, "r+") as f:
        mutate(f)
    decode = verifying._decode

    def forgiving(*arguments: Any, **options: Any) -> Any:
        report = arguments[2]
        kept = list(report.findings), list(report.checked)
        decoded = decode(*arguments, **options)
        report.findings[:], report.checked[:] = kept
        return decoded

    monkeypatch.setattr(verifying, "_decode", forgiving)
    document = verifying.verify(out, against=[raw])
    assert not document.ok


def wrong_gain(reader: ToyReader) -> None:
    reader.streams[0].gain = reader.streams[0].gain * 2  # type: ignore[attr-defined]


def wrong_rate(reader: ToyReader) -> None:
    for stream in reader.streams[:3]:
        assert stream.timebase is not None
        stream.timebase = Timebase(stream.timebase.clock, (Segment(0, 5000, 0.0, 1000.0),))


def wrong_start(reader: ToyReader) -> None:
    for stream in reader.streams[:3]:
        assert stream.timebase is not None
        (segment,) = stream.timebase.segments
        moved = Segment(0, 5000, 0.5, segment.rate)
        stream.timebase = Timebase(stream.timebase.clock, (moved,))


def swapped_columns(reader: ToyReader) -> None:
    stream = reader.streams[0]
    assert isinstance(stream, Columns)
    read = stream.read
    stream.read = lambda a, b, out=None: read(a, b)[:, [1, 0, 2, 3]].copy()  # type: ignore


def one_sample(reader: ToyReader) -> None:
    stream = reader.streams[0]
    assert isinstance(stream, Columns)
    read = stream.read

    def patched(start: int, stop: int, out: Any = None) -> Any:
        rows = read(start, stop)
        if start <= 17 < stop:
            rows[17 - start, 3] ^= 1
        return rows

    stream.read = patched  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "patch", [wrong_gain, wrong_rate, wrong_start, swapped_columns, one_sample]
)
def test_a_wrong_reader_is_found_against_the_source(
    tmp_path: Path, patch: Callable[[ToyReader], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = ToyReader.__init__

    def patched(self: ToyReader, source: Any) -> None:
        opened(self, source)
        patch(self)

    with monkeypatch.context() as context:
        context.setattr(ToyReader, "__init__", patched)
        out, raw = make(tmp_path)
    assert not verifying.verify(out, against=[raw]).ok


def test_a_flipped_bit_of_the_file_is_found(tmp_path: Path) -> None:
    out, _ = make(tmp_path)
    with h5py.File(out) as f:
        offset = f[_data("AP")].id.get_chunk_info(0).byte_offset
    raw = bytearray(Path(out).read_bytes())
    raw[offset + 100] ^= 4
    Path(out).write_bytes(raw)
    document = verifying.verify(out)
    assert not document.ok
    assert any("ElectricalSeriesAP" in f.where for f in document.findings)
    Path(out + ".json").unlink()
    assert not verifying.verify(out).ok  # deflate's own checksum, without any sidecar


def test_a_truncated_output_is_not_verified(tmp_path: Path) -> None:
    out, _ = make(tmp_path)
    raw = Path(out).read_bytes()
    Path(out).write_bytes(raw[: len(raw) // 2])
    document = verifying.verify(out)
    assert not document.ok
    assert document.findings[0].code == "unreadable"


def test_without_a_sidecar_chunks_are_decoded_and_it_is_said(tmp_path: Path) -> None:
    out, raw = make(tmp_path)
    Path(out + ".json").unlink()
    document = verifying.verify(out)
    assert document.ok
    assert document.findings[0].code == "no-sidecar"
    assert document.checked
    with pytest.raises(NwbkitError, match="no such file") as error:
        verifying.verify(out, against=[raw])
    assert error.value.status == 66


def test_a_sidecar_of_another_output_is_found(tmp_path: Path) -> None:
    out, _ = make(tmp_path / "a")
    other, _ = make(tmp_path / "b", [AP])
    shutil.copy(other + ".json", out + ".json")
    assert not verifying.verify(out, quick=True).ok


def test_a_changed_source_is_found(tmp_path: Path) -> None:
    out, raw = make(tmp_path)
    data = Path(raw) / "rec.dat"
    values = np.fromfile(data, "<i2")
    values[12345] += 1
    values.tofile(data)
    document = verifying.verify(out, against=[raw])
    messages = " ".join(f"{f.where} {f.message}" for f in document.findings)
    assert "rec.dat has changed" in messages
    assert "values differ" in messages


def test_a_moved_and_renamed_source_is_still_the_source(tmp_path: Path) -> None:
    out, raw = make(tmp_path)
    moved = tmp_path / "x"
    shutil.move(raw, moved)
    for path in list(moved.iterdir()):
        path.rename(path.with_name("x" + path.suffix))
    assert verifying.verify(out, against=[str(moved)]).ok


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [("missing.nwb", None, 66), ("folder.nwb", "folder", 66)],
)
def test_what_cannot_be_verified_is_refused(
    tmp_path: Path, name: str, content: str | None, status: int
) -> None:
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    with pytest.raises(NwbkitError) as error:
        verifying.verify(str(path))
    assert error.value.status == status


@pytest.mark.parametrize("content", [b"", b"not hdf5 at all"])
def test_what_is_no_nwb_file_is_not_verified(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.nwb"
    path.write_bytes(content)
    assert not verifying.verify(str(path)).ok
