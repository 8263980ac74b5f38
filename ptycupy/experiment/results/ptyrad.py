"""model.hdf5 of PtyRAD 1.0.0, and our own result.h5, which has the same names at its root."""

from __future__ import annotations

import numpy as np

from ptycupy.data.contents import Contents
from ptycupy.experiment.results.earlier import Earlier, four_axes, paired, probe_modes

TENSORS = "optimizable_tensors"
ATTRIBUTES = "model_attributes"
EXACT_THICKNESS = "ptycupy/state/slice_thickness"  # ours may have one for every gap
EXACT_PIXEL_SIZE = "ptycupy/problem/pixel_size"  # and unequal pixels


def recognises(contents: Contents) -> bool:
    """Whether the file has PtyRAD's object or probe."""
    return f"{TENSORS}/objp" in contents or f"{TENSORS}/probe" in contents


def load(contents: Contents) -> Earlier:
    """Everything there is; amplitude and phase as they are stored, so that no phase wraps.

    The thickness is that of the tensors, which is what was optimised.
    """
    name = str(contents.path)
    probe = positions = amplitude = phase = None
    if f"{TENSORS}/obja" in contents and f"{TENSORS}/objp" in contents:
        amplitude, phase = (
            four_axes(contents.array(f"{TENSORS}/{key}"), f"{name}: {key}").astype(np.float32)
            for key in ("obja", "objp")
        )
    if f"{TENSORS}/probe" in contents:
        probe = probe_modes(contents.array(f"{TENSORS}/probe"), name)
    if f"{ATTRIBUTES}/crop_pos" in contents:
        positions = paired(contents.array(f"{ATTRIBUTES}/crop_pos"), name)
        if f"{TENSORS}/probe_pos_shifts" in contents:
            positions = positions + paired(contents.array(f"{TENSORS}/probe_pos_shifts"), name)
    tilts = f"{TENSORS}/obj_tilts"
    return Earlier(
        path=name,
        program="ptycupy" if "ptycupy/state/probe" in contents else "PtyRAD",
        amplitude=amplitude,
        phase=phase,
        probe=probe,
        positions=positions,
        window=None if probe is None else (probe.shape[1], probe.shape[2]),
        tilts=paired(contents.array(tilts), name, "tilts") if tilts in contents else None,
        slice_thickness=_thickness(contents),
        pixel_size=contents.pair(EXACT_PIXEL_SIZE) or contents.pair(f"{ATTRIBUTES}/dx"),
        wavelength=contents.number(f"{ATTRIBUTES}/lambd"),
    )


def _thickness(contents: Contents) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    if len(contents.shapes.get(EXACT_THICKNESS, ())) == 1 and 0 not in contents.shapes[EXACT_THICKNESS]:
        return np.asarray(contents.array(EXACT_THICKNESS), np.float64)
    for key in (f"{TENSORS}/slice_thickness", f"{ATTRIBUTES}/slice_thickness"):
        value = contents.number(key)
        if value is not None and value > 0:
            return np.asarray(value)
    return None
