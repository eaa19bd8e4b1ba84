"""verify: does every chunk decode, is all as it was converted, is it what the source holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nwbkit.errors import NoInput, UsageError
from nwbkit.proving import check_arrays, digest_of
from nwbkit.sidecar import sidecar_path
from nwbkit.text import wrapped

if TYPE_CHECKING:
    from nwbkit.documents.conversion import ConversionDocument
    from nwbkit.documents.findings import Checked, Finding, FindingsDocument
    from nwbkit.storage.digests import DatasetDigest

ProgressFactory = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


class Report:
    """Findings and checks as they are collected."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.checked: list[Checked] = []

    def find(
        self, severity: Any, code: str, where: str, message: str, hint: str | None = None
    ) -> None:
        """Add a finding."""
        from nwbkit.documents.findings import Finding

        self.findings.append(
            Finding(severity=severity, code=code, where=where, message=message, hint=hint)
        )

    def check(
        self,
        address: str,
        what: str,
        problem: str | None,
        *,
        reader: Any = None,
        rows: int | None = None,
    ) -> None:
        """Add a check; `problem` is what differs, None where nothing does."""
        from nwbkit.documents.findings import Checked

        self.checked.append(
            Checked(address=address, what=what, reader=reader, rows=rows, equal=problem is None)
        )
        if problem is not None:
            self.find("error", f"{what.replace(' ', '-')}-differs", address, problem)


def verify(
    output: str,
    *,
    against: Sequence[str] | None = None,
    sets: Sequence[str] = (),
    jobs: int = 1,
    max_memory: int = 1 << 30,
    quick: bool = False,
    progress: ProgressFactory | None = None,
) -> FindingsDocument:
    """Hold `output` against its sidecar, and with `against` against its sources.

    Parameters
    ----------
    output : str
        An NWB file: HDF5, or a Zarr store.
    against : sequence of str, optional
        Raw paths, or a sources document.
    sets : sequence of str
        Options of the sources that differ from those recorded.
    jobs, max_memory : int
    quick : bool
        Structure, completeness and size only.
    progress : callable, optional

    Raises
    ------
    nwbkit.errors.NoInput
        Where the output, or what `against` needs, is missing.
    """
    from nwbkit.documents.findings import FindingsDocument

    path = Path(output)
    if not path.exists():
        raise NoInput(f"cannot open '{output}': no such file")
    if path.is_dir():
        _check_folder(path, output)
    if not os.access(path, os.R_OK):
        raise NoInput(f"cannot open '{output}': permission denied")
    if quick and against:
        raise UsageError("--quick and --against exclude each other")
    report = Report()
    sidecar = _sidecar(path, against is not None)
    if sidecar is None:
        report.find(
            "warning",
            "no-sidecar",
            sidecar_path(path).name,
            "there is no sidecar: chunks were decoded, but nothing tells what they should hold",
        )
    if _opens(path, report) and _complete(path, sidecar, report) and not quick:
        decoded = _decode(
            path, sidecar, report, jobs=jobs, max_memory=max_memory, progress=progress
        )
        if against is not None and sidecar is not None:
            from nwbkit.against import check_against

            check_against(path, sidecar, against, decoded, report, sets=sets, jobs=jobs)
    return FindingsDocument.of(report.findings, report.checked)


def _check_folder(path: Path, output: str) -> None:
    """Refuse a folder that is not meant to be a Zarr store, and one that cannot be read here."""
    if not path.name.endswith(".zarr") and not (path / ".zgroup").exists():
        raise NoInput(
            f"cannot verify '{output}': it is a folder",
            hint="verify takes an .nwb file (HDF5) or an .nwb.zarr folder",
        )
    from nwbkit.zarrs.blosc import need_numcodecs

    need_numcodecs()


def _sidecar(path: Path, needed: bool) -> ConversionDocument | None:
    from nwbkit.documents import envelope
    from nwbkit.documents.conversion import ConversionDocument

    beside = sidecar_path(path)
    if beside.exists():
        return envelope.read(beside, ConversionDocument)
    if needed:
        raise NoInput(
            f"cannot open '{beside}': no such file",
            hint="--against needs the sidecar that convert wrote beside its output",
        )
    return None


def _opens(path: Path, report: Report) -> bool:
    from nwbkit.storage.backends import is_folder, names_of, open_output

    kind = "Zarr" if is_folder(path) else "HDF5"
    try:
        with open_output(path) as file:
            if "nwb_version" not in file.attrs:
                what = "a Zarr store" if kind == "Zarr" else "an HDF5 file"
                report.find("error", "not-nwb", path.name, f"{what}, but no NWB file")
                return False
            if kind == "Zarr":
                names_of(file)  # reads all metadata files
    except OSError as error:
        reason = str(error).splitlines()[0]
        report.find("error", "unreadable", path.name, f"{kind} cannot open it: {reason}")
        return False
    return True


