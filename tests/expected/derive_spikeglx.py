"""Derive tests/expected/spikeglx.py from the bytes of the samples, with numpy and regular expressions only.

    python tests/expected/derive_spikeglx.py DATA/spikeglx > tests/expected/spikeglx.py

The rules are those of the vendor (SpikeGLX metadata guide, ProbeTable), written here a second time and apart
from nwbkit and from every reader library, so that a test against the table is a test against the files:

- volts = i * imAiRangeMax / imMaxInt / gain, imMaxInt 512 where the key is absent;
- gain of NP 1.0, 3A, NHP and Ultra probes: imroTbl, by the channel as acquired (snsSaveChanSubset), AP or LF;
  NP1110 has one pair of gains in the head of imroTbl; NP 2.0: imChan0apGain, else 80 (types 21, 24) or 100;
- nidq: volts = i * niAiRangeMax / niMaxInt / gain, niMaxInt 32768 where absent; gain niMNGain, niMAGain, 1 (XA);
- digital words: bit b of the w-th saved word is line 16 w + b;
- snsGeomMap lists (shank:x:z:used) in um from the shank's left edge and its lowest row of electrodes; an older
  snsShankMap lists (shank:column:row:used), made um with the pitches of the part (PITCH below).
"""

import hashlib
import re
import sys
import textwrap
from pathlib import Path

import numpy as np

# part -> x of the first column in even rows, in odd rows, column pitch, row pitch, shank pitch
PITCH = {
    "3A": (27, 11, 32, 20, 0),
    "PRB_1_4_0480_1": (27, 11, 32, 20, 0),
    "PRB_1_4_0480_1_C": (27, 11, 32, 20, 0),
    "PRB_1_2_0480_2": (27, 11, 32, 20, 0),
    "NP1015": (27, 27, 32, 20, 0),
    "NP1030": (27, 11, 87, 20, 0),
    "NP1100": (14, 14, 6, 6, 0),
    "NP2010": (27, 27, 32, 15, 250),
    "PRB2_1_2_0640_0": (27, 27, 32, 15, 0),
}
HEAD = '''"""What every sample in DATA/spikeglx holds. Written by derive_spikeglx.py, which states the rules.

A key is absent where it does not apply, or where the header does not say.
n_saved: AP, LF, SY counts (imec) or MN, MA, XA, DW (nidq). n_samples counts what is in the .bin, n_header what
the header says; truncated: (bytes in the .bin, fileSizeBytes). gain_uV: first, last and all distinct of the
saved analog channels, microvolts a count. ends: column -> its first three and last three samples.
lines: digital line -> (rising, falling), where it ever toggles (imec: of the SY words). n_shanks: of the probe;
shanks: those with a saved electrode. electrodes: position among the saved channels -> (shank, x, y), um from the
left edge of the shank and its lowest row; shank s lies s * shank_pitch further right. unused: positions that the
vendor flags, such as references.
"""
'''


def read_meta(path: Path) -> dict[str, str]:
    """Some samples lost the ~ before their tables on the way; the vendor's own reader drops it too."""
    lines = path.read_bytes().decode("latin-1").splitlines()
    return {
        key.lstrip("~"): value
        for key, value in (line.split("=", 1) for line in lines if "=" in line)
    }


def table(m: dict[str, str], key: str) -> list[str]:
    return re.findall(r"\(([^)]*)\)", m.get(key, ""))


def number_list(text: str, n: int) -> list[int]:
    if text == "all":
        return list(range(n))
    out: list[int] = []
    for part in text.split(","):
        ends = [int(x) for x in part.split(":")]
        out.extend(range(ends[0], ends[-1] + 1))
    return out


def imec_gains(m: dict[str, str], band: str, saved: list[int]) -> list[float]:
    """Gain of each saved analog channel."""
    n_ap, n_lf, _ = (int(x) for x in m["acqApLfSy"].split(","))
    analog = [c for c in saved if c < n_ap + n_lf]
    head, *entries = table(m, "imroTbl")
    width = len(entries[0].split())
    if n_lf == 0:
        fixed = float(m.get("imChan0apGain", 80 if m["imDatPrb_type"] in ("21", "24") else 100))
        return [fixed] * len(analog)
    if width == 3:  # NP1110
        _, _, _, ap, lf, _ = head.split(",")
        return [float(ap if band == "ap" else lf)] * len(analog)
    by_channel = {int(e.split()[0]): e.split() for e in entries}
    return [float(by_channel[c][3] if c < n_ap else by_channel[c - n_ap][4]) for c in analog]


