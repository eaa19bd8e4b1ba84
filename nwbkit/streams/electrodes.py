"""What a recording says of the site behind a channel."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Electrode:
    """One recording site as one hardware channel sees it.

    Streams that record the same site through the same hardware channel (the AP and
    LF band of a Neuropixels probe) carry equal ``(group, name, channel)`` and so share
    a row of NWB's electrodes table.

    Parameters
    ----------
    group : str
        Id of the electrode group (a shank, a tetrode) in the metadata document.
    name : str
        The site's own name on its probe, for example ``e12`` or ``s2e12``.
    channel : str
        The hardware channel, as its number or name.
    rel_x, rel_y : float, optional
        Position on the probe in micrometres; None where unknown.
    properties : dict of str to str, int, float or bool
        Further columns of the electrodes table: shank, ADC group, reference.
    """

    group: str
    name: str
    channel: str
    rel_x: float | None = None
    rel_y: float | None = None
    properties: dict[str, str | int | float | bool] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """Identity of the electrodes-table row."""
        return (self.group, self.name, self.channel)
