"""Python files that only assign values (Phy's params.py), read as text: never executed.

Standard library only, so that ``look`` may use it.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nwbkit.errors import DamagedInput, NoInput

#: Such files have ten lines.
MAX_BYTES = 256 << 10
_UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


@dataclass(frozen=True)
class Params:
    """What a file of assignments says.

    Parameters
    ----------
    values : dict
        By name: numbers, texts, booleans, None, and lists, tuples and dicts of these.
    ignored : tuple of str
        What else stands there, each with its line: it was neither run nor understood.
    """

    values: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def parse_params(text: str) -> Params:
    r"""The plain assignments in `text`.

    A value counts only if it is a literal. In texts with single backslashes these stand for
    themselves, as whoever wrote ``'D:\new\run.bin'`` meant them.
    """
    values: dict[str, Any] = {}
    ignored: list[str] = []
    tree = _parse(text)
    if tree is not None:
        _take(tree, text, 0, values, ignored)
    else:  # one line that is no Python must not hide the others
        for number, line in enumerate(text.splitlines()):
            part = _parse(line.strip())
            if part is None and "\\" in line:
                line = _rawed(line.strip())
                part = _parse(line)
            if part is None:
                ignored.append(f"line {number + 1}")
            else:
                _take(part, line.strip(), number, values, ignored)
    return Params(values, tuple(ignored))


def read_params(path: Path) -> Params:
    """The assignments of the file at `path`.

    Raises
    ------
    nwbkit.errors.NoInput
        Where it cannot be read.
    nwbkit.errors.DamagedInput
        Where it is larger than any such file.
    """
    try:
        with open(path, "rb") as f:
            raw = f.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoInput(f"cannot open '{path}': {reason}") from None
    if len(raw) > MAX_BYTES:
        raise DamagedInput(f"'{path.name}' is larger than {MAX_BYTES} bytes: no file of parameters")
    return parse_params(decode(raw))


def decode(raw: bytes) -> str:
    """`raw` as UTF-8, with or without a mark, else as Latin-1."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _parse(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that are none
            return ast.parse(text)
    except _UNREADABLE:
        return None


def _take(
    tree: ast.Module, text: str, above: int, values: dict[str, Any], ignored: list[str]
) -> None:
    for node in tree.body:
        name = _target(node)
        if name is None:
            if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                ignored.append(f"line {node.lineno + above}")
            continue
        assert isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        try:
            values[name] = _value(node.value, text)
        except _UNREADABLE:
            values.pop(name, None)
            ignored.append(f"line {node.lineno + above} ({name})")


def _target(node: ast.stmt) -> str | None:
    """The one name that a statement assigns a value to; None for any other statement."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target: ast.expr = node.targets[0]
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        target = node.target
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None


def _value(node: ast.expr, text: str) -> Any:
    value = ast.literal_eval(node)
    if isinstance(value, str):
        written = ast.get_source_segment(text, node) or ""
        if "\\" in written and "\\\\" not in written and written[:1] in "'\"":
            return ast.literal_eval("r" + written)
    return value


def _rawed(line: str) -> str:
    """``name = 'text'`` with the text marked as raw."""
    name, equals, value = line.partition("=")
    value = value.strip()
    return f"{name}= r{value}" if equals and value[:1] in "'\"" else line
