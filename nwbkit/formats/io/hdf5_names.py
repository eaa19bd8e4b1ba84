"""Names in the groups of an HDF5 file, with the standard library alone: what `look` may use.

A few positioned reads of some kilobytes each follow the way from the superblock to a group; no
data are read and no link that leads elsewhere is followed. Groups in both styles are read: symbol
tables (what h5py and MATLAB write) and compact links. What is stored otherwise (dense links of
newer files) gives None, and the caller has to do without.

Facts of the format: "HDF5 File Format Specification Version 3.0" (The HDF Group).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_UNDEFINED = 0xFFFFFFFFFFFFFFFF
#: User blocks are 512 bytes or that times a power of two; MATLAB's is 512.
_STARTS = (0, 512, 1024, 2048)
_MAX_READ = 1 << 20
_MAX_NODES = 512


class _Unknown(Exception):
    """The file is laid out in a way that is not read here, or is damaged."""


def group_names(path: Path, group: str = "") -> set[str] | None:
    """Names in a group of the file; None where they cannot be told, or there is no such group.

    Parameters
    ----------
    path : Path
    group : str
        Names of groups with ``/`` between; empty for the root.
    """
    try:
        with open(path, "rb", buffering=0) as f:
            reader = _Reader(f.fileno())
            links = reader.root()
            for part in [p for p in group.split("/") if p]:
                links = reader.links(links[part])
            return set(links)
    except (OSError, _Unknown, struct.error, LookupError, ValueError, ArithmeticError):
        return None


class _Reader:
    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._base = 0

    def root(self) -> dict[str, int]:
        """Links of the root group."""
        for start in _STARTS:
            head = os.pread(self._fd, 256, start)
            if head.startswith(SIGNATURE):
                self._base = start
                return self.links(self._root_header(head))
        raise _Unknown

    def _root_header(self, head: bytes) -> int:
        version = head[8]
        if version in (0, 1):
            if head[13] != 8 or head[14] != 8:
                raise _Unknown
            entry = 56 if version == 0 else 60
            (address,) = struct.unpack_from("<Q", head, entry + 8)
        elif version in (2, 3):
            if head[9] != 8 or head[10] != 8:
                raise _Unknown
            (address,) = struct.unpack_from("<Q", head, 36)
        else:
            raise _Unknown
        return int(address)

    def _read(self, address: int, size: int) -> bytes:
        if address == _UNDEFINED or not 0 < size <= _MAX_READ:
            raise _Unknown
        return os.pread(self._fd, size, self._base + address)

    def links(self, header: int) -> dict[str, int]:
        """``name: address of the object's header`` of the group whose header lies at `header`."""
        found: dict[str, int] = {}
        for kind, body in self._messages(header):
            if kind == 0x11:  # symbol table
                tree, heap = struct.unpack_from("<QQ", body)
                found.update(self._symbols(tree, self._heap(heap)))
            elif kind == 0x06:
                name, address = _link(body)
                if address is not None:
                    found[name] = address
            elif kind == 0x02 and _dense(body):
                raise _Unknown
        return found

    def _messages(self, header: int) -> list[tuple[int, bytes]]:
        start = self._read(header, 16)
        if start.startswith(b"OHDR"):
            return self._messages_2(header)
        if start[0] != 1:
            raise _Unknown
        (size,) = struct.unpack_from("<I", start, 8)
        blocks, found = [(header + 16, size)], []
        for address, length in blocks:
            if len(blocks) > _MAX_NODES:
                raise _Unknown
            raw, at = self._read(address, length), 0
            while at + 8 <= len(raw):
                kind, n = struct.unpack_from("<HH", raw, at)
                body = raw[at + 8 : at + 8 + n]
                at += 8 + n
                if kind == 0x10:  # continued elsewhere
                    blocks.append(struct.unpack_from("<QQ", body))
                else:
                    found.append((kind, body))
        return found

    def _messages_2(self, header: int) -> list[tuple[int, bytes]]:
        head = self._read(header, 64)
        flags, at = head[5], 6
        at += 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
        width = 1 << (flags & 3)
        size = int.from_bytes(head[at : at + width], "little")
        step = 6 if flags & 0x04 else 4
        blocks, found = [(header + at + width, size, 0)], []
        for address, length, skip in blocks:
            if len(blocks) > _MAX_NODES:
                raise _Unknown
            raw = self._read(address, length)
            at, end = skip, len(raw) - (4 if skip else 0)
            while at + step <= end:
                kind, n = raw[at], int.from_bytes(raw[at + 1 : at + 3], "little")
                body = raw[at + step : at + step + n]
                at += step + n
                if kind == 0x10:
                    more, count = struct.unpack_from("<QQ", body)
                    blocks.append((more, count, 4))  # behind the signature OCHK
                else:
                    found.append((kind, body))
        return found

    def _heap(self, address: int) -> bytes:
        head = self._read(address, 32)
        if not head.startswith(b"HEAP"):
            raise _Unknown
        size, _, data = struct.unpack_from("<QQQ", head, 8)
        return self._read(data, size)

    def _symbols(self, tree: int, heap: bytes) -> dict[str, int]:
        found: dict[str, int] = {}
        nodes = [tree]
        for node in nodes:
            if len(nodes) > _MAX_NODES:
                raise _Unknown
            head = self._read(node, 8)
            if head.startswith(b"TREE"):
                (used,) = struct.unpack_from("<H", head, 6)
                body = self._read(node + 24, 8 + 16 * used)
                nodes += [struct.unpack_from("<Q", body, 8 + 16 * i)[0] for i in range(used)]
            elif head.startswith(b"SNOD"):
                (used,) = struct.unpack_from("<H", head, 6)
                body = self._read(node + 8, 40 * used) if used else b""
                for i in range(used):
                    offset, address, cache = struct.unpack_from("<QQI", body, 40 * i)
                    name = heap[offset : heap.index(b"\0", offset)].decode("utf-8", "replace")
                    if cache != 2:  # 2: a symbolic link
                        found[name] = address
            else:
                raise _Unknown
        return found


def _link(body: bytes) -> tuple[str, int | None]:
    """Name and target of a link message; None where it is no hard link."""
    flags, at = body[1], 2
    kind = 0
    if flags & 0x08:
        kind, at = body[at], at + 1
    at += 8 * bool(flags & 0x04) + bool(flags & 0x10)
    width = 1 << (flags & 3)
    size = int.from_bytes(body[at : at + width], "little")
    at += width
    name = body[at : at + size].decode("utf-8", "replace")
    if kind:
        return name, None
    return name, int(struct.unpack_from("<Q", body, at + size)[0])


def _dense(body: bytes) -> bool:
    """Whether a link info message says that links lie in a heap of their own."""
    at = 2 + 8 * bool(body[1] & 1)
    return int(struct.unpack_from("<Q", body, at)[0]) != _UNDEFINED
