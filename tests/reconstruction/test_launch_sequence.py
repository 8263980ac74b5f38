"""What a device does in one whole iteration, launch by launch: without graphs, and as graphs replay it.

Kernels are written as `name grid scalars`. The object has 3 slices of 15 x 14 px (630 numbers), the probe 2 modes of
8 x 8 px (64); 5 positions, one tilt for all.
"""

from __future__ import annotations

import numpy as np
import pytest
from cuda_on_cpu.host_device import HostDevice
from scenes import random_scene

from ptycupy import Constraint, Engine, Settings
from ptycupy.backends.cuda import CudaBackend

RATES = {"object_amplitude": 1e-2, "object_phase": 1e-2, "probe": 1e-3, "shifts": 1e-3}
SLICES = 3


def of_batch(n):
    """An update with the loss of n patterns."""
    transmit = "1 1 2 15 14 8 8"
    there = [
        "fft",
        f"shift_forward {n} 0.015625 2 8 8",
        "inverse fft",
        f"transmit_forward {n} 0 3 {transmit}",
        *("fft", f"propagate_forward {n} 0.015625 1 2 64", "inverse fft", f"transmit_forward {n} 1 3 {transmit}"),
        *("fft", f"propagate_forward {n} 0.015625 1 2 64", "inverse fft", f"transmit_forward {n} 2 3 {transmit}"),
        "fft",
        f"residual {n} 0 0 8 8 8 8 0 0.5 0 0.015625 1 2",
    ]
    loss = [
        f"reduce 3 {n} 3",
        "gaussian_value 1",
        "add 1 1",
        "clear",  # of the batch's gradient of the shifts
        "gaussian_scale 1",
    ]
    back = [
        f"intensity_backward {n} 0.015625 1 2 64",
        "inverse fft",
        f"transmit_backward {n} 2 3 {transmit}",
        *("fft", f"propagate_backward {n} 0.015625 1 1 2 64", "inverse fft", f"transmit_backward {n} 1 3 {transmit}"),
        *("fft", f"propagate_backward {n} 0.015625 1 1 2 64", "inverse fft", f"transmit_backward {n} 0 3 {transmit}"),
        "fft",
        f"shift_backward_probe 2 0.015625 {n} 2 8 8",
        "inverse fft",
        "add 1 128",
        f"shift_backward_shifts {n} 0.015625 2 8 8 1",
        f"reduce_add {2 * n} 1 2",
        f"take_backward 1 2 {2 * n}",
        "transmission_backward 3 630",
    ]
    sparsity = [
        "clear",
        f"coverage {n} 14 8 8",
        "sparsity_statistics 1 1 210 630 1",
        "reduce 1 1 1",
        f"sparsity_value 1 {192 * n} 1 1",
        "add 1 1",
        f"sparsity_gradient 3 {192 * n} 0.1 1 210 630 630",
    ]
    return [
        *["clear"] * 5,  # gradients and values
        "transmission_forward 3 630",
        "transfer_forward 2 1 8 8",
        "clear",  # the gradient of the transmission
        *sparsity,
        f"take_forward 1 2 {2 * n}",
        "copy",
        *there,
        *loss,
        *back,
        *(f"adam {blocks} {{}} 0.9 0.1 0.999 0.001 1e-08 0 1 {count}" for blocks, count in ADAMS),
    ]


ADAMS = ((3, 630), (3, 630), (1, 256), (1, 10))  # blocks and real numbers of amplitude, phase, probe, shifts
FIELDS = (630, 630, 128, 10, 2, 2)
AFTER = [
    *(line for count in FIELDS for line in ("clear", f"count_nonfinite {-(-count // 256)} {count}")),
    "transmission_forward 3 630",
    *("total_power 1 630 1", "reduce 1 1 1", "total_power 1 128 1", "reduce 1 1 1"),
    *["copy"] * 10,  # powers, shifts, counts and losses, for the download at the end
    *["copy"] * 2,  # shifts and corners, in front of what a divergence would take back
    *("orthogonalise_gram 4 2 64 1", "reduce 8 1 2", "orthogonalise_eigen 1 2", "orthogonalise_rotate 2 2 64", "copy"),
    "clamp 3 0 inf 0 1 630",
    "reanchor 1 5",
    *["copy"] * 3,  # thickness, tilt and the limits of the corners, for the same download
]


