"""The .npz that ptycupy itself exports: the names and units of State and Problem."""

from __future__ import annotations

import numpy as np

from ptycupy.data.contents import Contents
from ptycupy.experiment.results.earlier import Earlier, Float, four_axes, paired, probe_modes

NAMES = ("object_amplitude", "object_phase", "probe", "positions_px")


def recognises(contents: Contents) -> bool:
    """Whether the file has these names at its root."""
    return all(name in contents for name in NAMES)


def load(contents: Contents) -> Earlier:
    """Positions are corners of windows in px."""
    name = str(contents.path)
    amplitude, phase = (four_axes(contents.array(key), f"{name}: {key}").astype(np.float32) for key in NAMES[:2])
    probe = probe_modes(contents.array("probe"), name)
    return Earlier(
        path=name,
        program="ptycupy",
        amplitude=amplitude,
        phase=phase,
        probe=probe,
        positions=paired(contents.array("positions_px"), name),
        window=(probe.shape[1], probe.shape[2]),
        tilts=paired(contents.array("tilts"), name, "tilts") if "tilts" in contents else None,
        slice_thickness=_thickness(contents),
        pixel_size=contents.pair("pixel_size"),
        wavelength=contents.number("wavelength"),
    )


def _thickness(contents: Contents) -> Float | None:
    """One number, or one for each gap."""
    key = "slice_thickness"
    if len(contents.shapes.get(key, (0, 0))) == 1 and 0 not in contents.shapes[key]:
        return np.asarray(contents.array(key), np.float64)
    single = contents.number(key)
    return None if single is None else np.asarray(single)
