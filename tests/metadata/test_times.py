"""session_start_time: read as meant, refused where nobody can know what was meant."""

from __future__ import annotations

import pytest

from nwbkit.errors import DocumentError, MissingFact, NwbkitError, UsageError
from nwbkit.metadata.times import localise, parse_date

NAIVE = "2020-11-03T10:35:10"


@pytest.mark.parametrize(
    ("text", "zone", "iso"),
    [
        (f"{NAIVE}+01:00", None, "2020-11-03T10:35:10+01:00"),
        (f"{NAIVE}Z", None, "2020-11-03T10:35:10+00:00"),
        (f"{NAIVE}+01:00", "America/New_York", "2020-11-03T10:35:10+01:00"),
        (NAIVE, "Europe/Berlin", "2020-11-03T10:35:10+01:00"),
        ("2020-07-03T10:35:10", "Europe/Berlin", "2020-07-03T10:35:10+02:00"),
        (NAIVE, "+02:00", "2020-11-03T10:35:10+02:00"),
        (NAIVE, "-0330", "2020-11-03T10:35:10-03:30"),
        (NAIVE, "+05", "2020-11-03T10:35:10+05:00"),
        (NAIVE, "UTC", "2020-11-03T10:35:10+00:00"),
        (NAIVE, "Z", "2020-11-03T10:35:10+00:00"),
        (" 2020-11-03 10:35:10.123456 ", "UTC", "2020-11-03T10:35:10.123456+00:00"),
        ("20201103T103510", "UTC", "2020-11-03T10:35:10+00:00"),
        # the hours just around the changes exist once
        ("2020-03-29T01:59:59", "Europe/Berlin", "2020-03-29T01:59:59+01:00"),
        ("2020-03-29T03:00:00", "Europe/Berlin", "2020-03-29T03:00:00+02:00"),
        ("2020-10-25T03:00:00", "Europe/Berlin", "2020-10-25T03:00:00+01:00"),
        ("2020-10-25T02:30:00", "+01:00", "2020-10-25T02:30:00+01:00"),
    ],
)
def test_localise(text: str, zone: str | None, iso: str) -> None:
    assert localise(text, zone).isoformat() == iso


@pytest.mark.parametrize(
    ("text", "zone", "kind", "message", "hint"),
    [
        (
            NAIVE,
            None,
            MissingFact,
            f"session_start_time '{NAIVE}' of 'run' has no time zone",
            "--timezone Europe/Berlin",
        ),
        (
            "2020-10-25T02:30:00",
            "Europe/Berlin",
            MissingFact,
            "comes twice in 'Europe/Berlin'",
            "--timezone +02:00 or --timezone +01:00",
        ),
        (
            "2020-03-29T02:30:00",
            "Europe/Berlin",
            MissingFact,
            "does not exist in 'Europe/Berlin'",
            "--timezone +01:00 or --timezone +02:00",
        ),
        ("2020-11-03", "UTC", DocumentError, "has no time of day", "2020-11-03T10:35:10"),
        ("20201103", "UTC", DocumentError, "has no time of day", "2020-11-03T"),
        ("03.11.2020 10:35", "UTC", DocumentError, "is not an ISO 8601", "2020-11-03T"),
        ("2020-13-03T10:35:10", "UTC", DocumentError, "is not an ISO 8601", None),
        ("", "UTC", DocumentError, "session_start_time '' of 'run' is not", None),
        (NAIVE, "Europe/Berln", UsageError, "'Europe/Berln'", "did you mean 'Europe/Berlin'?"),
        (NAIVE, "berlin", UsageError, "'berlin'", "did you mean 'Europe/Berlin'?"),
        (NAIVE, "../etc/passwd", UsageError, "there is no time zone", None),
        (NAIVE, "+25:00", UsageError, "'+25:00'", "+02:00"),
        (NAIVE, "+02:75", UsageError, "'+02:75'", "+02:00"),
        (f"{NAIVE}Z", "nowhere", UsageError, "'nowhere'", None),
    ],
)
def test_refused(
    text: str, zone: str | None, kind: type[NwbkitError], message: str, hint: str | None
) -> None:
    with pytest.raises(kind) as caught:
        localise(text, zone, of="run")
    assert message in str(caught.value)
    assert hint is None or hint in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["2020-08-01", "2020-08-01T10:00:00+02:00", "20200801"])
def test_birth_is_a_day(text: str) -> None:
    assert parse_date(text).isoformat() == "2020-08-01"


def test_birth_unreadable() -> None:
    with pytest.raises(DocumentError, match="date_of_birth '1/8/20' is not an ISO 8601 date"):
        parse_date("1/8/20")
