"""Importing pynwb quickly, quietly and without touching the user's home.

pynwb keeps a pickled type map below ``~/.cache`` (0.5 s of every import), crashes where that
folder cannot be made, and array tasks race on writing it. Here it is kept where Python keeps
its own compiled files, in this package's ``__pycache__``, put there whole or not at all.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_CACHE = Path(__file__).parent / "__pycache__" / f"pynwb-{sys.implementation.cache_tag}"
_NAME = "pynwb_core_typemap.pkl"


def load_pynwb(*, keep: bool = not sys.dont_write_bytecode) -> None:
    """Import pynwb; afterwards ``import pynwb`` anywhere costs nothing.

    Parameters
    ----------
    keep : bool
        Whether the type map may be kept for later; like bytecode, not by default where
        PYTHONDONTWRITEBYTECODE is set. ``python -m nwbkit.nwb.library`` keeps it in any
        case, as ``python -m compileall`` does with bytecode.
    """
    if "pynwb" in sys.modules:
        return
    if any(_CACHE.glob(f"*/*/{_NAME}")):
        try:
            with _environment(_CACHE):
                import pynwb
            return
        except Exception:  # noqa: BLE001 - whatever a damaged cache makes pynwb raise
            for name in [n for n in sys.modules if n.partition(".")[0] == "pynwb"]:
                del sys.modules[name]
            for file in _CACHE.glob(f"*/*/{_NAME}"):
                file.unlink(missing_ok=True)
    try:
        folder = tempfile.TemporaryDirectory(prefix="nwbkit-")
    except OSError:  # no room anywhere: slower, nothing else
        with _environment(None):
            import pynwb
        return
    with folder:
        with _environment(Path(folder.name)):
            import pynwb  # noqa: F401
        if keep:
            _keep(Path(folder.name))


def _keep(folder: Path) -> None:
    """Put the type map that pynwb wrote below `folder` into the cache, by one rename."""
    for made in folder.glob(f"*/*/{_NAME}"):
        target = _CACHE / made.relative_to(folder)
        # an installation that only root may write has no cache: slower, nothing else
        with contextlib.suppress(OSError):
            target.parent.mkdir(parents=True, exist_ok=True)
            aside = target.with_name(f"{_NAME}.{os.getpid()}")
            aside.write_bytes(made.read_bytes())
            os.replace(aside, target)


@contextlib.contextmanager
def _environment(cache: Path | None) -> Iterator[None]:
    # what is imported stays: looking for garbage among it costs a tenth of the import
    collecting = gc.isenabled()
    gc.disable()
    changed = {"PYNWB_NO_CACHE_DIR": "1" if cache is None else "0"}
    if cache is not None:
        changed["XDG_CACHE_HOME"] = str(cache)
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        if collecting:
            gc.enable()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


if __name__ == "__main__":
    load_pynwb(keep=True)
