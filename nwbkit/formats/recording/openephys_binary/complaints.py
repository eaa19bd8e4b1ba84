"""Contradictions: refused by default, recorded as losses with --salvage."""

from __future__ import annotations

from pathlib import Path

from nwbkit.errors import DamagedInput


class Complaints:
    """Called with what contradicts what.

    Parameters
    ----------
    salvage : bool
        Go on and keep the sentence as a loss, rather than raise.
    """

    def __init__(self, salvage: bool) -> None:
        self.salvage = salvage
        self.losses: list[str] = []
        self.notes: list[str] = []

    def __call__(self, message: str, *, hint: str | None = None) -> None:
        """Raise DamagedInput, or record the loss.

        Raises
        ------
        nwbkit.errors.DamagedInput
        """
        if not self.salvage:
            raise DamagedInput(message, hint=hint)
        if message not in self.losses:
            self.losses.append(message)

    def damaged(self, message: str, *, hint: str | None = None) -> DamagedInput:
        """What to raise where nothing can be salvaged."""
        return DamagedInput(message, hint=hint)

    def note(self, message: str) -> None:
        """Keep what a user should know, once."""
        if message not in self.notes:
            self.notes.append(message)


def name_of(path: Path) -> str:
    """A file by the folders that tell it from its namesakes: ``recording1/.../x.npy``."""
    parts = path.parts
    for marker in ("continuous", "events", "spikes"):
        if marker in parts[:-1]:
            at = len(parts) - 1 - parts[::-1].index(marker)
            return "/".join(parts[max(at - 2, 1) :])
    return "/".join(parts[-3:])
