"""The NWBFile and its Subject."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nwbkit.errors import DocumentError
from nwbkit.nwb.facts import section

if TYPE_CHECKING:
    from pynwb import NWBFile

_PLAIN = (
    "experiment_description",
    "session_id",
    "institution",
    "lab",
    "notes",
    "pharmacology",
    "protocol",
    "slices",
    "data_collection",
    "surgery",
    "virus",
    "stimulus_notes",
)
_LISTS = ("experimenter", "keywords", "related_publications")


def build_file(
    metadata: Mapping[str, Any],
    *,
    identifier: str,
    start: datetime,
    description: str,
    source_script: str,
) -> NWBFile:
    """Return an NWBFile with everything that the metadata says of session and subject.

    Parameters
    ----------
    metadata : mapping
        The merged metadata document's body.
    identifier : str
        Used where the metadata has none.
    start : datetime
        session_start_time, with its zone.
    description : str
        One factual sentence, used where the metadata has none.
    source_script : str
        What made the file: version and document digests.
    """
    from pynwb import NWBFile

    facts = section(metadata, "NWBFile")
    arguments: dict[str, Any] = {
        "session_description": facts.get("session_description") or description,
        "identifier": str(facts.get("identifier") or identifier),
        "session_start_time": start,
        "file_create_date": _created(),
        "source_script": source_script,
        "source_script_file_name": "nwbkit",
    }
    for name in _PLAIN:
        if facts.get(name) is not None:
            arguments[name] = str(facts[name])
    for name in _LISTS:
        if facts.get(name):
            value = facts[name]
            arguments[name] = [value] if isinstance(value, str) else [str(v) for v in value]
    reference = facts.get("timestamps_reference_time")
    if reference is not None:
        arguments["timestamps_reference_time"] = _aware(
            "NWBFile.timestamps_reference_time", reference
        )
    nwbfile = NWBFile(**arguments)
    _add_subject(nwbfile, section(metadata, "Subject"))
    return nwbfile


def _created() -> datetime:
    """Now, or SOURCE_DATE_EPOCH where a reproducible file is asked for."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)


def _aware(field: str, text: Any) -> datetime:
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    except ValueError:
        raise DocumentError(f"'{field}' is no ISO 8601 time: '{text}'") from None
    if moment.tzinfo is None:
        raise DocumentError(f"'{field}' has no time zone: '{text}'")
    return moment


def _add_subject(nwbfile: NWBFile, facts: Mapping[str, Any]) -> None:
    from pynwb.file import Subject

    known = {k: v for k, v in facts.items() if v is not None and not k.startswith("x-")}
    if not known:
        return
    if "date_of_birth" in known:
        known["date_of_birth"] = _birth(known["date_of_birth"], nwbfile)
    if known.get("age") is None:
        known.pop("age__reference", None)
    nwbfile.subject = Subject(
        **{k: v if k == "date_of_birth" else str(v) for k, v in known.items()}
    )


def _birth(text: Any, nwbfile: NWBFile) -> datetime:
    """A date of birth is a day: without a zone it is taken in the session's own."""
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    except ValueError:
        raise DocumentError(f"'Subject.date_of_birth' is no ISO 8601 date: '{text}'") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=nwbfile.session_start_time.tzinfo)
    return moment
