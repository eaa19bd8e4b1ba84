"""Plain text for people: safe names, sizes, durations, tables fitted to a width."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

# C0 and C1 control characters, the line separators, and the marks that reorder a line: a
# file name that holds them could write over other lines of a terminal, or fake a message.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_GAP = "  "
_NARROWEST = 8


def printable(text: object) -> str:
    r"""Return `text` as one line that any terminal takes.

    Bytes of a file name that are not UTF-8 (which Python carries as surrogates) become
    ``\xff``, control characters ``\n``, ``\x1b``, ...
    """
    return _UNSAFE.sub(_escaped, str(text))


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def size_text(n_bytes: float) -> str:
    """``1.2 GB``: powers of 1000, as disks and networks are sold."""
    value, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if abs(value) < 999.5:
            break
        value, unit = value / 1000, larger
    digits = 0 if unit == "B" or value >= 99.95 else 1
    return f"{value:.{digits}f} {unit}"


def duration_text(seconds: float) -> str:
    """``0.8 s``, ``12 min 5 s``, ``3 h 20 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def count_text(n: int, one: str, many: str | None = None) -> str:
    """``1 file``, ``2 files``."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    width: int,
    right: Sequence[int] = (),
) -> str:
    """Lay rows out under a header, no wider than `width` columns.

    Cells that do not fit are wrapped, never cut: a path that lost its end helps nobody.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequence
        One cell per column; anything with a ``str``.
    width : int
        Columns of the terminal. Narrower than a column needs to be readable is ignored.
    right : sequence of int
        Columns set flush right (numbers).
    """
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    natural = [max(len(row[i]) for row in cells) for i in range(len(header))]
    widths = _fitted(natural, width - len(_GAP) * (len(header) - 1))
    lines = []
    for row in cells:
        wrapped = [_wrapped(cell, w) for cell, w in zip(row, widths, strict=True)]
        for k in range(max(map(len, wrapped))):
            parts = [w[k] if k < len(w) else "" for w in wrapped]
            padded = (
                part.rjust(w) if i in right else part.ljust(w)
                for i, (part, w) in enumerate(zip(parts, widths, strict=True))
            )
            lines.append(_GAP.join(padded).rstrip())
    return "\n".join(lines)


def _fitted(natural: list[int], room: int) -> list[int]:
    widths = list(natural)
    while sum(widths) > room:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _wrapped(cell: str, width: int) -> list[str]:
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_on_hyphens=False) or [""]


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of texts, the header first, as aligned columns; columns without content are left out."""
    keep = [i for i in range(len(rows[0])) if any(row[i] for row in rows[1:])]
    widths = {i: max(len(row[i]) for row in rows) for i in keep}
    return [_GAP.join(row[i].ljust(widths[i]) for i in keep).rstrip() for row in rows]


def wrapped(text: str, indent: int, width: int) -> list[str]:
    """`text` as lines of at most `width` columns, further lines indented by two more."""
    pad = " " * indent
    return textwrap.wrap(
        printable(text),
        max(width, 40),
        initial_indent=pad,
        subsequent_indent=pad + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
