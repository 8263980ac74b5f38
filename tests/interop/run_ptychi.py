"""Run by an interpreter that has pty-chi and ptycupy's dependencies: the same epochs with its own and with our model.

python run_ptychi.py seen.npz EPOCHS [data.h5]
"""

import sys
import time

import h5py
import numpy as np
import ptychi.api as api
import torch
from ptychi.api.task import PtychographyTask

import ptycupy
from ptycupy.integrations.ptychi import PtycupyForwardModel

seen, epochs = sys.argv[1], int(sys.argv[2])
window, pixel, wavelength, slices, modes = 32, 0.2, 0.0418, 3, 2
if len(sys.argv) > 3:  # the WSe2 set
    pixel, wavelength, slices, modes = 0.1494, 0.041757, 6, 4
    with h5py.File(sys.argv[3]) as file:
        patterns = file["dp"][()].astype(np.float32)
        scan = tuple(file["dp"].attrs["scan_shape"]) if "scan_shape" in file["dp"].attrs else (24, 24)
    window, step = patterns.shape[-1], 0.429 / pixel
else:
    scan, step = (4, 5), 3.3
    patterns = np.random.default_rng(1).poisson(5, (20, window, window)).astype(np.float32)
y, x = (axis.ravel() * step for axis in np.indices(scan))
side = int(np.ceil(max(y.max(), x.max()))) + window + 10
probe = ptycupy.make_probe(80, 24.9, (window, window), pixel, modes=modes)
probe = probe.astype(np.complex64)[None] * np.float32(np.sqrt(patterns.sum((1, 2)).mean()) / window)


def reconstruct(model):
    """Losses, seconds per epoch and the object."""
    torch.manual_seed(0)
    options = api.AutodiffPtychographyOptions()
    options.data_options.wavelength_m = wavelength * 1e-10
    options.object_options.pixel_size_m = pixel * 1e-10
    options.object_options.slice_spacings_m = np.full(slices - 1, 2e-10)
    for part, rate in ((options.object_options, 5e-3), (options.probe_options, 1e-4)):
        part.optimizable, part.optimizer, part.step_size = True, api.Optimizers.ADAM, rate
    settings = options.reconstructor_options
    settings.num_epochs, settings.batch_size, settings.default_device = epochs, 16, api.Devices.CPU
    settings.random_seed = 0
    if model is not None:
        settings.forward_model_class = model
    task = PtychographyTask(
        options,
        diffraction_data=patterns,
        object_data=np.ones((slices, side, side), np.complex64),
        probe_data=probe,
        probe_position_y_px=y - y.mean(),
        probe_position_x_px=x - x.mean(),
    )
    model = task.reconstructor.forward_model
    first = model(torch.arange(8)).detach().numpy()
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        task.run(1)
        seconds.append(time.perf_counter() - start)
    losses = task.reconstructor.loss_tracker.table["loss"].to_numpy()
    return first, losses, seconds, task.get_data_to_cpu("object", as_numpy=True), type(model).__name__


found = {}
for name, model in (("theirs", None), ("ours", PtycupyForwardModel)):
    keys = ("first", "losses", "seconds", "object", "model")
    found |= {f"{name}_{key}": value for key, value in zip(keys, reconstruct(model), strict=True)}
np.savez(seen, **found)
print({name: np.asarray(value).tolist() for name, value in found.items() if np.asarray(value).ndim < 2})
