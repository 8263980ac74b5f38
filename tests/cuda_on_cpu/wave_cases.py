"""Cases of the methods between the parameters and the intensities."""

from __future__ import annotations

import numpy as np

from cuda_on_cpu.scene import Outputs, Scene
from ptycupy.backends.interface import Backend
from ptycupy.backends.interface.losses import Likelihood, Measured, StoredPatterns
from ptycupy.data.counts import count_of, pack
from ptycupy.model.storage import as_source


def take(b: Backend, s: Scene) -> Outputs:
    table, indices = s.draw(b, "table", s.total, 2), s.indices(b)
    grad_table = s.draw(b, "start", s.total, 2)
    b.take_backward(s.draw(b, "grad", s.n, 2), indices, grad_table)
    return {"rows": b.to_host(b.take_forward(table, indices)), "grad_table": b.to_host(grad_table)}


def transmission(b: Backend, s: Scene) -> Outputs:
    shape = s.o, s.z, *s.canvas
    amplitude, phase = s.draw(b, "amplitude", *shape, low=0.5), s.draw(b, "phase", *shape, low=-4, high=4)
    grad = s.draw_complex(b, "grad", *shape)
    grads = [s.draw(b, name, *shape) for name in ("start amplitude", "start phase", "only amplitude", "only phase")]
    b.transmission_backward(grad, amplitude, phase, grads[0], grads[1])
    b.transmission_backward(grad, amplitude, phase, grads[2], None)
    b.transmission_backward(grad, amplitude, phase, None, grads[3])
    return {
        "transmission": b.to_host(b.transmission_forward(amplitude, phase)),
        **{f"grad {i}": b.to_host(grad) for i, grad in enumerate(grads)},
    }


def shift(b: Backend, s: Scene) -> Outputs:
    probe, shifts = s.draw_complex(b, "probe", s.p, *s.window), s.draw(b, "shifts", s.n, 2, low=-3, high=3)
    waves, saved = b.shift_forward(probe, shifts)
    outputs = {"waves": b.to_host(waves)}
    grad_probe, grad_shifts = s.draw_complex(b, "start", s.p, *s.window), s.draw(b, "start", s.n, 2)
    for name, target, other in (
        ("both", grad_probe, grad_shifts),
        ("probe", grad_probe, None),
        ("shifts", None, grad_shifts),
    ):
        b.shift_backward(s.draw_complex(b, "grad", s.n, 1, s.p, *s.window), shifts, saved, target, other)
        outputs[f"grad_probe {name}"] = b.to_host(grad_probe).copy()
        outputs[f"grad_shifts {name}"] = b.to_host(grad_shifts).copy()
    return outputs


def transmit(b: Backend, s: Scene) -> Outputs:
    transmission, corners, indices = s.draw_complex(b, "object", s.o, s.z, *s.canvas), s.corners(b), s.indices(b)
    outputs = {}
    for modes in {1, s.o}:
        for index in {0, s.z - 1}:
            waves = s.draw_complex(b, "waves", s.n, modes, s.p, *s.window)
            exits = b.transmit_forward(waves, transmission, index, corners, indices)
            outputs[f"exits {modes} {index}"] = b.to_host(exits)
            for grad_object, needs_waves in ((True, True), (True, False), (False, True)):
                target = s.draw_complex(b, "start", s.o, s.z, *s.canvas)
                grad = b.transmit_backward(
                    s.draw_complex(b, "grad", s.n, s.o, s.p, *s.window),
                    waves,
                    transmission,
                    index,
                    corners,
                    indices,
                    target if grad_object else None,
                    needs_waves,
                )
                key = f"{modes} {index} {grad_object} {needs_waves}"
                outputs[f"grad_transmission {key}"] = b.to_host(target)
                assert (grad is not None) == needs_waves
                if grad is not None:
                    outputs[f"grad_waves {key}"] = b.to_host(grad)
    return outputs


def transfer(b: Backend, s: Scene) -> Outputs:
    height, width = s.window
    tilts, thickness = s.draw(b, "tilts", s.t, 2, low=-9, high=9), s.draw(b, "gaps", s.gaps, low=2, high=12)
    base, aperture = s.draw(b, "base", height, width, low=-0.5, high=0), s.draw(b, "aperture", height, width, low=0)
    ky, kx = s.draw(b, "ky", height, low=-9, high=9), s.draw(b, "kx", width, low=-9, high=9)
    result = b.transfer_forward(tilts, thickness, base, aperture, ky, kx)
    grad = s.draw_complex(b, "grad", s.gaps, s.t, height, width)
    outputs = {"transfer": b.to_host(result)}
    for name, wants_tilts, wants_thickness in (("both", 1, 1), ("tilts", 1, 0), ("thickness", 0, 1)):
        grad_tilts, grad_thickness = s.draw(b, "start", s.t, 2), s.draw(b, "start", s.gaps)
        b.transfer_backward(
            grad,
            result,
            tilts,
            thickness,
            base,
            ky,
            kx,
            grad_tilts if wants_tilts else None,
            grad_thickness if wants_thickness else None,
        )
        outputs[f"grad_tilts {name}"] = b.to_host(grad_tilts)
        outputs[f"grad_thickness {name}"] = b.to_host(grad_thickness)
    return outputs


