"""MATLAB .mat files that nobody vouches for: versions 5 to 7 by our own parser, 7.3 by h5py.

Values become plain Python: numbers are arrays in MATLAB's orientation (at least two axes),
texts ``str`` (a list of them for a matrix of several rows), cells lists in MATLAB's column
order, a struct a dict, an array of structs a list of dicts. Whatever could run or refer
elsewhere (objects, function handles, opaque classes) is never built: an :class:`Unread`
stands in its place.

Facts of the format: "MAT-File Format" (MathWorks), and for 7.3 what MATLAB writes into the
attributes of an HDF5 file behind a user block.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from nwbkit.errors import DamagedInput, NoInput

if TYPE_CHECKING:  # detecting must not load numpy
    import numpy as np
    import numpy.typing as npt

    from nwbkit.formats.io.hdf5 import GuardedFile

#: What a file says of itself in its first 128 bytes.
HEADER = 128
#: An array of cells or structs may hold no more values; nothing may be nested deeper.
MAX_VALUES = 4_000_000
MAX_DEPTH = 64


@dataclass(frozen=True)
class Unread:
    """A value that is not built: of a class that could run code, or that nobody can read.

    Parameters
    ----------
    what : str
        ``object``, ``function``, ``opaque``, ...
    """

    what: str


@dataclass(frozen=True)
class Sparse:
    """A sparse matrix as MATLAB stores it: compressed columns.

    Parameters
    ----------
    shape : tuple of int
    rows : numpy.ndarray, shape (values,)
        Row of each value.
    starts : numpy.ndarray, shape (columns + 1,)
        Where each column's values begin.
    values : numpy.ndarray, shape (values,)
    """

    shape: tuple[int, int]
    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    values: npt.NDArray[Any]


class _Backend(Protocol):
    """Reads one version of the format."""

    def names(self) -> list[str]:
        """Names of the variables, in the file's order."""

    def get(self, name: str) -> Any:
        """The value at ``variable/field/...``; None where there is none."""

    def fields(self, name: str) -> list[str]:
        """Names of the fields of the struct at ``variable/field/...``; empty for all else."""

    def close(self) -> None:
        """Close the file."""


def version_of(head: bytes) -> Literal["5", "7.3"] | None:
    """The version that the first 128 bytes of a file say; None where it is no .mat file."""
    if len(head) < HEADER or not head.startswith(b"MATLAB "):
        return None
    order = head[126:128]
    if order not in (b"IM", b"MI"):
        return None
    number = int.from_bytes(head[124:126], "little" if order == b"IM" else "big")
    return {0x0100: "5", 0x0200: "7.3"}.get(number)  # type: ignore[return-value]


def names_in(head: bytes) -> list[str]:
    """Names of the variables of versions 5 to 7 that begin in the `head` of a file.

    Standard library only. Of version 7.3, names cannot be told from the head: empty.
    """
    if version_of(head) != "5":
        return []
    from nwbkit.formats.io._mat5 import names_in_head

    return names_in_head(head)


class MatFile:
    """A .mat file opened for reading; a context manager.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    version : {"5", "7.3"}
        5 stands for 5, 6 and 7.
    hdf5 : GuardedFile or None
        Of version 7.3: the file itself, for what is too large to be read at once.

    Raises
    ------
    nwbkit.errors.NoInput
        Where it may not be read.
    nwbkit.errors.DamagedInput
        Where it is no .mat file of version 5 to 7.3.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with open(path, "rb") as f:
                head = f.read(HEADER)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise NoInput(f"cannot open '{path}': {reason}") from None
        version = version_of(head)
        if version is None:
            what = "is empty" if not head else "does not begin as a MATLAB file of version 5 to 7.3"
            raise DamagedInput(f"'{path.name}' {what}")
        self.version: Literal["5", "7.3"] = version
        self.hdf5: GuardedFile | None = None
        self._backend: _Backend
        if version == "5":
            from nwbkit.formats.io._mat5 import Mat5

            self._backend = Mat5(path)
        else:
            from nwbkit.formats.io._mat73 import Mat73

            backend = Mat73(path)
            self.hdf5, self._backend = backend.file, backend

    def __enter__(self) -> MatFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.hdf5 is not None:
            self.hdf5.__exit__(kind, error, trace)  # what h5py raises leaves as DamagedInput
        else:
            self.close()

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._backend.close()

    def names(self) -> list[str]:
        """Names of the variables."""
        return self._backend.names()

    def get(self, name: str) -> Any:
        """The value of a variable, or of a field: ``spikes``, ``session/general/date``.

        Of version 7.3 only what is asked for is read. None where there is none.

        Raises
        ------
        nwbkit.errors.DamagedInput
            Where it is cut off, contradicts itself, or declares more than is stored.
        """
        return self._backend.get(name)

    def fields(self, name: str) -> list[str]:
        """Names of the fields of a struct, without reading them; empty for anything else."""
        return self._backend.fields(name)


def follow(value: Any, parts: list[str]) -> Any:
    """The field behind `parts` of nested structs; None where there is none."""
    for part in parts:
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return value


def text(value: Any) -> str | None:
    """A value as a text that is not empty; None for anything else."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.strip() or None if isinstance(value, str) else None


def texts(value: Any) -> list[str] | None:
    """A cell of texts, a matrix of characters, or one text as a list; None for anything else.

    What is empty in a cell is an empty text.
    """
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return None
    found = []
    for each in value:
        if not isinstance(each, str) and not _is_empty(each):
            return None
        found.append(each if isinstance(each, str) else "")
    return found


def number(value: Any) -> float | None:
    """A single real number; None for anything else."""
    numbers = vector(value)
    return float(numbers[0]) if numbers is not None and numbers.size == 1 else None


def vector(value: Any) -> npt.NDArray[Any] | None:
    """Real numbers along one axis, or a cell of single ones; None for anything else.

    An empty matrix is a vector without values.
    """
    import numpy as np

    if isinstance(value, np.ndarray) and value.dtype.kind in "iufb":
        return (
            value.reshape(-1) if sum(n != 1 for n in value.shape) <= 1 or not value.size else None
        )
    if isinstance(value, list) and value:
        singles = [v.reshape(-1) if isinstance(v, np.ndarray) else None for v in value]
        if all(s is not None and s.size == 1 and s.dtype.kind in "iufb" for s in singles):
            return np.array([s[0] for s in singles if s is not None])
    return None


def items(value: Any) -> list[Any]:
    """A cell or an array of structs as a list; one value as a list of one, an empty one as none."""
    if isinstance(value, list):
        return value
    return [] if value is None or _is_empty(value) else [value]


def _is_empty(value: Any) -> bool:
    size = getattr(value, "size", None)
    return size == 0 if size is not None else value in ("", [])
