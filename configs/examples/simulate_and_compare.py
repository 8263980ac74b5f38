# %% [markdown]
# # Simulate, reconstruct, compare
#
# What does a dose do to a reconstruction? The specimen of `configs/simulated.yaml`, a twisted bilayer of WSe2, is
# simulated at two doses, and each data set is reconstructed and compared with the truth. One configuration describes
# both.

# %%
from matplotlib import pyplot

import ptycupy
from ptycupy.analysis import fourier_ring_correlation

CONFIG = "configs/simulated.yaml"
SETTINGS = [
    "simulation.scan_shape=[16, 16]",
    "simulation.phonon_displacement_angstrom=0",  # atoms at rest, as they are in the truth
    "simulation.frozen_phonons=1",
    "reconstruction.iterations=15",
    "optimizer.object_phase=3e-3",
]
DOSES = (1e2, 1e4)  # electrons per square angstrom

# %% [markdown]
# Where a configuration names no data, its `simulation` is run first, into the run's folder. `result.comparison` has
# the phase and the truth as they were compared: registered, on the same pixels, without the rim.

# %%
results, curves = {}, {}
for dose in DOSES:
    name = f"{dose:g} electrons per Å²"
    result = results[name] = ptycupy.reconstruct(
        CONFIG, overrides=[*SETTINGS, f"simulation.dose_per_square_angstrom={dose:g}"]
    )
    compared = result.comparison
    curves[name] = fourier_ring_correlation(compared.image, compared.truth, result.snapshot.pixel_size)
    print(
        f"{name}: correlation {compared.correlation:.3f}, SSIM {compared.ssim:.3f}, "
        f"like the truth down to {curves[name].resolution_angstrom('half_bit'):.2f} Å"
    )

# %%
figure, (known, *panels, judged) = pyplot.subplots(1, 4, figsize=(17.5, 4), layout="constrained")
truth = results[name].comparison.truth
pixel_size = results[name].snapshot.pixel_size
limits = (0.0, truth.max())
ptycupy.plot.image(truth, known, pixel_size=pixel_size, label="rad", limits=limits).set_title("truth")
for axes, (name, result) in zip(panels, results.items(), strict=True):
    image = result.comparison.image
    ptycupy.plot.image(image, axes, pixel_size=pixel_size, label="rad", limits=limits).set_title(name)
ptycupy.plot.ring_correlation(curves, judged)
figure.savefig(result.folder / "doses.png")
pyplot.close(figure)

# %% [markdown]
# More electrons would not bring this one nearer to the truth: without any noise (a dose of `null`) its correlation is
# no higher than at 10000. What is left then is the model's (a few slices and iterations, pixels of 0.2 Å), not the
# counts'.
#
# `ptycupy simulate configs/simulated.yaml --output scan.h5` leaves the data set with its truth as one file.
