"""Run by an interpreter that has phaser: opens result.h5, simulates its patterns, writes what it saw as .npz.

python read_with_phaser.py result.h5 seen.npz
"""

import sys

import numpy as np
from phaser.engines.common.simulation import cutout_group, make_propagators, tilt_propagators
from phaser.state import ReconsState

result, seen = sys.argv[1:]
state = ReconsState.read_hdf5(result)
ky, kx = state.probe.sampling.recip_grid(dtype=np.float64)
group = np.indices(state.scan.data.shape[:-1]).reshape(2, -1)
probes, objects, _ = cutout_group(ky, kx, state, group)
waves = probes.astype(np.complex128)  # [n, mode, y, x]
propagators = tilt_propagators(ky, kx, state, make_propagators(state, None), state.scan.tilt[tuple(group)])
for index in range(objects.shape[1]):
    waves = waves * objects[:, index, None]
    if index < objects.shape[1] - 1:
        waves = np.fft.ifft2(np.fft.fft2(waves) * propagators[index][:, None])
patterns = (np.abs(np.fft.fft2(waves, norm="ortho")) ** 2).sum(axis=1)
np.savez(
    seen,
    object=state.object.data,
    probe=state.probe.data,
    thicknesses=state.object.thicknesses,
    wavelength=state.wavelength,
    sampling=state.object.sampling.sampling,
    probe_sampling=state.probe.sampling.sampling,
    scan=state.scan.data,
    initial=state.scan.initial,
    tilt=state.scan.tilt,
    iterations=state.iter.total_iter,
    loss=state.progress["total_loss"].values,
    loss_iterations=state.progress["total_loss"].iters,
    patterns=patterns,
)
