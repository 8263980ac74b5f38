"""Runs py4DSTEM 0.14 in its own interpreter: one JSON line in (a job), one JSON line out (seconds, or why not).

Started by against_others.py. MixedstateMultislicePtychography by stochastic gradient descent, without Adam, which it
does not have. Everything that py4DSTEM prints goes to stderr.
"""

from __future__ import annotations

import time

# What py4DSTEM cannot be asked for, or does in another way.
DIFFERENCES = (
    "gradient descent with a step of 0.5 on projected exit waves, not Adam on a loss; no L1",
    "no limits of the amplitude: a potential (pure phase) with positivity",
    "Gaussian filters over the object and over depth (kz) once per iteration instead of blurs by kernels of 5 px",
    "positions by its own gradient step",
)


def run(job: dict) -> dict:
    """Seconds of a job's iterations; each is timed by the call that prepares the object's constraints after it."""
    import h5py
    import numpy as np
    import py4DSTEM
    from py4DSTEM.process.phase import MixedstateMultislicePtychography

    pixel, window, scan = 0.1494, 128, job["scan"]
    with h5py.File(job["data"]) as file:
        patterns = file["dp"][...].reshape(scan, scan, window, window).astype(np.float32)
    cube = py4DSTEM.DataCube(data=patterns)
    cube.calibration.set_R_pixel_size(0.429)
    cube.calibration.set_R_pixel_units("A")
    cube.calibration.set_Q_pixel_size(1 / (window * pixel))
    cube.calibration.set_Q_pixel_units("A^-1")
    model = MixedstateMultislicePtychography(
        energy=80e3,
        num_slices=job["slices"],
        slice_thicknesses=2.0,
        num_probes=job["modes"],
        datacube=cube,
        semiangle_cutoff=24.9,
        object_type="potential",
        verbose=False,
        device="cpu",
    )
    model.preprocess(
        plot_center_of_mass=False, plot_rotation=False, plot_probe_overlaps=False,
        force_com_rotation=0.0, force_com_transpose=False,
    )  # fmt: skip
    ends = [time.perf_counter()]
    constrain = model._constraints

    def timed(*arguments: object, **keywords: object) -> object:
        result = constrain(*arguments, **keywords)
        ends.append(time.perf_counter())
        return result

    model._constraints = timed
    model.reconstruct(
        num_iter=job["iterations"],
        max_batch_size=job["batch"],
        seed_random=job["seed"],
        fix_positions=False,
        gaussian_filter_sigma=0.4 * pixel,
        kz_regularization_gamma=1.0,
        butterworth_filter=False,
        tv_denoise=False,
        tv_denoise_chambolle=False,
        object_positivity=True,
        progress_bar=False,
        reset=True,
    )
    seconds = [later - earlier for earlier, later in zip(ends, ends[1:], strict=False)]
    return {"seconds": seconds, "versions": {"py4DSTEM": py4DSTEM.__version__}, "differences": DIFFERENCES}


if __name__ == "__main__":
    from ptyrad_worker import answer_jobs

    answer_jobs(run)
