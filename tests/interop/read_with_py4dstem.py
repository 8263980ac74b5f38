"""Run by an interpreter that has py4DSTEM: opens an EMD file, simulates its patterns, writes what it saw as .npz.

python read_with_py4dstem.py file.h5 seen.npz
"""

import sys

import numpy as np
import py4DSTEM
from py4DSTEM.process.phase.utils import fft_shift

path, seen = sys.argv[1:]
found = py4DSTEM.read(path)
positions = np.asarray(found._positions_px)
probe = np.asarray(found._probe)
volume = np.asarray(found._object)
found._object_shape = volume.shape[-2:]
found._xp_storage = np
rows, columns = found._extract_vectorized_patch_indices(positions)
modes = probe.reshape(-1, *probe.shape[-2:])
fractions = positions - np.round(positions)
layers = volume.reshape(-1, *volume.shape[-2:])
propagators = None
if len(layers) > 1:
    propagators = found._precompute_propagator_arrays(
        probe.shape[-2:], found.sampling, found._energy, found._slice_thicknesses, found._theta_x, found._theta_y
    )
patterns = []
for mode in modes:
    waves = fft_shift(mode, fractions, np).astype(np.complex128)
    for number, layer in enumerate(layers):
        waves = waves * layer[rows, columns]
        if number < len(layers) - 1:
            waves = np.fft.ifft2(np.fft.fft2(waves) * propagators[number])
    patterns.append(np.abs(np.fft.fft2(waves, norm="ortho")) ** 2)
np.savez(
    seen,
    name=type(found).__name__,
    object=volume,
    probe=found.probe_centered,
    positions=positions,
    energy=found._energy,
    sampling=found.sampling,
    thicknesses=getattr(found, "_slice_thicknesses", []),
    errors=found.error_iterations,
    patterns=np.sum(patterns, axis=0),
)
