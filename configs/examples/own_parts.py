# %% [markdown]
# # A loss, a constraint and a callback of one's own
#
# A detector that is hit by cosmic rays: a few pixels of every pattern are far too bright. A loss that is robust
# against them is written here, with a constraint and a callback, and compared with the usual one. The data are made
# of a known object, so that this needs no file.

# %%
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import pyplot

import ptycupy

random = np.random.default_rng(0)
WINDOW, STEP, SCAN = 32, 4, 6  # px, px, positions
PIXEL, WAVELENGTH = 0.25, 0.0418  # angstrom; 80 kV
ELECTRONS = 1e5  # in a pattern
CEILING = 0.5  # rad

corners = np.array([(STEP * row, STEP * column) for row in range(SCAN) for column in range(SCAN)], np.int32)
y, x = np.mgrid[: WINDOW + STEP * (SCAN - 1), : WINDOW + STEP * (SCAN - 1)]
phase = (0.4 * (np.sin(y / 1.8) * np.sin(x / 2.2) > 0.3))[None, None].astype(np.float32)
truth = ptycupy.State(
    object_amplitude=np.ones_like(phase),
    object_phase=phase,
    probe=ptycupy.make_probe(80, 25.0, (WINDOW, WINDOW), PIXEL, {"C10": -60.0})[None].astype(np.complex64),
    shifts=np.zeros((len(corners), 2), np.float32),
    tilts=np.zeros((1, 2), np.float32),
    slice_thickness=0.0,
)
nothing = np.zeros((len(corners), WINDOW, WINDOW), np.float32)
expected = ptycupy.forward(ptycupy.Problem(nothing, corners, PIXEL, WAVELENGTH), truth, range(len(corners)), "cpu")
patterns = random.poisson(ELECTRONS * expected) / ELECTRONS
hit = random.random(patterns.shape) < 1e-2
patterns[hit] += 0.02  # of the whole beam
problem = ptycupy.Problem(patterns.astype(np.float32), corners, PIXEL, WAVELENGTH)
start = truth.replace(object_phase=np.zeros_like(phase))

# %% [markdown]
# **A loss** names the op that makes it, and what the op looks at: here the model's patterns. The op's `measure` is a
# sum over patterns, so that a batch may be taken in parts; `forward` is given that sum where it is known already, and
# `backward` is the gradient. The square of the amplitudes' difference is what the usual loss has; this one grows like
# its absolute value above `width`. Measured pixels of -1 do not count. Arrays are NumPy here, as they are those of
# the backend.


# %%
@dataclass
class RobustOp:
    measured: np.ndarray  # [n, ky, kx]
    width: float
    size: int  # pixels of the whole batch
    known: np.ndarray | None  # what `measure` gives for the whole batch, where it is taken in parts

    def difference(self, intensity):
        return (np.sqrt(intensity) - np.sqrt(np.maximum(self.measured, 0))) * (self.measured >= 0)

    def measure(self, intensity):
        bend = np.sqrt(1 + (self.difference(intensity) / self.width) ** 2)
        return np.atleast_1d((bend - 1).sum(dtype=np.float64) / self.size)

    def forward(self, intensity):
        return self.measure(intensity) if self.known is None else self.known, intensity

    def backward(self, grad, saved, wanted):
        difference = self.difference(saved)
        slope = difference / self.width**2 / np.sqrt(1 + (difference / self.width) ** 2)
        return (grad * slope / (2 * np.sqrt(saved)) / self.size,)


@dataclass
class Robust:
    width: float  # of the amplitude, of a beam whose intensity is 1
    weight: float = 1.0

    def ops(self, batch, statistics):
        size = batch.total * batch.measured.shape[1] * batch.measured.shape[2]
        known = None if statistics is None else statistics[0]
        return [(RobustOp(batch.measured, self.width, size, known), batch.intensity)]


# %% [markdown]
# Check the gradient before it is used: the largest relative difference from central differences.

# %%
op = RobustOp(random.random((2, 8, 8)), 0.1, 128, None)
errors = ptycupy.check_gradient(op, 0.1 + random.random((2, 8, 8)), dtype="float64")
print("the gradient is right to", max(errors))

# %% [markdown]
# **A constraint** changes the parameters in place after an iteration. What can be done to whole arrays, on the CPU as
# on a GPU, are the methods of the backend (`ptycupy/backends/interface/`).


# %%
@dataclass
class PhaseWithin:
    low: float  # rad
    high: float

    def __call__(self, backend, parameters, context):
        backend.clamp(parameters.object_phase, self.low, self.high, 0.0)


# %% [markdown]
# **A callback** watches a run after every batch, after every iteration, and at its end. This one ends it once the
# loss hardly falls. `ptycupy.reconstruct(config, callbacks=[...])` takes callbacks too.


# %%
class StopWhenFlat(ptycupy.Callback):
    def __init__(self, share, iterations=5):
        self.share, self.iterations = share, iterations

    def on_iteration(self, engine):
        losses = engine.history.total
        if len(losses) > self.iterations:
            before = losses[-1 - self.iterations]
            engine.stop_requested = before - losses[-1] < self.share * before


# %% [markdown]
# The same data with both losses.

# %%
MOST = 80  # iterations
losses = {"usual": {"gaussian": {}}, "robust": {"robust": Robust(3 * 0.5 / ELECTRONS**0.5)}}
engines, off = {}, {}
seen = (slice(WINDOW // 2, -WINDOW // 2),) * 2
for name, loss in losses.items():
    settings = ptycupy.Settings(
        loss,
        learning_rates={"object_phase": 2e-2},
        constraints=[ptycupy.Constraint(PhaseWithin(0.0, CEILING))],
        batch_size=9,
    )
    engine = engines[name] = ptycupy.Engine(problem, start, settings, "cpu")
    engine.run(MOST, [StopWhenFlat(0.02)])
    off[name] = float(np.std((engine.state.object_phase - phase)[0, 0][seen]))  # a constant phase is free
    print(f"{name} loss: {engine.iteration} iterations, phase off by {off[name]:.3f} rad (rms)")

# %%
figure, panels = pyplot.subplots(1, 3, figsize=(13, 4), layout="constrained")
limits = (0.0, CEILING)
ptycupy.plot.image(phase[0, 0][seen], panels[0], pixel_size=PIXEL, label="rad", limits=limits).set_title("truth")
for axes, (name, engine) in zip(panels[1:], engines.items(), strict=True):
    ptycupy.plot.phase(engine, axes, limits=limits).set_title(f"{name} loss: off by {off[name]:.3f} rad")
Path("runs").mkdir(exist_ok=True)
figure.savefig("runs/own_parts.png")
pyplot.close(figure)
