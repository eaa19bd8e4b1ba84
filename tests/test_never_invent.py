"""Every text in the file comes from the source, from -m, or from a short list that is written here.

What NWB demands and nobody said is ``unknown``; what nwbkit says of itself is fixed wording
around facts of the source. A name, place, species or time that nobody gave fails here.
"""

from __future__ import annotations

import re
from pathlib import Path

import h5py

from examples.spikeglx_run import Nidq, Probe, write_run
from nwbkit.convert import Request, convert

#: Attributes and datasets that the NWB schema fixes.
STRUCTURE = {
    "neurodata_type", "namespace", "object_id", "colnames", "unit", "nwb_version",
    "REFERENCE_LIST", "DIMENSION_LIST", "CLASS", "NAME", "interpretation", "help",
}  # fmt: skip

#: Words of nwbkit's own sentences: about structure, never about the experiment.
TEXT = """
    the a of in and or is are to from by on at its with each that this where as it be not for has
    first second last no other others own new which was were until between how long when
    band full gain high pass filter off hz probe shank channel channels digital analog line lines
    word words bit b w status flags flag sync sample samples clock clocks unaligned aligned session
    times time count zero start starts unknown changes changed change level kept keep after
    recording ends pauses events electrode electrodes group location subject reference name stream
    streams records record position um micrometer micrometers metadata about extracellular scheme
    number order adc acquired selected bank converter within saved electrically
    neuropixels multishank cap imec nidq serial headstage flex basestation firmware api slot port
    dock calibrated true false nwbkit inputs spike glx ap lf sy xd xa mn ma xdw
    positions per their row rows true hardware setting site
    amplifier connected converter shares samples own
"""
WORDS = frozenset(TEXT.split())


def texts(file: h5py.File) -> dict[str, str]:
    found: dict[str, str] = {}

    def visit(name: str, item: h5py.HLObject) -> None:
        if name.startswith("specifications"):
            return
        for key, value in item.attrs.items():
            if isinstance(value, str) and key not in STRUCTURE:
                found[f"/{name}@{key}"] = value
        if isinstance(item, h5py.Dataset) and h5py.check_string_dtype(item.dtype):
            values = item.asstr()[()]
            for i, value in enumerate([values] if isinstance(values, str) else values.ravel()):
                found[f"/{name}[{i}]"] = value

    file.visititems(visit)
    return found


def test_no_text_comes_from_nowhere(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_run(raw, probes=(Probe(kind="NP2.0-4shank"),), nidq=Nidq(lines=10), seconds=0.3)
    out = tmp_path / "out.nwb"
    request = Request(inputs=[str(raw)], output=str(out), timezone="UTC", unaligned="keep")
    convert(request)
    source = " ".join(
        [p.read_text() for p in raw.rglob("*.meta")] + [str(p) for p in raw.rglob("*")]
    ).lower()
    with h5py.File(out) as f:
        everything = texts(f)
        computed = {f["identifier"].asstr()[()], f["file_create_date"].asstr()[0]}
        location = f["general/extracellular_ephys/electrodes/location"].asstr()[...]
        assert set(location) == {"unknown"}
        assert "subject" not in f["general"]
        for absent in ("experimenter", "institution", "lab", "keywords", "experiment_description"):
            assert absent not in f["general"]
        start = f["session_start_time"].asstr()[()]
    (created,) = re.findall(r"fileCreateTime=(\S+)", next(raw.rglob("*ap.meta")).read_text())
    assert start == created + "+00:00"
    for where, text in everything.items():
        if text in computed or re.fullmatch(r"\d{4}-\d\d-\d\dT.*", text):
            continue
        plain = re.sub(r"\b[0-9a-f]{64}\b", "", text)
        for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", plain):
            known = word.lower() in WORDS or word.lower() in source
            assert known, f"{word!r} in {where}: {text!r}"
