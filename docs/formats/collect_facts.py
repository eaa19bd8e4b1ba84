"""Collect docs/formats/facts.json by converting every sample recording.

    NWBKIT_TEST_DATA=/path/to/samples python docs/formats/collect_facts.py [FORMAT/SAMPLE ...]

Every sample folder is detected, each session in it inspected, converted into a throwaway file and
verified against its source, as a user would with the options that :data:`NEEDS` names; what came
out is noted, whether it is a file or an error. Named samples are collected anew and the rest is
kept; without names all are. make_pages.py turns the facts into pages and needs no recording.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nwbkit import convert as journey  # noqa: E402
from nwbkit import verify as verifying  # noqa: E402
from nwbkit.convert import Request  # noqa: E402
from nwbkit.documents.inspection import SourceInfo, StreamInfo  # noqa: E402
from nwbkit.errors import NwbkitError  # noqa: E402
from nwbkit.formats import registry  # noqa: E402
from nwbkit.formats.base import Reader  # noqa: E402
from nwbkit.inspect import inspect  # noqa: E402
from nwbkit.session import load_sources, open_session  # noqa: E402

FACTS = Path(__file__).with_name("facts.json")
#: A subject and a zone are what every user gives; they are not counted as needed by a format.
SUBJECT = "Subject: {subject_id: M1, species: Mus musculus, sex: F, age: P90D}\n"
ZONE = "Europe/Berlin"
START = "NWBFile.session_start_time=2020-01-01T00:00:00+00:00"

#: What the files of a sample lack and its user has to say. By sample folder, or by
#: ``folder:session``: fields of nwbkit.convert.Request.
NEEDS: dict[str, dict[str, Any]] = {
    "dlc/open_field_without_video": {"sets": ["m3v1mp4DLC.rate=30"]},
    "dlc/vame_cropped_video_csv": {"sets": ["cropped_video.rate=30"]},
    "extract/extract_public_output": {"sets": ["extract_public_output.rate=20"]},
    "micromanager/SYNTH_MMStack_ome_tif": {"sets": ["tiff.rate=20"]},
    "micromanager/ndtiff_v2_test": {"sets": ["tiff.rate=10"]},
    "micromanager/ndtiff_v3_12bit": {"sets": ["tiff.rate=10"]},
    "neuralynx/NCS_jl": {"sets": ["NCS_jl.ad_bit_volts=1e-7"]},
    "sleap/predictions_and_courtship:predictions_1-2-7_provenance_and_tracking": {
        "sets": ["sleap.rate=30"]
    },
    "spikeglx/NP2_with_sync": {"salvage": True, "unaligned": "keep"},
    "spikeglx/Noise4Sam_g0": {"salvage": True, "unaligned": "keep"},
    "spikeglx/TEST_20210920_0_g0": {"salvage": True},
    "spikeglx/multi_probe_filename_without_info": {"salvage": True, "unaligned": "keep"},
    "thor/thorlabs_tiff_20231018-002": {"sets": ["tiff.rate=14"]},
    "tiff/fissa_dtypes": {"sets": ["tiff.rate=10"]},
    "tiff/sima_example": {"sets": ["tiff.rate=10"]},
}


def samples(data: Path) -> list[str]:
    """``kind/sample`` of every sample folder below `data`, sorted."""
    return sorted(
        f"{kind.name}/{sample.name}"
        for kind in data.iterdir()
        if kind.is_dir()
        for sample in kind.iterdir()
        if sample.is_dir()
    )


def collect(data: Path, sample: str) -> list[dict[str, Any]]:
    """The facts of every session of one sample folder; empty where nothing is recognised."""
    found = registry.detect([data / sample])
    facts = []
    for session in found.sessions:
        formats = sorted({source.format for source in session.sources})
        with tempfile.TemporaryDirectory() as scratch:
            try:
                fact = _session(data, sample, session.id, formats, Path(scratch))
            except Exception as error:  # noqa: BLE001 - a crash is a fact, and the worst one
                said = f"{type(error).__name__}: {_plain(str(error), data)}"
                fact = {"sample": sample, "session": session.id, "said": [], "formats": formats}
                fact |= {"outcome": "crashed", "error": said}
        facts.append(fact)
    return facts


def _session(
    data: Path, sample: str, session: str, formats: list[str], scratch: Path
) -> dict[str, Any]:
    folder = str(data / sample)
    needs = NEEDS.get(f"{sample}:{session}", NEEDS.get(sample, {}))
    fact: dict[str, Any] = {"sample": sample, "session": session, "said": _spoken(needs)}
    fact["formats"] = formats
    lab = None if formats == ["nwb"] else scratch / "lab.yaml"  # an NWB file has its metadata
    if lab is not None:
        lab.write_text(SUBJECT)
    if needs:
        fact["asked"] = _asked(folder, session, lab, scratch / "plain.nwb", data)
    opening = {k: needs[k] for k in ("sets", "salvage") if k in needs}
    try:
        seen = inspect([folder], session=session, **opening)
    except NwbkitError as error:
        return fact | _refused("inspect", error, data)
    sources = seen.sessions[0].sources
    fact["sources"] = [_source(s) for s in sources]
    for source, fields in zip(fact["sources"], _metadata(folder, session, opening), strict=True):
        source["metadata"] = fields
    out = scratch / "out.nwb"
    try:
        done = _converted(folder, session, needs, lab, out)
    except NwbkitError as error:
        return fact | _refused("convert", error, data)
    assert done.document is not None
    checks = verifying.verify(str(out), against=[folder], jobs=2)
    readers: dict[str, dict[str, str]] = {}
    for check in checks.checked:
        if check.reader is not None:
            readers.setdefault(check.address, {})[check.what] = check.reader
    types = _types(out)
    for source in fact["sources"]:
        for stream in source["streams"]:
            address = f"{source['id']}/{stream['id']}"
            record = done.document.streams.get(address)
            if record is None:
                continue
            stream["nwb"] = [[path, types.get(path, "")] for path in record.nwb_paths]
            if record.times:
                stream["times"] = record.times
            if address in readers:
                stream["reread"] = readers[address]
    fact["outcome"] = "converted" if checks.ok else "differs from its source"
    fact["status"] = done.status
    return fact


def _asked(folder: str, session: str, lab: Path | None, out: Path, data: Path) -> dict[str, Any]:
    """What is said where nobody gives what is lacking."""
    try:
        _converted(folder, session, {}, lab, out)
    except NwbkitError as error:
        return _refused("convert", error, data)
    raise SystemExit(f"'{session}' needs nothing: take it out of NEEDS")


def _converted(
    folder: str, session: str, needs: Mapping[str, Any], lab: Path | None, out: Path
) -> journey.Result:
    request: dict[str, Any] = {
        "inputs": [folder],
        "output": str(out),
        "session": session,
        "jobs": 2,
        **needs,
    }
    if lab is not None:
        request |= {"timezone": ZONE, "metadata": [str(lab)]}
    try:
        return journey.convert(Request(**request))
    except NwbkitError as error:
        if "session_start_time" not in f"{error} {error.hint}" or out.exists():
            raise
        # that a file holds no start time stands under what it holds; its user knows when it was
        request["set_meta"] = [*request.get("set_meta", ()), START]
        return journey.convert(Request(**request))


def _spoken(needs: Mapping[str, Any]) -> list[str]:
    """The options as a user types them."""
    words = [f"--set {one}" for one in needs.get("sets", ())]
    words += [f"--set-meta {one}" for one in needs.get("set_meta", ())]
    if needs.get("unaligned"):
        words.append(f"--unaligned {needs['unaligned']}")
    if needs.get("salvage"):
        words.append("--salvage")
    return words


def _refused(by: str, error: NwbkitError, data: Path) -> dict[str, Any]:
    return {
        "outcome": "refused",
        "by": by,
        "status": error.status,
        "error": _plain(str(error), data),
        "hint": _plain(error.hint or "", data),
    }


def _plain(text: str, data: Path) -> str:
    """Without the path of this machine."""
    for root in {str(data), str(data.resolve())}:
        text = text.replace(root + "/", "")
    return " ".join(text.split())


def _source(info: SourceInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "format": info.format,
        "streams": [_stream(s) for s in info.streams],
        "clocks": [{"id": c.id.partition("/")[2], "how": c.how} for c in info.clocks],
        "relations": sorted({r.kind for r in info.relations}),
    }


def _stream(info: StreamInfo) -> dict[str, Any]:
    fact: dict[str, Any] = {
        "id": info.address.partition("/")[2],
        "kind": info.kind,
        "role": info.role,
        "shape": info.shape,
        "dtype": info.dtype,
        "unit": info.unit,
        "rate": _number(info.rate),
        "segments": info.n_segments,
        "gaps": info.n_gaps,
    }
    if info.gain:
        fact["gain"] = sorted({_number(g) for g in info.gain})
    return {key: value for key, value in fact.items() if value is not None}


def _number(value: float | None) -> float | None:
    """Twelve digits: what sums on another processor might change is cut off."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.12g}")


