"""docs/performance.md out of the result of a run.

python benchmarks/performance.py bench-out/result.json > docs/performance.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.cases import SIDES
from benchmarks.floors import findings, proving_adds

#: What a table cannot say; written by hand.
REMARKS = Path(__file__).with_name("remarks.md")
COLUMNS = ("wall s", "min-max", "cpu s", "others s", "peak MiB", "out MB", "MB/s", "times")
INTRO = """\
# Performance

Written by `make bench` from its measurements; see
[benchmarks/README.md](../benchmarks/README.md) for what is timed and how. Whole processes from
start to exit, sides taking turns, medians; bytecode compiled on both sides, source warm in the
page cache. NeuroConv {neuroconv} with its own defaults; nwbkit with its own, that is with full
proving, unless a row says otherwise. `times`: NeuroConv's wall time by nwbkit's, pair by pair.
`others s`: CPU that other processes took meanwhile; where it is not small, the machine was not
quiet, and that costs the side that uses all cores more. Both outputs of each case hold the same
values: every one was compared.
"""


def rows(one: dict[str, Any]) -> Iterator[list[str]]:
    """One row a side of a case: medians."""
    for side, values in one["measured"].items():
        if not values:
            yield [SIDES[side], "failed", *[""] * (len(COLUMNS) - 1)]
            continue
        keys = ("wall_s", "cpu_s", "others_cpu_s", "rss_bytes", "out_bytes")
        wall, cpu, others, rss, out = (median(v[k] for v in values) for k in keys)
        walls = sorted(v["wall_s"] for v in values)
        pairs = sorted(one["ratios"].get(side, ()))
        times = f"{median(pairs):.2f} ({pairs[0]:.2f}-{pairs[-1]:.2f})" if pairs else ""
        yield [
            SIDES[side], f"{wall:.2f}", f"{walls[0]:.2f}-{walls[-1]:.2f}", f"{cpu:.2f}",
            f"{others:.2f}", f"{rss / 2**20:.0f}", f"{out / 1e6:.1f}",
            f"{one['data_bytes'] / wall / 1e6:.0f}", times,
        ]  # fmt: skip


def sizes(one: dict[str, Any]) -> str:
    """How much is converted: files as they are, values that are stored."""
    return f"{one['raw_bytes'] / 1e6:.0f} MB of files, {one['data_bytes'] / 1e6:.0f} MB of values"


def inside(one: dict[str, Any]) -> str:
    """What nwbkit's own sidecars say of where the time went, in a paragraph."""
    values = [v["measured"] for v in one["measured"].get("full", ()) if "measured" in v]
    if not values:
        return ""
    skeleton, fill, prove, total, waited = (
        median(v.get(k, 0.0) for v in values)
        for k in ("skeleton_s", "fill_s", "prove_s", "total_s", "lock_wait_s")
    )
    until = skeleton + fill
    text = (
        f"\nOf nwbkit's run, as its sidecar says: {until:.2f} s until all was written (the fill "
        f"begins while pynwb is imported; {one['data_bytes'] / until / 1e6:.0f} MB/s with that), "
        f"{prove:.2f} s proof, {total:.2f} s in all; workers waited {waited:.2f} s for the lock."
    )
    if "ceiling" in one:
        alone = one["ceiling"]
        took = alone["raw_bytes"] / alone[f"fill_{alone['cores']}"]
        text += f" The proof is {prove / took:.0%} of the fill by itself ({took:.2f} s)."
    added = proving_adds(one)
    if added is not None:
        text += f" With `--prove none` the whole process is {added:.2f} s shorter."
    return text + "\n"


def table(one: dict[str, Any]) -> str:
    """A case as text for a terminal."""
    lines = [f"{one['title']}: {sizes(one)}, medians"]
    widths = (24, 9, 14, 9, 10, 10, 10, 10, 20)
    for row in [["", *COLUMNS], *rows(one)]:
        cells = zip(row, widths, strict=True)
        lines.append(
            "".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(cells))
        )
    if "ceiling" in one:
        lines.append(" ".join(f"{k} {v}" for k, v in ceiling_cells(one["ceiling"]).items()))
    return "\n".join(lines) + "\n"


def markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def ceiling_cells(c: dict[str, Any]) -> dict[str, str]:
    """The numbers of a case against the codec alone."""
    n = c["cores"]
    return {
        "ratio": f"{c['ratio']:.2f}",
        "codec MB/s": f"{c[f'codec_{n}'] / 1e6:.0f}",
        "fill MB/s": f"{c[f'fill_{n}'] / 1e6:.0f}",
        "fill / codec": f"{c['fill_of_codec']:.0%}",
        "prove / fill": f"{c['prove_share']:.0%}",
        "sample / fill": f"{c['sample_share']:.1%}",
        f"efficiency 1 to {n} cores": f"{c['efficiency']:.0%}",
        "codec's own": f"{c['codec_efficiency']:.0%}",
        "waiting for the lock": f"{c['lock_share']:.1%}",
    }


