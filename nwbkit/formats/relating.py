"""Which sources make one session: runs, what is related to them, what lies beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nwbkit.formats.base import Candidate, Format, Relation
from nwbkit.formats.claims import Claim
from nwbkit.formats.detection import Report


@dataclass
class Group:
    """The sources of one session, as indices of claims.

    Parameters
    ----------
    label : str
        What the session is called.
    root : Path
        The run or experiment folder.
    members : list of int
    """

    label: str
    root: Path
    members: list[int] = field(default_factory=list)


def relations(
    claims: Sequence[Claim],
    ids: Sequence[str],
    known: Mapping[str, Format],
    reports: list[Report],
) -> list[tuple[Relation, ...]]:
    """The relations of each claim to the others, as its format finds them.

    A format that raises is reported and relates nothing.
    """
    everything = [Candidate(i, c.format, c.match) for i, c in zip(ids, claims, strict=True)]
    found: list[tuple[Relation, ...]] = []
    for index, claim in enumerate(claims):
        relate = known[claim.format].relate
        mine: tuple[Relation, ...] = ()
        if relate is not None:
            others = everything[:index] + everything[index + 1 :]
            try:
                mine = tuple(r for r in relate(claim.match, others) if r.source in ids)
            except Exception as error:  # noqa: BLE001 - one broken format must not end detection
                message = f"format '{claim.format}' failed while relating: {error}"
                reports.append(Report("warning", message, claim.format))
        found.append(mine)
    return found


def group(
    claims: Sequence[Claim],
    ids: Sequence[str],
    related: Sequence[Sequence[Relation]],
    rooms: Sequence[str] = (),
) -> list[Group]:
    """Sessions of claims.

    Runs with one label and one root are one session. So are the runs of a folder that holds no
    two of one room (`rooms`, one a claim): a recording, a movie, a box's log. A companion
    (sorting, pose, video, table) joins the session that it is related to; else the only run
    that shares the deepest folder with it; where there is no run, related companions are a
    session of their own, and so is a companion on its own.
    """
    groups: dict[tuple[Path, str], Group] = {}
    home: dict[int, Group] = {}
    for index, claim in enumerate(claims):
        match = claim.match
        if not match.companion:
            key = (match.root, match.session)
            home[index] = groups.setdefault(key, Group(match.session, match.root))
            home[index].members.append(index)
    runs = _joined(list(groups.values()), rooms, home) if rooms else list(groups.values())
    alone: list[Group] = []
    for cluster in _clusters(ids, related):
        loose = [i for i in cluster if i not in home]
        if not loose:
            continue
        settled = [home[i] for i in cluster if i in home]
        target = settled[0] if settled else _nearest(claims[loose[0]].match.root, runs)
        if target is None:
            main = claims[loose[0]].match
            target = Group(main.session, main.root)
            alone.append(target)
        for index in loose:
            target.members.append(index)
            home[index] = target
    return [*runs, *alone]


def _joined(runs: Sequence[Group], rooms: Sequence[str], home: dict[int, Group]) -> list[Group]:
    """`runs`, with those of one folder made one where no two of them are of one room.

    Two recordings side by side are two sessions, of two days perhaps; a recording and a movie
    that have a folder to themselves were made together. Deepest folders come first, so that in
    a tree of such folders each is a session. `home` is kept up to date.
    """
    below: dict[Path, list[Group]] = {}
    for run in runs:
        for folder in (run.root, *run.root.parents):
            below.setdefault(folder, []).append(run)
    for folder in sorted(below, key=lambda f: -len(f.parts)):
        inside = {id(one): one for one in (home[run.members[0]] for run in below[folder])}
        held = [room for one in inside.values() for room in {rooms[i] for i in one.members}]
        if len(inside) < 2 or len(set(held)) < len(held):
            continue
        label = folder.name or next(iter(inside.values())).label
        joined = Group(label, folder, sorted(i for one in inside.values() for i in one.members))
        home.update(dict.fromkeys(joined.members, joined))
    return list({id(home[run.members[0]]): home[run.members[0]] for run in runs}.values())


def _clusters(ids: Sequence[str], related: Sequence[Sequence[Relation]]) -> list[list[int]]:
    """Claims joined by relations, each cluster in order of claims."""
    number = {source_id: index for index, source_id in enumerate(ids)}
    parent = list(range(len(ids)))

    def find(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    for index, mine in enumerate(related):
        for relation in mine:
            a, b = find(index), find(number[relation.source])
            parent[max(a, b)] = min(a, b)
    clusters: dict[int, list[int]] = {}
    for index in range(len(ids)):
        clusters.setdefault(find(index), []).append(index)
    return list(clusters.values())


def _nearest(folder: Path, runs: Sequence[Group]) -> Group | None:
    """The only run that shares the deepest folder with `folder`; None where several do."""
    shared = [(len(_common(folder, run.root)), run) for run in runs]
    deepest = max((depth for depth, _ in shared), default=0)
    nearest = [run for depth, run in shared if depth == deepest]
    return nearest[0] if len(nearest) == 1 else None


def _common(a: Path, b: Path) -> tuple[str, ...]:
    common = []
    for x, y in zip(a.parts, b.parts, strict=False):
        if x != y:
            break
        common.append(x)
    return tuple(common)
