"""An opened sound file: the stream ``audio``, on the clock ``SOURCE/audio``."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from nwbkit.errors import DamagedInput, MissingFact, UsageError
from nwbkit.formats.base import Reader, Source
from nwbkit.formats.behavior.audio import aiff, riff
from nwbkit.formats.behavior.audio.describe import Said, describe
from nwbkit.formats.behavior.audio.layout import Layout, NoSound
from nwbkit.formats.behavior.audio.look import sniff
from nwbkit.formats.behavior.audio.samples import open_samples
from nwbkit.formats.io.complaints import Complaints
from nwbkit.streams import Array, Clock, Timebase
from nwbkit.streams.kinds import AnyArray

_RESCUE = "reads the samples that are there"
_WORDS = {"pcm": "PCM", "float": "floating point", "alaw": "A-law", "ulaw": "mu-law"}


class AudioReader(Reader):
    """One sound file.

    Parameters
    ----------
    source : Source

    Raises
    ------
    nwbkit.errors.DamagedInput
        For a header that contradicts itself or the file's size, and what cannot be decoded.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.path = source.paths[0]
        self._complain = Complaints(source.salvage)
        with open(self.path, "rb") as f:
            head = f.read(512)
        container = sniff(head, self.path.suffix.lower())
        if container is None:
            problem = "is empty" if not head else "does not begin like any sound file"
            raise DamagedInput(f"'{self.path.name}' {problem}")
        self.layout = self._layout(container)
        for problem in self.layout.problems:
            self._complain(f"'{self.path.name}': {problem}", _RESCUE)
        if self.layout.coding == "other":
            self._decoded(container)
        if not self.layout.n_frames:
            raise DamagedInput(f"'{self.path.name}' holds no sample")
        self.said = describe(self.path, self.layout.texts, self.layout.rate)
        self.rate = self._rate()
        self._say()
        self.streams.append(self._stream())

    def _layout(self, container: str) -> Layout:
        try:
            if container in ("wav", "rifx", "rf64", "w64"):
                return riff.read_layout(self.path, container)
            if container == "aiff":
                return aiff.read_layout(self.path)
        except (NoSound, struct.error) as error:
            what = str(error) if isinstance(error, NoSound) else "ends within its header"
            raise DamagedInput(f"'{self.path.name}' {what}") from None
        return Layout(container.upper() if container != "ogg" else "Ogg")

    def _decoded(self, container: str) -> None:
        """What libsndfile says, for what it must unpack."""
        from nwbkit.formats.behavior.audio import decoded, ends

        with decoded.open_sound(self.path) as sound:
            self.layout.rate = float(sound.samplerate)
            self.layout.channels = sound.channels
            self.layout.n_frames = sound.frames
            self._coding = decoded.coded(sound.subtype)
            self._subtype = sound.subtype
            problems = ends.problems(self.path, container, sound)
            if problems:
                for problem in problems:
                    self._complain(f"'{self.path.name}': {problem}", _RESCUE)
                self.layout.n_frames = ends.decodable(self.path, self.layout.n_frames)

    def _rate(self) -> float:
        """Samples per second: the header's, times what GUANO says of time expansion."""
        given = self.source.options.get("rate")
        if given is not None:
            if not given > 0:
                raise UsageError(f"--set {self.source.id}.rate takes a positive number")
            if given != self.layout.rate:
                self._complain.note(
                    f"'{self.path.name}': --set {self.source.id}.rate={given} replaces the "
                    f"header's {self.layout.rate} Hz"
                )
            return float(given)
        hint = f"--set {self.source.id}.rate=HZ"
        if self.layout.rate_problem is not None:
            raise DamagedInput(f"'{self.path.name}': {self.layout.rate_problem}", hint=hint)
        header, factor, stated = self.layout.rate, self.said.rate_factor, self.said.stated_rate
        if stated is not None and not any(
            math.isclose(stated, r, rel_tol=1e-6) for r in (header, header * factor)
        ):
            raise MissingFact(
                f"'{self.path.name}': the header says {header} Hz, GUANO says {stated} Hz "
                f"(time expansion {factor})",
                hint=hint,
            )
        if factor != 1.0:
            self._complain.note(
                f"'{self.path.name}': GUANO says time expansion {factor:g}, so that {header} Hz "
                f"stand for {header * factor} Hz"
            )
        return header * factor

    def _say(self) -> None:
        for note in (*self.layout.notes, *self.said.notes):
            self._complain.note(f"'{self.path.name}': {note}")
        self.losses, self.notes = self._complain.losses, self._complain.notes

    def _stream(self) -> Array:
        layout, source = self.layout, self.source
        clock = f"{source.id}/audio"
        self.clocks.append(Clock(clock, f"the first sample of '{self.path.name}'"))
        facts: dict[str, str | int | float | bool] = {
            "container": layout.container,
            "coding": self._coded_as(),
            "place": str(source.options.get("place") or "acquisition"),
        }
        if self.said.start is not None:
            facts["start"] = self.said.start.isoformat()
            facts["start_said_by"] = self.said.said_by
        common: dict[str, Any] = {
            "id": "audio",
            "name": self.path.name,
            "role": "audio",
            "timebase": Timebase.regular(clock, layout.n_frames, self.rate),
            "description": f"sound of '{self.path.name}' ({layout.container}, {self._coded_as()})",
            "facts": facts,
        }
        if layout.coding != "other":
            return open_samples(self.path, layout, **common)
        from nwbkit.formats.behavior.audio.decoded import Decoded

        scale = self._coding.scale
        return Decoded(
            shape=(layout.n_frames,)
            if layout.channels == 1
            else (layout.n_frames, layout.channels),
            dtype=scale.dtype,
            gain=np.array([scale.gain]),
            offset=np.array([scale.offset]),
            path=self.path,
            coding=self._coding,
            **common,
        )

    def _coded_as(self) -> str:
        if self.layout.coding == "other":
            return str(self._subtype)
        return f"{self.layout.bits}-bit {_WORDS[self.layout.coding]}"

    def metadata(self) -> dict[str, Any]:
        """Start (naive where no zone is said), recorder, and what else the file says."""
        found: dict[str, Any] = {}
        if self.said.start is not None:
            found["NWBFile"] = {"session_start_time": self.said.start.isoformat()}
        if self.said.device:
            found["Devices"] = {f"{self.source.id}_recorder": self.said.device}
        comments = [*self.said.comments, *_spoken(self.said)]
        if comments:
            found["Streams"] = {f"{self.source.id}/audio": {"comments": "; ".join(comments)}}
        return found

    def reread(self, stream_id: str, start: int, stop: int) -> AnyArray | None:
        """Plain samples by libsndfile, which shares no code with the positioned reads."""
        if self.losses or self.layout.coding == "other":
            return None
        from nwbkit.formats.behavior.audio import reread

        return reread.rows(self.path, self.layout, start, stop)

    def reread_facts(self, stream_id: str) -> dict[str, Any] | None:
        """Scale and times as libsndfile's own reading of the header gives them."""
        if self.losses or self.layout.coding == "other" or self.rate != int(self.layout.rate):
            return None
        from nwbkit.formats.behavior.audio import reread

        return reread.facts(self.path)

    def audit(self, progress: Any = None) -> list[str]:
        """The MD5 that FLAC keeps of its samples."""
        if self.layout.container != "FLAC" or self.losses:
            return []
        from nwbkit.formats.behavior.audio.decoded import flac_md5

        digests = flac_md5(self.path, progress)
        if digests is None or digests[0] == digests[1]:
            return []
        return [
            f"'{self.path.name}': field 'MD5' of STREAMINFO expected {digests[0]}, the samples "
            f"have {digests[1]}"
        ]

    def close(self) -> None:
        """Close the file."""
        for stream in self.streams:
            for part in (stream, getattr(stream, "flat", None)):
                close = getattr(part, "close", None)
                if close is not None:
                    close()


def _spoken(said: Said) -> list[str]:
    """The recorder in words, since no series of sound links to a device."""
    names = [said.device.get(k) for k in ("manufacturer", "model_name")]
    words = " ".join(n for n in names if n)
    if said.device.get("serial_number"):
        words += f" {said.device['serial_number']}"
    words = f"recorder: {words.strip()}" if words.strip() else ""
    return [w for w in (words, said.device.get("description", "")) if w]
