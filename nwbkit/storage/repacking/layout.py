"""How each dataset of the new file is laid out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nwbkit.storage.backends import Backend
from nwbkit.storage.digests import little
from nwbkit.storage.holes import Hole, hole
from nwbkit.storage.planning import DatasetPlan
from nwbkit.storage.repacking.rows import is_large, source_of
from nwbkit.storage.repacking.tree import Node

#: HDF5 datasets up to this stay contiguous: the index of chunks alone takes 2 kB.
SMALL = 1 << 10

#: ``(path, shape, dtype)`` -> how that dataset is stored.
Planner = Callable[[str, tuple[int, ...], "np.dtype[Any]"], DatasetPlan]


@dataclass
class Layout:
    """What is to be written.

    Parameters
    ----------
    backend : {"hdf5", "zarr"}
    nodes : list of Node
    holes : list of Hole
        The large datasets, by their paths.
    external : dict of str to str
        By path of an external link: the file name that means the same from where the output
        will lie.
    plan : Planner
    """

    backend: Backend
    nodes: list[Node]
    plan: Planner
    holes: list[Hole] = field(default_factory=list)
    external: dict[str, str] = field(default_factory=dict)

    @property
    def by_path(self) -> dict[str, Hole]:
        """The holes, by path."""
        return {each.path: each for each in self.holes}

    @property
    def external_targets(self) -> dict[str, str]:
        """What each external link names in the new file, as content records have it."""
        return {
            node.path: f"{self.external.get(node.path, node.filename)}:{node.target}"
            for node in self.nodes
            if node.kind == "external_link"
        }


def lay_out(
    source: Path, file: Any, nodes: Sequence[Node], backend: Backend, plan: Planner
) -> Layout:
    """Choose the layout of every large dataset.

    Raises
    ------
    nwbkit.errors.DocumentError, nwbkit.errors.UsageError
        For a plan that does not fit.
    """
    layout = Layout(backend, list(nodes), plan)
    for node in nodes:
        if node.kind != "dataset":
            continue
        dataset = file[node.path]
        if not is_large(dataset, SMALL if backend == "hdf5" else 0):
            continue
        array = source_of(source, file, node.path)
        shape, dtype = array.shape, little(np.dtype(array.dtype))
        made = hole(
            shape,
            dtype,
            plan(node.path, shape, dtype),
            source=array,
            key=node.path,
            backend=backend,
        )
        made.path = node.path
        layout.holes.append(made)
    return layout
