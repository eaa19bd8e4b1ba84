"""Make a page per format, and README.md over them all: ``python docs/formats/make_pages.py``.

A page is made of the format's declaration (FORMAT in nwbkit/formats/ROOM/NAME) and of what came of
the sample recordings (facts.json, by collect_facts.py), so it can be made without a recording.
With ``--check`` nothing is written, and the status is 1 where a page is stale.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nwbkit.formats import registry  # noqa: E402
from nwbkit.formats.base import Format, Option, Room  # noqa: E402

HERE = Path(__file__).parent
MADE = "<!-- made by docs/formats/make_pages.py; do not edit -->"

Fact = dict[str, Any]
_TITLES = {"recording": "Recordings", "sorting": "Sortings", "behavior": "Behaviour"}
_TITLES |= {"icephys": "Intracellular recordings"}
ROOMS = {room: _TITLES.get(room, room.capitalize()) for room in get_args(Room)}
#: What a group of metadata fields is called in README.md; by the start of the field's name.
MEANINGS = {
    "NWBFile.session_start_time": "start",
    "Devices.": "device",
    "Devices.serial_number": "serial",
    "Electrodes.": "geometry",
    "ImagingPlanes.": "plane",
    "Cameras.": "camera",
    "Subject.": "subject",
    "NWBFile.experimenter": "experimenter",
    "NWBFile.notes": "notes",
    "Streams.filtering": "filters",
    "Tables.": "tables",
}


# ---------------------------------------------------------------- facts


def load() -> list[Fact]:
    """The facts of every session of every sample."""
    held: dict[str, list[Fact]] = json.loads((HERE / "facts.json").read_text(encoding="utf-8"))
    return [fact for sample in held.values() for fact in sample]


def of_format(facts: Iterable[Fact], name: str) -> list[Fact]:
    """The sessions in which there is a source of the format."""
    return [fact for fact in facts if name in fact["formats"]]


def sources(fact: Fact, name: str) -> list[Fact]:
    """The sources of one format in a session; none where it could not be opened."""
    return [source for source in fact.get("sources", ()) if source["format"] == name]


def streams(facts: Iterable[Fact], name: str) -> Iterator[Fact]:
    """All streams that the format gave in all samples."""
    for fact in facts:
        for source in sources(fact, name):
            yield from source["streams"]


def independent(stream: Fact) -> list[str]:
    """What of a stream was compared with an independent reading."""
    return sorted(w for w, reader in stream.get("reread", {}).items() if reader == "independent")


# ---------------------------------------------------------------- a page


def page(fmt: Format, facts: Sequence[Fact]) -> str:
    """The page of one format."""
    mine = of_format(facts, fmt.id)
    lines = [f"# {fmt.title}", "", MADE, ""]
    lines += _paragraph(_head(fmt))
    lines += ["## What is recognised", ""]
    lines += _paragraph(_recognised(fmt))
    if fmt.variants:
        lines += ["## What is read", "", *_list(fmt.variants), ""]
    lines += _objects(fmt, mine)
    lines += _metadata(fmt, mine)
    lines += _options(fmt, mine)
    if fmt.limits:
        lines += ["## Known limits", "", *_list(fmt.limits), ""]
    lines += _samples(fmt, mine)
    return "\n".join(lines).rstrip("\n") + "\n"


def _head(fmt: Format) -> str:
    text = f"`--format {fmt.id}`; {ROOMS[fmt.room].lower()}."
    if fmt.extra:
        text += f" Needs `pip install 'nwbkit[{fmt.extra}]'`."
    return text


def _recognised(fmt: Format) -> str:
    shown = ", ".join(f"`{p}`" for p in fmt.patterns)
    text = f"{fmt.recognised} " if fmt.recognised else ""
    if fmt.patterns != ("*",):
        text += f"File names looked at: {shown}."
    if fmt.fallback:
        text += " It is shown only files that no other format claims."
    if fmt.supersedes:
        others = " and ".join(f"`{name}`" for name in fmt.supersedes)
        text += f" Files that {others} would claim too are its own."
    return text


def _objects(fmt: Format, mine: Sequence[Fact]) -> list[str]:
    """Which stream becomes which object, as seen in the samples."""
    rows: dict[tuple[str, str, str], list[Fact]] = {}
    for stream in streams(mine, fmt.id):
        for path, kind in stream.get("nwb", ()):
            place = path if path.count("/") == 1 else path.rpartition("/")[0]
            rows.setdefault((stream["role"], kind, place), []).append(stream)
    if not rows:
        return []
    lines = ["## Which objects result", "", "As in the samples below.", ""]
    table = [["stream", "NWB object", "in", "times", "compared with the source by"]]
    for (role, kind, place), those in sorted(rows.items()):
        times = sorted({s["times"] for s in those if "times" in s})
        own = sorted({what for s in those for what in independent(s)})
        by = "an independent reading: " + ", ".join(own) if own else "the same reading"
        table.append([role.replace("_", " "), kind, f"`{place}`", " or ".join(times), by])
    return [*lines, *_table(table), ""]


def _metadata(fmt: Format, mine: Sequence[Fact]) -> list[str]:
    fields = sorted({f for fact in mine for s in sources(fact, fmt.id) for f in s["metadata"]})
    if not fields:
        return []
    tops: dict[str, list[str]] = {}
    for field in fields:
        top, _, name = field.partition(".")
        tops.setdefault(top, []).append(f"`{name}`")
    lines = ["## What the files say", ""]
    lines += _paragraph("Found in the samples; `nwbkit metadata extract RAW` shows the values.")
    return [*lines, *_list(f"{top}: {', '.join(names)}" for top, names in tops.items()), ""]


def _options(fmt: Format, mine: Sequence[Fact]) -> list[str]:
    lines = ["## Options", ""]
    copied = any(stream["role"] == "stored" for stream in streams(mine, fmt.id))
    command = "nwbkit convert RAW" + ("" if copied else f" -m lab.yaml{_zone(fmt, mine)}")
    if not fmt.options:
        lines += ["It takes none.", "", "```console", f"$ {command} -o out.nwb", "```", ""]
        return lines
    table = [["`--set SOURCE.`", "takes", "default", "what it is"]]
    for option in fmt.options:
        takes = " or ".join(f"`{c}`" for c in option.choices) or option.type
        default = "" if option.default is None else f"`{_value(option.default)}`"
        table.append([f"`{option.name}=`", takes, default, option.help])
    lines += _paragraph(
        f"SOURCE is the id that `nwbkit inspect` shows, or `{fmt.id}` for all of this format."
    )
    lines += [*_table(table), "", "```console"]
    example = f"{fmt.id}.{_example(fmt.options, mine)}"
    return [*lines, "$ nwbkit inspect RAW", f"$ {command} --set {example} -o out.nwb", "```", ""]


def _zone(fmt: Format, mine: Sequence[Fact]) -> str:
    """The option for the time zone, for formats whose files say a start time."""
    starts = "NWBFile.session_start_time"
    found = any(starts in s["metadata"] for fact in mine for s in sources(fact, fmt.id))
    return " --timezone Europe/Berlin" if found else ""


def _example(options: Sequence[Option], mine: Sequence[Fact]) -> str:
    """``name=value``: as a sample needed it; else of the option whose values are known best."""
    for fact in mine:
        for words in fact["said"]:
            assigned = words.partition(".")[2]
            if any(assigned.startswith(f"{o.name}=") for o in options):
                return str(assigned)
    option = max(options, key=lambda o: (o.name == "rate", bool(o.choices), o.type == "bool"))
    if option.type == "bool":
        return f"{option.name}={_value(not option.default)}"
    others = [c for c in option.choices if c != option.default]
    return f"{option.name}={'30' if option.name == 'rate' else others[0] if others else 'VALUE'}"


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# ---------------------------------------------------------------- samples


def _samples(fmt: Format, mine: Sequence[Fact]) -> list[str]:
    lines = ["## Samples tried", ""]
    if not mine:
        return [*lines, "None yet.", ""]
    lines += _paragraph(
        "Every recording was converted and the file compared with its source "
        "(`nwbkit verify --against`). Where options are named, the refusal without them follows."
    )
    for name in sorted({fact["sample"] for fact in mine}):
        alike: dict[str, list[Fact]] = {}
        for fact in mine:
            if fact["sample"] == name:
                alike.setdefault(_reason(fact), []).append(fact)
        for first, *more in alike.values():
            lines += _sample(fmt, first)
            if more:
                lines += [f"  - and {len(more)} more sessions of this sample, for the same reason"]
    return [*lines, ""]


def _reason(fact: Fact) -> str:
    """One for refusals that differ only in names and numbers; else the session's own."""
    if fact["outcome"] != "refused":
        return str(fact["session"])
    return re.sub(r"'[^']*'|[0-9]+", "", fact["error"])


