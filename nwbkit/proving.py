"""Holding a written file against what was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nwbkit.documents.conversion import DatasetRecord
    from nwbkit.storage.digests import DatasetDigest
    from nwbkit.storage.stored import ReadInto


def digest_of(record: DatasetRecord) -> DatasetDigest:
    """The digest that a sidecar's record stands for.

    Raises
    ------
    nwbkit.errors.DocumentError
        Where the record contradicts itself.
    """
    from nwbkit.errors import DocumentError
    from nwbkit.storage.digests import DatasetDigest

    try:
        return DatasetDigest.from_json(record.plain())
    except ValueError as error:
        raise DocumentError(f"the sidecar is damaged: {error}") from None


def check_arrays(
    path: Path,
    digests: Mapping[str, DatasetDigest] | None,
    *,
    jobs: int,
    max_memory: int,
    progress: Callable[[int], None] | None = None,
    read: ReadInto | None = None,
) -> tuple[dict[str, str], dict[str, DatasetDigest]]:
    """Decode every chunk of the datasets in `digests` (None: of all) and compare.

    `read` as of :func:`nwbkit.storage.prove.decode_digests`.

    Returns
    -------
    problems : dict of str to str
        By dataset path: what is wrong.
    decoded : dict of str to DatasetDigest
        Of the datasets that could be decoded.
    """
    from nwbkit.storage.prove import decode_digests

    proof = decode_digests(
        path,
        list(digests) if digests is not None else None,
        jobs=jobs,
        max_memory=max_memory,
        progress=progress,
        read=read,
    )
    problems = {name: str(problem) for name, problem in proof.problems.items()}
    for name, expected in (digests or {}).items():
        found = proof.digests.get(name)
        if found is None:
            problems.setdefault(name, "could not be decoded")
            continue
        difference = found.compare(expected)
        if difference is not None:
            problems[name] = str(difference)
    return problems, dict(proof.digests)


def check_expected(path: Path, expected: Mapping[str, Any]) -> dict[str, str]:
    """Read the tables of a file back; by dataset path, what is not as `expected`."""
    from nwbkit.storage.backends import open_output

    problems = {}
    with open_output(path) as file:
        for name, values in expected.items():
            if name not in file:
                problems[name] = "is missing"
            elif not same_values(file[name], values):
                problems[name] = "values differ"
    return problems


def same_values(dataset: Any, values: Any) -> bool:
    """Whether a dataset holds exactly `values` (an array of numbers, or texts)."""
    import h5py

    if h5py.check_string_dtype(dataset.dtype) is not None:
        found = [str(v) for v in dataset.asstr()[...].tolist()]
        return found == [str(v) for v in values]
    found = dataset[...]
    wanted = np.asarray(values)
    return bool(
        found.shape == wanted.shape
        and np.array_equal(found, wanted, equal_nan=found.dtype.kind == "f")
    )
