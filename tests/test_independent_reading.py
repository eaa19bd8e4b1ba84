"""A SpikeGLX reader that is wrong both when converting and when verifying is still found out.

`verify --against` reads the source a second time by code that shares nothing with the reader.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from examples.spikeglx_run import Nidq, Probe, write_run
from nwbkit.convert import Request, convert
from nwbkit.formats import registry
from nwbkit.formats.base import Reader
from nwbkit.streams import Array, Timebase
from nwbkit.verify import verify


def gain(stream: Array) -> None:
    stream.gain = stream.gain * 2


def one_gain(stream: Array) -> None:
    stream.gain = stream.gain.copy()
    stream.gain[3] *= 1.5


def rate(stream: Array) -> None:
    assert stream.timebase is not None
    (segment,) = stream.timebase.segments
    stream.timebase = Timebase(stream.timebase.clock, (replace(segment, rate=30000.0),))


def start(stream: Array) -> None:
    assert stream.timebase is not None
    (segment,) = stream.timebase.segments
    stream.timebase = Timebase(stream.timebase.clock, (replace(segment, t0=0.25),))


def channels(stream: Array) -> None:
    read = stream.parent.read if stream.parent is not None else stream.read

    def swapped(first: int, stop: int, out: Any = None) -> Any:
        rows = read(first, stop).copy()
        rows[:, [0, 1]] = rows[:, [1, 0]]
        if out is None:
            return rows
        out[...] = rows
        return out

    (stream.parent or stream).read = swapped  # type: ignore[method-assign]


def sample(stream: Array) -> None:
    read = stream.parent.read if stream.parent is not None else stream.read

    def flipped(first: int, stop: int, out: Any = None) -> Any:
        rows = read(first, stop).copy()
        if first <= 100 < stop:
            rows[100 - first, 5] ^= 1
        if out is None:
            return rows
        out[...] = rows
        return out

    (stream.parent or stream).read = flipped  # type: ignore[method-assign]


@pytest.mark.parametrize("wrong", [gain, one_gain, rate, start, channels, sample])
def test_a_reader_that_is_wrong_twice_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Array], None]
) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out.nwb"
    write_run(raw, probes=(Probe(bands=("ap",)),), nidq=None, seconds=0.2)
    opened = registry.open_source

    def patched(source: Any, **options: Any) -> Reader:
        reader = opened(source, **options)
        stream = reader.stream("imec0.ap")
        assert isinstance(stream, Array)
        wrong(stream)
        return reader

    monkeypatch.setattr(registry, "open_source", patched)
    convert(Request(inputs=[str(raw)], output=str(out), timezone="UTC"))
    document = verify(str(out), against=[str(raw)])
    assert not document.ok
    assert any(c.reader == "independent" and not c.equal for c in document.checked)


def test_events_and_both_devices_are_read_independently(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out.nwb"
    write_run(raw, probes=(Probe(),), nidq=Nidq(lines=20), seconds=1.0)
    convert(Request(inputs=[str(raw)], output=str(out), timezone="UTC", unaligned="keep"))
    document = verify(str(out), against=[str(raw)])
    assert document.ok, document.findings
    read = {(c.address.partition("/")[2], c.what): c.reader for c in document.checked if c.reader}
    assert read["imec0.ap", "samples"] == "independent"
    assert read["nidq.lines", "events"] == "independent"
    assert read["nidq.analog", "samples"] == "independent"
