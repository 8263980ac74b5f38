"""Run by an interpreter that has py4DSTEM: reconstructs a little scan and saves it with its own `save`.

python write_with_py4dstem.py single|mixed file.h5 seen.npz
"""

import sys

import numpy as np
import py4DSTEM
from py4DSTEM.process.phase import MixedstateMultislicePtychography, SingleslicePtychography

kind, path, seen = sys.argv[1:]
y, x = np.indices((16, 16)) - 8
patterns = np.random.default_rng(0).poisson(1, (4, 5, 16, 16)) + 100.0 * (np.hypot(y, x) < 4)
cube = py4DSTEM.DataCube(patterns.astype("f4"))
cube.calibration.set_R_pixel_size(1.0)
cube.calibration.set_R_pixel_units("A")
cube.calibration.set_Q_pixel_size(0.2)
cube.calibration.set_Q_pixel_units("A^-1")
several = {"num_probes": 2, "num_slices": 3, "slice_thicknesses": [10.0, 12.0], "theta_x": 3.0, "theta_y": -2.0}
kinds = {"single": (SingleslicePtychography, {}), "mixed": (MixedstateMultislicePtychography, several)}
program, options = kinds[kind]
found = program(datacube=cube, energy=80e3, semiangle_cutoff=16.0, defocus=50, verbose=False, **options)
quiet = {"plot_center_of_mass": False, "plot_rotation": False, "plot_probe_overlaps": False}
found.preprocess(force_com_rotation=0.0, force_com_transpose=False, **quiet)
found.reconstruct(num_iter=2, progress_bar=False, reset=True)
py4DSTEM.save(path, found, mode="o")
np.savez(seen, object=found._object, probe=found.probe_centered, positions=found._positions_px, sampling=found.sampling)
