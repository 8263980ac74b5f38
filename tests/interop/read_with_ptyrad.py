"""Run by an interpreter that has PtyRAD: opens result.h5 as its users do and writes what it saw as .npz.

python read_with_ptyrad.py result.h5 seen.npz
"""

import sys

import matplotlib as mpl

mpl.use("Agg")
import numpy as np
from ptyrad.analysis import Analyzer
from ptyrad.io.load import load_ptyrad

result, seen = sys.argv[1:]
loaded = load_ptyrad(result)
analyzer = Analyzer(result)
analyzer.plot_dashboard(show_fig=False, pass_fig=True)
analyzer.plot_loss(show_fig=False, pass_fig=True)
analyzer.plot_probe(show_fig=False, pass_fig=True)
analyzer.plot_positions(show_fig=False, pass_fig=True)
analyzer.plot_slice_thickness(show_fig=False, pass_fig=True)
np.savez(
    seen,
    obja=loaded["optimizable_tensors"]["obja"],
    slice_thickness=loaded["optimizable_tensors"]["slice_thickness"],
    obj_tilts=loaded["optimizable_tensors"]["obj_tilts"],
    omode_occu=loaded["model_attributes"]["omode_occu"],
    object=analyzer.get_object(),
    object_cropped=analyzer.get_object(fov="crop"),
    phase=analyzer.get_object_phase(),
    probe=analyzer.get_probe(),
    positions=analyzer.get_probe_positions(units="px"),
    positions_angstrom=analyzer.get_probe_positions(units="Ang"),
    loss_iters=analyzer.get_loss_curves()["loss_iters"],
    numbers=[analyzer.dx, analyzer.dk, analyzer.lambd, analyzer.niter, analyzer.nslice, analyzer.omode, analyzer.pmode],
)
