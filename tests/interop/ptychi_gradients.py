"""Run by an interpreter that has pty-chi and ptycupy's dependencies: gradients and one step of both forward models.

python ptychi_gradients.py seen.npz '{"slices": 3}'

The keys are those of ptychi_scene.Scene. Every parameter is refined, from an object of random values.
"""

import json
import sys

import numpy as np
import ptychi.api as api
import torch
from ptychi_scene import Scene

from ptycupy.integrations.ptychi import PtycupyForwardModel

seen, changes = sys.argv[1], json.loads(sys.argv[2])
RATES = {"object": 1e-2, "probe": 1e-2, "positions": 1e-2}
if changes.get("slices", 3) > 1:
    RATES["spacings"] = 1e-24  # metres: their gradient is per metre
if changes.get("variations", 1) > 1:
    RATES["weights"] = 1e-2
patterns = np.random.default_rng(1).poisson(5, (20, 32, 32)).astype(np.float32)
given = {"scan": (4, 5), "step": 3.3, "seed": 2, "rates": RATES, "optimizer": api.Optimizers.SGD}
scene = Scene(patterns, **(given | changes))
cotangent = torch.from_numpy(np.random.default_rng(5).standard_normal((8, 32, 32)).astype(np.float32))


def arrays(model, of):
    """{name: of(tensor)} of all that is refined."""
    return {name: of(x).cpu().numpy().copy() for name, x in model.named_parameters() if x.requires_grad}


found = {}
for name, forward in (("theirs", None), ("ours", PtycupyForwardModel)):
    task = scene.task(forward, batch=20)
    model = task.reconstructor.forward_model
    intensities = model(torch.arange(3, 11))
    (intensities * cotangent.to(intensities.device)).sum().backward()
    gradients = arrays(model, lambda x: x.grad)
    model.zero_grad()
    before = arrays(model, torch.Tensor.detach)
    task.run(1)  # one batch, one step of plain gradient descent
    steps = {key: after - before[key] for key, after in arrays(model, torch.Tensor.detach).items()}
    found |= {f"{name}/pattern/intensities": intensities.detach().cpu().numpy()}
    found |= {f"{name}/gradient/{key}": value for key, value in gradients.items()}
    found |= {f"{name}/step/{key}": value for key, value in steps.items()}
np.savez(seen, **found)
