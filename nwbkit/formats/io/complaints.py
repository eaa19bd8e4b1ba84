"""Contradictions: refused by default, recorded as losses with --salvage."""

from __future__ import annotations

from nwbkit.errors import DamagedInput


class Complaints:
    """Called with what contradicts what; keeps losses and notes, each once.

    Parameters
    ----------
    salvage : bool
        Go on and keep the sentence as a loss, rather than raise.
    """

    def __init__(self, salvage: bool) -> None:
        self.salvage = salvage
        self.losses: list[str] = []
        self.notes: list[str] = []

    def __call__(self, message: str, rescue: str) -> None:
        """Raise DamagedInput whose hint is what `rescue` says of --salvage, or keep a loss.

        Raises
        ------
        nwbkit.errors.DamagedInput
        """
        if not self.salvage:
            raise DamagedInput(message, hint=f"--salvage {rescue}")
        if message not in self.losses:
            self.losses.append(message)

    def note(self, message: str) -> None:
        """Keep what a user should know."""
        if message not in self.notes:
            self.notes.append(message)
