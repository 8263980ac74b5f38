"""Results of earlier reconstructions, one module per program; the program is found from what the file holds."""

from __future__ import annotations

from functools import lru_cache
from os import stat

from ptycupy.data.arrays import TEXT_SUFFIXES
from ptycupy.data.contents import Contents
from ptycupy.data.files import find_file
from ptycupy.experiment.results import (
    cxi,
    foldslice,
    npz,
    phaser,
    ptychodus,
    ptychoshelves,
    ptypy,
    ptyrad,
    py4dstem,
    quantem,
)
from ptycupy.experiment.results.earlier import Earlier

# py4DSTEM is known by names that others have too: it comes after them.
PROGRAMS = (ptyrad, phaser, ptychodus, cxi, ptypy, npz, quantem, ptychoshelves, py4dstem, foldslice)


def load_earlier(path: str) -> Earlier | None:
    """What a program left in this file, or None where it is no such file but, for instance, one plain array.

    A file of which several parts are asked for is read once. DataError for what cannot be read; pickles (.pt) are
    refused, never opened.
    """
    found = find_file(path)
    if found.suffix.lower() in TEXT_SUFFIXES:
        return None
    status = stat(found)
    return _load(str(found), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _load(path: str, changed: int, size: int) -> Earlier | None:
    contents = Contents(path)
    for program in PROGRAMS:
        if program.recognises(contents):
            earlier: Earlier = program.load(contents)
            return earlier
    return None


__all__ = ["Earlier", "load_earlier"]
