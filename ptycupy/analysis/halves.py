"""The Fourier ring correlation of two reconstructions from halves of the data, kept beside the run it tells about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.resolution import RingCorrelation, fourier_ring_correlation
from ptycupy.errors import DataError
from ptycupy.outputs.region import mean_mode
from ptycupy.storage.atomic import atomic_write
from ptycupy.storage.snapshot import Snapshot

By = Literal["counts", "positions"]


@dataclass(frozen=True)
class Halves:
    """How well two halves agree, and what they are halves of."""

    curve: RingCorrelation
    by: By


def correlate(first: Snapshot, second: Snapshot, by: By) -> Halves:
    """The summed phases of two reconstructions of one specimen in the field that both scanned, registered.

    Raises DataError for images that cannot be compared; see `fourier_ring_correlation`.
    """
    # A canvas may have grown; the positions of both have grown with it.
    moved = np.rint((second.initial_positions - first.initial_positions).mean(axis=0)).astype(int)
    fields = [np.array([(part.start, part.stop) for part in one.field_of_view()]) for one in (first, second)]
    fields[1] = fields[1] - moved[:, None]
    begin, end = np.maximum(*(field[:, 0] for field in fields)), np.minimum(*(field[:, 1] for field in fields))
    images: list[NDArray[np.float64]] = []
    for one, origin in ((first, np.zeros(2, int)), (second, moved)):
        summed = mean_mode(one, np.asarray(one.state.object_phase, np.float64)).sum(axis=0)
        (top, left), (bottom, right) = begin + origin, end + origin
        images.append(summed[top:bottom, left:right])
    return Halves(fourier_ring_correlation(images[0], images[1], first.pixel_size, register=True), by)


def write_halves(path: Path, halves: Halves) -> None:
    """One JSON file: the curve by ring and what made it. Raises OSError where it cannot be written."""
    curve = halves.curve
    values = {
        "by": halves.by,
        "nyquist_inverse_angstrom": curve.nyquist_inverse_angstrom,
        "shift_px": curve.shift_px,
        "frequency_of_nyquist": curve.frequency.tolist(),
        "correlation": curve.correlation.tolist(),
        "count": curve.count.tolist(),
    }
    with atomic_write(path) as sink:
        sink.write(json.dumps(values, indent=1).encode())


def read_halves(path: Path) -> Halves | None:
    """What `write_halves` wrote; None where nothing is there. Raises DataError for anything else."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        y, x = values["shift_px"]
        curve = RingCorrelation(
            np.asarray(values["frequency_of_nyquist"], np.float64),
            np.asarray(values["correlation"], np.float64),
            np.asarray(values["count"], np.int64),
            values["nyquist_inverse_angstrom"],
            (float(y), float(x)),
        )
        return Halves(curve, values["by"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is no ring correlation of ptycupy ({error})") from error
