"""Run by an interpreter that has pty-chi and ptycupy's dependencies: the same epochs with its own and with our model.

python run_ptychi.py seen.npz EPOCHS [data.h5 [GPU]]
"""

import sys
import time

import h5py
import numpy as np
import torch
from ptychi_scene import Scene

from ptycupy.integrations.ptychi import PtycupyForwardModel

seen, epochs = sys.argv[1], int(sys.argv[2])
if len(sys.argv) > 3:  # the WSe2 set
    with h5py.File(sys.argv[3]) as file:
        patterns = file["dp"][()].astype(np.float32)
        scan = tuple(file["dp"].attrs["scan_shape"]) if "scan_shape" in file["dp"].attrs else (24, 24)
    scene = Scene(patterns, scan, 0.429 / 0.1494, pixel=0.1494, wavelength=0.041757, slices=6, modes=4)
    scene.device = sys.argv[4] if len(sys.argv) > 4 else scene.device
else:
    patterns = np.random.default_rng(1).poisson(5, (20, 32, 32)).astype(np.float32)
    scene = Scene(patterns, (4, 5), 3.3)


def reconstruct(model):
    """Losses, seconds per epoch and the object."""
    task = scene.task(model, epochs)
    model = task.reconstructor.forward_model
    first = model(torch.arange(8)).detach().cpu().numpy()
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
