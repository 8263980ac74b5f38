"""Reconstructions of PtyPy, .ptyr: storages of object and probe, metres, positions of window centres (n // 2)."""

from __future__ import annotations

import numpy as np

from ptycupy.data.contents import Contents
from ptycupy.errors import DataError
from ptycupy.experiment.optics import xray_wavelength
from ptycupy.experiment.results.earlier import METRE, Earlier, paired, probe_modes, split

OBJECT, PROBE = "content/obj/", "content/probe/"


def recognises(contents: Contents) -> bool:
    """Whether there are storages of an object and a probe."""
    return bool(_storages(contents, OBJECT) and _storages(contents, PROBE))


def load(contents: Contents) -> Earlier:
    """The first storage of each: an object (mode, y, x) of one slice and a probe (mode, y, x)."""
    name = str(contents.path)
    storage = _storages(contents, OBJECT)[0]
    values = contents.array(f"{OBJECT}{storage}/data")
    if values.ndim != 3:
        raise DataError(f"{name}: {OBJECT}{storage}/data: shape {values.shape}; PtyPy has (mode, y, x)")
    amplitude, phase = split(values[:, None])
    probe = probe_modes(contents.array(f"{PROBE}{_storages(contents, PROBE)[0]}/data"), name)
    window = (probe.shape[1], probe.shape[2])
    size, origin = contents.pair(f"{OBJECT}{storage}/_psize"), f"{OBJECT}{storage}/_origin"
    place, positions = f"content/positions/{storage}", None
    if place in contents and size is not None and origin in contents:
        coordinates = paired(contents.array(place), name) - np.ravel(contents.array(origin))
        positions = coordinates / size - np.asarray(window) // 2
    energies = [contents.number(key) for key in contents.shapes if key.startswith("content/pars/scans/")
                and key.endswith("/data/energy")]  # fmt: skip
    kev = next((energy for energy in energies if energy is not None and energy > 0), None)
    return Earlier(
        path=name,
        program="PtyPy",
        amplitude=amplitude,
        phase=phase,
        probe=probe,
        positions=positions,
        window=window,
        pixel_size=None if size is None else (size[0] * METRE, size[1] * METRE),
        wavelength=None if kev is None else xray_wavelength(kev),
    )


def _storages(contents: Contents, start: str) -> list[str]:
    """Names of the storages that have data, in order."""
    ends = [key.removeprefix(start).split("/") for key in contents.shapes if key.startswith(start)]
    return sorted(parts[0] for parts in ends if len(parts) == 2 and parts[1] == "data")
