"""UCLA Miniscope: recordings of Miniscope-DAQ-QT-Software (V4) and of the older control program."""

from __future__ import annotations

from nwbkit.formats.base import Format, Option, Reader, Source
from nwbkit.formats.imaging.miniscope._look import PATTERNS, look


def _open(source: Source) -> Reader:
    from nwbkit.formats.imaging.miniscope._reader import MiniscopeReader

    return MiniscopeReader(source)


FORMAT = Format(
    id="miniscope",
    title="UCLA Miniscope",
    room="imaging",
    patterns=PATTERNS,
    look=look,
    open=_open,
    extra="video",
    supersedes=("video", "csv"),
    options=(
        Option(
            "channel",
            "str",
            "which colour to take of coloured miniscope movies; 'gray' expects the three to be "
            "equal, as the miniscope's are",
            default="gray",
            choices=("gray", "red", "green", "blue"),
        ),
        Option(
            "miniscope_camera",
            "int",
            "of the older layout: the camNum in timestamp.dat that is the miniscope, where the "
            "numbers of frames do not tell",
        ),
        Option(
            "rate",
            "float",
            "frames per second (Hz) of devices without timeStamps.csv; first frame at 0 on a clock "
            "of the device's own",
        ),
    ),
    recognised="A metaData.json with recordingStartTime (or year ... msec) and the names of "
    "miniscopes and cameras, and device folders with a metaData.json that names deviceType or "
    "framesPerFile, beside 0.avi, 1.avi, ...; of the older layout msCam1.avi and timestamp.dat.",
    variants=(
        "Miniscope-DAQ-QT-Software, all versions: any folder names, several miniscopes and "
        "cameras, head orientation, notes",
        "older control program: msCam1.avi, behavCam1.avi, timestamp.dat, settings_and_notes.dat",
        "movies in FFV1, GREY (and uncompressed), MJPG, MJ2C, huffyuv, Lagarith, XVID, H.264",
    ),
    limits=(
        "Behavior cameras stay in their files: NWB refers to them.",
        "What the program's own behavior tracker wrote (behaviorTracker/pose.csv) is not read.",
        "Frames of a lossy codec (MJPG, XVID) are stored as they decode, with a note.",
        "Times have the resolution of the program's clock, 1 ms.",
        "FFV1 as the program writes it has no checksum: a flipped bit in a frame is not noticed.",
    ),
)
