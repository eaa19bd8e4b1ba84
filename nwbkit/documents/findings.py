"""The findings document: what validation and verification found, and what they looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal, Self

from pydantic import Field

from nwbkit.documents.model import Document, InputRef, Part
from nwbkit.documents.values import AnyValue, Flag, Size, Text, Whole

Severity = Literal["error", "warning", "info"]


class Finding(Part):
    """One thing that is wrong, or worth knowing."""

    severity: Severity
    #: A stable name of the rule, ``subject-id-missing``.
    code: Text
    #: Key path, address or NWB path it is about.
    where: Text
    message: Text
    hint: Text | None = None


class Checked(Part):
    """One thing that was compared, and how it came out."""

    #: Address or NWB path.
    address: Text
    what: Text
    #: ``independent``: read by code that shares nothing with the conversion's.
    reader: Literal["same", "independent"] | None = None
    rows: Size | None = None
    equal: Flag


class Summary(Part):
    """How many findings there are of each severity."""

    errors: Whole = 0
    warnings: Whole = 0
    infos: Whole = 0
    checked: Whole = 0


class FindingsDocument(Document):
    """What ``nwbkit verify`` and ``nwbkit metadata validate`` answer."""

    SCHEMA: ClassVar[str] = "nwbkit/findings"
    MADE_BY: ClassVar[str] = "nwbkit verify, nwbkit metadata validate"

    ok: Flag = True
    summary: Summary = Field(default_factory=Summary)
    findings: list[Finding] = Field(default_factory=list)
    checked: list[Checked] = Field(default_factory=list)
    measured: dict[str, AnyValue] | None = None

    @classmethod
    def of(
        cls,
        findings: Iterable[Finding],
        checked: Iterable[Checked] = (),
        inputs: Iterable[InputRef] = (),
    ) -> Self:
        """A document with `ok` and `summary` counted: ok means no error and nothing unequal."""
        findings, checked = list(findings), list(checked)

        def count(severity: str) -> int:
            return sum(finding.severity == severity for finding in findings)

        return cls(
            ok=count("error") == 0 and all(item.equal for item in checked),
            summary=Summary(
                errors=count("error"),
                warnings=count("warning"),
                infos=count("info"),
                checked=len(checked),
            ),
            findings=findings,
            checked=checked,
            inputs=list(inputs),
        )