def sixteen(c: dict[str, Any]) -> str:
    """What would limit 16 cores, out of what is serial.

    Parameters
    ----------
    c : dict
        Of a case, as ceiling.py gives it.

    Returns
    -------
    str
        A paragraph.
    """
    n = c["cores"]
    busy, held, read = 1e9 / c["fill_1"], c["write_s_a_gb"], 1e9 / c["read_rate"]
    parallel = busy - held
    shared = max(held, parallel / 16 + held / 16)
    serial = min(1.0, max(0.0, 1 / c["efficiency"] - 1) / (n - 1)) if n > 1 else 0.0
    amdahl = 16 / (1 + 15 * serial)
    full = busy / held if held else float("inf")
    return (
        f"One core fills a GB of this in {busy:.2f} s. Of these {held:.3f} s put encoded chunks "
        f"into the file with HDF5's lock held, one thread at a time; that is the only part that "
        f"cannot be shared, so that beyond {full:.0f} cores a fill is as fast as this lock, "
        f"{1 / held:.1f} GB/s of raw data. One thread reads {1 / read:.1f} GB/s out of the page "
        f"cache; reading is "
        + ("shared by all threads. " if c["concurrency"] == ["threads"] else "not always shared. ")
        + f"By these two, 16 cores would take {shared:.2f} s a GB ({1 / shared:.1f} GB/s), "
        f"{'held up by the lock' if shared == held else 'by the codec still'}; a disk that takes "
        f"less than {1 / shared / c['ratio']:.1f} GB/s of output, or gives less than "
        f"{1 / shared:.1f} GB/s of input, would be the limit before. Read off the efficiency "
        f"measured from 1 to {n} cores instead (memory bandwidth, the interpreter's lock and the "
        f"neighbours included), 16 cores are {amdahl:.1f} times as fast as one "
        f"({amdahl / busy:.1f} GB/s)."
    )


def memory_table(found: Sequence[dict[str, Any]]) -> str:
    """Peak resident sets."""
    body = []
    for row in found:
        peak = f"{row['rss_bytes'] / 2**20:.0f}" if row.get("rss_bytes") else row["note"]
        body.append([row["kind"], f"{row['gb']:g}" if row["gb"] else "", row["limit"], peak,
                     f"{row['allowed_bytes'] / 2**20:.0f}"])  # fmt: skip
    return markdown(("source", "GB", "limit", "peak MiB", "allowed MiB"), body)


def said(facts: dict[str, Any]) -> str:
    """Machine and versions, in a paragraph."""
    sides = [
        f"{name}: " + ", ".join(f"{k} {v}" for k, v in facts[key].items())
        for name, key in (
            ("nwbkit's environment", "nwbkit_side"),
            ("NeuroConv's", "neuroconv_side"),
        )
    ]
    return (
        f"{facts['date']}; {facts['cpus']} CPUs ({facts['cpu']}), "
        f"{facts['memory_bytes'] / 2**30:.0f} GiB, {facts['system']}; Python {facts['python']}; "
        f"{facts['nwbkit']}. " + ". ".join(sides) + ".\n"
    )


def page(result: dict[str, Any]) -> str:
    """The whole page."""
    parts = [INTRO.format(neuroconv=result["facts"]["neuroconv_side"].get("neuroconv", ""))]
    if result["scale"] != 1:
        parts.append(f"**A trial at {result['scale']:g} of the sizes; the times mean nothing.**\n")
    parts.append("## Machine\n\n" + said(result["facts"]))
    for one in result["cases"]:
        text = f"## {one['title']}\n\n{sizes(one)}.\n\n"
        text += markdown(("", *COLUMNS), list(rows(one))) + inside(one)
        parts.append(text + "".join(f"\n{SIDES[s]} failed.\n" for s in one["failed"]))
    held = [one for one in result["cases"] if "ceiling" in one]
    if held:
        cells = [ceiling_cells(one["ceiling"]) for one in held]
        body = [[o["title"], *c.values()] for o, c in zip(held, cells, strict=True)]
        text = (
            "## Against the codec alone\n\n"
            "The codec (cut, shuffle, deflate) on all cores over the same chunks in memory, and "
            "the fill (read, digest, encode, write) by itself; see benchmarks/ceiling.py. The "
            "codec's own efficiency says what the machine loses on two cores.\n\n"
        )
        parts.append(text + markdown(("", *cells[0]), body))
        largest = max(held, key=lambda one: (one["case"] == "neuropixels", one["size"]))
        parts.append(
            f"## What would limit 16 cores\n\n{largest['title']}: {sixteen(largest['ceiling'])}\n"
        )
    if result.get("memory"):
        parts.append("## Memory\n\nPeak resident set of `convert` (VmHWM); allowed is "
                     "`--max-memory` + 300 MiB.\n\n" + memory_table(result["memory"]))  # fmt: skip
    floors = [[f.what, f"{f.value:.2f}", ("at most " if f.most else "at least ") + f"{f.floor:g}",
               "yes" if f.ok else "**no**"] for f in findings(result)]  # fmt: skip
    if floors:
        parts.append(
            "## What must be reached\n\n" + markdown(("", "measured", "asked", "reached"), floors)
        )
    parts.append(REMARKS.read_text())
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page(json.loads(Path(sys.argv[1]).read_text())))
