"""Which page is which channel, plane and time, of what a file or its user says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nwbkit.errors import DamagedInput, MissingFact
from nwbkit.formats.imaging.tiff._ome import Image
from nwbkit.formats.io import tiff

Table = npt.NDArray[np.int64]


@dataclass
class Order:
    """The pages by what they are, and what else was said beside.

    Parameters
    ----------
    table : numpy.ndarray of int64, shape (channels, planes, times)
        Numbers of pages in the stack.
    period : float, optional
        Seconds from frame to frame.
    spacing : list of float
        Micrometres: x, y and z where they are given.
    note : str
        What was assumed; empty where nothing was.
    """

    table: Table
    period: float | None = None
    spacing: list[float] = field(default_factory=list)
    note: str = ""


def arranged(pages: int, sizes: dict[str, int], order: str, name: str) -> Table:
    """Pages in `order` (fastest first) as (channels, planes, times).

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where the sizes do not make up the number of pages.
    """
    expected = sizes["C"] * sizes["Z"] * sizes["T"]
    if expected != pages:
        raise DamagedInput(
            f"'{name}' holds {pages} pages, expected {expected}: {sizes['C']} channels, "
            f"{sizes['Z']} planes, {sizes['T']} times"
        )
    grid = np.arange(pages, dtype=np.int64).reshape([sizes[k] for k in reversed(order)])
    return np.transpose(grid, [order[::-1].index(k) for k in "CZT"])


def by_user(options: Any, source: str, pages: int, name: str) -> Order | None:
    """As ``--set`` says; None where it says nothing of channels and planes.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where there are several and their order was not given.
    """
    channels, planes = options.get("channels"), options.get("planes")
    order = options.get("dimension_order")
    if channels is None and planes is None and order is None:
        return None
    sizes = {"C": channels or 1, "Z": planes or 1}
    if min(sizes.values()) < 1:
        raise DamagedInput(f"'{source}' cannot have {channels} channels and {planes} planes")
    if order is None and sizes["C"] * sizes["Z"] > 1:
        raise not_told(name, source)
    each = sizes["C"] * sizes["Z"]
    if pages % each:
        raise DamagedInput(f"'{name}' holds {pages} pages, which is no multiple of {each}")
    sizes["T"] = pages // each
    return Order(arranged(pages, sizes, (order or "XYCZT")[2:], name))


def by_imagej(
    text: str, index: tiff.TiffIndex, pages: int, source: str, *, salvaged: bool
) -> Order | None:
    """As ImageJ's description says; None where it is none.

    ImageJ calls the pages of a plain stack slices, also where they are times: they are
    frames here unless it says that there are both.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where it speaks of channels and planes of another number of pages.
    """
    if not text.startswith("ImageJ="):
        return None
    said = dict(re.findall(r"^(\w+)=(.*?)\s*$", text, re.MULTILINE))

    def whole(key: str) -> int:
        return int(said[key]) if re.fullmatch(r"\d{1,9}", said.get(key, "")) else 1

    sizes = {"C": whole("channels"), "Z": whole("slices"), "T": whole("frames")}
    note = ""
    if sizes["T"] == 1 and sizes["Z"] > 1:
        sizes["T"], sizes["Z"] = sizes["Z"], 1
        note = "ImageJ calls its pages slices; they are taken as frames"
    each = sizes["C"] * sizes["Z"]
    if each * sizes["T"] != pages:
        if each > 1 and not salvaged:
            raise not_told(index.path.name, source)
        sizes["T"], pages = pages // each, pages // each * each
    order = Order(arranged(pages, sizes, "CZT", index.path.name), note=note)
    interval, rate = _positive(said.get("finterval")), _positive(said.get("fps"))
    order.period = interval * _second(said.get("tunit", "sec")) if interval else None
    if order.period is None and rate:
        order.period = 1 / rate
    if said.get("unit", "").strip().lower() in ("um", "micron", "microns", "µm", "\\u00b5m"):
        order.spacing = _pixels(index)
        depth = _positive(said.get("spacing"))
        if order.spacing and depth and sizes["Z"] > 1:
            order.spacing.append(depth)
    return order


def by_shape(
    text: str, index: tiff.TiffIndex, pages: int, source: str, *, salvaged: bool
) -> Order | None:
    """As tifffile's description says; None where it is none.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where the stack has more axes than they are named.
    """
    shape = tiff.shaped(text)
    if not shape:
        return None
    axes = str(json.loads(text).get("axes") or "")
    rest = list(shape[: -2 if index.kind.samples == 1 else -3])
    if len(axes) != len(shape):
        used = [n for n in rest if n > 1]
        if len(used) < 2:
            return None
        raise not_told(index.path.name, source)
    sizes = {"C": 1, "Z": 1, "T": 1}
    order = ""
    for letter, n in zip(axes, rest, strict=False):
        known = {"I": "T", "Q": "T", "S": "C"}.get(letter, letter)
        if known not in sizes or known in order:
            return None
        sizes[known] = n
        order = known + order
    order += "".join(k for k in "CZT" if k not in order)
    if salvaged:  # fewer times are whole times only where they follow each other last
        if sizes["C"] * sizes["Z"] > 1 and not order.endswith("T"):
            raise not_told(index.path.name, source)
        sizes["T"] = pages // (sizes["C"] * sizes["Z"])
        pages = sizes["T"] * sizes["C"] * sizes["Z"]
    return Order(arranged(pages, sizes, order, index.path.name))


def by_ome(
    image: Image,
    files: Sequence[tiff.TiffIndex],
    starts: Table,
    main: Path,
    losses: list[str] | None = None,
) -> Order:
    """As an Image of the OME-XML says.

    Where pages are missing, the times that are whole are kept if there are `losses` to say it
    in.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where pages that it names are not there.
    """
    numbers = {f.path.name: k for k, f in enumerate(files)}
    pages = np.full(image.n_planes, -1, np.int64)
    everything = image.pages or [(None, 0, 0, None)]
    for name, ifd, plane, count in everything:
        file = numbers.get(Path(name).name if name else main.name)
        if file is None:
            continue
        n = min(files[file].n_pages - ifd, len(pages) - plane)
        n = n if count is None else min(n, count)
        if n > 0:
            pages[plane : plane + n] = starts[file] + ifd + np.arange(n)
    shape = [image.sizes[k] for k in reversed(image.order)]
    table = np.transpose(pages.reshape(shape), [image.order[::-1].index(k) for k in "CZT"])
    missing = int((pages < 0).sum())
    if missing:
        message = (
            f"'{main.name}' says it has {image.n_planes} pages (SizeC={image.sizes['C']}, "
            f"SizeZ={image.sizes['Z']}, SizeT={image.sizes['T']}), {missing} of them are not there"
        )
        kept = int(np.flatnonzero((table < 0).any(axis=(0, 1)))[0])
        if losses is None or not kept:
            raise DamagedInput(message, hint=f"--salvage keeps the {kept} whole times before")
        losses.append(message)
        table = table[:, :, :kept]
    return Order(table, image.period, list(image.spacing))


def not_told(name: str, source: str) -> MissingFact:
    return MissingFact(
        f"'{name}' does not say how its channels and planes follow each other",
        hint=f"--set {source}.channels=2 --set {source}.planes=1 "
        f"--set {source}.dimension_order=XYCZT (of pages, fastest first)",
    )


def _positive(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else 0.0
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def _second(unit: str) -> float:
    return {"ms": 1e-3, "msec": 1e-3, "min": 60.0, "h": 3600.0, "hr": 3600.0}.get(unit.strip(), 1.0)


def _pixels(index: tiff.TiffIndex) -> list[float]:
    """Width and height of a pixel in ImageJ's own unit: the reciprocal of its resolution."""
    from nwbkit.formats.io import _tiff_ifd as ifd

    x, y = index.numbers(ifd.X_RESOLUTION), index.numbers(ifd.Y_RESOLUTION)
    if len(x) != 2 or len(y) != 2 or not all((*x, *y)):
        return []
    return [x[1] / x[0], y[1] / y[0]]
