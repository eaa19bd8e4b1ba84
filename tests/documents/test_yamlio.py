"""YAML: what people write comes out as they meant it, and nothing is executed or blown up."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml

from nwbkit.documents import yamlio
from nwbkit.documents.values import EMPTY, plain
from nwbkit.errors import DocumentError

MEANT: list[tuple[str, Any]] = [
    ("no", "no"),
    ("on", "on"),
    ("Yes", "Yes"),
    ("off", "off"),
    ("y", "y"),
    ("true", True),
    ("False", False),
    ("TRUE", True),
    ("tRue", "tRue"),
    ("null", None),
    ("~", None),
    ("12:30:45", "12:30:45"),
    ("1:30", "1:30"),
    ("2020-11-03", "2020-11-03"),
    ("2020-11-03T10:35:10+01:00", "2020-11-03T10:35:10+01:00"),
    ("2020-11-03 10:35:10", "2020-11-03 10:35:10"),
    ("1_000", "1_000"),
    ("12", 12),
    ("-3", -3),
    ("0x1F", 31),
    ("0o17", 15),
    ("017", 17),
    ("1.5", 1.5),
    ("1e5", 1e5),
    (".5", 0.5),
    ("1.2.3", "1.2.3"),
    ("P90D", "P90D"),
    ("'12'", "12"),
    ('"null"', "null"),
    ("!!str 12", "12"),
    ("<<", "<<"),
    ("=", "="),
    ("|\n    two\n    lines\n", "two\nlines\n"),
    ("[no, 1, {a: ~}]", ["no", 1, {"a": None}]),
]


@pytest.fixture(params=["C", "Python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers: wheels without libyaml exist."""
    if request.param == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("no libyaml")
    return str(request.param)


@pytest.mark.parametrize(("text", "value"), MEANT)
def test_meant(text: str, value: Any, parser: str) -> None:
    found = plain(yamlio.load(f"key: {text}", "f"))["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", EMPTY),
        ("# only a comment\n", EMPTY),
        ("---\n", EMPTY),
        ("a:\nb: ''\nc: null", {"a": EMPTY, "b": "", "c": None}),
        ("a: &x {k: v}\nb: *x", {"a": {"k": "v"}, "b": {"k": "v"}}),
        ("no: 1\n012: 2\ntrue: 3\n1.50: 4", {"no": 1, "012": 2, "true": 3, "1.50": 4}),
        ("{a: 1}\n...\n", {"a": 1}),
    ],
)
def test_whole_texts(text: str, value: Any, parser: str) -> None:
    assert yamlio.load(text, "f") == value


def test_numbers_keep_their_spelling() -> None:
    data = yamlio.load("a: 007\nb: 1.50\nc: 0x10", "f")
    assert [data[key].text for key in "abc"] == ["007", "1.50", "0x10"]


BILLION_LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)

REFUSED: list[tuple[str | bytes, str, str | None]] = [
    ("a: 1\nb: 2\na: 3", "'f': the key 'a' is given twice, line 3, column 1", "keep one"),
    ("x: {a: 1, 'a': 2}", "the key 'a' is given twice, line 1, column 11", None),
    (BILLION_LAUGHS, "aliases expand to too much, line", "write the values out"),
    ("a: &a [*a]", "the alias '*a' has no anchor before it, line 1, column 8", None),
    ("a: *b", "the alias '*b' has no anchor before it", None),
    ("a: !!python/object/apply:os.system [ls]", "the tag 'tag:yaml.org,2002:python", "remove it"),
    ("a: !mine 3", "the tag '!mine' is not allowed, line 1, column 4", None),
    ("a: !!timestamp 2020-01-01", "is not allowed", None),
    ("[" * 100_000, "nested more than 64 levels deep, line 1, column 65", None),
    ("Subject:\n\tage: P1D", "line 2, column 1", "indent with spaces, not tabs"),
    ("a: b: c", "line 1, column 5", "quotes"),
    ("a: @x", "line 1, column 4", "quotes"),
    ("a: [1, 2", "is not YAML", None),
    ("a: 1\n---\nb: 2", "a second document begins, line 2, column 1", "one per file"),
    ("? [a]\n: b", "a key must be a text", None),
    ("?\n: b", "a key must be a text", None),
    ("a: \x07", "is not YAML", None),
    (b"a: \xff", "'f' is not UTF-8: byte 0xff at line 1, column 4", "iconv"),
    (b" " * (yamlio.MAX_BYTES + 1), "is too large for YAML", None),
]


@pytest.mark.parametrize(("text", "message", "hint"), REFUSED)
def test_refused(text: str | bytes, message: str, hint: str | None, parser: str) -> None:
    began = time.monotonic()
    with pytest.raises(DocumentError) as caught:
        yamlio.load(text, "f")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert hint is None or hint in (caught.value.hint or "")
    assert time.monotonic() - began < 5
