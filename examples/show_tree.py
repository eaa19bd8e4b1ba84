"""Print what is in an NWB (HDF5) file as a tree that fits 80 columns.

    python examples/show_tree.py OUT.nwb

Needs h5py only.
"""

from __future__ import annotations

import sys
import textwrap

import h5py

WIDTH = 80
#: Written for software, not for people.
HIDDEN = ("specifications", "object_id", "namespace")


def _text(value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _said(dataset: h5py.Dataset) -> str:
    """Shape and type; of a single text or number, itself."""
    if dataset.shape == ():
        return _text(dataset[()])
    kind = "text" if h5py.check_string_dtype(dataset.dtype) else str(dataset.dtype)
    if h5py.check_ref_dtype(dataset.dtype) or dataset.dtype.names:
        kind = "references"
    size = f"{' x '.join(map(str, dataset.shape))} {kind}"
    if dataset.shape == (1,) and kind == "text":
        return _text(dataset[0])
    stored, whole = dataset.id.get_storage_size(), dataset.size * dataset.dtype.itemsize
    if kind != "text" and stored and whole > 1e6:
        size += f", {whole / 1e6:.1f} MB, packed {whole / stored:.1f} : 1"
    return size


def _line(lead: str, name: str, said: str) -> str:
    line = f"{lead}{name}  {said}".rstrip().replace("\n", " ")
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."


def _table(group: h5py.Group, lead: str):
    """A table takes one paragraph."""
    rows, columns = len(group["id"]), [_text(name) for name in group.attrs["colnames"]]
    said = f"{rows} rows of {', '.join(columns)}"
    yield from (lead + line for line in textwrap.wrap(said, WIDTH - len(lead)))


def tree(group: h5py.Group, lead: str = ""):
    """The lines of one group; a link is shown by where it leads."""
    names = [n for n in group if n not in HIDDEN]
    for i, name in enumerate(names):
        last = i == len(names) - 1
        mine, below = lead + ("└ " if last else "├ "), lead + ("  " if last else "│ ")
        link = group.get(name, getlink=True)
        item = group[name]
        if isinstance(link, h5py.SoftLink):
            yield _line(mine, name, f"-> {link.path}")
        elif isinstance(item, h5py.Dataset):
            yield _line(mine, name, _said(item))
        elif len(item) or "neurodata_type" in item.attrs:
            kind = _text(item.attrs.get("neurodata_type", ""))
            yield _line(mine, name + "/", f"({kind})" if kind else "")
            yield from _table(item, below) if "colnames" in item.attrs else tree(item, below)


if __name__ == "__main__":
    for path in sys.argv[1:]:
        with h5py.File(path, "r") as file:
            print(path)
            print("\n".join(tree(file)))
