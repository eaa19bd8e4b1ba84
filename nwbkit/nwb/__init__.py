"""From opened streams to pynwb objects: one writer per kind and role."""
