"""Results of PtychoShelves and fold_slice: .mat of either version, in MATLAB's order of axes."""

from __future__ import annotations

import numpy as np

from ptycupy.data.contents import Contents
from ptycupy.errors import DataError
from ptycupy.experiment.results.earlier import METRE, Earlier, paired, split

POSITIONS = "outputs/probe_positions"
PIXEL_SIZE = "p/dx_spec"  # metres for X-rays, angstrom where fold_slice reconstructs electrons
WAVELENGTH = "p/lambda"  # in the same unit
LARGEST_METRES = 1e-5  # neither a pixel above it is in metres nor one below it in angstrom
EXACT_THICKNESS = "ptycupy/slice_thickness_angstrom"  # only our own export has it


def recognises(contents: Contents) -> bool:
    """Whether the file has an object or a probe and positions where these programs have them."""
    return POSITIONS in contents and ("object" in contents or "probe" in contents)


def load(contents: Contents) -> Earlier:
    """Object (Ny, Nx, Nz), probe (Ny, Nx, mode, variable mode) whose first variable mode is taken, positions (x, y).

    Positions count from the corner that centres the probe in the object: ceil(object/2 - probe/2) - 1 is added.
    """
    name = str(contents.path)
    amplitude = phase = probe = positions = None
    if "object" in contents:
        values = contents.array("object")
        if values.ndim not in (2, 3):
            raise DataError(f"{name}: object: shape {values.shape}; PtychoShelves has (Ny, Nx, Nz)")
        layers = np.moveaxis(values.reshape(*values.shape[:2], -1), 2, 0)
        amplitude, phase = split(layers[None])
    if "probe" in contents:
        values = contents.array("probe")
        if not 2 <= values.ndim <= 4:
            raise DataError(f"{name}: probe: shape {values.shape}; PtychoShelves has (Ny, Nx, mode, variable mode)")
        modes = values.reshape(*values.shape, *(1,) * (4 - values.ndim))[..., 0]
        probe = np.moveaxis(modes, 2, 0).astype(np.complex128)
    if probe is not None and amplitude is not None:
        sizes = np.asarray(amplitude.shape[-2:]), np.asarray(probe.shape[-2:])
        positions = paired(contents.array(POSITIONS), name)[:, ::-1] + np.ceil(sizes[0] / 2 - sizes[1] / 2) - 1
    size, wavelength = contents.pair(PIXEL_SIZE), contents.number(WAVELENGTH)
    unit = METRE if size is not None and max(size) < LARGEST_METRES else 1.0
    thickness = None
    if EXACT_THICKNESS in contents and 0 not in contents.shapes[EXACT_THICKNESS]:
        thickness = np.asarray(contents.array(EXACT_THICKNESS), np.float64).ravel()
    return Earlier(
        path=name,
        program="PtychoShelves",
        amplitude=amplitude,
        phase=phase,
        probe=probe,
        positions=positions,
        window=None if probe is None else (probe.shape[1], probe.shape[2]),
        slice_thickness=thickness,
        pixel_size=None if size is None else (size[0] * unit, size[1] * unit),
        wavelength=None if wavelength is None else wavelength * unit,
    )
