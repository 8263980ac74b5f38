"""FAULTS row 50 on the CUDA backend's own code: memory runs out at the start, in a later iteration, in an allocation, a
plan or a launch. Pools are freed, sub-batches halved, and the result is the same; else a refusal says how much."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_on_cpu.host_device import HostDevice, HostPlan
from scenes import random_scene

from ptycupy import Constraint, Engine, Settings
from ptycupy.backends.cuda import CudaBackend
from ptycupy.backends.cuda.device import array_bytes, memory_guard
from ptycupy.errors import ResourceError
from ptycupy.reconstruction import updates

RATES = {"object_amplitude": 1e-2, "object_phase": 1e-2, "probe": 1e-3, "shifts": 0.05, "tilts": 0.1}
MESSAGES = ("cudaErrorMemoryAllocation: out of memory", "CUFFT_ALLOC_FAILED", "OutOfMemoryError: 100 bytes")


class WorkingPlan(HostPlan):
    """A plan with the work area that cuFFT would take."""

    work = None


class ScarceDevice(HostDevice):
    """A device of so many bytes. `fail` names what fails next, once: "alloc", "plan", or a kernel."""

    def __init__(self, folder, budget=2**40):
        super().__init__(folder)
        self.budget, self.fail, self.peak, self.failures = budget, "", 0, 0

    @property
    def live(self):
        return sum(nbytes for _, _, nbytes in self._buffers.values())

    def take(self, what, nbytes):
        self.peak = max(self.peak, self.live + nbytes)
        if what == self.fail or self.live + nbytes > self.budget:
            self.fail = ""
            self.failures += 1
            raise RuntimeError(MESSAGES[self.failures % len(MESSAGES)])

    def alloc(self, shape, dtype):
        nbytes = array_bytes(shape, dtype)
        with memory_guard(self, f"an array {shape} of {np.dtype(dtype)}", nbytes):
            self.take("alloc", nbytes)
        return super().alloc(shape, dtype)

    def launch(self, kernel, *arguments):
        with memory_guard(self, "a kernel launch", 0):
            self.take(kernel[0], 0)
        super().launch(kernel, *arguments)

    def fft_plan(self, shape, batch, dtype):
        nbytes = array_bytes((batch, *shape), dtype)
        with memory_guard(self, f"an FFT plan of {batch} x {shape[0]} x {shape[1]}", nbytes):
            self.take("plan", nbytes)
        plan = WorkingPlan(self, shape, batch, dtype)
        plan.work = super().alloc((nbytes,), np.uint8)
        return plan

    def free_bytes(self):
        return self.budget - self.live


def engine_on(device, graphs="off", **settings):
    problem, state = random_scene(positions=8, window=(24, 24), probe_modes=4, object_modes=1)
    chosen = Settings(
        {"gaussian": {}, "sparsity": {}},
        learning_rates=RATES,
        constraints=[Constraint("orthogonal_probe"), Constraint("lateral_blur")],
        **{"batch_size": 8, "sub_batch": 8, **settings},
    )
    return Engine(problem, state, chosen, CudaBackend(device, "float64", deterministic=True, graphs=graphs))


def assert_same(engine, plain):
    np.testing.assert_allclose(engine.history.total, plain.history.total, rtol=1e-6)
    for (name, expected), (_, found) in zip(plain.state.items(), engine.state.items(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max(), err_msg=name)


@pytest.fixture(scope="module")
def plain(kernel_folder):
    """A run with memory enough, and how much that was: what is kept between iterations, and at most."""
    device = ScarceDevice(kernel_folder)
    engine = engine_on(device)
    engine.run(3)
    engine.backend.release()
    return engine, device.live, device.peak


@pytest.mark.parametrize(("graphs", "shares"), [("off", (1.0, 0.7, 0.5, 0.35)), ("on", (1.1, 0.7, 0.35))])
def test_fault_50_the_less_memory_the_smaller_the_sub_batches(kernel_folder, plain, graphs, shares):
    reference, kept, peak = plain
    sizes = []
    for share in shares:
        engine = engine_on(ScarceDevice(kernel_folder, kept + int(share * (peak - kept))), graphs)
        engine.run(3)
        assert_same(engine, reference)
        sizes.append(engine.sub_batch)
    assert sizes[0] == 8
    assert sizes[-1] < sizes[1] < 8
    assert sizes == sorted(sizes, reverse=True)


def test_fault_50_nothing_of_what_failed_stays(kernel_folder, plain, monkeypatch):
    """Neither in the frames of the error, nor in those of the one that it came from, nor in their closures."""
    _, kept, peak = plain
    left = []

    def halving(engine, *given):
        halve(engine, *given)
        left.append(engine.backend._device.live)

    halve = updates.halve
    monkeypatch.setattr(updates, "halve", halving)
    engine_on(ScarceDevice(kernel_folder, kept + (peak - kept) // 2)).run(1)
    assert len(left) > 1
    assert max(left) < kept  # there are no moments yet


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_fault_50_what_never_fits_is_refused_with_numbers(kernel_folder, plain, share):
    _, kept, peak = plain
    engine = engine_on(ScarceDevice(kernel_folder, kept + int(share * (peak - kept))))
    with pytest.raises(ResourceError, match=r"out of GPU memory for .* MiB wanted, .* MiB free; use a smaller") as told:
        engine.run(3)
    assert told.value.exit_code == 4


def test_fault_50_a_start_without_memory_is_refused_with_numbers(kernel_folder, plain):
    with pytest.raises(ResourceError, match=r"out of GPU memory for an array .* MiB wanted, .* MiB free"):
        engine_on(ScarceDevice(kernel_folder, plain[1] // 9))


POINTS = (
    "alloc",
    "plan",
    "shift_forward",
    "transmit_backward",
    "residual",
    "transfer_backward",
    "patch_gather",
)


@pytest.mark.parametrize("point", POINTS)
def test_fault_50_in_a_later_iteration(kernel_folder, plain, point):
    reference, device = plain[0], ScarceDevice(kernel_folder)
    engine = engine_on(device)
    engine.run(2)
    engine.backend.release()  # so that everything is allocated and planned again
    device.fail = point
    engine.run(1)
    assert device.failures == 1
    assert_same(engine, reference)


@pytest.mark.parametrize("graphs", ["off", "on"])
def test_fault_50_memory_that_others_took_meanwhile(kernel_folder, plain, graphs):
    reference, _, peak = plain
    device = ScarceDevice(kernel_folder)
    engine = engine_on(device, graphs)
    engine.run(2)
    engine.backend.release()
    device.budget = device.live + (peak - device.live) // 2
    engine.run(1)
    assert engine.sub_batch < 8
    assert_same(engine, reference)


def test_fault_50_in_the_second_of_two_accumulated_batches(kernel_folder):
    """The group begins again, not only the batch."""
    engines = [engine_on(ScarceDevice(kernel_folder), batch_size=4, gradient_accumulation=2) for _ in range(2)]
    device, accumulate = engines[1].backend._device, engines[1]._objective

    def failing():
        objective = accumulate()
        calls.append(1)
        device.fail = "residual" if len(calls) == 2 else ""
        return objective

    calls = []
    engines[1]._objective = failing
    engines[0].run(1)
    engines[1].run(1)
    assert device.failures == 1
    assert_same(engines[1], engines[0])


def test_fault_50_graphs_give_back_what_they_hold_and_are_made_again(kernel_folder):
    engines = [engine_on(ScarceDevice(kernel_folder), graphs, batch_size=4) for graphs in ("off", "on")]
    for engine in engines:
        engine.run(2)
    (slot,) = engines[1].graphs._slots.values()
    before = slot.work.recording
    assert before.alive
    for engine in engines:
        engine.backend._device.fail = "alloc"
        engine.run(1)
        assert engine.backend._device.failures == 1
    assert not before.alive
    assert slot.work.recording.alive
    np.testing.assert_array_equal(engines[1].state.object_phase, engines[0].state.object_phase)


def test_fault_50_a_graph_needs_no_more_memory_and_holds_none_once_it_is_dropped(kernel_folder, plain):
    device = ScarceDevice(kernel_folder)
    engine = engine_on(device, "on")
    engine.run(3)
    assert device.peak < 1.001 * plain[2]
    held = device.live
    engine.backend.release()
    kept = sum(array.nbytes for _, array in engine.parameters.items())
    kept += sum(array.nbytes for memory in engine.moments.values() for array in memory.arrays.values())
    assert held > 5 * kept
    assert device.live < 2 * kept  # with gradients, tables and patterns


@pytest.mark.parametrize("point", ["lsqml_residual", "lsqml_products"])
def test_fault_50_between_directions_and_steps_of_lsqml(kernel_folder, point):
    engines = [engine_on(ScarceDevice(kernel_folder), optimizer="lsqml") for _ in range(2)]
    engines[1].backend._device.fail = point
    for engine in engines:
        engine.run(1)
    assert engines[1].backend._device.failures == 1
    assert engines[1].sub_batch == 4
    assert_same(engines[1], engines[0])


def test_fault_52_a_kernel_that_does_not_compile_is_no_lack_of_memory(kernel_folder, caplog):
    device = ScarceDevice(kernel_folder)
    engine = engine_on(device)

    def broken(op, name, defines):
        raise ResourceError(f"{op}.cu does not compile")

    engine.backend._launch._kernels.clear()
    device.kernel = broken
    with pytest.raises(ResourceError, match=r"\.cu does not compile"):
        engine.run(1)
    assert "sub-batches" not in caplog.text
