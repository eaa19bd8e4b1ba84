"""What SLEAP keeps as JSON in a labels file: skeletons, videos, tracks, where it came from.

The JSON is jsonpickle's (``py/reduce``, ``py/id``): it is read as plain data, nothing in it is
made. Layout as in SLEAP's ``docs`` and sleap-io's "SLP File Format".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from nwbkit.errors import DamagedInput

#: Deeper nesting is no skeleton.
MAX_DEPTH = 64


@dataclass(frozen=True)
class Skeleton:
    """Names of the nodes in the order of an instance's points, and edges between them."""

    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Video:
    """A video that was labelled.

    Parameters
    ----------
    key : int
        What the table of frames calls it.
    name : str
        The file's own name, without its folders; empty where frames are embedded and nothing
        says from which file.
    n_frames : int, optional
    embedded : bool
        Images of labelled frames lie in the labels file itself.
    rate : float, optional
        Frames per second (Hz) as SLEAP noted them.
    """

    key: int
    name: str
    n_frames: int | None
    embedded: bool
    rate: float | None = None


def loads(text: bytes | str, where: str) -> Any:
    """JSON as plain data.

    Raises
    ------
    nwbkit.errors.DamagedInput
        Where it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise DamagedInput(f"{where} is not JSON") from None


def skeletons(data: dict[str, Any], where: str) -> list[Skeleton]:
    """The skeletons of the metadata JSON."""
    nodes = [_node_name(n) for n in _list(data.get("nodes"))]
    found = [_skeleton(s, nodes, where) for s in _list(data.get("skeletons"))]
    if not found:
        raise DamagedInput(f"{where} holds no skeleton")
    return found


def _skeleton(data: Any, names: list[str], where: str) -> Skeleton:
    if not isinstance(data, dict):
        raise DamagedInput(f"{where}: a skeleton is no mapping")
    ids: list[Any] = [n.get("id") for n in _list(data.get("nodes")) if isinstance(n, dict)]
    places: dict[int, int] = {}
    own: list[str] = []
    for position, node in enumerate(ids):
        if isinstance(node, int) and 0 <= node < len(names):
            places[node] = position
            own.append(names[node])
        elif isinstance(node, dict):  # a node spelled out in its place
            own.append(_node_name(node))
        else:
            raise DamagedInput(f"{where}: a skeleton has the node {node!r} of {len(names)}")
    if not own or len(set(own)) != len(own):
        raise DamagedInput(f"{where}: a skeleton has no nodes, or two of one name")
    return Skeleton(tuple(own), _edges(data, places))


def _edges(data: dict[str, Any], places: dict[int, int]) -> tuple[tuple[int, int], ...]:
    """The body's edges in the order they were drawn; symmetric pairs are none."""
    types: list[int] = []
    found: list[tuple[int, tuple[int, int]]] = []
    for position, link in enumerate(_list(data.get("links"))):
        if not isinstance(link, dict):
            continue
        kind = _edge_type(link.get("type"), types)
        ends = (link.get("source"), link.get("target"))
        source, target = (places.get(e) if isinstance(e, int) else None for e in ends)
        if kind == 1 and source is not None and target is not None:
            order = link.get("edge_insert_idx")
            found.append((order if isinstance(order, int) else position, (source, target)))
    return tuple(dict.fromkeys(edge for _, edge in sorted(found, key=lambda f: f[0])))


def _edge_type(data: Any, known: list[int]) -> int:
    """1 for an edge of the body, 2 for a symmetric pair.

    jsonpickle spells a type out where it is met first, and refers to it by ``py/id`` later.
    """
    if not isinstance(data, dict):
        return 1
    if "py/id" in data:
        number = data["py/id"]
        if isinstance(number, int) and 1 <= number <= len(known):
            return known[number - 1]
        return number if number in (1, 2) and not known else (known[-1] if known else 1)
    numbers = re.findall(r'"py/tuple": \[(\d+)\]', json.dumps(data))
    kind = int(numbers[0]) if numbers else 1
    known.append(kind)
    return kind


def _node_name(node: Any) -> str:
    for _ in range(MAX_DEPTH):
        if not isinstance(node, dict):
            break
        if isinstance(node.get("name"), str):
            return str(node["name"])
        if isinstance(node.get("py/state"), dict):
            state = node["py/state"]
            parts = state.get("py/tuple")
            if isinstance(parts, list) and parts and isinstance(parts[0], str):
                return parts[0]
            node = state
        else:
            node = node.get("id")
    return str(node)


def videos(texts: list[str], where: str) -> list[Video]:
    """The entries of ``videos_json``, in order."""
    return [_video(loads(t, where), position) for position, t in enumerate(texts)]


def _video(data: Any, position: int) -> Video:
    entry: dict[str, Any] = data if isinstance(data, dict) else {}
    backend = _backend(entry)
    dataset = str(backend.get("dataset") or "")
    number = re.match(r"video(\d+)/", dataset)
    name = ""
    source: Any = entry
    embedded = False
    for _ in range(MAX_DEPTH):  # an embedded copy names the video that it was cut from
        if not isinstance(source, dict):
            break
        inner = _backend(source)
        names = inner.get("filename") or source.get("filename")
        first = inner.get("filenames") or inner.get("image_filenames")
        embedded = embedded or names == "."
        if isinstance(names, str) and names not in ("", "."):
            name = base(names)
            break
        if isinstance(first, list) and first:
            name = ""
            break
        source = source.get("source_video")
    shape = backend.get("shape")
    n_frames = None
    if isinstance(shape, list) and len(shape) == 4 and isinstance(shape[0], int) and shape[0] > 0:
        n_frames = None if embedded else shape[0]
    fps = backend.get("fps")
    rate = None
    if isinstance(fps, int | float) and not isinstance(fps, bool) and 0 < fps < 1e6:
        rate = float(fps)
    key = int(number[1]) if number else position
    return Video(key, name, n_frames, embedded, rate)


def _backend(entry: dict[str, Any]) -> dict[str, Any]:
    """What says how a video is opened; older files have it on the level above."""
    inner = entry.get("backend")
    return inner if isinstance(inner, dict) else entry


def base(name: str) -> str:
    """A file's own name, whatever system the path was written on."""
    return PureWindowsPath(PurePosixPath(name).name).name


def tracks(texts: list[str], where: str) -> list[str]:
    """The names in ``tracks_json``: ``[spawned_on, name]`` each."""
    names = []
    for text in texts:
        data = loads(text, where)
        if isinstance(data, list) and len(data) > 1:
            names.append(str(data[1]))
        elif isinstance(data, dict):
            names.append(str(data.get("name", "")))
        else:
            names.append(str(data))
    return names


def provenance_facts(data: Any) -> dict[str, str | int | float | bool]:
    """Which models by which version, without anybody's folders."""
    facts: dict[str, str | int | float | bool] = {"source_software": "SLEAP"}
    if not isinstance(data, dict):
        return facts
    models = data.get("model_paths") or data.get("model_path")
    listed = [m for m in _list(models if isinstance(models, list) else [models]) if m]
    names = [_model(str(m)) for m in listed]
    if names:
        facts["scorer"] = ", ".join(dict.fromkeys(names))
    for key in ("sleap_version", "sleap_nn_version", "predictor"):
        if isinstance(data.get(key), str):
            facts[key] = data[key]
    return facts


def _model(path: str) -> str:
    """``courtship.centroid`` for ``models/courtship.centroid/training_config.json``."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    last = parts[-1] if parts else path
    if len(parts) > 1 and last.startswith(("training_config", "best_model", "best.ckpt")):
        return parts[-2]
    return last


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