def electrodes(m: dict[str, str], part: str) -> dict:
    head, *entries = table(m, "snsGeomMap") or table(m, "snsShankMap") or [""]
    if not entries:
        return {}
    rows = [[float(x) for x in e.split(":")] for e in entries]
    if "snsGeomMap" in m:
        _, n_shanks, pitch, _ = head.split(",")
        places = [(int(s), x, z, int(u)) for s, x, z, u in rows]
    else:
        even, odd, dx, dy, pitch = PITCH[part]
        n_shanks = head.split(",")[0]
        places = [
            (int(s), (odd if r % 2 else even) + dx * c, dy * r, int(u)) for s, c, r, u in rows
        ]
    n = len(places)
    chosen = sorted({0, 1, 2, n // 2, n - 1})
    return {
        "n_shanks": int(n_shanks),
        "shanks": sorted({p[0] for p in places}),
        "shank_pitch": float(pitch),
        "n_electrodes": n,
        "unused": [i for i, p in enumerate(places) if not p[3]],
        "electrodes": {i: places[i][:3] for i in chosen},
    }


def edges(level: np.ndarray) -> tuple[int, int]:
    step = np.diff(level.astype(np.int8))
    return int((step == 1).sum()), int((step == -1).sum())


def describe_bin(path: Path, m: dict[str, str], n_channels: int, n_words: int, kind: str) -> dict:
    raw = path.read_bytes()
    n, rest = divmod(len(raw), 2 * n_channels)
    assert rest == 0, path
    x = np.frombuffer(raw, "<i2").reshape(n, n_channels)
    said = int(m["fileSizeBytes"])
    out = {
        "n_samples": n,
        "sha1_agrees": hashlib.sha1(raw).hexdigest().upper() == m["fileSHA1"].upper(),
    }
    if len(raw) != said:
        out["truncated"] = (len(raw), said)
    out["ends"] = {
        c: x[:3, c].tolist() + x[-3:, c].tolist()
        for c in sorted({0, n_channels // 2, n_channels - 1})
    }
    words = x[:, n_channels - n_words :].view("<u2")
    if kind == "imec":
        out["sync_words"] = np.unique(words).tolist()
    counts = {16 * w + b: edges(words[:, w] >> b & 1) for w in range(n_words) for b in range(16)}
    out["lines"] = {line: count for line, count in counts.items() if any(count)}
    return out


def describe(root: Path, path: Path) -> dict:
    m = read_meta(path)
    kind, n_channels = m["typeThis"], int(m["nSavedChans"])
    out = {"meta": path.relative_to(root).as_posix(), "kind": kind}
    saved = number_list(m["snsSaveChanSubset"], n_channels)
    assert len(saved) == n_channels, path
    if kind == "imec":
        counts = tuple(int(x) for x in m["snsApLfSy"].split(","))
        band = "ap" if counts[0] else "lf"
        part = m.get("imDatPrb_pn", "3A").strip()
        max_int = int(m.get("imMaxInt", 512))
        gains = np.array(imec_gains(m, band, saved))
        volts = float(m["imAiRangeMax"]) / max_int / gains
        out |= {"band": band, "part": part, "serial": m.get("imDatPrb_sn") or m["imProbeSN"]}
        out |= {
            "probe_type": m.get("imDatPrb_type", "3A"),
            "max_int": max_int,
            "rate": float(m["imSampRate"]),
        }
    else:
        counts = tuple(int(x) for x in m["snsMnMaXaDw"].split(","))
        band = "nidq"
        max_int = int(m.get("niMaxInt", 32768))
        gains = np.repeat([float(m["niMNGain"]), float(m["niMAGain"]), 1.0], counts[:3])
        volts = float(m["niAiRangeMax"]) / max_int / gains
        out |= {"band": band, "max_int": max_int, "rate": float(m["niSampRate"])}
    assert sum(counts) == n_channels, path
    out |= {"n_channels": n_channels, "n_saved": counts, "subset": m["snsSaveChanSubset"]}
    if "fileSizeBytes" in m:
        out["n_header"], rest = divmod(int(m["fileSizeBytes"]), 2 * n_channels)
        assert rest == 0, path
        out["first_sample"] = int(m["firstSample"])
    out["start_time"] = m["fileCreateTime"]
    if len(volts):
        uv = (1e6 * volts).tolist()
        out["gain_uV"] = (uv[0], uv[-1], sorted(set(uv)))
    if kind == "imec":
        out |= electrodes(m, part)
    binary = path.with_suffix(".bin")
    out["has_bin"] = binary.exists()
    if out["has_bin"]:
        out |= describe_bin(binary, m, n_channels, counts[-1], kind)
        out["n_agrees"] = out["n_samples"] == out["n_header"]
    return out


def literal(described: dict) -> str:
    text = ", ".join(f"{k!r}: {v!r}" for k, v in described.items()).replace("'", '"')
    return textwrap.fill("{" + text + "},", 112, initial_indent="    ", subsequent_indent="     ")


def main() -> None:
    root = Path(sys.argv[1])
    print(HEAD)
    print("# fmt: off\nSAMPLES = [")
    for path in sorted(root.rglob("*.meta")):
        print(literal(describe(root, path)))
    print("]")


if __name__ == "__main__":
    main()
