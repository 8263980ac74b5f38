"""Results of quantem 0.1 as plain arrays (.npz): its own files are pickles, which are never opened."""

from __future__ import annotations

import numpy as np

from ptycupy.data.contents import Contents
from ptycupy.experiment.optics import electron_wavelength
from ptycupy.experiment.results.earlier import Earlier, four_axes, paired, probe_modes, split

NAMES = ("obj", "probe", "scan_positions_px")


def recognises(contents: Contents) -> bool:
    """Whether its attributes are there under their names."""
    return all(name in contents for name in NAMES)


def load(contents: Contents) -> Earlier:
    """A complex transmission, or a real phase or potential; positions are window centres, n // 2 px from the corner.

    The probe's middle lies in the corner of its array, and the tilt has the other sign.
    """
    name = str(contents.path)
    values = four_axes(contents.array("obj"), f"{name}: obj")
    real = np.ones(values.shape, np.float32), values.real.astype(np.float32)
    amplitude, phase = split(values) if values.dtype.kind == "c" else real
    probe = np.fft.fftshift(probe_modes(contents.array("probe"), name), axes=(-2, -1))
    window = (probe.shape[1], probe.shape[2])
    volts = contents.number("energy")
    sliced = "slice_thicknesses" in contents and amplitude.shape[1] > 1
    return Earlier(
        path=name,
        program="quantem",
        amplitude=amplitude,
        phase=phase,
        probe=probe,
        positions=paired(contents.array("scan_positions_px"), name) - np.asarray(window) // 2,
        window=window,
        tilts=-paired(contents.array("probe_tilt"), name, "tilts") if "probe_tilt" in contents else None,
        slice_thickness=np.ravel(contents.array("slice_thicknesses")).astype(np.float64) if sliced else None,
        pixel_size=contents.pair("sampling"),
        wavelength=electron_wavelength(volts / 1e3) if volts and volts > 0 else None,
    )
