# %% [markdown]
# # A first reconstruction in Python
#
# Run it from the checkout, whole (`python configs/examples/first_reconstruction.py`) or cell by cell: VS Code, Spyder
# and Jupyter with jupytext read the `# %%` marks. The data are a simulated bilayer of WSe2, in `configs/data/`.

# %%
from matplotlib import pyplot

import ptycupy

CONFIG = "configs/multislice_wse2_tuned.yaml"

# %% [markdown]
# The middle of the scan and a few iterations, to see quickly whether all is well. `overrides` change keys of the file
# as `--set` does on the command line; without them it is run as it is.

# %%
result = ptycupy.reconstruct(
    CONFIG,
    overrides=[
        "reconstruction.iterations=6",
        "reconstruction.subscan={mode: centre, shape: [16, 16]}",
        "optimizer.object_phase=4e-3",
        "illumination.modes=2",
    ],
)

# %% [markdown]
# In a notebook a result shows itself: numbers, phase, Fourier transform, probe modes and loss.

# %%
result  # noqa: B018

# %% [markdown]
# Its arrays are NumPy. Object: (mode, slice, y, x), phase in rad. Probe: (mode, y, x). The configuration names a
# truth, so that there are scores too.

# %%
print("object", result.state.object_phase.shape, "probe", result.state.probe.shape)
print("loss of every iteration", [round(loss, 3) for loss in result.history.total])
print("against the truth", {name: round(value, 3) for name, value in result.scores.items()})
for finding in result.findings:
    print("worth mending:", finding.what)

# %% [markdown]
# Pictures into axes of your own: `ptycupy.plot`.

# %%
figure, panels = pyplot.subplots(2, 4, figsize=(17, 7.5), layout="constrained")
(above, below) = panels
ptycupy.plot.phase(result, above[0])
ptycupy.plot.phase(result, above[1], slice=2)
ptycupy.plot.cross_section(result, above[2])
ptycupy.plot.phase_fft(result, above[3], limit=result.information_limit_angstrom)
ptycupy.plot.probe(result, below[0])
ptycupy.plot.probe(result, below[1], mode=0, fourier=True)
ptycupy.plot.positions(result, below[2])
ptycupy.plot.loss(result, below[3])
figure.savefig(result.folder / "mine.png")
pyplot.close(figure)

# %% [markdown]
# The run's folder has all of it: `result.h5`, pictures, `report.html`. Read it back another day.

# %%
again = ptycupy.read_result(result.folder)
print("files in", again.folder)