def _sample(fmt: Format, fact: Fact) -> list[str]:
    what = f"- `{fact['sample']}`"
    if fact["session"].rpartition("/")[2] != fact["sample"].rpartition("/")[2]:
        what += f", session `{fact['session']}`"
    lines = [f"{what}: {_outcome(fact)}"]
    for source in sources(fact, fmt.id):
        lines += [f"  - {_stream(stream)}" for stream in _merged(source["streams"])]
    return lines


def _outcome(fact: Fact) -> str:
    if fact["outcome"] == "refused":
        return f"refused ({fact['status']}): {fact['error']}"
    text = fact["outcome"]
    if "error" in fact:
        text += f": {fact['error']}"
    if fact["said"]:
        text += " with " + ", ".join(f"`{words}`" for words in fact["said"])
    if fact.get("status") == 3:
        text += " (status 3: partly)"
    if "asked" in fact:
        text += f"; without: {fact['asked']['error']}"
    return text


def _merged(those: Sequence[Fact]) -> list[Fact]:
    """Streams that differ in their id only, as one with several ids."""
    rows: dict[str, Fact] = {}
    for stream in those:
        key = json.dumps({k: v for k, v in stream.items() if k not in ("id", "nwb")})
        row = rows.setdefault(key, {**stream, "ids": [], "names": []})
        row["ids"].append(stream["id"])
        row["names"] += [path.rpartition("/")[2] for path, _ in stream.get("nwb", ())]
    return list(rows.values())


