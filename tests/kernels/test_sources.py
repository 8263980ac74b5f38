"""The .cu files keep their own rules, and launch() holds callers to the signatures."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from ptycupy.backends.cuda import sources
from ptycupy.backends.cuda.launch import LARGEST_GRID, Blocks, Launcher, Rows
from ptycupy.backends.interface import Backend

TYPES = {"real", "complex", "complex128", "int", "size_t", "double", "float16", "unsigned", "unsigned char", "VALUE"}


def test_kernels_are_found_in_the_checkout() -> None:
    assert (sources.folder() / "README.md").is_file()
    assert len(sources.signatures()) > 50


@pytest.mark.parametrize("op", sources.ops())
def test_source_follows_the_rules(op: str) -> None:
    text = sources.read(f"{op}.cu")
    kernels = sources.parse(op, text)
    assert len(kernels) == len(re.findall(r"^KERNEL", text, re.MULTILINE)), "a kernel whose signature cannot be read"
    for kernel in kernels:
        assert kernel.name.startswith(op) or op in {"finite", "rescale", "reduce"}, "a kernel is named after its op"
        written = [argument.written for argument in kernel.arguments if argument.pointer]
        assert written == sorted(written, reverse=True), f"{kernel.name}: outputs come first"
        assert {argument.type for argument in kernel.arguments} <= TYPES
        start = re.search(rf"^KERNEL\w* {kernel.name}\(", text, re.MULTILINE)
        assert start is not None
        head = text[: start.start()].rstrip()
        assert head.endswith(";") or head.splitlines()[-1].startswith("//"), f"{kernel.name}: a line of maths above"
    assert "threadIdx.y" not in text
    assert "blockIdx.y" not in text


def test_names_are_unique() -> None:
    names = [kernel.name for op in sources.ops() for kernel in sources.parse(op, sources.read(f"{op}.cu"))]
    assert len(names) == len(set(names))


@pytest.fixture
def launch(host_cuda_backend: Callable[[str], Backend]) -> Launcher:
    launcher: Launcher = host_cuda_backend("float32")._launch  # type: ignore[attr-defined]
    return launcher


def test_launch_refuses_wrong_arguments(launch: Launcher) -> None:
    values = np.zeros(4, np.float32)
    with pytest.raises(TypeError, match="values is a float64 array, it must be contiguous float32"):
        launch("scale", 4, np.zeros(4), 2.0, 4)
    with pytest.raises(TypeError, match="values is a non-contiguous float32"):
        launch("scale", 2, values[::2], 2.0, 2)
    with pytest.raises(TypeError, match="scale takes 3 arguments, not 2"):
        launch("scale", 4, values, 2.0)
    with pytest.raises(ValueError, match="columns = 3000000000 does not fit int32"):
        launch("take_forward", 4, values, values, np.zeros(4, np.int32), 3 * 10**9, 4)
    with pytest.raises(ValueError, match="count = -1 does not fit uint64"):
        launch("scale", 4, values, 2.0, -1)
    with pytest.raises(TypeError, match="add does not take int64 arrays"):
        launch("add", 4, np.zeros(4, np.int64), np.zeros(4, np.int64), 4)
    with pytest.raises(TypeError, match="source is a float32 array, it must be contiguous double"):
        launch("add", 4, np.zeros(4), values, 4)


def test_launch_grids() -> None:
    grid = Launcher._grid
    assert grid("x", 0) == 0
    assert (grid("x", 1), grid("x", 256), grid("x", 257)) == (1, 1, 2)
    assert grid("x", Rows(3, 257)) == 6
    assert grid("x", Blocks(7)) == 7
    with pytest.raises(ValueError, match="at most"):
        grid("x", Rows(LARGEST_GRID, 257))
    with pytest.raises(ValueError, match="rows of 2147483648 pixels"):
        grid("x", Rows(1, 2**31))


def test_fault_42_flat_kernels_address_more_than_two_to_the_31() -> None:
    """Counts are size_t in flat kernels, and the grid of the largest array of this size still fits."""
    for kernel in sources.signatures().values():
        for argument in kernel.arguments:
            if argument.name in {"count", "total", "columns"} and kernel.name not in {"reanchor"}:
                assert argument.type in {"size_t", "double"} or kernel.name.startswith("take_"), kernel.name
    assert Launcher._grid("x", 2**36) <= LARGEST_GRID
