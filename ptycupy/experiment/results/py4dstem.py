"""Results of py4DSTEM: probe, object and positions_px at the root, or in the EMD tree that its own to_h5 writes."""

from __future__ import annotations

import numpy as np

from ptycupy.data.contents import Contents
from ptycupy.experiment.results.earlier import Earlier, four_axes, paired, probe_modes, split

OBJECT = ("object", "_object_emd/data", "reconstruction_object/data")
PROBE = ("probe", "_probe_emd/data", "reconstruction_probe/data")
POSITIONS = ("positions_px",)
SAMPLING = ("preprocess_metadata/sampling",)  # angstrom, where it is stored as one array


def recognises(contents: Contents) -> bool:
    """Whether object and probe are there under either set of names."""
    return _find(contents, OBJECT) is not None and _find(contents, PROBE) is not None


def load(contents: Contents) -> Earlier:
    """A complex transmission, or the potential of a real object as its phase; positions are window centres in px."""
    name = str(contents.path)
    found = _find(contents, OBJECT)
    values = contents.array(found) if found else np.ones((1, 1))
    values = four_axes(values, name)
    amplitude, phase = (
        split(values) if values.dtype.kind == "c" else (np.ones(values.shape, np.float32), values.astype(np.float32))
    )
    key = _find(contents, PROBE)
    probe = probe_modes(contents.array(key), name) if key else None
    window = None if probe is None else (probe.shape[1], probe.shape[2])
    place = _find(contents, POSITIONS)
    positions = None
    if place is not None and window is not None:
        positions = paired(contents.array(place), name) - np.asarray(window) // 2
    sampling = _find(contents, SAMPLING)
    return Earlier(
        path=name,
        program="py4DSTEM",
        amplitude=amplitude,
        phase=phase,
        probe=probe,
        positions=positions,
        window=window,
        pixel_size=contents.pair(sampling) if sampling else None,
    )


def _find(contents: Contents, ends: tuple[str, ...]) -> str | None:
    """The one key that is, or ends in, one of these."""
    for end in ends:
        found = [key for key in contents.shapes if key == end or key.endswith(f"/{end}")]
        if len(found) == 1:
            return found[0]
    return None