def _complete(path: Path, sidecar: ConversionDocument | None, report: Report) -> bool:
    """Size and structure: every object of the sidecar is there."""
    from nwbkit.storage.backends import is_folder, open_output
    from nwbkit.storage.publish import output_size

    if is_folder(path):
        from nwbkit.storage.zarr_prove import check_consolidated

        report.check(path.name, "consolidated metadata", check_consolidated(path))
    if sidecar is None:
        return True
    size = output_size(path)
    problem = None
    if size != sidecar.output.size:
        problem = f"{size} bytes, where {sidecar.output.size} were written"
    report.check(path.name, "size", problem)
    with open_output(path) as file:
        missing = [name for name in (*sidecar.objects, *sidecar.datasets) if name not in file]
    report.check(
        path.name,
        "structure",
        f"'{missing[0]}' is missing, and {len(missing) - 1} more" if missing else None,
    )
    return not missing


def _decode(
    path: Path,
    sidecar: ConversionDocument | None,
    report: Report,
    *,
    jobs: int,
    max_memory: int,
    progress: ProgressFactory | None,
) -> dict[str, DatasetDigest]:
    """Decode everything; hold it against the sidecar's digests where there are some."""
    from nwbkit.storage.publish import file_checksum, output_size
    from nwbkit.storage.summary import summarise

    records = sidecar.datasets if sidecar else {}
    known = {name: digest_of(record) for name, record in records.items()}
    with progress("verifying", output_size(path)) if progress else nullcontext(None) as done:
        problems, decoded = check_arrays(
            path, known or None, jobs=jobs, max_memory=max_memory, progress=done
        )
    for name, digest in decoded.items():
        rows = digest.shape[0] if digest.shape else None
        report.check(name, "values", problems.get(name), rows=rows)
    for name in problems.keys() - decoded.keys():
        report.check(name, "values", problems[name])
    if problems or sidecar is None:
        return decoded
    try:
        summary = summarise(path, {name: decoded[name] for name in known})
    except OSError as error:
        _name_damage(path, str(error), report, jobs=jobs, max_memory=max_memory)
        return decoded
    changed = sorted(
        name
        for name in sidecar.objects.keys() | summary.objects.keys()
        if sidecar.objects.get(name) != summary.objects.get(name)
    )
    for name in changed:
        report.check(name, "object", _change(name, sidecar, summary.objects))
    if not changed:
        report.check("/", "objects", None, rows=len(summary.objects))
    report.check(
        "/",
        "content",
        None
        if summary.digest == sidecar.content
        else "the digest of the whole content is not the recorded one",
    )
    if file_checksum(path) != sidecar.output.checksum:
        report.find(
            "error",
            "bytes-differ",
            path.name,
            "the file's bytes are not those that were written"
            + ("" if changed else ", though all content is equal"),
        )
    return decoded


def _name_damage(path: Path, text: str, report: Report, *, jobs: int, max_memory: int) -> None:
    """Say which of the small datasets cannot be read."""
    problems, _ = check_arrays(path, None, jobs=jobs, max_memory=max_memory)
    for name, problem in problems.items():
        report.check(name, "values", problem)
    if not problems:
        report.check("/", "objects", text)


def _change(name: str, sidecar: ConversionDocument, objects: dict[str, str]) -> str:
    if name not in sidecar.objects:
        return "was not there when the file was written"
    if name not in objects:
        return "is missing"
    return "attributes, links, type or values are not those that were written"


def render(document: FindingsDocument, width: int) -> str:
    """The findings as text."""
    lines: list[str] = []
    for address in dict.fromkeys(c.address for c in document.checked if c.reader):
        lines += wrapped(_outcome(address, document.checked), 0, width)
    for finding in document.findings:
        text = f"{finding.severity}: {finding.where}: {finding.message}"
        lines += wrapped(text, 0, width)
        if finding.hint:
            lines.append(f"  hint: {finding.hint}")
    count = document.summary.checked
    verdict = "verified" if document.ok else "NOT verified"
    lines.append(f"{verdict}: {count} checks, {document.summary.errors} errors")
    return "\n".join(lines) + "\n"


def _outcome(address: str, checked: Sequence[Checked]) -> str:
    """What was compared with a stream's source, on one line; independent reading counts."""
    mine = [c for c in checked if c.address == address]
    independent = {c.what for c in mine if c.reader == "independent"}
    wrong = list(dict.fromkeys(c.what for c in mine if not c.equal))
    rows = max((c.rows or 0 for c in mine), default=0)
    parts = []
    for reader in ("independent", "same"):
        whats = dict.fromkeys(c.what for c in mine if (c.what in independent) == (reader != "same"))
        equal = [what for what in whats if what not in wrong]
        if equal:
            parts.append(f"{', '.join(equal)} equal (reader: {reader})")
    if wrong:
        parts.insert(0, f"{', '.join(wrong)} DIFFER")
    return f"{address}, {rows} rows: {'; '.join(parts)}"
