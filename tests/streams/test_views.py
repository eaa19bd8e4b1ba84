"""Windows of streams and heads of tables."""

from __future__ import annotations

import numpy as np

from nwbkit.streams import Array, Column, Table, Timebase
from nwbkit.streams.kinds import AnyArray
from nwbkit.streams.views import Times, Window, head


class Memory(Array):
    """An array stream over an array in memory."""

    def __init__(self, data: AnyArray, rate: float = 10.0) -> None:
        super().__init__(
            id="m",
            name="m",
            role="raw",
            shape=data.shape,
            dtype=data.dtype,
            timebase=Timebase.regular("r/c", len(data), rate),
        )
        self.data = data

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        return self.data[start:stop].copy()


class Edges(Table):
    def read(self) -> dict[str, AnyArray]:
        return {"timestamp": np.array([1, 5, 9]), "value": np.array([1, 0, 1])}


WHOLE = Memory(np.arange(60, dtype=np.int16).reshape(20, 3))


def test_a_window_reads_its_rows_at_their_times() -> None:
    window = Window(WHOLE, 5, 12)
    assert window.shape == (7, 3)
    assert np.array_equal(window.read(2, 4), WHOLE.data[7:9])
    assert window.timebase is not None
    assert window.timebase.times(0, 1)[0] == 0.5


def test_windows_of_columns_read_the_parent_once_shifted() -> None:
    column = Array(
        id="c",
        name="c",
        role="sync",
        shape=(20, 1),
        dtype=WHOLE.dtype,
        timebase=WHOLE.timebase,
        group="file",
        parent=WHOLE,
        columns=slice(2, 3),
    )
    window = Window(column, 5, 12)
    assert window.group == ("file", 5, 12)
    assert window.parent is not None
    assert np.array_equal(window.parent.read(0, 2), WHOLE.data[5:7])
    assert np.array_equal(window.read(0, 2), WHOLE.data[5:7, 2:3])


def test_times_are_an_array_of_their_own() -> None:
    assert WHOLE.timebase is not None
    assert Times(WHOLE.timebase, id="t").read(3, 5).tolist() == [0.3, 0.4]


def test_the_head_of_a_stream_ends_before_the_given_second() -> None:
    stub = head(WHOLE, 0.7)
    assert isinstance(stub, Array)
    assert stub.shape == (7, 3)
    edges = Edges(
        id="e",
        name="e",
        role="events",
        timebase=WHOLE.timebase,
        columns=(Column("timestamp", "timestamp", "samples"), Column("value", "value")),
    )
    rows = head(edges, 0.7).read()  # type: ignore[attr-defined]
    assert rows["timestamp"].tolist() == [1, 5]
    assert rows["value"].tolist() == [1, 0]
