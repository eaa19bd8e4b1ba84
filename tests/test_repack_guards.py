"""Repacking files that are damaged, unusual, or meant to do harm; options; plans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from nwbkit.convert import Request, convert
from nwbkit.errors import NwbkitError
from nwbkit.verify import verify
from tests import repackfiles


def repack(source: Path, out: Path, **settings):
    return convert(Request(inputs=[str(source)], output=str(out), jobs=2, **settings))


def refused(source: Path, out: Path, status: int, *words: str, **settings) -> NwbkitError:
    before = {p: p.stat().st_mtime_ns for p in out.parent.iterdir()}
    with pytest.raises(NwbkitError) as caught:
        repack(source, out, **settings)
    assert caught.value.status == status, caught.value
    for word in words:
        assert word in f"{caught.value.message} {caught.value.hint}", caught.value
    assert {p: p.stat().st_mtime_ns for p in out.parent.iterdir()} == before
    return caught.value


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.nwb"
    with repackfiles.base(path) as file:
        repackfiles.series(
            file, "Raw", repackfiles.noise(20_000), chunks=(2000, 35), compression="gzip"
        )
    return path


def chunk_place(path: Path, name: str, at: tuple[int, ...]) -> tuple[int, int]:
    with h5py.File(path) as file:
        info = file[name].id.get_chunk_info_by_coord(at)
        return info.byte_offset, info.size


def test_damaged_chunk_is_named(source, tmp_path):
    place, size = chunk_place(source, "acquisition/Raw/data", (4000, 35))
    with open(source, "r+b") as f:
        f.seek(place + size // 2)
        f.write(b"\x55\xaa\x55")
    refused(source, tmp_path / "o.nwb", 65, "acquisition/Raw/data", "[4000, 35]")


def test_damaged_chunk_that_only_hdf5_reads(tmp_path):
    path = tmp_path / "in.nwb"
    with repackfiles.base(path) as file:
        repackfiles.series(
            file, "Raw", repackfiles.noise(20_000), chunks=(2000, 70), compression="lzf",
            fletcher32=True,
        )  # fmt: skip
    repack(path, tmp_path / "good.nwb")
    assert repackfiles.same_file(path, tmp_path / "good.nwb") == []
    place, size = chunk_place(path, "acquisition/Raw/data", (4000, 0))
    with open(path, "r+b") as f:
        f.seek(place + size // 2)
        f.write(b"\x55\xaa\x55")
    refused(path, tmp_path / "o.nwb", 65, "acquisition/Raw/data", "[4000, 0]")


@pytest.mark.parametrize("part", [0.9, 0.5, 0.05])
def test_truncated(source, tmp_path, part):
    os.truncate(source, int(source.stat().st_size * part))
    refused(source, tmp_path / "o.nwb", 65, "in.nwb")


def test_missing_and_foreign(tmp_path):
    refused(tmp_path / "no.nwb", tmp_path / "o.nwb", 66, "no.nwb")
    with h5py.File(tmp_path / "h5.nwb", "w") as file:
        file["x"] = 1
    refused(tmp_path / "h5.nwb", tmp_path / "o.nwb", 66, "h5.nwb")


HARM = {
    "external storage": lambda f: f.create_dataset(
        "acquisition/x", (100,), "u1", external=[("/etc/passwd", 0, 100)]
    ),
    "virtual": lambda f: _virtual(f),
    "bomb": lambda f: f.create_dataset("acquisition/x", (1 << 40,), "f8", chunks=(1 << 20,)),
    "contiguous bomb": lambda f: f.create_dataset("acquisition/x", (1 << 40,), "f8"),
    "text bomb": lambda f: f.create_dataset(
        "acquisition/x", (1 << 40,), h5py.string_dtype(), chunks=(1 << 20,)
    ),
    "chunk bomb": lambda f: (
        f.create_dataset(
            "acquisition/x", (1 << 28, 4), "f8", chunks=(1 << 26, 4), compression="gzip"
        )[0].sum()
        and None
    ),
    "deep": lambda f: f.create_group("acquisition" + "/x" * 500),
    "filter": lambda f: _unknown_filter(f),
}


def _virtual(file):
    layout = h5py.VirtualLayout((10,), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "d", (10,))
    file.create_virtual_dataset("acquisition/x", layout)


def _unknown_filter(file):
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_chunk((100,))
    create.set_filter(401, h5py.h5z.FLAG_OPTIONAL, ())
    space = h5py.h5s.create_simple((1000,))
    made = h5py.h5d.create(file["acquisition"].id, b"x", h5py.h5t.NATIVE_INT16, space, dcpl=create)
    made.write_direct_chunk((0,), bytes(200))


@pytest.mark.parametrize("name", HARM)
@pytest.mark.parametrize("suffix", [".nwb", ".nwb.zarr"])
def test_what_could_do_harm_is_refused(tmp_path, name, suffix):
    path = tmp_path / "in.nwb"
    with repackfiles.base(path) as file:
        HARM[name](file)
    status = 69 if name == "filter" else 65
    refused(path, tmp_path / f"o{suffix}", status, "/acquisition/x", "401" if status == 69 else "")


def test_external_links_are_never_opened(tmp_path):
    path, out = tmp_path / "in.nwb", tmp_path / "out.nwb"
    os.mkfifo(tmp_path / "pipe.h5")  # whoever opens it waits for ever
    with repackfiles.base(path) as file:
        file["acquisition/x"] = h5py.ExternalLink("pipe.h5", "/d")
    command = [sys.executable, "-m", "nwbkit.cli", "convert", str(path), "-o", str(out)]
    subprocess.run(command, check=True, timeout=60)
    assert repackfiles.same_file(path, out) == []
    assert verify(str(out)).ok


def test_external_links_mean_the_same_file(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b" / "c").mkdir(parents=True)
    path, out = tmp_path / "a" / "in.nwb", tmp_path / "b" / "c" / "out.nwb"
    with h5py.File(tmp_path / "a" / "raw.h5", "w") as file:
        file["d"] = np.arange(5)
    with repackfiles.base(path) as file:
        file["acquisition/x"] = h5py.ExternalLink("raw.h5", "/d")
    document = repack(path, out).document
    with h5py.File(out) as file:
        assert file.get("acquisition/x", getlink=True).filename == "../../a/raw.h5"
        assert file["acquisition/x"][:].tolist() == [0, 1, 2, 3, 4]
    assert any("../../a/raw.h5" in note for note in document.notes)
    assert verify(str(out), against=[str(path)]).ok


@pytest.mark.parametrize(
    "settings",
    [
        {"metadata": ["lab.yaml"]},
        {"set_meta": ["NWBFile.lab=x"]},
        {"salvage": True},
        {"stub": 1.0},
        {"timezone": "UTC"},
        {"only": ["*"]},
        {"exclude": ["x/y"]},
        {"offsets": ["a=1"]},
        {"unaligned": "keep"},
        {"alignment": "a.json"},
        {"segments": "split"},
        {"sets": ["nwb.x=1"]},
        {"job": "j"},
    ],
    ids=str,
)
def test_options_that_change_content_are_refused(source, tmp_path, settings):
    refused(source, tmp_path / "o.nwb", 2, "layout and back end", **settings)


def plan(folder: Path, **datasets) -> str:
    path = folder / "plan.yaml"
    path.write_text(json.dumps({"datasets": datasets}))
    return str(path)


def layout(path: Path) -> dict[str, tuple]:
    with h5py.File(path) as file:
        data = file["acquisition/Raw/data"]
        return data.chunks, data.compression, data.compression_opts, data.shuffle, data.fletcher32


def test_plans_speak_of_paths_and_globs(source, tmp_path):
    out = tmp_path / "o.nwb"
    asked = {
        "/acquisition/*": {"codec": "gzip", "level": 6},
        "/acquisition/Raw/data": {"chunks": [512, 70]},
    }
    repack(source, out, plan=plan(tmp_path, **asked))
    assert layout(out) == ((512, 70), "gzip", 6, True, False)
    assert repackfiles.same_file(source, out) == []
    none = {"/acquisition/Raw/data": {"codec": "none"}}
    repack(source, out, plan=plan(tmp_path, **none), overwrite=True)
    assert layout(out)[1:] == (None, None, False, True)
    repack(source, out, codec="zstd:5", overwrite=True)
    with h5py.File(out) as file:
        create = file["acquisition/Raw/data"].id.get_create_plist()
        assert create.get_filter(create.get_nfilters() - 1)[0] == 32015
    assert verify(str(out), against=[str(source)]).ok
    back = tmp_path / "back.nwb"
    repack(out, back)
    assert repackfiles.same_file(source, back) == []
    error = refused(
        source, tmp_path / "p.nwb", 65, plan=plan(tmp_path, **{"/acquisition/Rew/data": {}})
    )
    assert "/acquisition/Raw/data" in str(error.hint)
    refused(
        source,
        tmp_path / "p.nwb",
        65,
        plan=plan(tmp_path, **{"/acquisition/Raw/data": {"chunks": [5]}}),
    )
    bound = Path(plan(tmp_path))
    bound.write_text(json.dumps({"sources": {"x": "ab" * 16}, "datasets": {}}))
    refused(source, tmp_path / "p.nwb", 65, "other sources", plan=str(bound))


def test_existing_outputs(source, tmp_path):
    out = tmp_path / "o.nwb"
    depfile = tmp_path / "o.d"
    repack(source, out, depfile=str(depfile))
    assert f"{source}:" in depfile.read_text()
    refused(source, out, 73, "--overwrite")
    os.utime(out, (1, 1))
    result = repack(source, out, skip_existing=True)
    assert result.skipped and out.stat().st_mtime > 1
    refused(source, out, 73, "plan", skip_existing=True, codec="gzip:6")
    with h5py.File(source, "r+") as file:
        file["acquisition/Raw/data"].attrs["unit"] = "V"
    refused(source, out, 73, "source file", skip_existing=True)
    assert not verify(str(out), against=[str(source)]).ok
    repack(source, out, overwrite=True)
    assert verify(str(out), against=[str(source)]).ok


def test_the_same_bytes_in_place(source):
    copy = source.with_name("copy.nwb")
    copy.write_bytes(source.read_bytes())
    repack(source, source, overwrite=True)
    assert repackfiles.same_file(copy, source) == []


def test_dry_run_writes_nothing(source, tmp_path):
    before = sorted(tmp_path.iterdir())
    report = repack(source, tmp_path / "o.nwb", dry_run=True).report
    assert "/acquisition/Raw/data" in report and "chunks [2000, 35], deflate" in report
    assert "gzip:1 shuffle" in report
    assert sorted(tmp_path.iterdir()) == before


def test_a_wrong_copy_is_not_published(source, tmp_path, monkeypatch):
    from nwbkit.storage.repacking import hdf5

    def forget(self, node, old, new):
        return None

    monkeypatch.setattr(hdf5._Copy, "_attribute", forget)
    refused(source, tmp_path / "o.nwb", 65, "attribute")


def test_a_wrong_chunk_is_not_published(source, tmp_path, monkeypatch):
    from nwbkit.storage import hdf5

    put = hdf5.ChunkFile.put

    def flipped(self, hole, offset, data):
        raw = bytearray(data)
        raw[len(raw) // 2] ^= 4
        put(self, hole, offset, bytes(raw))

    monkeypatch.setattr(hdf5.ChunkFile, "put", flipped)
    for prove in ("full", "sample"):
        refused(source, tmp_path / "o.nwb", 74, "acquisition/Raw/data", prove=prove)


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Chunks of the source far taller than slabs of the output."""
    path = tmp_path / "in.nwb"
    with repackfiles.base(path) as file:
        repackfiles.series(
            file,
            "Raw",
            repackfiles.noise(200_000, 64),
            chunks=(50_000, 64),
            compression="gzip",
            compression_opts=1,
        )
    code = (
        "import sys; from nwbkit.convert import Request, convert;"
        "import resource, re;"
        "convert(Request(inputs=[sys.argv[1]], output=sys.argv[2], jobs=2, max_memory=64 << 20));"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "o.nwb")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(run.stdout) < (64 + 300) << 10


