"""Arrays of one batch on a backend, and every op from parameters to the loss and back, as a call without arguments.

On a counting backend the same calls count what they cost: `counted` below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from ptycupy.backends.interface import Array, Backend
from ptycupy.backends.interface.losses import Likelihood, StoredPatterns
from ptycupy.bench.iteration import Point
from ptycupy.data.counts import count_of, pack
from ptycupy.data.source import ArraySource
from ptycupy.experiment.propagation import propagation_tables
from ptycupy.experiment.rows import blur_matrix
from ptycupy.model.tables import upload_rows
from ptycupy.planning import Cost, Counting

OBJECT_MARGIN = 108  # px of the canvas beyond the window
Call = Callable[[], object]


class Scene:
    """Of a Point: its batch, modes, slices and window."""

    def __init__(self, backend: Backend, point: Point) -> None:
        b = self.b = backend
        g = np.random.default_rng(0)
        n, modes, z, side = point.batch, point.modes, point.slices, point.window
        self.window, self.canvas = (side, side), (side + OBJECT_MARGIN, side + OBJECT_MARGIN)
        self.pixels = n * side * side

        def real(*shape: int, low: float = 0.1) -> Array:
            return b.asarray(g.uniform(low, 2, shape).astype(np.float32))

        def wave(*shape: int) -> Array:
            return b.asarray(g.standard_normal((*shape, 2), np.float32).view(np.complex64)[..., 0])

        tables = propagation_tables(self.window, (0.15, 0.15), 0.0418)
        self.tables = [b.asarray(t.astype(np.float32)) for t in (tables.base, tables.aperture, tables.ky, tables.kx)]
        field, patterns = (1, z, *self.canvas), (n, side, side)
        self.amplitude, self.phase = real(*field), real(*field)
        self.grad_object, self.other_object, self.accumulated_object = (wave(*field) for _ in range(3))
        self.accumulated, self.first, self.second = (real(*field) for _ in range(3))
        self.still = b.zeros(field[1:], np.complex64)  # scaled again and again, it stays 0
        self.probe, self.grad_probe = (wave(modes, *self.window) for _ in range(2))
        self.shifts, self.grad_shifts = real(n, 2), real(n, 2)
        self.waves, self.other, self.far = (wave(n, 1, modes, *self.window) for _ in range(3))
        self.products, self.steps = b.asarray(g.uniform(1, 2, (n, 5))), b.asarray(g.uniform(0, 1, 2))
        self.corners = b.asarray(g.integers(0, OBJECT_MARGIN, (n, 2)).astype(np.int32))
        self.indices, self.slots = (b.asarray(np.arange(n, dtype=np.int32)) for _ in range(2))
        at = (self.corners, self.indices)
        self.tilts, self.thickness = real(1, 2), real(1)
        self.transfer = b.transfer_forward(self.tilts, self.thickness, *self.tables)
        self.multislice = b.multislice_forward(self.waves, self.grad_object, self.transfer, *at, False)[1]
        self.grad_transfer = wave(*self.transfer.shape)
        self.half = b.zeros((*self.waves.shape, 2), np.float16), b.asarray(np.ones((n, 1, modes), np.float32))
        self.occupancy, self.two = b.asarray(np.ones(1, np.float32)), b.asarray(np.full(2, 0.5, np.float32))
        self.intensity, self.scale = real(*patterns), real(n)
        self.stored = b.asarray(g.integers(0, 1000, patterns).astype(np.uint16))
        self.mask, self.weights = b.asarray(np.ones(self.window, np.uint8)), b.asarray(np.ones(n, np.uint8))
        self.counts = StoredPatterns(self.stored, self.indices, self.scale, self.mask, self.weights)
        self.measured = self.counts.decoded(b)
        self.small = b.asarray(g.integers(0, 1000, (n, side // 2, side // 2)).astype(np.uint16))
        self.background = real(*self.window)
        counts = ArraySource(g.poisson(500 / side**2, patterns).astype(np.uint8))
        kept = counts, np.ones(self.window, bool), np.ones(n, bool)
        self.packed, self.events = (pack(counts, count_of(*kept), bits, *kept[1:]).moved(b.asarray) for bits in (4, 0))
        self.detector_rows = upload_rows(b, blur_matrix(side, 0.8, 5, "reflect"))
        self.rows = upload_rows(b, blur_matrix(self.canvas[0], 0.8, 5, "reflect"))
        self.likelihood = Likelihood("gaussian", 0.5)
        self.gaussian = b.gaussian_statistics(self.intensity, self.measured, 0.5)
        self.poisson = b.poisson_statistics(self.intensity, self.measured, 1.0, 1e-6)
        self.pacbed = b.pacbed_statistics(self.intensity, self.measured, 0.2)
        self.pacbed_loss = b.pacbed_value(self.pacbed, 0.2)
        self.covered = b.coverage(self.canvas, self.window, *at)
        self.sparsity = b.sparsity_statistics(self.phase, self.covered, 1)
        self.patches = b.patch_forward(self.phase, self.window, *at)
        self.two_modes = b.asarray(g.uniform(0, 1, (n, 2, 1, *self.window)).astype(np.float32))
        self.similarity = b.similarity_statistics(self.two_modes, self.two)
        self.power = b.total_power(self.probe)
        self.depth, self.taps = real(z), wave(z)
        self.ratio = (self.amplitude, self.phase, b.ratio_sums(self.amplitude, self.phase))
        self.spectrum = b.shift_forward(self.probe, self.shifts)[1]

    def calls(self) -> dict[str, Call]:
        """name -> call. Repeated calls keep their arrays finite."""
        b = self.b
        at = (self.corners, self.indices)
        beam = (self.probe, self.shifts, self.grad_object, self.transfer, *at, self.occupancy)
        return {
            "transmission forward": lambda: b.transmission_forward(self.amplitude, self.phase),
            "transmission backward": lambda: b.transmission_backward(
                self.grad_object, self.amplitude, self.phase, None, self.accumulated
            ),
            "shift forward": lambda: b.shift_forward(self.probe, self.shifts),
            "shift backward": lambda: b.shift_backward(
                self.other, self.shifts, self.spectrum, self.grad_probe, self.grad_shifts
            ),
            "transmit forward": lambda: b.transmit_forward(self.waves, self.grad_object, 0, *at),
            "transmit backward": lambda: b.transmit_backward(
                self.other, self.waves, self.grad_object, 0, *at, self.grad_object, needs_waves=True
            ),
            "transfer forward": lambda: b.transfer_forward(self.tilts, self.thickness, *self.tables),
            "propagate forward": lambda: b.propagate_forward(self.waves, self.transfer, 0, False),
            "propagate backward": lambda: b.propagate_backward(self.waves, self.transfer, 0, None, None),
            "multislice forward": lambda: b.multislice_forward(self.waves, self.grad_object, self.transfer, *at, False),
            "multislice backward": lambda: b.multislice_backward(
                self.other, self.multislice, self.grad_object, self.transfer, *at, self.accumulated_object, None, True
            ),
            "half encode": lambda: b.half_encode(self.waves, *self.half),
            "half decode": lambda: b.half_decode(*self.half, self.other),
            "diffraction forward": lambda: b.diffraction_forward(*beam, False),
            "diffraction forward and backward": lambda: b.diffraction_backward(
                self.intensity,
                b.diffraction_forward(*beam, False)[1],
                *beam[1:],
                self.grad_probe,
                self.grad_shifts,
                self.accumulated_object,
                None,
            ),
            "misfit forward and backward": lambda: b.misfit_backward(
                1.0,
                self.gaussian,
                b.misfit_forward(*beam, self.counts, self.likelihood, False)[1],
                *beam[1:],
                self.counts,
                self.likelihood,
                self.grad_probe,
                self.grad_shifts,
                self.accumulated_object,
                None,
            ),
            "misfit forward and backward, with the transfer function's": lambda: b.misfit_backward(
                1.0,
                self.gaussian,
                b.misfit_forward(*beam, self.counts, self.likelihood, True)[1],
                *beam[1:],
                self.counts,
                self.likelihood,
                self.grad_probe,
                self.grad_shifts,
                self.accumulated_object,
                self.grad_transfer,
            ),
            "far field backward": lambda: b.far_field_backward(self.waves),
            "far field forward": lambda: b.far_field_forward(self.waves),
            "intensity forward": lambda: b.intensity_forward(self.waves, self.occupancy),
            "intensity backward": lambda: b.intensity_backward(self.intensity, self.other, self.occupancy),
            "axis filter (lateral blur, y)": lambda: b.axis_filter(self.phase[0], self.rows.indices, self.rows.weights),
            "patch forward": lambda: b.patch_forward(self.phase, self.window, *at),
            "patch backward": lambda: b.patch_backward(self.patches, *at, self.accumulated),
            "patterns (uint16)": lambda: b.patterns(self.stored, self.indices, self.scale, self.mask, self.weights),
            "patterns (uint16, padded)": lambda: b.patterns(
                self.small, self.indices, self.scale, self.mask, self.weights, self.background
            ),
            "patterns (4 bits per pixel)": lambda: b.packed_patterns(
                self.packed, self.indices, self.scale, self.mask, self.weights
            ),
            "patterns (events, 500 electrons)": lambda: b.packed_patterns(
                self.events, self.indices, self.scale, self.mask, self.weights
            ),
            "patterns (uint16, in slots)": lambda: b.patterns(
                self.stored, self.indices, self.scale, self.mask, self.weights, None, self.slots
            ),
            "set slots": lambda: b.set_slots(self.slots, self.indices, 0),
            "counted filter (resampling, y)": lambda: b.counted_filter(
                self.measured, self.detector_rows.indices, self.detector_rows.weights
            ),
            "gaussian statistics": lambda: b.gaussian_statistics(self.intensity, self.measured, 0.5),
            "gaussian value": lambda: b.gaussian_value(self.gaussian),
            "gaussian scale": lambda: b.gaussian_scale(self.gaussian),
            "poisson scale": lambda: b.poisson_scale(self.poisson),
            "poisson value": lambda: b.poisson_value(self.poisson),
            "sparsity value": lambda: b.sparsity_value(self.sparsity, self.occupancy, self.pixels, 1),
            "similarity value": lambda: b.similarity_value(self.similarity, self.pixels),
            "gaussian gradient": lambda: b.gaussian_gradient(self.intensity, self.measured, 0.5, self.gaussian, 1.0),
            "poisson gradient": lambda: b.poisson_gradient(
                self.intensity, self.measured, 1.0, 1e-06, self.poisson, 1.0
            ),
            "pacbed gradient": lambda: b.pacbed_gradient(self.measured, 0.2, self.pacbed, self.pacbed_loss, 1.0),
            "coverage": lambda: b.coverage(self.canvas, self.window, *at),
            "sparsity gradient": lambda: b.sparsity_gradient(
                self.phase, self.covered, 1, self.sparsity, self.occupancy, self.pixels, 1.0, self.accumulated
            ),
            "adam (one object field)": lambda: b.adam(
                self.amplitude, self.phase, self.first, self.second, 0.0, 10, 0.9, 0.999, 1e-08
            ),
            "take forward": lambda: b.take_forward(self.shifts, self.indices),
            "take backward": lambda: b.take_backward(self.shifts, self.indices, self.grad_shifts),
            "transfer backward": lambda: b.transfer_backward(
                self.transfer,
                self.transfer,
                self.tilts,
                self.thickness,
                self.tables[0],
                self.tables[2],
                self.tables[3],
                self.grad_shifts[:1],
                self.thickness,
            ),
            "poisson statistics": lambda: b.poisson_statistics(self.intensity, self.measured, 1.0, 1e-06),
            "pacbed statistics": lambda: b.pacbed_statistics(self.intensity, self.measured, 0.2),
            "sparsity statistics": lambda: b.sparsity_statistics(self.phase, self.covered, 1),
            "similarity statistics": lambda: b.similarity_statistics(self.two_modes, self.two),
            "similarity gradient": lambda: b.similarity_gradient(self.two_modes, self.two, 1.0),
            "relax": lambda: b.relax(self.first, self.second, 0.5),
            "rescale power": lambda: b.rescale_power(self.probe, self.power, 1.0),
            "recentre": lambda: b.recentre(self.shifts, 0.0),
            "reanchor": lambda: b.reanchor(self.shifts, self.corners),
            "count nonfinite": lambda: b.count_nonfinite(self.phase),
            "clamp": lambda: b.clamp(self.amplitude, 0.9, 1.1, 0.0),
            "orthogonalise": lambda: b.orthogonalise(self.probe),
            "total power": lambda: b.total_power(self.probe),
            "pack": lambda: b.pack(self.phase),
            "unpack": lambda: b.unpack(self.first, self.grad_object),
            "spectral filter": lambda: b.spectral_filter(self.grad_object, self.phase),
            "spectral wedge": lambda: b.spectral_wedge(self.grad_object, self.depth, 1.0, 1.0),
            "cosine forward": lambda: b.cosine_forward(self.phase),
            "cosine backward": lambda: b.cosine_backward(self.phase),
            "ranked": lambda: b.ranked(self.phase, self.phase.size // 20, True),
            "suppress": lambda: b.suppress(self.first, self.depth),
            "denoise": lambda: b.denoise(self.first, 0.001, 0.001, 1),
            "depth shift": lambda: b.depth_shift(self.first, self.second, self.taps),
            "wave moments": lambda: b.wave_moments(self.probe),
            "plane moments": lambda: b.plane_moments(self.phase[0], (0, 0), self.canvas),
            "ratio sums": lambda: b.ratio_sums(self.amplitude, self.phase),
            "apply ratio": lambda: b.apply_ratio(self.first, None, *self.ratio, 1.0, 0.0),
            "mirror": lambda: b.mirror(self.first, self.phase, 0.03, 4.0, 0.1),
            "subtract ramp": lambda: b.subtract_ramp(self.first[0], 0.0, (0.0, 0.0), (0.0, 0.0)),
            "modulate": lambda: b.modulate(self.probe, (0.1, 0.1), (0.0, 0.0)),
            "scale": lambda: b.scale(self.first, 1.0),
            "lsqml residual": lambda: b.lsqml_residual(self.intensity, self.measured),
            "lsqml window power": lambda: b.lsqml_window_power(
                self.intensity[0], self.amplitude, self.occupancy, None, *at
            ),
            "lsqml direction": lambda: b.lsqml_direction(self.still, self.amplitude[0, 0], 0.1),
            "lsqml products": lambda: b.lsqml_products(
                self.waves, self.other, self.far, self.intensity, self.occupancy
            ),
            "lsqml steps": lambda: b.lsqml_steps(self.products),
            "lsqml object": lambda: b.lsqml_object(
                self.first, self.second, self.amplitude, self.phase, self.other_object, self.steps, 0.001, 0.001
            ),
            "lsqml probe": lambda: b.lsqml_probe(self.probe, self.grad_probe, self.steps, 0.001),
        }


def counted(scene: Any) -> Callable[[str], Cost]:
    """What calls cost, by name, of a scene on a counting backend."""
    ledger, calls = cast(Counting, scene.b).ledger, scene.calls()

    def cost(name: str) -> Cost:
        ledger.take()
        with scene.b.arena():
            calls[name]()
        return ledger.total

    return cost


__all__ = ["Call", "Scene", "counted"]
