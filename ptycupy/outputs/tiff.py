"""Float32 TIFF stacks of the object as ImageJ and Fiji write them themselves: calibrated, slices labelled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.region import shown_region, steps
from ptycupy.storage.layouts import slice_depths
from ptycupy.storage.snapshot import Snapshot


def write_tiffs(folder: Path, snapshot: Snapshot) -> list[Path]:
    """object_phase.tif (rad) and object_amplitude.tif [z, y, x], cropped to the field of view; `_mode_N` is added to
    the name where there are several object modes."""
    rows, columns = shown_region(snapshot)
    depths = slice_depths(snapshot)
    modes = snapshot.state.object_phase.shape[0]
    (step_y, step_x), unit = steps(snapshot)
    paths = []
    for name, values in (("phase", snapshot.state.object_phase), ("amplitude", snapshot.state.object_amplitude)):
        for mode in range(modes):
            path = folder / f"object_{name}{f'_mode_{mode + 1}' if modes > 1 else ''}.tif"
            unit_name = "angstrom" if unit == "Å" else "pixel"
            write_stack(path, values[mode][:, rows, columns], (step_y, step_x), unit_name, depths)
            paths.append(path)
    return paths


def write_stack(
    path: Path, stack: NDArray[Any], pixel_size: tuple[float, float], unit: str, depths: NDArray[np.float64]
) -> None:
    """One ImageJ stack [z, y, x]; `pixel_size` (y, x) in `unit`, `depths` [z] in angstrom label the slices."""
    import tifffile

    values = np.ascontiguousarray(stack, np.float32)
    low, high = np.percentile(values, (0.1, 99.9))
    metadata: dict[str, Any] = {
        "axes": "ZYX",
        "unit": unit,
        "min": float(low),
        "max": float(high),
        "Labels": [f"z = {depth:.2f} angstrom" for depth in depths],
    }
    if len(depths) > 1:
        metadata["spacing"] = float(np.diff(depths).mean())  # ImageJ knows one spacing; the labels tell each depth
    resolution = (1 / pixel_size[1], 1 / pixel_size[0])
    tifffile.imwrite(path, values, imagej=True, resolution=resolution, resolutionunit="NONE", metadata=metadata)
