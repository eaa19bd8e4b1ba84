"""Small results of Suite2p, CaImAn and EXTRACT with any contents, and a toy movie beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nwbkit import verify as verifying
from nwbkit.formats import registry
from nwbkit.formats.base import Format, Match, Reader, Source, Strength
from nwbkit.streams import Array, Clock, Segment, Timebase
from tests.formats.behavior_files import assert_sound, convert

__all__ = ["assert_equal", "assert_sound", "convert"]

LY, LX, FRAMES = 12, 20, 50


def assert_equal(out: Path, raw: Path) -> None:
    """Equal to the source; what is sound is shown on the samples."""
    report = verifying.verify(str(out), against=[str(raw)])
    assert report.ok, report.findings


def rois(n: int, seed: int = 0, shape: tuple[int, int] = (LY, LX)) -> list[dict[str, Any]]:
    """ROIs of different sizes as Suite2p's stat holds them."""
    random = np.random.default_rng(seed)
    made = []
    for i in range(n):
        flat = random.choice(shape[0] * shape[1], size=5 + 3 * i, replace=False)
        y, x = np.unravel_index(flat, shape)
        made.append(
            {
                "ypix": y.astype(np.int32),
                "xpix": x.astype(np.int32),
                "lam": random.random(len(y)).astype(np.float32),
                "med": [float(np.median(y)), float(np.median(x))],
                "npix": len(y),
                "radius": np.float64(1.5 + i),
                "overlap": random.random(len(y)) > 0.5,
                "skew": np.float32(0.25 * i),
            }
        )
    return made


def save_object(path: Path, value: Any) -> None:
    np.save(path, value if isinstance(value, np.ndarray) else np.array(value, dtype=object))


def plane(folder: Path, n: int = 4, frames: int = FRAMES, **changes: Any) -> Path:
    """One plane folder; `changes` are entries of ops, files of arrays by their stem."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    ops: dict[str, Any] = {
        "Ly": LY,
        "Lx": LX,
        "nframes": frames,
        "fs": 7.8125,
        "nplanes": 1,
        "nchannels": 1,
        "meanImg": random.random((LY, LX)).astype(np.float32),
        "yrange": [0, LY],
        "xrange": [0, LX],
        "save_path": "/gone/with/the/disk/suite2p/plane0",
        "filelist": ["/gone/movie one.tif"],
    }
    arrays = {
        "F": random.random((n, frames)).astype(np.float32),
        "Fneu": random.random((n, frames)).astype(np.float32),
        "spks": random.random((n, frames)).astype(np.float32),
        "iscell": np.column_stack([np.arange(n) % 2, random.random(n)]),
    }
    stat = changes.pop("stat", None) or rois(n)
    for name, value in changes.items():
        if name in arrays or name in ("redcell", "F_chan2", "Fneu_chan2"):
            arrays[name] = value
        else:
            ops[name] = value
    ops = {k: v for k, v in ops.items() if v is not None}
    save_object(folder / "ops.npy", np.array(ops, dtype=object))
    listed = np.empty(len(stat), object)
    listed[:] = stat
    np.save(folder / "stat.npy", listed)
    for name, array in arrays.items():
        if array is not None:
            np.save(folder / f"{name}.npy", array)
    return folder


def pixels_of(stat: list[dict[str, Any]]) -> list[np.ndarray]:
    """Rows (x, y, weight) of each ROI."""
    return [np.column_stack([s["xpix"], s["ypix"], s["lam"]]) for s in stat]


def footprints(shape: tuple[int, ...], n: int, seed: int = 1) -> np.ndarray:
    """Dense images of components, shape (n, *shape), mostly 0."""
    random = np.random.default_rng(seed)
    images = random.random((n, *shape))
    images[images < 0.9] = 0
    return images


def caiman(path: Path, shape: tuple[int, ...] = (LY, LX), n: int = 4, **changes: Any) -> Path:
    """A results file; `changes`: datasets by path (None removes one, "NoneType" as CaImAn has it)."""
    from scipy.sparse import csc_matrix

    images = footprints(shape, n)
    flat = np.stack([i.reshape(-1, order="F") for i in images], axis=1)
    sparse = csc_matrix(flat)
    random = np.random.default_rng(2)
    made: dict[str, Any] = {
        "dims": np.array(shape),
        "estimates/A/data": sparse.data,
        "estimates/A/indices": sparse.indices,
        "estimates/A/indptr": sparse.indptr,
        "estimates/A/shape": np.array(sparse.shape),
        "estimates/dims": np.array(shape),
        "estimates/b": random.random((flat.shape[0], 2)),
        "estimates/f": random.random((2, FRAMES)),
        "estimates/idx_components": np.array([0, 2]),
        "estimates/idx_components_bad": np.array([1, 3]),
        "estimates/SNR_comp": random.random(n),
        "estimates/cnn_preds": "NoneType",
        "params/data/fr": 15.25,
        "params/data/dims": np.array(shape),
        "params/data/caiman_version": "1.9.12",
        **{f"estimates/{k}": random.random((n, FRAMES)) for k in ("C", "S", "YrA", "F_dff")},
        **{k.replace("__", "/"): v for k, v in changes.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, value in made.items():
            if value is not None:
                file[name] = value
    return path


def weights(h: int = 6, w: int = 9, n: int = 3) -> np.ndarray:
    """Spatial weights in MATLAB's shape, (height, width, cells)."""
    return np.moveaxis(footprints((h, w), n), 0, -1).astype(np.float32)


