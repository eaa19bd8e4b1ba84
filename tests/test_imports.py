"""Who may import whom: the one-way rules of docs/architecture.md, held by reading the code.

An import inside a function counts as well; one under TYPE_CHECKING counts for the direction,
but not as loading anything.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nwbkit"
ROOMS = [
    "recording",
    "sorting",
    "icephys",
    "imaging",
    "segmentation",
    "behavior",
    "photometry",
    "events",
    "tables",
]

BASE = ("nwbkit.errors", "nwbkit.documents", "nwbkit.streams", "nwbkit.zarrs")
SESSION = ("nwbkit.session", "nwbkit.formats", *BASE)
#: A module, or all below a package -> the nwbkit modules that it may import beside itself.
#: The longest name that fits a module decides.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "nwbkit": (),
    "nwbkit.errors": (),
    "nwbkit.documents": ("nwbkit.errors",),
    "nwbkit.streams": ("nwbkit.errors",),
    "nwbkit.zarrs": ("nwbkit.errors",),
    "nwbkit.formats": BASE,
    "nwbkit.session": ("nwbkit.formats", *BASE),
    "nwbkit.alignment": BASE,
    "nwbkit.nwb": BASE,
    "nwbkit.storage": BASE,
    "nwbkit.report": BASE,
    "nwbkit.upload": BASE,
    "nwbkit.metadata": ("nwbkit.formats.base", *BASE),  # it is handed opened Readers
    "nwbkit.metadata.extract": SESSION,
    "nwbkit.text": (),
    "nwbkit.comparisons": ("nwbkit.formats.base", "nwbkit.storage", "nwbkit.proving", *BASE),
    "nwbkit.cli": ("nwbkit",),
}
#: The journeys and what they are made of: everything but the command line.
JOURNEYS = (
    "nwbkit.alignment",
    "nwbkit.comparisons",
    "nwbkit.metadata",
    "nwbkit.nwb",
    "nwbkit.storage",
    *SESSION,
)
#: What a vendor format may use.
FOR_FORMATS = ("nwbkit.formats.base", "nwbkit.formats.io", "nwbkit.formats.listing")

NETWORK = [
    "aiohttp",
    "boto3",
    "botocore",
    "dandi",
    "fsspec",
    "ftplib",
    "http",
    "httpx",
    "requests",
    "smtplib",
    "urllib3",
]


@dataclass(frozen=True)
class Import:
    """One imported name, where it stands."""

    target: str
    line: int
    inside: bool
    typing: bool


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    imports: tuple[Import, ...]

    @property
    def journey(self) -> bool:
        """A module directly below nwbkit that is neither errors nor session."""
        return self.name.count(".") == 1 and not self.path.name.startswith("__")


def _modules() -> list[Module]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        package = parts[:-1]
        if parts[-1] == "__init__":
            parts.pop()
        tree = ast.parse(path.read_text("utf-8"), str(path))
        found.append(Module(".".join(parts), path, tuple(_imports(tree, package))))
    return found


def _imports(
    node: ast.AST, package: list[str], inside: bool = False, typing: bool = False
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, inside, typing)
        elif isinstance(child, ast.ImportFrom):
            base = package[: len(package) - child.level + 1] if child.level else []
            module = ".".join([*base, *([child.module] if child.module else [])])
            for alias in child.names:
                yield Import(_target(module, alias.name), child.lineno, inside, typing)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                yield from _imports(ast.Module([part], []), package, inside, True)
            for part in child.orelse:
                yield from _imports(ast.Module([part], []), package, inside, typing)
        else:
            deeper = inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _imports(child, package, deeper, typing)


def _target(module: str, name: str) -> str:
    """``from nwbkit.formats import registry`` imports a module, ``import Reader`` a name."""
    if module.partition(".")[0] != "nwbkit":
        return module
    path = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if path.is_dir() or path.with_suffix(".py").exists() else module


def _within(name: str, *places: str) -> bool:
    return any(name == place or name.startswith(place + ".") for place in places)


def _is_format(module: Module) -> bool:
    return any(_within(module.name, f"nwbkit.formats.{room}") for room in ROOMS)


def _own_format(name: str) -> str:
    """The format that a module belongs to: its file, or its folder in the room."""
    return ".".join(name.split(".")[:4])


def _allowed(module: Module) -> tuple[str, ...]:
    if module.name in MAY_IMPORT:
        own = MAY_IMPORT[module.name]
    elif module.journey:
        others = [m.name for m in MODULES if m.journey]
        return (*JOURNEYS, *others)
    else:
        places = [place for place in MAY_IMPORT if place != "nwbkit"]
        own = MAY_IMPORT[max((p for p in places if _within(module.name, p)), key=len)]
    room = ".".join(module.name.split(".")[:2])
    return (*own, *([room] if room != "nwbkit" else []))


MODULES = _modules()


def _ids(module: Module) -> str:
    return module.name


@pytest.mark.parametrize("module", MODULES, ids=_ids)
def test_directions(module):
    allowed = _allowed(module)
    wrong = [
        f"{module.path}:{i.line} imports {i.target}"
        for i in module.imports
        if _within(i.target, "nwbkit")
        and i.target not in ("nwbkit", module.name)
        and not _within(i.target, *allowed)
    ]
    assert not wrong


def test_nothing_imports_cli():
    wrong = [
        f"{m.path}:{i.line}"
        for m in MODULES
        for i in m.imports
        if _within(i.target, "nwbkit.cli") and not _within(m.name, "nwbkit.cli")
    ]
    assert not wrong


@pytest.mark.parametrize("module", [m for m in MODULES if _within(m.name, "nwbkit.cli")], ids=_ids)
def test_cli_imports_inside_functions_only(module):
    wrong = [
        f"{module.path}:{i.line} imports {i.target}"
        for i in module.imports
        if not i.inside
        and not i.typing
        and not _within(i.target, "nwbkit.cli", "nwbkit.errors", "nwbkit.text", "click")
        and i.target != "nwbkit"
        and i.target.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert not wrong


@pytest.mark.parametrize("module", [m for m in MODULES if _is_format(m)], ids=_ids)
def test_a_format_stands_alone(module):
    """No format imports another, the registry or documents; vendor libraries only inside."""
    own = _own_format(module.name)
    wrong = []
    for i in module.imports:
        top = i.target.partition(".")[0]
        if top == "nwbkit":
            room = ".".join(module.name.split(".")[:3])
            shared = i.target.startswith(f"{room}._")  # helpers of the room, no format
            known = (own, *FOR_FORMATS, "nwbkit.errors", "nwbkit.streams", "nwbkit.zarrs")
            if not shared and i.target != room and not _within(i.target, *known):
                wrong.append(f"{module.path}:{i.line} imports {i.target}")
        elif top not in (*sys.stdlib_module_names, "numpy") and not i.inside and not i.typing:
            wrong.append(f"{module.path}:{i.line} loads {top} when it is looked at")
    assert not wrong


def test_pynwb_is_imported_in_nwb_only():
    wrong = [
        f"{m.path}:{i.line}"
        for m in MODULES
        for i in m.imports
        if _within(i.target, "pynwb")
        and not i.typing
        and not _within(m.name, "nwbkit.nwb", "nwbkit.report")
    ]
    assert not wrong


def test_heavy_libraries_are_not_loaded_by_what_detect_needs():
    """`nwbkit detect` loads session, registry and documents: none of them may load these."""
    light = ("nwbkit.session", "nwbkit.formats", "nwbkit.documents", "nwbkit.streams")
    heavy = ("pynwb", "hdmf", "h5py", "pandas", "scipy", "neo", "spikeinterface", "zarr")
    wrong = [
        f"{m.path}:{i.line} loads {i.target}"
        for m in MODULES
        for i in m.imports
        if _within(m.name, *light)
        and not i.inside
        and not i.typing
        and _within(i.target, *heavy)
        and not _within(m.name, "nwbkit.formats.io")
    ]
    assert not wrong


def test_only_upload_touches_the_network():
    wrong = [
        f"{m.path}:{i.line} imports {i.target}"
        for m in MODULES
        for i in m.imports
        if (_within(i.target, *NETWORK) or i.target == "urllib.request")
        and not _within(m.name, "nwbkit.upload")
    ]
    assert not wrong


def test_untrusted_sources_meet_no_code_that_runs_them():
    """No pickle, exec or eval anywhere (a restricted unpickler has its one place)."""
    wrong = []
    for module in MODULES:
        if _within(module.name, "nwbkit.formats.io"):
            continue
        for i in module.imports:
            if _within(i.target, "pickle", "dill", "joblib", "marshal", "shelve"):
                wrong.append(f"{module.path}:{i.line} imports {i.target}")
        for node in ast.walk(ast.parse(module.path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("exec", "eval")
            ):
                wrong.append(f"{module.path}:{node.lineno} calls {node.func.id}")
    assert not wrong