def test_a_chunk_plan_of_an_nwb_file_is_one_for_repacking(source, tmp_path):
    from nwbkit.chunk_plan import Request as PlanRequest
    from nwbkit.chunk_plan import chunk_plan
    from nwbkit.documents import envelope

    document, _ = chunk_plan(PlanRequest(inputs=[str(source)], use="archive", measure=False))
    assert list(document.datasets) == ["/acquisition/Raw/data"]
    path = tmp_path / "plan.json"
    path.write_text(envelope.dumps(document))
    out = tmp_path / "o.nwb"
    repack(source, out, plan=str(path))
    assert list(layout(out)[0]) == document.datasets["/acquisition/Raw/data"].chunks
    other = tmp_path / "other.nwb"
    with repackfiles.base(other) as file:
        repackfiles.series(file, "Raw", repackfiles.noise(200))
    refused(other, tmp_path / "p.nwb", 65, "other sources", plan=str(path))


def test_checksum_file(source, tmp_path):
    for name in ("o.nwb", "o.nwb.zarr"):
        repack(source, tmp_path / name, checksum=True)
        subprocess.run(["sha256sum", "-c", "--quiet", f"{name}.sha256"], cwd=tmp_path, check=True)


def test_beside_other_sources_it_is_refused(source, tmp_path):
    document = tmp_path / "sources.json"
    (tmp_path / "raw").mkdir()
    entry = {"format": "nwb", "paths": [str(source)], "strength": "magic"}
    text = {
        "schema": "nwbkit/sources", "version": 1,
        "sessions": [{"id": "s", "sources": [entry | {"id": "a"}, entry | {"id": "b"}]}],
    }  # fmt: skip
    document.write_text(json.dumps(text))
    with pytest.raises(NwbkitError, match="NWB file already") as caught:
        repack(document, tmp_path / "o.nwb", unaligned="keep")
    assert caught.value.status == 2
    text["sessions"][0]["sources"].pop()
    document.write_text(json.dumps(text))
    repack(document, tmp_path / "o.nwb")
    assert repackfiles.same_file(source, tmp_path / "o.nwb") == []