def mat73(path: Path, variables: dict[str, Any]) -> Path:
    """A MATLAB 7.3 file: HDF5 behind a user block, axes reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        _put73(file, variables)
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    with open(path, "r+b") as f:
        f.write(head)
    return path


def _put73(group: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            made = group.create_group(name)
            made.attrs["MATLAB_class"] = np.bytes_("struct")
            _put73(made, value)
        elif isinstance(value, str):
            codes = np.array([[ord(c)] for c in value], np.uint16)
            group[name] = codes
            group[name].attrs["MATLAB_class"] = np.bytes_("char")
        else:
            array = np.atleast_2d(np.asarray(value))
            group[name] = array.T
            kind = {"f8": "double", "f4": "single", "b1": "logical"}.get(array.dtype.str[1:])
            group[name].attrs["MATLAB_class"] = np.bytes_(kind or array.dtype.name)


def extract_output(n: int = 3, frames: int = FRAMES, **config: Any) -> dict[str, Any]:
    """The struct that EXTRACT returns, as MATLAB holds it."""
    random = np.random.default_rng(4)
    spatial = weights(n=n)
    return {
        "spatial_weights": spatial,
        "temporal_weights": random.random((frames, n)).astype(np.float32),
        "info": {
            "version": "1.0.0",
            "summary_image": random.random(spatial.shape[:2]),
            "cellcheck": {"is_bad": np.zeros((1, n)), "metrics": random.random((5, n))},
        },
        "config": {"preprocess": 1.0, "avg_cell_radius": 7.0, "trace_output_option": "nonneg"}
        | config,
    }


class Movie(Array):
    """Frames of a toy movie."""

    def read(self, start: int, stop: int, out: Any = None) -> Any:
        frames = np.empty((stop - start, *self.shape[1:]), self.dtype)
        frames[...] = np.arange(start, stop)[:, None, None]
        if out is None:
            return frames
        np.copyto(out, frames)
        return out


class MovieReader(Reader):
    """Opens the toy movie: a text file that says its size."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        said = json.loads(source.paths[0].read_text())
        self.clocks.append(Clock(f"{source.id}/scope", "a toy microscope"))
        for name in said.get("streams", ["movie"]):
            stream = Movie(
                id=name,
                name=name,
                role="two_photon",
                shape=tuple(said["shape"]),
                dtype=np.dtype("<i2"),
                plane=f"{source.id}_{name}" if said.get("planes") else None,
                nwb_name=f"TwoPhotonSeries{name.capitalize()}",
                timebase=Timebase(
                    f"{source.id}/scope",
                    (Segment(0, said["shape"][0], said.get("t0", 0.5), said.get("rate", 8.0)),),
                ),
            )
            self.streams.append(stream)

    def metadata(self) -> dict[str, Any]:
        return {"ImagingPlanes": {self.source.id: {"indicator": "GCaMP6s"}}}


def _look(listing: Any) -> Iterable[Match]:
    for entry in listing.match("*.tif"):
        if listing.head(entry.path, 1) == b"{":
            stem = entry.path.stem
            yield Match((entry.path,), Strength.MAGIC, "a toy movie", stem, stem, entry.path.parent)


TOY_MOVIE = Format("toymovie", "Toy movie", "imaging", ("*.tif",), _look, MovieReader)


def with_toy_movie(monkeypatch: Any) -> None:
    """Let the toy movie be a format beside those of nwbkit."""
    known, reports = registry.builtin_formats()
    chosen = {k: known[k] for k in ("suite2p", "caiman", "extract")} | {"toymovie": TOY_MOVIE}
    monkeypatch.setattr(registry, "builtin_formats", lambda: (chosen, reports))
    monkeypatch.setattr(registry, "plugin_formats", lambda: ({}, ()))


def movie(path: Path, shape: tuple[int, int, int] = (FRAMES, LY, LX), **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"shape": shape, **more}))
    return path


def opened(path: Path, format: str, *, salvage: bool = False, **options: Any) -> Reader:
    """The one source of `format` below `path`, opened."""
    (source,) = [s for s in registry.detect([path]).sources() if s.format == format]
    merged = {**source.options, **options}
    return registry.open_source(
        Source(source.id, format, source.paths, merged, salvage, source.relations)
    )
