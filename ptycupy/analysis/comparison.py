"""How well a phase image agrees with a known truth: SSIM and correlation after registration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ptycupy.analysis.planes import without_plane
from ptycupy.analysis.registration import registration_shift
from ptycupy.analysis.ssim import structural_similarity
from ptycupy.errors import DataError

PAD = 16  # px around the image, in which it may move
MARGIN = 6  # px at the rim that are not judged
SMALLEST = 2 * MARGIN + 7


@dataclass(frozen=True)
class Comparison:
    """Agreement of an image with the truth; both without their minimum, as compared."""

    ssim: float
    correlation: float
    scale: float  # least-squares factor from truth to image
    shift_px: tuple[float, float]  # by which the image would have to move (y, x) to lie where the truth says
    image: NDArray[np.float64]  # [y, x] rad, without the rim
    truth: NDArray[np.float64]  # [y, x] rad, registered, thermally blurred, on the image's pixels


def scan_centre(
    origin_angstrom: ArrayLike, step_angstrom: ArrayLike, scan_shape: tuple[int, int]
) -> tuple[float, float]:
    """The middle (y, x) of a raster scan in angstrom: origin + (n - 1) step / 2."""
    origin, step = (np.broadcast_to(np.asarray(value, float), (2,)) for value in (origin_angstrom, step_angstrom))
    middle = origin + (np.asarray(scan_shape) - 1) * step / 2
    return float(middle[0]), float(middle[1])


def compare_with_truth(
    phase: NDArray[Any],
    pixel_size: float | tuple[float, float],
    truth: NDArray[Any],
    truth_pixel_size: float,
    centre_angstrom: tuple[float, float],
    thermal_blur_angstrom: float = 0.11,
    remove_ramp: bool = False,
) -> Comparison:
    """Compares a phase [y, x], summed over slices and cut to the scanned field, with a projected truth [y, x], in rad.

    The part of the truth around `centre_angstrom` (y, x) is blurred (thermal motion 0.08 angstrom and the pixel),
    brought to the image's pixels and moved onto the image to 0.1 px; a rim of 6 px is left out, both lose their
    minimum and the range is the truth's, as in the PtyRAD paper. `remove_ramp` also takes a plane off the image.
    Raises DataError where the truth does not reach around the image or the image is too small.
    """
    from scipy.ndimage import gaussian_filter, shift, zoom

    if min(phase.shape) < SMALLEST:
        raise DataError(f"a phase image of {phase.shape} px is too small to be compared: at least {SMALLEST} px")
    image = without_plane(phase) if remove_ramp else np.asarray(phase, np.float64)
    part = _around(truth, truth_pixel_size, centre_angstrom, image.shape, pixel_size)
    part = gaussian_filter(np.asarray(part, np.float64), thermal_blur_angstrom / truth_pixel_size)
    target = [(n + 2 * PAD) / m for n, m in zip(image.shape, part.shape, strict=True)]
    expected: NDArray[np.float64] = zoom(part, target, order=1)
    moved = registration_shift(expected - expected.mean(), np.pad(image - np.median(image), PAD))
    registered = shift(expected, (-moved[0], -moved[1]), order=1, mode="nearest")
    inside = slice(PAD + MARGIN, -PAD - MARGIN)
    a, b = image[MARGIN:-MARGIN, MARGIN:-MARGIN], registered[inside, inside]
    if remove_ramp:
        a = without_plane(a, beside=b)
    a, b = a - a.min(), b - b.min()
    return Comparison(
        ssim=structural_similarity(b, a, float(np.ptp(b))),
        correlation=float(np.corrcoef(a.ravel(), b.ravel())[0, 1]),
        scale=float((a * b).sum() / (b * b).sum()),
        shift_px=moved,
        image=a,
        truth=b,
    )


def _around(
    truth: NDArray[Any],
    truth_pixel_size: float,
    centre_angstrom: tuple[float, float],
    shape: tuple[int, ...],
    pixel_size: float | tuple[float, float],
) -> NDArray[Any]:
    """The part of the truth that the padded image should show."""
    steps = np.broadcast_to(np.asarray(pixel_size, float), (2,))
    part = []
    for axis, name in enumerate("yx"):
        middle = int(centre_angstrom[axis] / truth_pixel_size)
        half = round((shape[axis] / 2 + PAD) * float(steps[axis]) / truth_pixel_size)
        if middle - half < 0 or middle + half > truth.shape[axis]:
            raise DataError(
                f"the truth has {truth.shape[axis]} px along {name}, but the image and {PAD} px around it need its px "
                f"{middle - half} to {middle + half}: check the truth's pixel size and scan origin"
            )
        part.append(slice(middle - half, middle + half))
    return truth[part[0], part[1]]
