"""probeinterface, without the HTTP library that its downloader asks for at import."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType


def load_probeinterface() -> ModuleType:
    """The package probeinterface.

    Its library module imports ``requests`` (0.1 s) to fetch probes, which is never done here:
    until somebody uses it, an empty module stands in its place.
    """
    if "requests" not in sys.modules:
        spec = importlib.util.find_spec("requests")
        if spec is not None and spec.loader is not None:
            loader = importlib.util.LazyLoader(spec.loader)
            spec.loader = loader
            empty = importlib.util.module_from_spec(spec)
            sys.modules["requests"] = empty
            loader.exec_module(empty)
    import probeinterface

    module: ModuleType = probeinterface
    return module