def _stream(row: Fact) -> str:
    ids, names = row["ids"], list(dict.fromkeys(row["names"]))
    text = _some(ids) + f": {row['role'].replace('_', ' ')}"
    if row.get("shape"):
        text += ", " + " x ".join(f"{n:,}".replace(",", " ") for n in row["shape"])
    if row.get("dtype") and row["kind"] == "array":
        text += f" {row['dtype']}"
    if row.get("rate"):
        text += f", {row['rate']:.10g} Hz"
    if row.get("segments", 1) > 1 or row.get("gaps"):
        text += f", {row['segments']} segments"
    if not names:
        return text + ("; copied as it is" if row["role"] == "stored" else "; not converted")
    text += f" -> {_some(names)}"
    if row.get("times"):
        text += f" ({row['times']})"
    own = independent(row)
    return text + (f"; reread independently: {', '.join(own)}" if own else "")


def _some(names: Sequence[str]) -> str:
    shown = [f"`{n}`" for n in names]
    return ", ".join(shown) if len(shown) <= 4 else f"{shown[0]} and {len(shown) - 1} more"


# ---------------------------------------------------------------- README.md


def readme(known: Sequence[Format], facts: Sequence[Fact]) -> str:
    """The page over all formats."""
    lines = ["# Formats", "", MADE, ""]
    lines += _paragraph(
        "What came of the sample recordings; numbers are sessions or streams, not promises. "
        "*Inspect*: opened, headers held against data. *Read*: converted and found equal to the "
        "source by `nwbkit verify --against`; the rest was refused for a reason that stands on "
        "the format's page (a header without its data, labels without times). *Gaps*: streams in "
        "which pauses, resets or lost frames were found. *Reread*: streams whose comparison used "
        "a second reader that shares no code with the conversion's."
    )
    for room, title in ROOMS.items():
        those = [f for f in known if f.room == room]
        if not those:
            continue
        table = [
            ["format", "detect", "inspect", "read", "metadata", "gaps", "reread", "samples tried"]
        ]
        table += [_row(fmt, of_format(facts, fmt.id)) for fmt in those]
        lines += [f"## {title}", "", *_table(table), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(fmt: Format, mine: Sequence[Fact]) -> list[str]:
    opened = [f for f in mine if sources(f, fmt.id)]
    done = [f for f in mine if f["outcome"] == "converted"]
    written = [s for s in streams(done, fmt.id) if s.get("nwb")]
    gapped = [s for s in streams(mine, fmt.id) if s.get("gaps") or s.get("segments", 1) > 1]
    own = [s for s in written if independent(s)]
    folders = sorted({f["sample"] for f in mine})
    return [
        f"[{fmt.title}]({fmt.id}.md)",
        str(len(mine)) if mine else "",
        f"{len(opened)} of {len(mine)}" if mine else "",
        f"{len(done)} of {len(mine)}" if mine else "",
        _said(fmt, mine),
        str(len(gapped)) if gapped else "none there",
        f"{len(own)} of {len(written)}" if written else "",
        ", ".join(name.rpartition("/")[2] for name in folders) or "none",
    ]


def _said(fmt: Format, mine: Sequence[Fact]) -> str:
    fields = {f for fact in mine for s in sources(fact, fmt.id) for f in s["metadata"]}
    said = (w for start, w in MEANINGS.items() if any(f.startswith(start) for f in fields))
    return ", ".join(said)


# ---------------------------------------------------------------- text


def _paragraph(text: str) -> list[str]:
    return [*_wrapped(text), ""]


def _list(items: Iterable[str]) -> list[str]:
    return [
        line
        for item in items
        for line in _wrapped(item, initial_indent="- ", subsequent_indent="  ")
    ]


def _wrapped(text: str, **indents: str) -> list[str]:
    return textwrap.wrap(text, 98, break_long_words=False, break_on_hyphens=False, **indents)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]


# ---------------------------------------------------------------- all of them


def pages() -> dict[str, str]:
    """Every page by file name."""
    facts = load()
    known = registry.builtin_formats()[0]
    made = {f"{name}.md": page(fmt, facts) for name, fmt in known.items()}
    made["README.md"] = readme([*known.values()], facts)
    return made


def stale() -> list[str]:
    """Names of pages that are not what they would be if made now, and of those to be removed."""
    made = pages()
    there = {path.name: path.read_text(encoding="utf-8") for path in HERE.glob("*.md")}
    return sorted(n for n in made.keys() | there.keys() if made.get(n) != there.get(n))


def main() -> None:
    """Write the pages, or with ``--check`` compare."""
    parser = argparse.ArgumentParser(description="Make the pages of docs/formats.")
    parser.add_argument("--check", action="store_true", help="fail where a page is stale")
    if parser.parse_args().check:
        names = stale()
        if names:
            print("stale: " + ", ".join(names), file=sys.stderr)
        raise SystemExit(int(bool(names)))
    made = pages()
    for path in HERE.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (HERE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
