"""Products of ptychodus (1.7), HDF5 or .npz: metres, positions of window middles about the object's middle."""

from __future__ import annotations

import numpy as np

from ptycupy.data.contents import Contents
from ptycupy.errors import DataError
from ptycupy.experiment.results.earlier import Earlier, from_metres

Y, X = "probe_position_y_m", "probe_position_x_m"


def recognises(contents: Contents) -> bool:
    """Whether the file has positions by their names there."""
    return Y in contents and X in contents and "object" in contents and "probe" in contents


def load(contents: Contents) -> Earlier:
    """Object (layer, y, x), probe (coherent, incoherent, y, x) whose first coherent mode is taken."""
    y, x = (np.ravel(contents.array(key)) for key in (Y, X))
    if y.shape != x.shape:
        raise DataError(f"{contents.path}: {x.size} positions in x and {y.size} in y")
    spacing = contents.array("object_layer_spacing_m") if _some(contents, "object_layer_spacing_m") else None
    return from_metres(
        str(contents.path),
        "ptychodus",
        contents.array("object"),
        contents.array("probe"),
        np.stack([y, x], axis=1),
        pixel_size=(_number(contents, "object", "pixel_height_m"), _number(contents, "object", "pixel_width_m")),
        centre=(_number(contents, "object", "center_y_m"), _number(contents, "object", "center_x_m")),
        spacing=spacing,
        photon_kev=_kev(contents),
    )


def _some(contents: Contents, key: str) -> bool:
    return key in contents and 0 not in contents.shapes[key]


def _number(contents: Contents, owner: str, name: str) -> float | None:
    """An attribute in HDF5, a member with the owner's name before its own in .npz."""
    return contents.attributes(owner).number(name) if contents.is_hdf5 else contents.number(f"{owner}_{name}")


def _kev(contents: Contents) -> float | None:
    name = "photon_energy_eV"
    found = contents.attributes("object").number(name) if contents.is_hdf5 else contents.number(name)
    return None if found is None else found / 1e3
