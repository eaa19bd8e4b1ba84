"""Which clocks a session has, and how each maps to session time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from nwbkit.errors import ClockError, UsageError
from nwbkit.streams import Anchor, Clock, ClockMap


@dataclass(frozen=True)
class Resolution:
    """The clocks of a session, all mapped to session time.

    Parameters
    ----------
    anchors : dict of str to Anchor
        By clock id.
    maps : dict of str to ClockMap
        By clock id.
    remarks : dict of str to str
        By clock id: what the file must say beside everything on that clock.
    """

    anchors: dict[str, Anchor]
    maps: dict[str, ClockMap]
    remarks: dict[str, str] = field(default_factory=dict)


def resolve(
    clocks: Sequence[Clock],
    *,
    offsets: Sequence[str] = (),
    aligned: Mapping[str, tuple[float, float, float | None]] | None = None,
    unaligned: str | None = None,
) -> Resolution:
    """Map every clock to session time, or refuse.

    Parameters
    ----------
    clocks : sequence of Clock
        Those that a stream to be written is on.
    offsets : sequence of str
        ``CLOCK=SECONDS`` as the user gave them; CLOCK is an id or a glob over ids.
    aligned : mapping, optional
        From an alignment document: clock id to ``(offset_s, scale, error_s)``.
    unaligned : str, optional
        ``keep``: write clocks that nothing joins from 0 each, and say so.

    Raises
    ------
    nwbkit.errors.ClockError
        Where more than one clock has no anchor.
    nwbkit.errors.UsageError
        For an offset that is no number or names no clock.
    """
    anchors: dict[str, Anchor] = {c.id: c.anchor for c in clocks if c.anchor is not None}
    maps = {name: ClockMap(anchor.session_offset_s) for name, anchor in anchors.items()}
    for name, (offset_s, scale, error_s) in (aligned or {}).items():
        if any(c.id == name for c in clocks):
            anchors[name] = Anchor(offset_s, "alignment", error_s)
            maps[name] = ClockMap(offset_s, scale)
    for name, seconds in _parse_offsets(clocks, offsets).items():
        anchors[name] = Anchor(seconds, "user")
        maps[name] = ClockMap(seconds)
    loose = [c for c in clocks if c.id not in anchors]
    # offsets that the user gave are relative to the one clock that has none; anchors that
    # files or an alignment gave are not, and a loose clock beside them is not joined to them
    defines = len(loose) == 1 and all(a.how == "user" for a in anchors.values())
    if defines:
        anchors[loose[0].id] = Anchor(0.0, "sole", 0.0)
        maps[loose[0].id] = ClockMap()
        return Resolution(anchors, maps)
    if loose and unaligned != "keep":
        raise _refusal(loose, [c for c in clocks if c.id in anchors])
    for clock in loose:
        anchors[clock.id] = Anchor(0.0, "unaligned")
        maps[clock.id] = ClockMap()
    return Resolution(anchors, maps, {c.id: _remark(c, clocks) for c in loose})


def _remark(clock: Clock, clocks: Sequence[Clock]) -> str:
    others = ", ".join(f"'{c.id}'" for c in clocks if c.id != clock.id)
    return (
        f"Unaligned clock '{clock.id}': times count from this clock's own zero and "
        f"were not aligned to the session's other clocks ({others})"
    )


def _refusal(loose: Sequence[Clock], anchored: Sequence[Clock]) -> ClockError:
    listed = ", ".join(f"'{c.id}'" for c in loose)
    needed = loose if anchored else loose[1:]
    offsets = " ".join(f"--offset {c.id}=SECONDS" for c in needed)
    if anchored:
        others = ", ".join(f"'{c.id}'" for c in anchored)
        message = f"no common time base with {others}: {listed}"
    else:
        message = f"{len(loose)} clocks without a common time base: {listed}"
    return ClockError(
        message,
        hint=f"say where each begins: {offsets}; or find them: nwbkit "
        "align (in a later version); or keep each from its own 0: --unaligned keep",
    )


def _parse_offsets(clocks: Sequence[Clock], offsets: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in offsets:
        pattern, equals, value = text.rpartition("=")
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not equals or not math.isfinite(seconds):
            raise UsageError(f"'--offset {text}' is not CLOCK=SECONDS")
        names = [c.id for c in clocks if c.id == pattern or fnmatchcase(c.id, pattern)]
        if not names:
            known = ", ".join(c.id for c in clocks) or "none"
            raise UsageError(f"'--offset {text}' names no clock", hint=f"clocks: {known}")
        found.update(dict.fromkeys(names, seconds))
    return found
