"""First bytes by which files are known, here and to the readers."""

HDF5 = b"\x89HDF\r\n\x1a\n"
