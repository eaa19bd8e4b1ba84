"""docs/formats is what the declarations and the facts of the samples make it."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from nwbkit.formats import registry
from tests.data import DATA, needs_data

DOCS = Path(__file__).parents[1] / "docs" / "formats"
PAGES = runpy.run_path(str(DOCS / "make_pages.py"))
COLLECT = runpy.run_path(str(DOCS / "collect_facts.py"))
HELD: dict[str, list[dict[str, Any]]] = COLLECT["held"]()
FORMATS = registry.builtin_formats()[0]


def test_fresh() -> None:
    assert PAGES["stale"]() == [], "run: python docs/formats/make_pages.py"


def test_a_page_each() -> None:
    assert {p.stem for p in DOCS.glob("*.md")} == {*FORMATS, "README"}
    silent = {n for n, f in FORMATS.items() if not (f.recognised and f.variants and f.limits)}
    assert not silent


@pytest.mark.parametrize("name", sorted(p.name for p in DOCS.iterdir() if p.is_file()))
def test_nothing_of_this_machine(name: str) -> None:
    if name.endswith(".py"):
        return
    text = (DOCS / name).read_text(encoding="utf-8")
    assert not re.search(r"/tmp/|/home/|/work/|/opt/|Traceback", text)
    assert str(DATA) not in text and str(Path.home()) + "/" not in text


def test_facts_are_whole() -> None:
    """No crash, no difference from a source; a refusal has a status and a reason."""
    for sample, facts in HELD.items():
        for fact in facts:
            assert fact["sample"] == sample
            assert fact["outcome"] in ("converted", "refused"), (sample, fact.get("error"))
            if fact["outcome"] == "refused":
                assert fact["status"] in (65, 66) and fact["error"]
            else:
                assert fact["status"] == (3 if "--salvage" in fact["said"] else 0)


def test_options_on_pages() -> None:
    """Each option stands on its format's page with its help."""
    for name, fmt in FORMATS.items():
        page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
        for option in fmt.options:
            assert f"`{option.name}=`" in page and option.help.replace("|", "\\|") in page


@needs_data
def test_facts_name_every_sample_that_is_recognised() -> None:
    from tests.expected.claims import CLAIMS

    assert set(HELD) == set(CLAIMS)
    for sample, claims in CLAIMS.items():
        assert {f for fact in HELD[sample] for f in fact["formats"]} == {f for f, _ in claims}


@needs_data
@pytest.mark.parametrize(
    "sample",
    [
        "blackrock/PauseCorrect",
        "neuralynx/BML_unfilledsplit",
        "dlc/open_field_without_video",
        "scanimage/volumetric_no_flyback",
        "text/trials",
        "extract/extract_public_output",
    ],
)
def test_facts_still_hold(sample: str) -> None:
    """The cheap samples, converted again; ``collect_facts.py`` does it for all."""
    found = json.loads(json.dumps(COLLECT["collect"](DATA, sample)))
    assert found == HELD[sample], f"run: python docs/formats/collect_facts.py {sample}"
