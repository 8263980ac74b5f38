"""The state files of phaserEM (version 0.2 of its tree): lengths in angstrom, positions of window middles."""

from __future__ import annotations

import json

import numpy as np

from ptycupy.data.contents import Contents
from ptycupy.experiment.results.earlier import Earlier, paired, probe_modes, split


def recognises(contents: Contents) -> bool:
    """Whether the file says that it is a state of phaser."""
    return contents.text("type") == "phaser_state" and "object/data" in contents


def load(contents: Contents) -> Earlier:
    """One complex object; a position is the middle of its window, (n - 1)/2 px from the corner."""
    name = str(contents.path)
    amplitude, phase = split(contents.array("object/data")[None])
    probe = probe_modes(contents.array("probe/data"), name)
    window = (probe.shape[1], probe.shape[2])
    step = contents.pair("object/sampling") or (1.0, 1.0)
    corner = np.asarray(contents.array("object/corner"), np.float64) if "object/corner" in contents else np.zeros(2)
    positions = None
    if "scan/data" in contents:
        positions = (paired(contents.array("scan/data"), name) - corner) / step - (np.asarray(window) - 1) / 2
    thickness = None
    if amplitude.shape[1] > 1 and contents.shapes.get("object/thicknesses", (0,)) != (0,):
        # One for every slice: the last one is behind the object and does nothing.
        thickness = np.asarray(contents.array("object/thicknesses"), np.float64).ravel()[: amplitude.shape[1] - 1]
    return Earlier(
        path=name,
        program="phaser",
        amplitude=amplitude,
        phase=phase,
        probe=probe,
        positions=positions,
        window=window,
        tilts=paired(contents.array("scan/tilt"), name, "tilts") if "scan/tilt" in contents else None,
        slice_thickness=thickness,
        pixel_size=None if _in_pixels(contents) else contents.pair("object/sampling"),
        wavelength=contents.number("wavelength"),
    )


def _in_pixels(contents: Contents) -> bool:
    """Our own files without a pixel size say so; phaser's always have one."""
    try:
        meta = json.loads(contents.text("object/meta") or "{}")
    except ValueError:
        return False
    return isinstance(meta, dict) and meta.get("length_unit") == "px"
