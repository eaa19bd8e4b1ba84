"""Storage: how holes are planned, filled, proven, digested and published.

The way of a dataset: :mod:`~nwbkit.storage.planning` chooses its chunks,
:mod:`~nwbkit.storage.holes` puts it into the skeleton that pynwb writes,
:mod:`~nwbkit.storage.pipeline` fills it, :mod:`~nwbkit.storage.prove` reads it back,
:mod:`~nwbkit.storage.content` digests the whole file, and
:mod:`~nwbkit.storage.publish` puts it in its place. Nothing is imported here, so that a
command pays only for what it uses.
"""
