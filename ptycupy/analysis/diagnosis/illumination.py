"""Checks of the probe and of the aperture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.diagnosis.case import Case, Finding
from ptycupy.experiment.calibration import bright_disk, radius_of

EDGE_SHARE = 0.05  # of the window's side that counts as its edge
AT_EDGE = 0.02  # share of the power
MISFIT = 0.15  # of the disk's radius: scattering blurs its edge
BEYOND = 1.1  # aperture radii
LEAKED = 0.05  # share of the strongest mode's power


def aperture_mismatch(case: Case) -> Finding | None:
    """The bright disk of the mean pattern is not as wide as the convergence angle says."""
    seen, expected = case.observed, _aperture_px(case)
    if seen is None or expected is None or seen.mean_pattern.shape != case.snapshot.state.probe.shape[-2:]:
        return None
    found = radius_of(bright_disk(seen.mean_pattern))
    if abs(found / expected - 1) < MISFIT or seen.convergence_angle is None:
        return None
    return Finding(
        f"the mean pattern's disk has a radius of {found:.1f} px, the aperture {expected:.1f} px",
        f"illumination.convergence_angle_mrad: {seen.convergence_angle * found / expected:.1f}, or another calibration",
    )


def probe_at_the_edge(case: Case) -> Finding | None:
    """The probe is too wide for its window and comes back on the other side."""
    power = (np.abs(case.snapshot.state.probe) ** 2).sum(axis=0, dtype=np.float64)
    rim = np.ones(power.shape, bool)
    inner = tuple(slice(width := max(1, round(EDGE_SHARE * n)), n - width) for n in power.shape)
    rim[inner] = False
    share = _share(power, rim)
    if share < AT_EDGE:
        return None
    return Finding(
        f"{100 * share:.1f} % of the probe's power is at the edge of its window",
        "model.window_shape: a larger window (with detector_match: resample), less defocus, or the constraint "
        "probe_real_mask",
    )


def leaked_probe(case: Case) -> Finding | None:
    """The strongest mode has frequencies that the aperture stops: the object has leaked into the probe."""
    radius = _aperture_px(case)
    if radius is None:
        return None
    from scipy import fft

    probe = np.asarray(case.snapshot.state.probe, np.complex128)
    strongest = probe[int(np.argmax((np.abs(probe) ** 2).sum(axis=(1, 2))))]
    power = np.abs(fft.fftshift(fft.fft2(strongest))) ** 2
    rows, columns = (np.arange(n) - n // 2 for n in power.shape)
    share = _share(power, np.hypot(rows[:, None], columns) > BEYOND * radius + 1)
    if share < LEAKED:
        return None
    return Finding(
        f"{100 * share:.1f} % of the first probe mode lies outside of the aperture: it holds parts of the object",
        f"constraints: - {{name: probe_fourier_mask, radius: {2 * BEYOND * radius / min(power.shape):.2f}}}, "
        "or a smaller optimizer.probe",
    )


def _aperture_px(case: Case) -> float | None:
    """The aperture's radius in pixels of the window's Fourier transform; None where it is not known."""
    snapshot, seen = case.snapshot, case.observed
    if snapshot.pixel_size is None or snapshot.wavelength is None or seen is None or seen.convergence_angle is None:
        return None
    steps = [1 / (n * size) for n, size in zip(snapshot.state.probe.shape[-2:], snapshot.pixel_size, strict=True)]
    return 1e-3 * seen.convergence_angle / snapshot.wavelength / math.sqrt(steps[0] * steps[1])


def _share(power: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    whole = float(power.sum())
    return float(power[where].sum()) / whole if whole > 0 else 0.0
