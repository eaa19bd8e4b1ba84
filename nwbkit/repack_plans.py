"""Plans for repacking: keys are paths of datasets in the file, or globs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import DocumentError

if TYPE_CHECKING:
    from nwbkit.storage.planning import DatasetPlan


@dataclass
class Plans:
    """What a plan document says of an NWB file's datasets.

    Parameters
    ----------
    path : str, optional
        Of the document.
    said : dict of str to dict
        By path or glob.
    policy : bool
        Whether it goes for any file: keys need not be of this one.
    bound : dict of str to str, optional
        Source id and fingerprint that it was made for.
    codec : (str, int or None), optional
        ``--codec``: for every dataset, whatever the document says.
    backend : {"hdf5", "zarr"}
    """

    path: str | None = None
    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    policy: bool = False
    bound: dict[str, str] | None = None
    codec: tuple[str, int | None] | None = None
    backend: str = "hdf5"

    def plan_of(self, path: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DatasetPlan:
        """How the dataset at `path` is stored: nwbkit's default, changed by what plans say."""
        from nwbkit.plans import planned

        key = ":" + path  # what `planned` looks up is one key that stands for the dataset
        said = self._said(path)
        return planned({key: said} if said else {}, key, shape, dtype, self.backend)

    def _said(self, path: str) -> dict[str, Any]:
        from nwbkit.documents.metadata import specificity

        found: dict[str, Any] = {}
        for key in sorted((k for k in self.said if _means(k, path)), key=specificity):
            if "codec" in self.said[key]:  # levels and checksums are those of a codec
                found.pop("level", None)
                found.pop("fletcher32", None)
            found.update(self.said[key])
        if self.codec is not None:
            kept = {k: v for k, v in found.items() if k in ("chunks", "shuffle")}
            found = kept | {"codec": self.codec[0], "level": self.codec[1]}
        return found

    def bind(self, source: str, fingerprint: str) -> None:
        """Refuse a plan that was made for another file.

        Raises
        ------
        nwbkit.errors.DocumentError
        """
        if self.bound is not None and fingerprint not in self.bound.values():
            raise DocumentError(
                f"'{self.path}' was made for other sources: '{source}' is not among them",
                hint="keys of a plan for an NWB file are paths of its datasets, such as "
                "/acquisition/ElectricalSeries/data",
            )

    def check_used(self, paths: Sequence[str]) -> None:
        """Refuse keys that are no dataset of the file, but for policies.

        Raises
        ------
        nwbkit.errors.DocumentError
            Naming the nearest path.
        """
        from nwbkit.documents.problems import suggestion

        if self.policy:
            return
        for key in self.said:
            if not any(_means(key, path) for path in paths):
                raise DocumentError(
                    f"'{key}' in '{self.path}' is no dataset of this NWB file",
                    hint=suggestion(key, list(paths)),
                )


def _means(key: str, path: str) -> bool:
    return key == path or fnmatchcase(path, key)


def read_repack_plan(path: str | None, *, codec: str | None, backend: str) -> Plans:
    """Read ``-p`` and ``--codec``.

    Raises
    ------
    nwbkit.errors.DocumentError
        No plan, or one for another back end.
    nwbkit.errors.UsageError
        For a codec that there is not.
    """
    from nwbkit.documents import envelope
    from nwbkit.documents.plan import PlanDocument
    from nwbkit.storage.planning import parse_codec

    chosen = parse_codec(codec) if codec is not None else None
    if path is None:
        return Plans(codec=chosen, backend=backend)
    document = envelope.read(path, PlanDocument)
    if document.backend not in (None, backend):
        raise DocumentError(
            f"'{path}' is a plan for {document.backend}, the output is {backend}",
            hint=f"nwbkit chunk-plan --backend {backend}",
        )
    return Plans(
        path,
        {key: said.plain() for key, said in document.datasets.items()},
        document.policy is not None,
        dict(document.sources) if document.sources is not None else None,
        chosen,
        backend,
    )
