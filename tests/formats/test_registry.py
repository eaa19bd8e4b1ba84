"""Detection: who gets which file, what it is called, and what is reported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nwbkit.errors import MissingExtra, NoInput, UnknownFormat, UsageError
from nwbkit.formats import registry
from nwbkit.formats.base import Format, Source, Strength
from nwbkit.formats.naming import Named, slug, unique_ids
from tests.formats.helpers import fake

MAGIC, KEY, NAME = Strength.MAGIC, Strength.KEY, Strength.NAME


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def detect(root: Path, *formats: Format, **options):
    return registry.detect([root], known={f.id: f for f in formats}, **options)


def claims(detection) -> dict[str, str]:
    return {p.name: s.format for s in detection.sources() for p in s.paths}


def test_every_format_is_found_by_its_id():
    assert registry.formats()["spikeglx"].title == "SpikeGLX"
    assert registry.builtin_formats()[1] == ()


def test_the_surer_claim_wins_whatever_the_order(tmp_path):
    touch(tmp_path, "a.dat")
    found = detect(tmp_path, fake("aaa", "*.dat"), fake("zzz", "*.dat", strength=MAGIC))
    assert claims(found) == {"a.dat": "zzz"}
    (source,) = found.sources()
    assert source.alternatives == ()


def test_a_tie_names_both_and_is_reported(tmp_path):
    touch(tmp_path, "a.dat")
    found = detect(tmp_path, fake("one", "*.dat"), fake("two", "*.dat"))
    (source,) = found.sources()
    assert (source.format, [a.format for a in source.alternatives]) == ("one", ["two"])
    assert source.alternatives[0].evidence == "seen by two"
    (report,) = found.reports
    assert "claimed by one and two alike (name); choose with --format" in report.message


def test_format_settles_a_tie(tmp_path):
    touch(tmp_path, "a.dat")
    found = detect(tmp_path, fake("one", "*.dat"), fake("two", "*.dat"), format="two")
    (source,) = found.sources()
    assert (source.format, source.alternatives, found.reports) == ("two", (), ())


def test_an_unknown_format_suggests_one(tmp_path):
    with pytest.raises(UsageError) as error:
        detect(tmp_path, fake("spikeglx", "*.meta"), format="spikegix")
    assert (error.value.message, error.value.hint) == (
        "no format 'spikegix'",
        "did you mean 'spikeglx'?",
    )


def test_a_superseded_format_yields_even_where_it_is_as_sure(tmp_path):
    touch(tmp_path, "a.csv")
    found = detect(
        tmp_path, fake("dlc", "*.csv", strength=KEY), fake("lp", "*.csv", supersedes=("dlc",))
    )
    assert claims(found) == {"a.csv": "lp"}
    assert found.reports == ()


def test_a_look_that_raises_is_reported_and_the_others_go_on(tmp_path):
    touch(tmp_path, "a.dat")
    broken = fake("broken", "*.dat", raises=ValueError("boom\nmore"))
    found = detect(tmp_path, broken, fake("fine", "*.dat"))
    assert claims(found) == {"a.dat": "fine"}
    (report,) = found.reports
    assert report.message == "format 'broken' failed while looking: ValueError: boom"
    assert (report.level, report.format) == ("warning", "broken")


def test_fallbacks_see_only_what_nobody_claimed(tmp_path):
    touch(tmp_path, "a.csv", "b.csv", "c.txt")
    pose = fake("pose", "a.csv")
    found = detect(tmp_path, fake("csv", "*.csv", fallback=True, strength=MAGIC), pose)
    assert claims(found) == {"a.csv": "pose", "b.csv": "csv"}
    assert [s.strength for s in found.sources() if s.format == "csv"] == [Strength.FALLBACK]
    assert [p.name for p in found.unclaimed] == ["c.txt"]


def test_files_lost_with_a_weaker_claim_are_named(tmp_path):
    touch(tmp_path, "a.dat", "a.xml")
    found = detect(
        tmp_path, fake("weak", "a.*", together=True), fake("sure", "*.dat", strength=MAGIC)
    )
    assert claims(found) == {"a.dat": "sure"}
    assert "'weak'" in found.reports[0].message and "a.xml" in found.reports[0].message


def test_own_outputs_hidden_files_and_temporaries_are_passed_over(tmp_path):
    touch(
        tmp_path,
        *("o.nwb", "o.nwb.json", ".o.nwb.nwbkit-1.part", "o.nwb.nwbkit-2.part", ".hidden.dat"),
        *("z.nwb.zarr/data/0", "z.nwb.zarr.json", ".git/x.dat", "other.nwb", "a.dat"),
    )
    found = detect(tmp_path, fake("all", "*"))
    assert sorted(claims(found)) == ["a.dat", "other.nwb"]


def test_an_output_that_the_user_names_is_looked_at(tmp_path):
    touch(tmp_path, "o.nwb", "o.nwb.json")
    found = registry.detect([tmp_path / "o.nwb"], known={"all": fake("all", "*")})
    assert claims(found) == {"o.nwb": "all"}


def test_nothing_recognised_is_an_empty_detection(tmp_path):
    touch(tmp_path, "a.dat")
    found = detect(tmp_path, fake("none", "*.xyz"))
    assert found.sessions == () and [p.name for p in found.unclaimed] == ["a.dat"]


def test_a_missing_path_is_no_input(tmp_path):
    with pytest.raises(NoInput) as error:
        registry.detect([tmp_path / "gone"])
    assert error.value.message == f"cannot open '{tmp_path / 'gone'}': no such file or folder"
    assert error.value.status == 66


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_no_input(tmp_path):
    (tmp_path / "shut").mkdir(mode=0)
    with pytest.raises(NoInput):
        registry.detect([tmp_path / "shut"])


def test_a_loop_of_links_is_walked_once(tmp_path):
    touch(tmp_path, "sub/a.dat")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert list(claims(detect(tmp_path, fake("all", "*.dat")))) == ["a.dat"]


def test_names_beyond_ascii_and_beyond_utf8(tmp_path):
    touch(tmp_path, "Mäuse Üb 1.dat", "日本.dat")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.dat"))).write_bytes(b"x")
    found = detect(tmp_path, fake("all", "*.dat"))
    assert sorted(s.id for s in found.sources()) == ["Mause-Ub-1", "caf", "u65e5u672c"]


def test_ids_grow_by_folder_names_only_where_they_clash(tmp_path):
    touch(tmp_path, "m1/day1/run.dat", "m2/day1/run.dat", "m2/day2/run.dat", "m2/day2/alone.dat")
    found = detect(tmp_path, fake("all", "*.dat"))
    assert sorted(s.id for s in found.sources()) == [
        "alone",
        "day2-run",
        "m1-day1-run",
        "m2-day1-run",
    ]
    assert sorted(s.id for s in found.sessions) == sorted(s.id for s in found.sources())


def test_ids_that_differ_by_case_only_clash_too(tmp_path):
    touch(tmp_path, "a/Run.dat", "b/run.dat")
    found = detect(tmp_path, fake("all", "*.dat"))
    assert sorted(s.id for s in found.sources()) == ["a-Run", "b-run"]


def test_two_formats_in_one_folder_are_told_apart_by_format(tmp_path):
    touch(tmp_path, "run.dat", "run.csv")
    found = detect(tmp_path, fake("one", "*.dat"), fake("two", "*.csv"))
    ids = sorted(s.id for s in found.sources())
    assert ids[0].endswith("run-one") and ids[1].endswith("run-two")
    assert [len(s.sources) for s in found.sessions] == [2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", "a-b"),
        ("Straße", "Strasse"),
        ("__x__", "__x__"),
        ("../..", "u2eu2eu2fu2eu2e"),
        ("", "source"),
    ],
)
def test_slug(text, expected):
    assert slug(text) == expected


def test_the_same_twice_still_gets_two_ids():
    same = Named("run", Path("/a"), "f", Path("/a/run"))
    one, two = unique_ids([same, Named("run", Path("/a"), "f", Path("/a/Run"))])
    assert one.lower() != two.lower()


def test_opening_names_what_is_missing(tmp_path):
    known = {"needy": Format("needy", "Needy", "tables", ("*",), lambda _: (), _needs_a_library)}
    source = Source("s", "needy", (tmp_path / "gone.dat",))
    with pytest.raises(NoInput, match="no such file"):
        registry.open_source(source, known=known)
    touch(tmp_path, "gone.dat")
    with pytest.raises(MissingExtra) as error:
        registry.open_source(source, known=known)
    assert error.value.status == 69
    assert "'gone.dat' needs the package 'no_such_library'" in error.value.message
    with pytest.raises(UnknownFormat):
        registry.open_source(Source("s", "nope", (tmp_path / "gone.dat",)), known=known)


def _needs_a_library(source):
    import no_such_library  # noqa: F401


def test_a_broken_plug_in_is_reported(monkeypatch, tmp_path):
    import importlib.metadata

    points = importlib.metadata.EntryPoints(
        importlib.metadata.EntryPoint(name, value, registry.ENTRY_POINTS)
        for name, value in [("bad", "no_such_package:FORMAT"), ("int", "sys:maxsize")]
    )
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    registry.plugin_formats.cache_clear()
    try:
        messages = [r.message for r in registry.detect([tmp_path]).reports]
    finally:
        registry.plugin_formats.cache_clear()
    assert any("'no_such_package:FORMAT' cannot be loaded" in m for m in messages)
    assert any("'sys:maxsize' declares no Format" in m for m in messages)


def test_detecting_loads_no_heavy_library(tmp_path):
    touch(tmp_path, "a.meta")
    code = (
        "import sys; from nwbkit.formats import registry; registry.detect([sys.argv[1]]); "
        "heavy = {'numpy', 'h5py', 'pynwb', 'neo', 'probeinterface', 'pydantic'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_detection_becomes_a_sources_document(tmp_path):
    touch(tmp_path, "a.dat")
    document = registry.to_document(detect(tmp_path, fake("one", "*.dat"), fake("two", "*.dat")))
    entry = document.sessions[0].sources[0]
    assert (entry.id, entry.format, entry.strength) == ("a", "one", "name")
    assert entry.paths == [tmp_path / "a.dat"]
    assert entry.alternatives[0].format == "two"
