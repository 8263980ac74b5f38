"""Checks of how detector, scan and pixels lie to one another."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.centre_of_mass import curl_share, rank_orientations, rotated, scan_rotation
from ptycupy.analysis.diagnosis.case import Case, Finding

CLEAR = 0.6  # of the present curl: what another orientation must have at most to be named
TURNED = 3.0  # degrees
LEAST_LINES = 8  # of a scan: fewer say nothing about a curl
STRETCHED = 0.01
DRIFT_PX = 1.0
FOLLOWED = 0.5  # share of the shifts' variance that a drift explains
LEAST_POSITIONS = 25


def wrong_orientation(case: Case) -> Finding | None:
    """Another flip or exchange of the detector's axes gives the centres of mass much less curl."""
    field = _field(case)
    if field is None or case.observed is None:
        return None
    ranked = rank_orientations(field)
    best, now = ranked[0], next(one for one in ranked if not (one.flip_y or one.flip_x or one.transpose))
    if best is now or best.curl > CLEAR * now.curl:
        return None
    flip_y, flip_x, transpose = case.observed.orientation
    more_y, more_x = (best.flip_x, best.flip_y) if transpose else (best.flip_y, best.flip_x)
    wanted = {"flip_y": flip_y ^ more_y, "flip_x": flip_x ^ more_x, "transpose": transpose ^ best.transpose}
    text = ", ".join(f"{name}: {str(value).lower()}" for name, value in wanted.items())
    return Finding(
        f"the centres of mass have {now.curl:.2f} of their power in a curl, but {best.curl:.2f} with {best} on top",
        f"data.orientation: {{{text}}}",
    )


def wrong_rotation(case: Case) -> Finding | None:
    """The scan is rotated against the detector, otherwise than the configuration says."""
    field = _field(case)  # as the configuration turns it: what is left is its error
    if field is None or case.observed is None:
        return None
    angle = scan_rotation(field)
    if abs(angle) < TURNED or curl_share(rotated(field, angle)) > CLEAR * curl_share(field):
        return None
    wanted = case.observed.rotation_degrees + angle
    return Finding(
        f"the centres of mass have the least curl if the scan is rotated by {angle:+.1f} degrees more",
        f"scan.affine.rotation_degrees: {wanted:.1f}",
    )


def wrong_pixel_size(case: Case) -> Finding | None:
    """The refined positions are the given ones, magnified: the scan step or the pixel size is wrong."""
    start, now = case.moved
    if len(start) < LEAST_POSITIONS or min(np.ptp(start, axis=0)) < 1:
        return None
    matrix = _affine(start, now)
    scale = math.sqrt(abs(float(np.linalg.det(matrix))))
    if abs(scale - 1) < STRETCHED:
        return None
    return Finding(
        f"the refined scan is {100 * (scale - 1):+.1f} % larger than the given one",
        f"a calibration.value (a pixel size) divided by {scale:.4f}, or scan.affine.scale: {scale:.4f}",
    )


def drifting_positions(case: Case) -> Finding | None:
    """The positions moved steadily with time: the specimen drifted, or the scan is sheared."""
    start, now = case.moved
    if len(start) < LEAST_POSITIONS:
        return None
    shifts = now - start
    time = np.linspace(-0.5, 0.5, len(start))
    slope = (time @ (shifts - shifts.mean(axis=0))) / (time @ time)
    length = float(np.hypot(*slope))
    left = shifts - shifts.mean(axis=0) - time[:, None] * slope
    spread = float(((shifts - shifts.mean(axis=0)) ** 2).sum())
    if length < DRIFT_PX or spread == 0 or 1 - (left**2).sum() / spread < FOLLOWED:
        return None
    return Finding(
        f"the positions drift by {length:.1f} px (y {slope[0]:+.1f}, x {slope[1]:+.1f}) from the first to the last",
        "scan: {path: this run's result.h5} in place of the step: the next run starts from these positions",
    )


def _field(case: Case) -> NDArray[np.float64] | None:
    """Centres of mass in the scan's frame, as the configuration rotates it."""
    seen = case.observed
    if seen is None or seen.centres is None or min(seen.centres.shape[:2]) < LEAST_LINES:
        return None
    return rotated(seen.centres, seen.rotation_degrees)


def _affine(start: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix A of now = start @ A + constant, by least squares."""
    matrix, *_ = np.linalg.lstsq(start - start.mean(axis=0), now - now.mean(axis=0), rcond=None)
    return np.asarray(matrix, np.float64)
