"""Names of NWB objects."""

from __future__ import annotations

import re

from nwbkit.errors import MissingFact


def camel(text: str) -> str:
    """``text`` in CamelCase with only the letters and digits that NWB tools accept."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    return "".join(word[0].upper() + word[1:] for word in words)


def check(name: str, address: str) -> str:
    """Return `name` where HDF5 and NWB take it as an object's name.

    Raises
    ------
    nwbkit.errors.MissingFact
        Where it is empty or holds ``/`` or ``:``; the hint names the option.
    """
    if not name or "/" in name or ":" in name or name in (".", ".."):
        raise MissingFact(
            f"'{name}' cannot be the name of an NWB object (stream '{address}')",
            hint=f"--set-meta 'Streams.{address}.name=...' without '/' and ':'",
        )
    return name


class Taken:
    """The names given so far in one place of the file; the same one twice is refused."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._by_name: dict[str, str] = {}

    def claim(self, name: str, address: str) -> str:
        """Reserve `name` for `address`.

        Raises
        ------
        nwbkit.errors.MissingFact
            Where another stream has it: never a silent suffix.
        """
        check(name, address)
        other = self._by_name.get(name)
        if other is not None:
            raise MissingFact(
                f"'{other}' and '{address}' would both be '{self.place}/{name}'",
                hint=f"--set-meta 'Streams.{address}.name=...', or --exclude one of them",
            )
        self._by_name[name] = address
        return name