def propagate(b: Backend, s: Scene) -> Outputs:
    shape = s.n, s.o, s.p, *s.window
    transfer = s.draw_complex(b, "transfer", s.gaps, s.t, *s.window)
    gap = s.gaps - 1
    waves, nothing = b.propagate_forward(s.draw_complex(b, "waves", *shape), transfer, gap, False)
    kept, saved = b.propagate_forward(s.draw_complex(b, "waves", *shape), transfer, gap, True)
    assert nothing is None
    grad_transfer = s.draw_complex(b, "start", s.gaps, s.t, *s.window)
    outputs = {"waves": b.to_host(waves), "kept": b.to_host(kept)}
    grad = b.propagate_backward(s.draw_complex(b, "grad", *shape), transfer, gap, saved, grad_transfer)
    plain = b.propagate_backward(s.draw_complex(b, "grad", *shape), transfer, gap, None, None)
    return {
        **outputs,
        "grad_waves": b.to_host(grad),
        "grad_waves alone": b.to_host(plain),
        "grad_transfer": b.to_host(grad_transfer),
    }


def multislice(b: Backend, s: Scene) -> Outputs:
    transmission, where = s.draw_complex(b, "object", s.o, s.z, *s.canvas), (s.corners(b), s.indices(b))
    outputs = {}
    for gaps in {1, max(s.z - 1, 1)}:
        transfer = s.draw_complex(b, f"transfer {gaps}", gaps, s.t, *s.window)
        for states in {1, s.o}:
            waves = s.draw_complex(b, "waves", s.n, states, s.p, *s.window)
            for wanted in ("waves transmission", "transmission", "waves", "transfer", "waves transmission transfer"):
                keep = "transfer" in wanted
                exits, saved = b.multislice_forward(waves, transmission, transfer, *where, keep)
                key = f"{gaps} {states} {wanted}"
                outputs[f"exits {key}"] = b.to_host(exits).copy()
                target = s.draw_complex(b, "start", s.o, s.z, *s.canvas)
                of_transfer = s.draw_complex(b, "start", *transfer.shape)
                grad = b.multislice_backward(
                    s.draw_complex(b, "grad", s.n, s.o, s.p, *s.window),
                    saved,
                    transmission,
                    transfer,
                    *where,
                    target if "transmission" in wanted else None,
                    of_transfer if keep else None,
                    "waves" in wanted,
                )
                outputs[f"grad_transmission {key}"] = b.to_host(target)
                outputs[f"grad_transfer {key}"] = b.to_host(of_transfer)
                assert (grad is not None) == ("waves" in wanted)
                if grad is not None:
                    outputs[f"grad_waves {key}"] = b.to_host(grad)
    return outputs


def half(b: Backend, s: Scene) -> Outputs:
    """Normal and subnormal halves, ties, empty waves, and values that are not finite."""
    waves = b.to_host(s.draw_complex(b, "waves", s.n, s.o, s.p, *s.window)).astype(np.complex64)
    waves *= np.float32(2) ** s.random("scales").integers(-80, 80, (s.n, s.o, s.p, 1, 1)).astype(np.float32)
    waves.real *= np.float32(2) ** s.random("spread").integers(-40, 1, waves.shape).astype(np.float32)
    waves[0, 0, 0] = 0
    outputs = {}
    for name in ("finite", "not finite"):
        if name == "not finite":
            waves[-1, -1, -1].flat[0], waves[-1, 0, -1].flat[-1] = complex(np.nan, 1), complex(1, -np.inf)
        halves, scales = b.empty((*waves.shape, 2), np.float16), b.empty(waves.shape[:-2], b.real)
        b.half_encode(b.asarray(waves.astype(b.complex)), halves, scales)
        decoded = b.zeros(waves.shape, b.complex)
        b.half_decode(halves, scales, decoded)
        # Waves differ by many orders of magnitude: halves, exponents and ratios are of one.
        exponents = np.log2(b.to_host(scales).astype(np.float64))
        ratios = np.stack([part(b.to_host(decoded)) for part in (np.real, np.imag)], -1).astype(np.float64)
        ratios /= np.exp2(exponents)[..., None, None, None]
        outputs[f"exponents {name}"] = exponents
        for kind, values in (("halves", b.to_host(halves).astype(np.float64)), ("decoded", ratios)):
            outputs[f"{kind} {name}"] = np.nan_to_num(values, nan=-1, posinf=-2, neginf=-3)
    return outputs


