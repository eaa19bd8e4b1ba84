"""Writing what an NWB file holds once more: in another layout, or for another back end.

``tree`` lists what there is and refuses what could do harm, ``rows`` reads the large datasets,
``hdf5`` and ``zarr`` write all else and leave holes for those, ``equal`` holds the new file
against the old one. Nothing here knows NWB: what an extension or another program has put into
the file is kept as well.
"""
