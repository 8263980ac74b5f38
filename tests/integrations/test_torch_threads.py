"""The ops of `ptycupy.integrations.torch` from several threads, and several passes at once."""

import threading

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch, see ptycupy/guide/backend.md")

from integrations.torch_problems import grads, same, scene  # noqa: E402

from ptycupy.integrations.torch import diffraction  # noqa: E402


def test_threads_do_not_disturb_each_other():
    """Each has a problem of its own, goes there, waits for the others, and goes back."""
    count = 4
    problems = [scene(torch.float32, window=(64, 64), canvas=(70, 71), seed=seed) for seed in range(count)]
    for given, _ in problems:
        given["transfer"].requires_grad_(False)
        given["occupancy"].requires_grad_(False)
    expected = [grads(diffraction, *problem) for problem in problems]
    barrier, failures = threading.Barrier(count), []

    def work(number):
        try:
            given, cotangent = problems[number]
            wanted = {name: x for name, x in given.items() if x.requires_grad}
            for _ in range(5):
                found = diffraction(**given)
                barrier.wait(60)
                gradients = torch.autograd.grad(found, list(wanted.values()), cotangent)
                assert torch.equal(found, expected[number][0])
                same(dict(zip(wanted, gradients, strict=True)), expected[number][1], 1e-7)
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_two_passes_that_wait_keep_their_waves_apart():
    """Both go there before either goes back."""
    problems = [scene(torch.float32, seed=seed) for seed in (0, 1)]
    expected = [grads(diffraction, *problem)[1] for problem in problems]
    there = [diffraction(**given) for given, _ in problems]
    for (given, cotangent), found, wanted in zip(problems, there, expected, strict=True):
        tensors = [given[name] for name in wanted]
        same(dict(zip(wanted, torch.autograd.grad(found, tensors, cotangent), strict=True)), wanted, 1e-7)
