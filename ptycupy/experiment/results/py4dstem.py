"""Results of py4DSTEM: probe, object and positions_px at the root, or in the EMD tree that its own to_h5 writes."""

from __future__ import annotations

import numpy as np

from ptycupy.data.contents import Contents
from ptycupy.experiment.optics import electron_wavelength
from ptycupy.experiment.results.earlier import Earlier, Float, four_axes, paired, probe_modes, split

OBJECT = ("object", "_object_emd/data", "reconstruction_object/data")
PROBE = ("probe", "_probe_emd/data", "reconstruction_probe/data")
POSITIONS = ("positions_px",)
SAMPLING = ("preprocess_metadata/sampling",)  # angstrom, where it is stored as one array
THICKNESS = ("instantiation_metadata/slice_thicknesses",)  # angstrom
ENERGY = ("instantiation_metadata/energy",)  # eV
TILTS = ("instantiation_metadata/theta_x", "instantiation_metadata/theta_y")  # mrad, of the other sign; x is rows


def recognises(contents: Contents) -> bool:
    """Whether object and probe are there under either set of names."""
    return _find(contents, OBJECT) is not None and _find(contents, PROBE) is not None


def load(contents: Contents) -> Earlier:
    """A complex transmission, or the potential of a real object as its phase; positions are window centres in px.

    The EMD tree has the probe's middle in the corner of its array; a file with plain names has it in the middle.
    """
    name = str(contents.path)
    found = _find(contents, OBJECT)
    values = contents.array(found) if found else np.ones((1, 1))
    values = four_axes(values, name)
    amplitude, phase = (
        split(values) if values.dtype.kind == "c" else (np.ones(values.shape, np.float32), values.astype(np.float32))
    )
    key = _find(contents, PROBE)
    probe = probe_modes(contents.array(key), name) if key else None
    if probe is not None and key != PROBE[0]:
        probe = np.fft.fftshift(probe, axes=(-2, -1))
    window = None if probe is None else (probe.shape[1], probe.shape[2])
    place = _find(contents, POSITIONS)
    positions = None
    if place is not None and window is not None:
        positions = paired(contents.array(place), name) - np.asarray(window) // 2
    sampling, energy, gaps = (_find(contents, ends) for ends in (SAMPLING, ENERGY, THICKNESS))
    volts = contents.number(energy) if energy else None
    return Earlier(
        path=name,
        program="py4DSTEM",
        amplitude=amplitude,
        phase=phase,
        probe=probe,
        positions=positions,
        window=window,
        tilts=_tilts(contents),
        slice_thickness=np.asarray(contents.array(gaps), np.float64) if gaps and len(amplitude[0]) > 1 else None,
        pixel_size=contents.pair(sampling) if sampling else None,
        wavelength=electron_wavelength(volts / 1e3) if volts and volts > 0 else None,
    )


def _tilts(contents: Contents) -> Float | None:
    """The one tilt (1, 2) of the propagators, or None."""
    found = [_find(contents, (end,)) for end in TILTS]
    angles = [contents.number(key) for key in found if key]
    known = [angle for angle in angles if angle is not None]
    return -np.array([known]) if len(known) == 2 else None


def _find(contents: Contents, ends: tuple[str, ...]) -> str | None:
    """The one key that is, or ends in, one of these."""
    for end in ends:
        found = [key for key in contents.shapes if key == end or key.endswith(f"/{end}")]
        if len(found) == 1:
            return found[0]
    return None
