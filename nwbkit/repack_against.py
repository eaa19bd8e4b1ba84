"""verify --against of a repacked file: does the file it was made from say the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nwbkit.errors import DamagedInput

if TYPE_CHECKING:
    from nwbkit.documents.conversion import ConversionDocument
    from nwbkit.storage.digests import DatasetDigest
    from nwbkit.verify import Report


def check_repacked(
    path: Path,
    sidecar: ConversionDocument,
    source: Path,
    decoded: Mapping[str, DatasetDigest],
    report: Report,
    *,
    jobs: int,
) -> None:
    """Compare every object of the file at `path` with those of `source`.

    Parameters
    ----------
    path : Path
    sidecar : ConversionDocument
        Of the file at `path`.
    source : Path
        What it was made from, wherever that lies now.
    decoded : mapping of str to DatasetDigest
        What the large datasets of the file were found to hold.
    report : Report
    jobs : int

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where `source` cannot be read.
    """
    from nwbkit.proving import check_arrays
    from nwbkit.repack_work import source_print
    from nwbkit.storage.backends import open_output
    from nwbkit.storage.plugins import enable
    from nwbkit.storage.repacking import tree
    from nwbkit.storage.repacking.equal import Contents, differences

    recorded = {i.fingerprint for i in sidecar.inputs}
    changed = source_print(source) not in recorded
    problem = "has changed since it was converted" if changed else None
    report.check(source.name, "source file", problem)
    with tree.opened(source) as file:
        nodes = tree.nodes_of(file)
        tree.check(file, nodes)
        problems, digests = check_arrays(source, None, jobs=jobs, max_memory=1 << 30)
        for name, text in problems.items():
            raise DamagedInput(f"'{source.name}': {text}", hint=f"look at '{name}' in the source")
        external = {str(k): str(v) for k, v in dict(sidecar.choices.get("external", {})).items()}
        across = source.is_dir() != (sidecar.output.backend == "zarr")
        expected = Contents.of(file, digests).seen_from(external, across=across)
    with open_output(path) as output:
        enable(output)
        found = Contents.of(output, decoded).seen_from({}, across=across)
    wrong = dict(differences(found, expected))
    for name in sidecar.datasets:
        rows = found.digests[name].shape[0] if name in found.digests else None
        report.check(name, "source values", wrong.pop(name, None), reader="same", rows=rows)
    for name, text in wrong.items():
        report.check(name, "source object", text)
    if not wrong:
        report.check("/", "source objects", None, rows=len(expected.records))
