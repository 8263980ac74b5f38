"""A result's summed phase against a truth, and how fine its details are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy import data
from ptycupy.analysis.comparison import Comparison, compare_with_truth
from ptycupy.analysis.information_limit import information_limit
from ptycupy.config.schema import Truth
from ptycupy.errors import DataError
from ptycupy.outputs.region import mean_mode
from ptycupy.storage.snapshot import Snapshot


def summed_phase_limit(snapshot: Snapshot) -> float | None:
    """Angstrom, of the phase summed over slices, in the scanned field; None without a pixel size or without spots.

    Raises DataError where the field cannot be judged; see `information_limit`.
    """
    return None if snapshot.pixel_size is None else information_limit(_summed_phase(snapshot), snapshot.pixel_size)


def _summed_phase(snapshot: Snapshot) -> NDArray[Any]:
    """[y, x] the phase summed over slices, of the mean object mode, in the scanned field."""
    phase: NDArray[Any] = mean_mode(snapshot, snapshot.state.object_phase).sum(axis=0)[snapshot.field_of_view()]
    return phase


def score_result(snapshot: Snapshot, truth: Truth) -> Comparison:
    """The phase summed over slices, in the scanned field, against a truth; see `compare_with_truth`.

    Raises DataError where the truth does not say what is needed or does not fit.
    """
    if snapshot.pixel_size is None:
        raise DataError("the reconstruction has no pixel size")
    return score_phase(_summed_phase(snapshot), snapshot.pixel_size, snapshot.initial_positions, truth)


def score_phase(
    summed: NDArray[Any], pixel_size: float | tuple[float, float], positions: NDArray[Any], truth: Truth
) -> Comparison:
    """The same of a phase [y, x] whose field is that of these positions [N, 2] px, the first one at the scan's origin.

    Raises DataError as `score_result` does.
    """
    stated = data.read_attributes(truth.path, truth.key)
    truth_pixel_size = truth.pixel_size_angstrom or stated.numbers("px_A")
    origin = truth.scan_origin_angstrom or stated.numbers("scan_origin_A")
    if truth_pixel_size is None or origin is None:
        raise DataError(
            f"{truth.path}: {truth.key}: truth.pixel_size_angstrom and truth.scan_origin_angstrom are needed,"
            " or the attributes px_A and scan_origin_A"
        )
    phase = data.read_array(truth.path, truth.key)
    middle = (positions.min(axis=0) + positions.max(axis=0)) / 2 - positions[0]  # px from the first one
    centre = np.broadcast_to(origin, (2,)) + middle * pixel_size
    return compare_with_truth(
        summed,
        pixel_size,
        phase if phase.ndim == 2 else phase.sum(axis=0, dtype=np.float64),
        float(np.mean(truth_pixel_size)),
        (float(centre[0]), float(centre[1])),
    )