def _metadata(folder: str, session: str, opening: Mapping[str, Any]) -> list[list[str]]:
    document = load_sources([folder])
    with open_session(document, session=session, **opening) as opened:
        return [_fields(reader) for reader in opened.readers]


def _fields(reader: Reader) -> list[str]:
    """``Devices.serial_number`` and the like: which fields the files fill, without ids."""
    found: set[str] = set()
    for top, value in reader.metadata().items():
        if top in ("NWBFile", "Subject"):
            found |= {f"{top}.{field}" for field in value}
        elif isinstance(value, Mapping):
            for entry in value.values():
                fields = entry if isinstance(entry, Mapping) else ()
                found |= {f"{top}.{field}" for field in fields}
    for stream in reader.streams:
        if any(e.rel_x is not None for e in getattr(stream, "electrodes", None) or ()):
            found.add("Electrodes.rel_x")
    return sorted(found)


def _types(out: Path) -> dict[str, str]:
    import h5py

    types: dict[str, str] = {}

    def note(path: str, node: Any) -> None:
        name = node.attrs.get("neurodata_type")
        if name is not None:
            types["/" + path] = name if isinstance(name, str) else name.decode()

    with h5py.File(out) as file:
        file.visititems(note)
    return types


def held() -> dict[str, list[dict[str, Any]]]:
    """The facts that are checked in, by sample."""
    if not FACTS.exists():
        return {}
    loaded: dict[str, list[dict[str, Any]]] = json.loads(FACTS.read_text(encoding="utf-8"))
    return loaded


def main(argv: Iterable[str] | None = None) -> None:
    """Collect and write."""
    parser = argparse.ArgumentParser(description="Collect facts from the sample recordings.")
    parser.add_argument("samples", nargs="*", help="kind/sample; all by default")
    chosen = parser.parse_args(None if argv is None else list(argv)).samples
    warnings.simplefilter("ignore")
    data = Path(os.environ.get("NWBKIT_TEST_DATA", ROOT.parent / "shared" / "data"))
    every = samples(data)
    facts = held()
    for sample in chosen or every:
        facts[sample] = collect(data, sample)
        said = [f["outcome"] + (f": {f['error']}" if "error" in f else "") for f in facts[sample]]
        print(sample, *said, sep="\n    ", file=sys.stderr)
    facts = {sample: facts[sample] for sample in every if facts.get(sample)}
    FACTS.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
