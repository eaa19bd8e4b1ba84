"""HDF5 files that nobody vouches for, read with h5py and without following them anywhere.

What an HDF5 file can do to its reader, and what is done about it here: external links and
external or virtual storage name other files (refused); a dataset of a few bytes may declare
terabytes (refused); a filter may need a plug-in (named, never fetched). h5py itself runs
nothing: pickles that PyTables keeps in attributes stay bytes.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from nwbkit.errors import DamagedInput, MissingExtra, NoInput

if TYPE_CHECKING:
    import h5py

#: Up to this size a dataset may be anything: it fits in memory.
FREE_BYTES = 64 << 20
#: deflate, the densest of HDF5's own filters, cannot pack more than 1032 bytes into one.
MAX_RATIO = 1100
MAX_CHUNK = 1 << 30
MAX_ATTRIBUTE = 16 << 20
#: Links that may lead to links.
MAX_LINKS = 16
#: deflate, shuffle, fletcher32, szip, nbit, scaleoffset, lzf: what every h5py has.
OWN_FILTERS = frozenset((1, 2, 3, 4, 5, 6, 32000))


class GuardedFile:
    """An HDF5 file opened for reading; a context manager.

    What h5py raises inside of it, met with a damaged file, leaves it as DamagedInput.

    Parameters
    ----------
    path : Path

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where HDF5 cannot open it: truncated, or of another format.
    nwbkit.errors.NoInput
        Where it may not be read.
    """

    def __init__(self, path: Path) -> None:
        import h5py

        self.path = path
        try:
            self.size = path.stat().st_size
            # read-only file systems and files of other users cannot be locked
            self._file = h5py.File(path, "r", locking="best-effort")
        except PermissionError:
            raise NoInput(f"cannot open '{path}': permission denied") from None
        except FileNotFoundError:
            raise NoInput(f"cannot open '{path}': no such file") from None
        except OSError as error:
            reason = " ".join(str(error).split())
            raise DamagedInput(f"'{path.name}' cannot be opened as HDF5: {reason}") from None

    def __enter__(self) -> GuardedFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        known = OSError | RuntimeError | KeyError | ValueError | TypeError | AttributeError
        if isinstance(error, known) and _in_h5py(trace):
            reason = " ".join(str(error).strip("'\"").split())
            raise self._damaged(f"HDF5 cannot read it: {reason}") from None

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()

    def find(self, name: str) -> h5py.Group | h5py.Dataset | None:
        """The object at the path `name`, followed within this file only; None where none is.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where the way leads out of the file, in a circle, or to a dataset whose data lie
            outside or cannot be as large as it says.
        """
        import h5py

        found = self._walk(name, MAX_LINKS)
        if isinstance(found, h5py.Dataset):
            self._check(found)
        if found is not None and not isinstance(found, h5py.Group | h5py.Dataset):
            raise self._damaged(f"{name} is neither a group nor data")
        return found

    def group(self, name: str) -> h5py.Group | None:
        """The group at `name`; None where there is none."""
        found = self.find(name)
        return None if found is None or hasattr(found, "dtype") else found

    def dataset(self, name: str) -> h5py.Dataset | None:
        """The dataset at `name`; None where there is none."""
        found = self.find(name)
        return found if found is not None and hasattr(found, "dtype") else None

    def names(self, name: str = "/") -> list[str]:
        """The names in the group at `name`; links are listed, not followed."""
        group = self.group(name)
        return [] if group is None else [n for n in group if isinstance(n, str)]

    def rows(self, dataset: h5py.Dataset, start: int, stop: int, field: str | None = None) -> Any:
        """Rows ``start..stop`` of a dataset (or of one field of it).

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where HDF5 cannot read them.
        """
        try:
            return (dataset.fields(field) if field is not None else dataset)[start:stop]
        except (OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise self._damaged(f"rows {start} to {stop} of {dataset.name}: {reason}") from None

    def text(self, name: str, attribute: str) -> str | None:
        """An attribute as text; None where it is absent or no text."""
        raw = self.raw(name, attribute)
        return None if raw is None else raw.decode("utf-8", "replace")

    def raw(self, name: str, attribute: str) -> bytes | None:
        """The bytes of a text or pickle attribute, as stored; None where it is absent.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where it is larger than any header.
        """
        import h5py

        holder = self.find(name)
        if holder is None or attribute not in holder.attrs:
            return None
        low = h5py.h5a.open(holder.id, attribute.encode())
        if low.get_storage_size() > MAX_ATTRIBUTE:
            raise self._damaged(f"attribute {attribute} of {name} is larger than any header")
        value = holder.attrs[attribute]
        if isinstance(value, h5py.Empty):
            return b""
        if isinstance(value, np.ndarray) and value.dtype == np.uint8:
            return value.tobytes()
        if isinstance(value, np.void):
            return value.tobytes()
        if isinstance(value, bytes):
            return bytes(value)
        return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else None

    def _walk(self, name: str, links: int) -> Any:
        import h5py

        here: Any = self._file["/"]
        parts = [p for p in name.split("/") if p not in ("", ".")]
        for index, part in enumerate(parts):
            if not isinstance(here, h5py.Group):
                return None
            # `part in here` would follow the link to see whether it leads anywhere
            if not here.id.links.exists(part.encode()):
                return None
            link = here.get(part, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise self._damaged(
                    f"'{part}' is a link into the file '{link.filename}', which is not followed"
                )
            if isinstance(link, h5py.SoftLink):
                if links == 0:
                    raise self._damaged(f"'{part}' is a link that leads in a circle")
                base = "" if link.path.startswith("/") else here.name
                rest = "/".join([base, link.path, *parts[index + 1 :]])
                return self._walk(rest, links - 1)
            if not isinstance(link, h5py.HardLink):
                raise self._damaged(f"'{part}' is a link of an unknown kind")
            here = here[part]
        return here

    def _check(self, dataset: h5py.Dataset) -> None:
        """Refuse data that lie elsewhere, or that cannot be."""
        properties = dataset.id.get_create_plist()
        if not hasattr(properties, "get_external_count"):  # damage made it a list of another kind
            raise self._damaged(f"the properties of {dataset.name} cannot be read")
        if properties.get_external_count() > 0:
            raise self._damaged(f"the data of {dataset.name} lie in another file, not followed")
        if dataset.is_virtual:
            raise self._damaged(f"{dataset.name} is put together from other files, not followed")
        filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
        strange = [f for f in filters if f not in OWN_FILTERS]
        if strange and not _load_filters(strange):
            subject = f"'{self.path.name}' (HDF5 filter {strange[0]})"
            raise MissingExtra(subject, "codecs", package="hdf5plugin")
        if dataset.shape is None:
            return
        size = int(np.prod([float(n) for n in dataset.shape])) * dataset.dtype.itemsize
        stored = min(dataset.id.get_storage_size(), self.size)
        dense = stored * (MAX_RATIO if filters else 1)
        if size > max(FREE_BYTES, dense):
            raise self._damaged(
                f"{dataset.name} declares {size} bytes, and {stored} bytes are stored for it"
            )
        if dataset.chunks is not None:
            chunk = int(np.prod([float(n) for n in dataset.chunks])) * dataset.dtype.itemsize
            if chunk > MAX_CHUNK:
                raise self._damaged(f"{dataset.name} declares chunks of {chunk} bytes")

    def _damaged(self, problem: str) -> DamagedInput:
        return DamagedInput(f"'{self.path.name}': {problem}")


def _in_h5py(trace: TracebackType | None) -> bool:
    """Whether an exception comes out of h5py, not out of code that uses it."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and "h5py" in trace.tb_frame.f_code.co_filename


def _load_filters(ids: list[int]) -> bool:
    """Whether h5py can decode `ids`, with hdf5plugin where that is installed."""
    import contextlib

    import h5py

    with contextlib.suppress(ImportError):
        import hdf5plugin  # noqa: F401 - registers its filters
    return all(h5py.h5z.filter_avail(i) for i in ids)
