"""What a file holds, in words: the text of `ptycupy info FILE`."""

from __future__ import annotations

import math
from os import PathLike

import numpy as np

from ptycupy.data.files import file_size, find_file, human
from ptycupy.data.loading import calibration_of, stated_scan_shape
from ptycupy.data.readers import ReaderOptions, detect
from ptycupy.data.shapes import likely_shapes, square
from ptycupy.data.spaced import evenly_spaced
from ptycupy.data.stored import StoredArray
from ptycupy.errors import DataError

SAMPLED_PATTERNS = 8
SAMPLE_LIMIT_BYTES = 1 << 26
DATASETS_SHOWN = 200


def describe(path: str | PathLike[str]) -> str:
    """Format, size, and for each array its shape, type, layout, calibration, a sample of values and likely scans.

    DataError where the file cannot be read at all; an array that cannot be read says why in its own line.
    """
    found = find_file(path)
    entry = detect(found)
    lines = [f"{found}", f"  format {entry.name}, {human(file_size(found))}"]
    datasets = entry.list_arrays(found)
    if datasets is None:
        return "\n".join([*lines, *_array_lines(entry.open(found, ReaderOptions()))])
    lines.append(f"  {len(datasets)} datasets")
    for info in datasets[:DATASETS_SHOWN]:
        lines.append(f"  {info}{f': {info.layout}' if info.layout else ''}")
        if info.is_numeric and info.shape and 0 not in info.shape:
            try:
                stored = entry.open(found, ReaderOptions(info.key, purpose="array"))
                lines += [f"    {line.strip()}" for line in _array_lines(stored)[1:]]
            except DataError as error:
                lines.append(f"    not readable: {error}")
    if len(datasets) > DATASETS_SHOWN:
        lines.append(f"  and {len(datasets) - DATASETS_SHOWN} more")
    return "\n".join(lines)


def _array_lines(stored: StoredArray) -> list[str]:
    declared = math.prod(stored.shape) * stored.dtype.itemsize
    lines = [f"  {stored.shape} {stored.dtype}, {human(declared)}"]
    if stored.dtype.kind not in "biufc":
        return [*lines, "  not numbers"]
    if len(stored.shape) < 3:
        return lines + _sample_lines(stored)
    count, detector = math.prod(stored.shape[:-2]), stored.shape[-2:]
    calibration = calibration_of(stored.attributes, (detector[0], detector[1]))
    stated = [
        f"{name}: {', '.join(f'{part:.6g}' for part in np.ravel(value))}"
        for name, value in (
            ("dk (y, x) in 1/angstrom", calibration.dk_inverse_angstrom),
            ("dk (y, x) in mrad", calibration.dk_mrad),
            ("scan step (slow, fast) in angstrom", calibration.scan_step_angstrom),
            ("energy in keV", calibration.energy_kev),
        )
        if value is not None
    ]
    lines.append(f"  calibration: {'; '.join(stated) or 'none stated'}")
    lines += _sample_lines(stored)
    if len(stored.shape) == 4:
        lines.append(f"  scan {stored.shape[0]} x {stored.shape[1]}")
    elif shape := stated_scan_shape(stored.attributes, count):
        lines.append(f"  scan {shape[0]} x {shape[1]} (stated)")
    else:
        kind = "square" if square(count) else "not square: set data.scan_shape or give positions"
        lines.append(f"  {count} patterns ({kind}); scans that fit: {likely_shapes(count)}")
    return lines


def _sample_lines(stored: StoredArray) -> list[str]:
    """Statistics of a few evenly spaced items along the first axis."""
    item = math.prod(stored.shape[1:]) * stored.dtype.itemsize
    number = min(stored.shape[0], SAMPLED_PATTERNS if len(stored.shape) > 2 else stored.shape[0])
    if item * number > SAMPLE_LIMIT_BYTES:
        number = SAMPLE_LIMIT_BYTES // item
    if number == 0:
        return [f"  one item has {human(item)}: not sampled"]
    chosen = evenly_spaced(stored.shape[0], number)
    rest = tuple(slice(0, length) for length in stored.shape[1:])
    values = np.concatenate([stored.read_region((slice(i, i + 1), *rest)) for i in chosen.tolist()])
    values = np.abs(values) if values.dtype.kind == "c" else values
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not finite.size:
        return ["  sample: no finite value"]
    bad = f", {values.size - finite.size} not finite" if finite.size < values.size else ""
    of = "magnitudes of " if stored.dtype.kind == "c" else ""
    with np.errstate(over="ignore"):
        mean = finite.mean(dtype=np.float64)
    return [f"  sample of {of}{len(chosen)}: min {finite.min():g}, max {finite.max():g}, mean {mean:g}{bad}"]
