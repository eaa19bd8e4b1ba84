"""Zarr v2 stores in folders, read and encoded without the zarr library.

`blosc` and `codecs` know what chunks look like, `tree` shows a store as h5py shows a file.
Formats read stores through them, storage/ fills and proves them.
"""
