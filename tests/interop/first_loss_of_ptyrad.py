"""Run by an interpreter that has PtyRAD: the loss of all positions in one batch before the first step, in JSON.

python first_loss_of_ptyrad.py params.yaml loss.json
"""

import json
import sys

import matplotlib as mpl

mpl.use("Agg")
import numpy as np
import torch
from ptyrad.core import CombinedLoss, PtychoModel
from ptyrad.init import Initializer
from ptyrad.params import load_params
from ptyrad.solver.reconstruction import select_scan_indices

path, out = sys.argv[1:]
params = load_params(path, validate=True)
initializer = Initializer(params["init_params"], seed=0)
initializer.init_all()
variables = initializer.init_variables
model = PtychoModel(variables, params["model_params"], device="cpu")
selected = params["recon_params"]["INDICES_MODE"]
indices = select_scan_indices(variables["N_scan_slow"], variables["N_scan_fast"], selected["subscan_slow"],
                              selected["subscan_fast"], selected["mode"])  # fmt: skip
with torch.no_grad():
    batch = torch.as_tensor(indices)
    predicted = model(batch)
    measured = model.get_measurements(batch)
    patches = model._current_object_patches
    loss_fn = CombinedLoss(params["loss_params"], device="cpu")
    total, terms = loss_fn(predicted, measured, patches[0], patches[1], model.omode_occu)
with open(out, "w") as file:
    json.dump({"total": float(total), "canvas": np.shape(variables["obj"]), "dx": float(variables["dx"]),
               "probe": float(np.sum(np.abs(variables["probe"]) ** 2))}, file)  # fmt: skip