def line(work):
    """Name, grid where it is a kernel, and scalars."""
    if not work.grid:
        return work.name
    scalars = [a for a in work.arguments if isinstance(a, np.generic)]
    return " ".join([work.name, str(work.grid), *(f"{float(s):.6g}" for s in scalars)])


def iteration(kernel_folder, graphs):
    """The third iteration of an engine: what the device did, and the host's calls."""
    problem, state = random_scene(positions=5, window=(8, 8), object_modes=1, slices=SLICES, tilt_per_position=False)
    settings = Settings(
        {"gaussian": {}, "sparsity": {}},
        learning_rates=RATES,
        batch_size=2,
        constraints=[Constraint("orthogonal_probe"), Constraint("positive_phase")],
    )
    device = HostDevice(kernel_folder)
    engine = Engine(problem, state, settings, CudaBackend(device, graphs=graphs))
    engine.run(2)
    device.done = []
    device.calls.clear()
    engine.run(1)
    return [work for work in device.done if work.name != "garbage"], device.calls


@pytest.fixture(scope="module")
def runs(kernel_folder):
    """Each mode's iteration."""
    return {graphs: iteration(kernel_folder, graphs) for graphs in ("off", "on")}


def adam_lines(batch, step, graphs):
    """A batch with the numbers that its Adam steps are given: of the host, or the ones that a graph does not use."""
    lines, rates = [], iter(RATES.values())
    for text in of_batch(batch):
        if text.startswith("adam"):
            size, root = next(rates) / (1 - 0.9**step), (1 - 0.999**step) ** -0.5
            text = text.format("0 31.6228" if graphs else f"{size:.6g} {root:.6g}")
        lines.append(text)
    return lines


@pytest.mark.parametrize("graphs", ["off", "on"])
def test_launches_of_an_iteration(runs, graphs):
    """Three updates of 2, 2 and 1 patterns (Adam's steps 7 to 9), then constraints and what the host reads."""
    done, _ = runs[graphs]
    on = graphs == "on"
    expected = ["clear"] if on else ["clear"] * 5  # losses, and gradients where they are new in each iteration
    for batch, step in ((2, 7), (2, 8), (1, 9)):
        row, values = (["copy"], ["copy"]) if on else ([], [])
        expected += [*row, *adam_lines(batch, step, on), *values]
    assert [line(work) for work in done] == [*expected, *AFTER]


def test_a_graph_takes_adams_numbers_from_the_device(runs):
    """Those of the last update are still where its graph read them."""
    done, _ = runs["on"]
    steps = [work for work in done if work.name == "adam"][-len(RATES) :]
    numbers = [next(a for a in work.arguments if getattr(a, "dtype", None) == np.float64) for work in steps]
    expected = [(rate / (1 - 0.9**9), (1 - 0.999**9) ** -0.5, 1) for rate in RATES.values()]
    np.testing.assert_allclose(numbers, expected, rtol=1e-12)


def test_the_same_arrays_are_given_in_the_same_order(runs):
    """Shapes and types of every argument; only the numbers of Adam come from the device instead of the host."""

    def arguments(work):
        arrays = [a for a in work.arguments if isinstance(a, np.ndarray) and not (work.name == "adam" and a.size == 3)]
        return work.name, [(a.shape, a.dtype) for a in arrays]

    off, on = runs["off"][0], runs["on"][0]
    own = {(104,), (100,)}  # rows, which no launch but a copy sees
    replayed = [arguments(w) for w in on if not (w.name == "copy" and (w.arguments[0].shape in own or is_loss(w)))]
    assert [pair for pair in replayed if pair[0] != "clear"] == [a for a in map(arguments, off) if a[0] != "clear"]


def is_loss(work):
    """Whether a copy takes the losses of one update to those of the iteration."""
    return work.name == "copy" and work.arguments[0].dtype == np.float64 and work.arguments[0].shape == (1, 2)


def test_calls_of_the_host(runs):
    """Three calls a batch; findings, constraints and corners in one more; one download, the only time the host waits.

    The upload has the rows of indices and rates of all batches.
    """
    without, calls = runs["off"][1], runs["on"][1]
    assert calls == ["clear", "upload", "alloc", *["copy", "graph", "copy"] * 3, "graph", "download"]
    assert [call for call in without if call in ("download", "synchronize")] == ["download"]
    assert without[-1] == "download"
    assert len(without) == 257
