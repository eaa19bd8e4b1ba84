"""Which format gets a file that several claim."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nwbkit.formats.base import Format, Match
from nwbkit.formats.detection import Alternative, Report


@dataclass(frozen=True)
class Claim:
    """A match that stands, with its rivals of equal strength."""

    format: str
    match: Match
    alternatives: tuple[Alternative, ...] = ()


def resolve(
    found: Iterable[tuple[Format, Match]], known: Mapping[str, Format], reports: list[Report]
) -> list[Claim]:
    """Settle claims on the same files.

    A format that another one supersedes yields to it; then content beats a key file beats
    a name. Matches of equal strength are a tie: the first by format id stands, the others
    become its alternatives, and the tie is reported. Matches of one and the same format
    may share files (a header that several recordings use).

    Parameters
    ----------
    found : iterable of (Format, Match)
    known : mapping of str to Format
    reports : list of Report
        Ties, and files that were lost with a weaker claim, are added.
    """
    matches = [(f.id, m) for f, m in found if m.files]
    matches.sort(key=lambda fm: (-fm[1].strength, fm[0], os.fsencode(fm[1].files[0])))
    matches = _without_superseded(matches, known)
    owners: dict[Path, list[int]] = {}
    kept: list[tuple[str, Match, list[tuple[str, Match]]]] = []
    for name, match in matches:
        rivals = _rivals(name, match, owners, kept)
        if not rivals:
            for file in match.files:
                owners.setdefault(file, []).append(len(kept))
            kept.append((name, match, []))
            continue
        strongest = kept[rivals[0]]
        if match.strength == strongest[1].strength:
            for index in rivals:
                if match.strength == kept[index][1].strength:
                    kept[index][2].append((name, match))
        else:
            _report_loss(name, match, strongest[0], owners, reports)
    return [_claim(name, match, ties, reports) for name, match, ties in kept]


def _without_superseded(
    matches: Sequence[tuple[str, Match]], known: Mapping[str, Format]
) -> list[tuple[str, Match]]:
    # who supersedes whom, per file: only claims that share a file yield
    superseders: dict[Path, set[str]] = {}
    for name, match in matches:
        for loser in known[name].supersedes if name in known else ():
            for file in match.files:
                superseders.setdefault(file, set()).add(loser)
    return [
        (name, match)
        for name, match in matches
        if not any(name in superseders.get(file, ()) for file in match.files)
    ]


def _rivals(
    name: str,
    match: Match,
    owners: Mapping[Path, list[int]],
    kept: Sequence[tuple[str, Match, list[tuple[str, Match]]]],
) -> list[int]:
    indices = {i for file in match.files for i in owners.get(file, ()) if kept[i][0] != name}
    return sorted(indices)


def _report_loss(
    name: str, match: Match, winner: str, owners: Mapping[Path, list[int]], reports: list[Report]
) -> None:
    lost = [file for file in match.files if file not in owners]
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        reports.append(
            Report(
                "note",
                f"'{lost[0]}'{more} would go with a '{name}' source whose other files are "
                f"'{winner}', which is surer",
                name,
            )
        )


def _claim(
    name: str, match: Match, ties: Sequence[tuple[str, Match]], reports: list[Report]
) -> Claim:
    alternatives: dict[str, Alternative] = {}
    for other, rival in ties:
        alternatives.setdefault(other, Alternative(other, rival.strength, rival.evidence))
    if alternatives:
        names = " and ".join([name, *alternatives])
        reports.append(
            Report(
                "warning",
                f"'{match.files[0]}' is claimed by {names} alike ({match.strength.label}); "
                "choose with --format",
                name,
            )
        )
    return Claim(name, match, tuple(alternatives.values()))
