"""CXI files (1.6) of reconstructions: the probe is image_1, the object image_2, units are SI.

Where the object lies and how far its slices are apart is read from ptychodus' names, which our own export uses too.
"""

from __future__ import annotations

import numpy as np

from ptycupy.data.contents import Contents
from ptycupy.errors import DataError
from ptycupy.experiment.results.earlier import Earlier, from_metres

PROBE, OBJECT = "entry_1/image_1/data", "entry_1/image_2/data"
PLACES = ("entry_1/sample_1/geometry_1/translation", "entry_1/data_1/translation")
EXTENSION = "entry_1/ptychodus"
SPACING = f"{EXTENSION}/object_layer_spacing_m"
JOULE_PER_KEV = 1.602176634e-16


def recognises(contents: Contents) -> bool:
    """Whether both images are there."""
    return PROBE in contents and OBJECT in contents


def load(contents: Contents) -> Earlier:
    """Positions are (x, y, z) of window middles; the object's middle is at 0 where the file does not say."""
    place = next((place for place in PLACES if place in contents), None)
    positions = None
    if place is not None:
        found = contents.array(place)
        if found.ndim != 2 or found.shape[1] < 2:
            raise DataError(f"{contents.path}: {place}: shape {found.shape}; positions (N, 3), (x, y, z), are needed")
        positions = found[:, 1::-1]
    energy = contents.number("entry_1/instrument_1/source_1/energy")
    return from_metres(
        str(contents.path),
        "CXI",
        contents.array(OBJECT),
        contents.array(PROBE),
        positions,
        pixel_size=_pixel_size(contents),
        centre=(contents.number(f"{EXTENSION}/object_center_y_m"), contents.number(f"{EXTENSION}/object_center_x_m")),
        spacing=contents.array(SPACING) if SPACING in contents and 0 not in contents.shapes[SPACING] else None,
        photon_kev=None if energy is None else energy / JOULE_PER_KEV,
    )


def _pixel_size(contents: Contents) -> tuple[float | None, float | None]:
    """Of the object: by ptychodus' names, else by CXI's image_size (x, y, z)."""
    sizes = tuple(contents.number(f"{EXTENSION}/object_pixel_{side}_m") for side in ("height", "width"))
    key = "entry_1/image_2/image_size"
    if None in sizes and np.prod(contents.shapes.get(key, (0,))) >= 2:
        width, height = np.ravel(contents.array(key))[:2]
        rows, columns = contents.shapes[OBJECT][-2:]
        return float(height) / rows, float(width) / columns
    return sizes[0], sizes[1]
