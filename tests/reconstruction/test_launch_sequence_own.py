"""As test_launch_sequence, where waves go through the slices by transforms of our own: in steps, and whole.

The object has 3 slices of 71 x 70 px (14910 numbers), the probe 2 modes of 64 x 64 px (4096), and there are
3 positions in batches of 2.
A block of rows or columns has 32 lines: a wave is 2 of them.
"""

from __future__ import annotations

from functools import partial

import pytest
from cuda_on_cpu.host_device import HostDevice
from reconstruction.test_launch_sequence import RATES, SLICES, line
from scenes import random_scene

from ptycupy import Engine, Settings
from ptycupy.backends.cuda import CudaBackend

H100 = 232448  # bytes of shared memory that a block may have
SCALE = "0.000244141"  # 1 / 4096
PATTERNS = "0 0 64 64 64 64 0 0.5 0"  # not packed, as large as the window; Gaussian, power
SMALL = "1 1 2 71 70"  # modes of object and waves, of the probe, canvas


def in_steps(n, refined=False):
    """From the probe to the intensities of n patterns, and back; `refined`: with the gradient of the one transfer
    function of each gap, which all 2 n waves have. Blocks share them until each has one, and sums of blocks are added.
    """
    rows, columns = f"{4 * n}", f"{4 * n} {SCALE} 1 2 2 64"
    across = f"propagate_columns_forward{'_kept' if refined else ''} {columns}"
    across_back = [f"propagate_columns_backward {columns}"]
    if refined:
        summed = f"propagate_columns_backward_kept {4 * n} {SCALE} 0 {2 * n} {2 * n} 64"
        across_back = [summed, f"propagate_backward_parts 16 {2 * n} 4096"]
    there = [
        *("transform_rows 4 0", "transform_columns 4 1 0 64"),  # of the probe
        f"transform_shifted {4 * n} {SCALE} 2 2 64",
        f"transmit_rows_forward {rows} 0 3 1 2 {SMALL} 64",
        *(across, f"transmit_rows_forward {rows} 1 3 1 2 {SMALL} 64"),
        *(across, f"transmit_rows_forward {rows} 2 3 1 2 {SMALL} 64"),
        f"detect_columns {2 * n} {PATTERNS} {SCALE} 2 1 2",
        f"reduce 3 {2 * n} 3",
    ]
    back = [
        f"transmit_rows_backward {rows} 1 2 3 1 2 {SMALL} 64",
        *(*across_back, f"transmit_rows_backward {rows} 1 1 3 1 2 {SMALL} 64"),
        *(*across_back, f"transmit_rows_backward {rows} 1 0 3 1 2 {SMALL} 64"),
        f"transform_columns {4 * n} 1 0 64",
        f"shift_backward_probe 32 {SCALE} {n} 2 64 64",
        *("transform_rows 4 1", "transform_columns 4 1 1 64"),
    ]
    return there, back


def as_whole_waves(n):
    """The same. Back, a block takes both modes of a pattern where that leaves one multiprocessor its two blocks."""
    parts, abreast = (1, 2) if n == 2 else (2, 1)
    there = ["fft", f"multislice_forward {2 * n} {SCALE} 3 2 1 {SMALL}"]
    there += [f"residual {16 * n} {PATTERNS} 1 1 2", f"reduce 3 {16 * n} 3"]
    back = [
        f"multislice_backward {n * parts} 1 {SCALE} 3 2 1 {parts} {abreast} {SMALL}",
        f"shift_backward_probe 32 {SCALE} {n} 2 64 64",
        "inverse fft",
    ]
    return there, back


def update(way, n):
    """One of n patterns, without Adam."""
    ways = {"steps": in_steps, "whole": as_whole_waves, "refined": partial(in_steps, refined=True)}
    (there, back), refined = ways[way](n), way == "refined"
    return [
        *["clear"] * (7 if refined else 5),  # gradients and values
        *("transmission_forward 59 14910", "transfer_forward 32 1 64 64", *["clear"] * (1 + refined)),
        *(f"take_forward 1 2 {2 * n}", "copy"),
        *there,
        *("gaussian_value 1", "add 1 1", "clear", "gaussian_scale 1"),
        *back,
        "add 32 8192",
        f"shift_backward_shifts {2 * n} {SCALE} 2 64 64 2",
        *(f"reduce_add {2 * n} 2 2", f"take_backward 1 2 {2 * n}"),
        *(("transfer_backward_sums 4 1 64 64 2", "reduce 6 2 3", "transfer_backward 1 2 1") if refined else ()),
        "transmission_backward 59 14910",
    ]


@pytest.mark.parametrize("graphs", ["off", "on"])
@pytest.mark.parametrize("way", ["steps", "whole", "refined"])
def test_launches_of_an_iteration(kernel_folder, way, graphs):
    """The third iteration: updates of 2 patterns and of 1, and nothing else before what ends it."""
    problem, state = random_scene(positions=3, window=(64, 64), object_modes=1, slices=SLICES, tilt_per_position=False)
    device = HostDevice(kernel_folder, shared_memory=H100)
    rates = RATES | ({"tilts": 1e-2, "slice_thickness": 1e-2} if way == "refined" else {})
    settings = Settings({"gaussian": {}}, learning_rates=rates, batch_size=2)
    backend = CudaBackend(device, fft="whole" if way == "whole" else "steps", graphs=graphs)
    engine = Engine(problem, state, settings, backend)
    engine.run(2)
    device.done = []
    engine.run(1)
    found = [line(work) for work in device.done if work.name != "garbage"]
    row, values = (["copy"], ["copy"]) if graphs == "on" else ([], [])
    expected = ["clear"] if graphs == "on" else ["clear"] * (1 + len(rates))  # losses, and gradients where they are new
    limits = ["clamp 1 -1400 1400 0 1 2", "clamp 1 0 inf 0 1 2"] if way == "refined" else []
    for n in (2, 1):
        expected += [*row, *update(way, n), *["adam"] * len(rates), *limits, *values]
    begun = [text.split()[0] if text.startswith("adam") else text for text in found[: len(expected)]]
    assert begun == expected
    rest = {text.split()[0] for text in found[len(expected) :]}
    assert rest == {"clear", "count_nonfinite", "transmission_forward", "total_power", "reduce", "copy", "reanchor"}
