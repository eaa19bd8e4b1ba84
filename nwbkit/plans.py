"""Plans as convert uses them: read, held against the sources, and looked up by dataset."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import DocumentError, UsageError

if TYPE_CHECKING:
    from nwbkit.documents.plan import PlanDocument
    from nwbkit.preparing import Settled
    from nwbkit.session import OpenSession
    from nwbkit.storage.planning import DatasetPlan

#: By ``SOURCE/STREAM:field`` or pattern: what a plan says of it.
Plans = dict[str, dict[str, Any]]


def source_digests(session: OpenSession, fingerprints: Mapping[Path, str]) -> dict[str, str]:
    """By source id: a digest of what its files hold, whatever they are called."""
    digests = {}
    for reader in session.readers:
        prints = sorted(fingerprints[path] for path in reader.files())
        digests[reader.source.id] = hashlib.sha256("\n".join(prints).encode()).hexdigest()
    return digests


def read_plan(
    path: str | None,
    settled: Settled | None = None,
    *,
    codec: str | None = None,
    backend: str = "hdf5",
) -> Plans:
    """What a plan document says of each ``SOURCE/STREAM:field``; only what it says.

    Parameters
    ----------
    path : str, optional
    settled : Settled, optional
        What the plan is to be used for: one that is bound to other sources is refused, and
        so are keys that are no stream of it.
    codec : str, optional
        ``--codec NAME[:LEVEL]``, for every dataset, whatever the document says.
    backend : {"hdf5", "zarr"}

    Raises
    ------
    nwbkit.errors.DocumentError
        Made for other sources or another back end; a key that means nothing.
    nwbkit.errors.UsageError
        For a codec that there is not.
    """
    from nwbkit.documents import envelope
    from nwbkit.documents.plan import PlanDocument
    from nwbkit.storage.planning import parse_codec

    plans: Plans = {}
    if path is not None:
        document = envelope.read(path, PlanDocument)
        _check_plan(path, document, settled, backend)
        plans = {key: said.plain() for key, said in document.datasets.items()}
    if codec is not None:
        name, level = parse_codec(codec)
        asked = {"codec": name, "level": level}
        kept = ("chunks", "shuffle")
        plans = {k: {f: v for f, v in s.items() if f in kept} | asked for k, s in plans.items()}
        plans.setdefault("*", asked)
    return plans


def _check_plan(path: str, document: PlanDocument, settled: Settled | None, backend: str) -> None:
    from nwbkit.documents.problems import suggestion

    again = "nwbkit chunk-plan SOURCES -o PLAN, or a plan with 'policy: NAME' that goes for any"
    if document.policy is not None:
        if document.sources:
            raise DocumentError(
                f"'{path}' is a policy and is bound to sources", hint="keep one: policy, sources"
            )
    elif globs := [key for key in document.datasets if set(key) & set("*?[")]:
        raise DocumentError(
            f"'{globs[0]}' in '{path}' is a pattern, which plans of single datasets do not take",
            hint="add 'policy: NAME' to make it a standard for any sources",
        )
    if document.backend not in (None, backend):
        raise DocumentError(
            f"'{path}' is a plan for {document.backend}, the output is {backend}",
            hint=f"nwbkit chunk-plan --backend {backend}",
        )
    if settled is None or document.policy is not None:
        return
    bound = document.sources
    if bound is not None:
        for source, digest in source_digests(settled.session, settled.fingerprints).items():
            if bound.get(source) != digest:
                held = "holds other data" if source in bound else "is not among them"
                raise DocumentError(
                    f"'{path}' was made for other sources: '{source}' {held}", hint=again
                )
    addresses = [r.address(s) for r in settled.session.readers for s in r.streams]
    closed = {s.id for s in settled.session.entry.sources}
    closed -= {r.source.id for r in settled.session.readers}
    for key in document.datasets:
        address = key.partition(":")[0]
        if address not in addresses and address.partition("/")[0] not in closed:
            raise DocumentError(
                f"'{key}' in '{path}' is no stream of these sources",
                hint=suggestion(address, addresses),
            )


def check_plan_used(plans: Plans, keys: Sequence[str]) -> None:
    """Refuse a plan for a field that a stream does not have.

    Parameters
    ----------
    plans : mapping
        From :func:`read_plan`.
    keys : sequence of str
        Of every dataset that is written: ``SOURCE/STREAM:field``.

    Raises
    ------
    nwbkit.errors.DocumentError
        Naming the nearest field.
    """
    from nwbkit.documents.problems import suggestion

    known = {key.partition("@")[0] for key in keys} | set(keys)
    addresses = {key.partition(":")[0] for key in known}
    for key in plans:
        address, colon, _ = key.partition(":")
        if colon and key not in known and address in addresses:
            own = [k for k in sorted(known) if k.startswith(f"{address}:")]
            raise DocumentError(
                f"the plan speaks of '{key}', which '{address}' does not have",
                hint=suggestion(key, own),
            )


def planned(
    plans: Mapping[str, Mapping[str, Any]],
    key: str,
    shape: tuple[int, ...],
    dtype: Any,
    backend: str = "hdf5",
) -> DatasetPlan:
    """The layout of dataset `key`: nwbkit's default, changed by what the plans say.

    Of several patterns that hold for `key` all count, the most specific last.

    Raises
    ------
    nwbkit.errors.DocumentError
        For a codec or chunk shape that cannot be.
    nwbkit.errors.MissingExtra
        For a codec whose library is not installed.
    """
    from nwbkit.storage.codec import require
    from nwbkit.storage.planning import MAX_CHUNK_BYTES, default_plan

    default = default_plan(shape, dtype, backend)
    said = plan_for(plans, key)
    if not said or not default.chunks:
        return default
    if "codec" in said or "level" in said:
        default = replace(default, codec=said.get("codec", default.codec), level=None)
    own = said.get("fletcher32")
    changes = {k: v for k, v in said.items() if k in ("level", "shuffle")}
    if default.codec == "none":  # nothing gains by it then, and readers pay
        changes.setdefault("shuffle", False)
    if "chunks" in said:
        changes["chunks"] = tuple(said["chunks"])
    plan = replace(default, **changes, fletcher32=own)
    try:
        plan.check(shape)
    except UsageError as error:
        raise DocumentError(f"the plan of '{key}': {error}", hint=error.hint) from None
    size = math.prod(min(c, n) for c, n in zip(plan.chunks, shape, strict=True))
    if size * np.dtype(dtype).itemsize > MAX_CHUNK_BYTES:
        raise DocumentError(
            f"the plan of '{key}': a chunk {list(plan.chunks)} would have more than 1 GiB",
            hint="fewer rows a chunk",
        )
    require(plan.codec)
    return plan


def plan_for(plans: Mapping[str, Mapping[str, Any]], key: str) -> dict[str, Any]:
    """What all plans that hold for `key` say together: globs, then the exact entry."""
    from nwbkit.documents.metadata import means

    whole = key.partition("@")[0]
    address = whole.partition(":")[0]
    matching = {
        pattern
        for pattern in plans
        if means(pattern, key)
        or means(pattern, whole)
        or (":" not in pattern and means(pattern, address))
    }
    found: dict[str, Any] = {}
    for pattern in _by_weight(matching):
        if "codec" in plans[pattern]:  # levels and checksums are those of a codec
            found.pop("level", None)
            found.pop("fletcher32", None)
        found.update(plans[pattern])
    return found


def _by_weight(patterns: set[str]) -> list[str]:
    """Patterns, the most specific last: exact beats glob, longer literals beat shorter."""
    from nwbkit.documents.metadata import specificity

    return sorted(patterns, key=specificity)