WANTED = (
    "probe shifts transmission transfer",
    "probe shifts transmission",
    "transmission",
    "shifts",
    "probe",
    "transfer",
)


def diffraction(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    probe, shifts = s.draw_complex(b, "probe", s.p, *s.window), s.draw(b, "shifts", s.n, 2, low=-2, high=2)
    where, occupancy = (s.corners(b), s.indices(b)), s.occupancy(b)
    for gaps in {0, 1, max(s.z - 1, 1)}:
        transfer = s.draw_complex(b, f"transfer {gaps}", gaps, s.t, *s.window) if gaps else None
        transmission = s.draw_complex(b, f"object {gaps}", s.o, s.z if gaps else 1, *s.canvas)
        for wanted in WANTED:
            arrays = (transmission, transfer, *where, occupancy)
            keep = gaps > 0 and "transfer" in wanted
            intensity, saved = b.diffraction_forward(probe, shifts, *arrays, keep)
            outputs[f"intensity {gaps} {wanted}"] = b.to_host(intensity).copy()
            grads = {
                "probe": s.draw_complex(b, "start", *probe.shape),
                "shifts": s.draw(b, "start", s.n, 2),
                "transmission": s.draw_complex(b, "start", *transmission.shape),
                "transfer": s.draw_complex(b, "start", *((1,) if transfer is None else transfer.shape)),
            }
            targets = [grad if name in wanted.split() else None for name, grad in grads.items()]
            targets[-1] = targets[-1] if keep else None
            grad = s.draw(b, "grad", s.n, *s.window)
            b.diffraction_backward(grad, saved, shifts, *arrays, *targets)
            outputs |= {f"grad_{name} {gaps} {wanted}": b.to_host(target) for name, target in grads.items()}
    return outputs


def misfit(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    probe, shifts = s.draw_complex(b, "probe", s.p, *s.window), s.draw(b, "shifts", s.n, 2, low=-2, high=2)
    where, occupancy, measured = (s.corners(b), s.indices(b)), s.occupancy(b), s.measured(b)
    for gaps, likelihood in (
        (max(s.z - 1, 1), Likelihood("gaussian", 0.5)),
        (1, Likelihood("gaussian", 0.3)),
        (0, Likelihood("poisson", 1.0, 1e-6)),
    ):
        transfer = s.draw_complex(b, f"transfer {gaps}", gaps, s.t, *s.window) if gaps else None
        transmission = s.draw_complex(b, f"object {gaps}", s.o, s.z if gaps else 1, *s.canvas)
        for wanted in WANTED:
            arrays = (transmission, transfer, *where, occupancy, measured, likelihood)
            keep = gaps > 0 and "transfer" in wanted
            statistics, saved = b.misfit_forward(probe, shifts, *arrays, keep)
            outputs[f"statistics {gaps} {wanted}"] = b.to_host(statistics).copy()
            grads = {
                "probe": s.draw_complex(b, "start", *probe.shape),
                "shifts": s.draw(b, "start", s.n, 2),
                "transmission": s.draw_complex(b, "start", *transmission.shape),
                "transfer": s.draw_complex(b, "start", *((1,) if transfer is None else transfer.shape)),
            }
            targets = [grad if name in wanted.split() else None for name, grad in grads.items()]
            targets[-1] = targets[-1] if keep else None
            b.misfit_backward(0.7, statistics, saved, shifts, *arrays, *targets)
            outputs |= {f"grad_{name} {gaps} {wanted}": b.to_host(target) for name, target in grads.items()}
    return outputs


def misfit_of_stored(b: Backend, s: Scene) -> Outputs:
    """Patterns in every form, each with another likelihood, of one slice and of several."""
    outputs = {}
    probe, shifts = s.draw_complex(b, "probe", s.p, *s.window), s.draw(b, "shifts", s.n, 2, low=-2, high=2)
    where, occupancy = (s.corners(b), s.indices(b)), s.occupancy(b)
    likelihoods = (
        Likelihood("gaussian", 0.5), Likelihood("poisson", 1.0, 1e-6), Likelihood("poisson", 0.5, 1e-3),
        Likelihood("gaussian", 0.3), Likelihood("gaussian", 1.0),
    )  # fmt: skip
    for (name, measured), likelihood in zip(_measured_forms(b, s).items(), likelihoods, strict=True):
        slices = 1 if name == "packed" else s.z
        transfer = s.draw_complex(b, "transfer", 1, s.t, *s.window) if slices > 1 else None
        transmission = s.draw_complex(b, "object", s.o, slices, *s.canvas)
        arrays = (transmission, transfer, *where, occupancy, measured, likelihood)
        statistics, saved = b.misfit_forward(probe, shifts, *arrays, False)
        outputs[f"statistics {name}"] = b.to_host(statistics).copy()
        grads = {
            "probe": s.draw_complex(b, "start", *probe.shape),
            "shifts": s.draw(b, "start", s.n, 2),
            "transmission": s.draw_complex(b, "start", *transmission.shape),
        }
        b.misfit_backward(0.7, statistics, saved, shifts, *arrays, *grads.values(), None)
        outputs |= {f"grad_{field} {name}": b.to_host(grad) for field, grad in grads.items()}
    return outputs


def _measured_forms(b: Backend, s: Scene) -> dict[str, Measured]:
    """What patterns of s.window px come as."""
    rng = s.random("forms")
    mask = b.asarray((rng.random(s.window) < 0.8).astype(np.uint8))
    weights = b.asarray((np.arange(s.total) != 1).astype(np.uint8))
    how = s.draw(b, "scale", s.total, low=0.1, high=2), mask, weights
    counts = rng.poisson(2.0, (s.total, *s.window)).astype(np.uint16)
    counts.flat[::5] = 300
    slots = rng.permutation(s.total + 2)[: s.total].astype(np.int32)
    slotted = np.zeros((s.total + 2, *s.window), np.uint16)
    slotted[slots] = counts
    small = rng.uniform(0, 3, (s.total, *(max(length - 3, 1) for length in s.window))).astype(np.float16)
    small.flat[::7] = np.nan
    around, every = s.draw(b, "background", *s.window, low=0, high=1), np.ones(s.total, bool)
    census = count_of(as_source(counts), np.ones(s.window, bool), every)
    packed, listed = (
        pack(as_source(counts), census, bits, np.ones(s.window, bool), every).moved(b.asarray) for bits in (4, 0)
    )
    return {
        "decoded": s.measured(b),
        "in slots": StoredPatterns(b.asarray(slotted), s.indices(b), *how, slots=b.asarray(slots)),
        "padded": StoredPatterns(b.asarray(small), s.indices(b), *how, around),
        "packed": StoredPatterns(packed, s.indices(b), *how),
        "events": StoredPatterns(listed, s.indices(b), *how),
    }


def far_field(b: Backend, s: Scene) -> Outputs:
    shape = s.n, s.o, s.p, *s.window
    return {
        "waves": b.to_host(b.far_field_forward(s.draw_complex(b, "waves", *shape))),
        "grad_waves": b.to_host(b.far_field_backward(s.draw_complex(b, "grad", *shape))),
    }


def intensity(b: Backend, s: Scene) -> Outputs:
    waves, occupancy = s.draw_complex(b, "waves", s.n, s.o, s.p, *s.window), s.occupancy(b)
    outputs = {"intensity": b.to_host(b.intensity_forward(waves, occupancy))}
    grad = b.intensity_backward(s.draw(b, "grad", s.n, *s.window), waves, occupancy)
    return {**outputs, "grad_waves": b.to_host(grad)}


def axis_filter(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for axis, shape in enumerate(((1, s.z, 70), (s.n, s.window[0], s.window[1]), (s.n * s.z, s.window[1], 1))):
        rows = shape[1] + 1
        indices = s.random(f"taps {axis}").integers(0, shape[1], (rows, 3)).astype(np.int32)
        weights = s.draw(b, f"weights {axis}", rows, 3)
        values = s.draw(b, f"values {axis}", *shape)
        outputs[f"axis {axis}"] = b.to_host(b.axis_filter(values, b.asarray(indices), weights))
    return outputs


def patch(b: Backend, s: Scene) -> Outputs:
    corners, indices = s.corners(b), s.indices(b)
    patches = b.patch_forward(s.draw(b, "field", s.o, s.z, *s.canvas), s.window, corners, indices)
    grad_field = s.draw(b, "start", s.o, s.z, *s.canvas)
    b.patch_backward(s.draw(b, "grad", s.n, s.o, s.z, *s.window), corners, indices, grad_field)
    return {"patches": b.to_host(patches), "grad_field": b.to_host(grad_field)}
