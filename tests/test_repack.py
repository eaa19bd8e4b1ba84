"""convert of NWB files: the same content in another layout, whoever wrote the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nwbkit.convert import Request, convert
from nwbkit.verify import verify
from tests import repackfiles
from tests.data import DATA, needs_data

pytestmark = pytest.mark.filterwarnings("ignore:.*positional arguments:FutureWarning")

FILES = {
    "everything": repackfiles.everything,
    "pynwb": repackfiles.pynwb_kinds,
    "compound": repackfiles.pynwb_compound,
    "neuroconv": repackfiles.neuroconv_like,
    "matnwb": repackfiles.matnwb_like,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in")

    def make(name: str) -> Path:
        path = folder / f"{name}.nwb"
        if not path.exists():
            FILES[name](path)
        return path

    return make


def repack(source: Path, out: Path, **settings):
    return convert(Request(inputs=[str(source)], output=str(out), jobs=2, **settings))


@pytest.mark.parametrize("name", FILES)
def test_every_object_is_kept(made, tmp_path, name):
    source, out = made(name), tmp_path / "out.nwb"
    before = source.read_bytes()
    external = {}
    if name == "everything":
        moved = os.path.relpath(source.parent / "raw/other.h5", tmp_path)
        external = {"/analysis/links/outside": moved}
    result = repack(source, out)
    assert repackfiles.same_file(source, out, external=external) == []
    assert source.read_bytes() == before
    assert verify(str(out)).ok
    assert verify(str(out), against=[str(source)]).ok
    if external:
        assert any("outside" in note and moved in note for note in result.document.notes)


@needs_data
def test_samples(tmp_path):
    for source in sorted((DATA / "nwb").rglob("*.nwb")):
        out = tmp_path / source.name
        repack(source, out)
        assert repackfiles.same_file(source, out) == []
