"""A Device on the CPU: NumPy arrays, scipy FFTs, and kernels/*.cu compiled by g++ through shim.hpp.

Everything above the Device interface is the product's own code. Arrays start as NaN and have guard bytes on both
sides that are checked after every launch, so that reading scratch or writing outside an array fails the test.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import subprocess
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.collective import Connector
from ptycupy.backends.cuda import sources
from ptycupy.backends.cuda.cupy_device import UNASKED
from ptycupy.backends.cuda.device import array_bytes
from ptycupy.backends.recording import Recorder, Recording
from ptycupy.errors import ResourceError

HERE = Path(__file__).parent
GUARD = 64  # bytes at least on each side of an array
ALIGNMENT = 64
PATTERN = 0xA5
FLAGS = ("-std=c++17", "-O1", "-fPIC", "-fno-gnu-unique", "-fvisibility=hidden", "-ffp-contract=off")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-maybe-uninitialized", "-Wno-unknown-pragmas")

_BARRIER = re.compile(r"\b(store_part|block_sum|sum_parts|__syncthreads|EXCHANGE|DYNAMIC_SHARED)\b")


def bodies(text: str) -> dict[str, str]:
    """The body of every kernel of a source, comments removed."""
    text = re.sub(r"//[^\n]*", "", text)
    found = {}
    for match in re.finditer(r"^KERNEL\w* (\w+)\(.*?\)\s*\{", text, re.MULTILINE | re.DOTALL):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        found[match[1]] = text[match.end() : end]
    return found


def wrapped(op: str, text: str) -> str:
    """A source in a namespace of its own, and one exported function per kernel that runs it over a grid."""
    lines = [f"namespace op_{op} {{", f'#line 1 "{op}.cu"', text, "}"]
    for name, body in bodies(text).items():
        barriers = "true" if _BARRIER.search(body) else "false"
        lines += [
            f'extern "C" __attribute__((visibility("default"))) void run_{name}(',
            "    void** arguments, unsigned grid, unsigned block, std::size_t shared, int schedule) {",
            f"    shim_run(Invoke<op_{op}::{name}>::thread, arguments, grid, block, shared, schedule, {barriers});",
            "}",
        ]
    return "\n".join(lines)


def compile_once(folder: Path, name: str, ending: str, source: str, *options: str) -> Path:
    """g++'s output for a source text, kept in `folder` under a hash of all that goes in."""
    inputs = [source, (HERE / "shim.hpp").read_text(), *FLAGS, *options, *map(sources.read, sources.headers())]
    digest = hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:20]
    output = folder / f"{name}-{digest}{ending}"
    if not output.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{name}-{digest}-{os.getpid()}.cpp"
        part.write_text(source)
        command = ["g++", *FLAGS, f"-I{sources.folder()}", f"-I{HERE}", str(part), *options]
        made = part.with_suffix(".part")
        done = subprocess.run([*command, "-o", str(made)], capture_output=True, text=True, check=False)
        part.unlink()
        if done.returncode:
            raise RuntimeError(f"g++ {' '.join(options)}:\n{done.stderr}")
        made.replace(output)
    return output


def build(texts: dict[str, str], defines: tuple[str, ...], folder: Path) -> Path:
    """The shared library of some ops, given as op -> source."""
    shim = compile_once(folder, "shim", ".o", (HERE / "shim.cpp").read_text(), *WARNINGS, "-c")
    includes = [f'#include "{header}"' for header in sources.headers()]
    main = "\n".join([*includes, *(wrapped(op, text) for op, text in texts.items()), ""])
    options = (*WARNINGS, *(f"-D{define}" for define in defines), "-shared", str(shim))
    return compile_once(folder, "-".join(texts) if len(texts) == 1 else "ops", ".so", main, *options)


@cache
def load(library: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(library))


class HostPlan:
    """Unnormalised FFTs in place, as cuFFT's, queued on a device."""

    def __init__(self, device: HostDevice, shape: tuple[int, int], batch: int, dtype: DTypeLike) -> None:
        self.device = device
        self.expected = (batch, *shape), np.dtype(dtype)

    def forward(self, waves: NDArray[Any]) -> None:
        import scipy.fft

        assert (waves.shape, waves.dtype) == self.expected
        self.device.queue("fft", lambda: np.copyto(waves, scipy.fft.fft2(waves, norm="backward")), waves)

    def inverse(self, waves: NDArray[Any]) -> None:
        import scipy.fft

        assert (waves.shape, waves.dtype) == self.expected
        self.device.queue("inverse fft", lambda: np.copyto(waves, scipy.fft.ifft2(waves, norm="forward")), waves)


@dataclass(frozen=True)
class Work:
    """One thing that a device does: a launch, a copy, a transform."""

    name: str  # of the kernel, or "copy", "clear", "fft", "inverse fft"
    run: Callable[[], None]
    arguments: tuple[Any, ...]  # arrays, scalars, None
    grid: int = 0


class HostMark:
    """A mark whose work is done as late as it may be: when somebody waits for it."""

    def __init__(self, work: Callable[[], None] = lambda: None) -> None:
        self._work: Callable[[], None] | None = work
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            if self._work is not None:
                self._work()
            self._work = None


class HostDevice:
    """schedule: 0 runs threads and blocks in ascending order, 1 descending, 2 the even ones first.

    Copies of `send` are done when somebody waits for them, so that who reads without waiting finds other numbers.

    texts: other sources for some ops, to see what their tests say of a mistake. `launches` are the kernels that ran,
    `calls` the host's calls, `done` all that ran with its arguments, as long as it is a list.
    shared_memory: bytes that a block may have; without any, waves have no room in it.
    """

    name = "host"
    multiprocessors = 1

    def __init__(
        self, folder: Path, schedule: int = 0, texts: dict[str, str] | None = None, shared_memory: int = 0
    ) -> None:
        self.shared_memory = shared_memory
        self.folder = folder
        self.schedule = schedule
        self._sources = texts or {}
        self.launches: list[str] = []
        self.calls: list[str] = []
        self.done: list[Work] | None = None
        self.recorder = Recorder()
        self._recorded: list[Work] = []
        self._buffers: dict[int, tuple[weakref.ref[NDArray[np.uint8]], int, int]] = {}

    def alloc(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        nbytes = array_bytes(shape, dtype)
        buffer = np.full(2 * GUARD + nbytes + ALIGNMENT, PATTERN, np.uint8)
        start = GUARD + -(buffer.ctypes.data + GUARD) % ALIGNMENT
        buffer[start : start + nbytes] = 0xFF  # NaN, or -1
        # Every view keeps the buffer alive; it is forgotten with the last of them.
        key = id(buffer)
        self._buffers[key] = (weakref.ref(buffer), start, nbytes)
        weakref.finalize(buffer, self._buffers.pop, key, None)
        array: NDArray[Any] = buffer[start : start + nbytes].view(np.dtype(dtype)).reshape(shape)
        self.calls.append("alloc")
        if self.recorder.active:  # scratch of a recording is garbage whenever it begins, as new memory is
            self._recorded.append(Work("garbage", lambda: array.view(np.uint8).fill(0xFF), ()))
        return array

    def upload(self, values: Any, dtype: DTypeLike | None) -> NDArray[Any]:
        self.recorder.refuse("an upload")
        self.calls.append("upload")
        host = np.asarray(values, dtype)
        array: NDArray[Any] = self.alloc(host.shape, host.dtype.newbyteorder("="))
        array[...] = host
        return array

    def download(self, array: NDArray[Any]) -> NDArray[Any]:
        self.recorder.refuse("a download")
        self.calls.append("download")
        return np.array(array)

    def copy(self, target: NDArray[Any], source: NDArray[Any]) -> None:
        self.queue("copy", lambda: np.copyto(target, source), target, source)

    def pinned(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        return np.full(shape, 0xFF, np.uint8).astype(dtype)

    def send(self, target: NDArray[Any], values: NDArray[Any], after: HostMark) -> HostMark:
        def work() -> None:
            after.wait()
            np.copyto(target, values)

        return HostMark(work)

    def mark(self) -> HostMark:
        return HostMark()

    def wait(self, mark: HostMark) -> None:
        mark.wait()

    def clear(self, array: NDArray[Any]) -> None:
        self.queue("clear", lambda: array.view(np.uint8).fill(0), array)

    def queue(self, name: str, run: Callable[[], None], *arguments: Any, grid: int = 0) -> None:
        """Runs it now, or writes it down where a recording is under way."""
        self.calls.append(name)
        work = Work(name, run, arguments, grid)
        if self.recorder.active:
            self.recorder.keep(*arguments)
            self._recorded.append(work)
        else:
            self._do(work)

    def _do(self, work: Work) -> None:
        if work.grid:
            self.launches.append(work.name)
        if self.done is not None:
            self.done.append(work)
        work.run()

    def record(self, queue: Callable[[], None]) -> Recording:
        self._recorded = []
        with self.recorder.open() as kept:
            queue()
        recorded, self._recorded = self._recorded, []
        return self.recorder.made(lambda: self._launch_all(recorded), kept)

    def _launch_all(self, recorded: list[Work]) -> None:
        self.calls.append("graph")
        for work in recorded:
            self._do(work)

    def kernel(self, op: str, name: str, defines: tuple[str, ...]) -> Any:
        self.recorder.refuse(f"the first launch of {name}")
        generic = len(defines) > 1  # an element type, or a length
        # Everything that depends on REAL alone is compiled in one go, which is much quicker.
        ops = [op] if generic else [o for o in sources.ops() if not sources.generic(o)]
        library = load(build({o: self._sources.get(o, sources.read(f"{o}.cu")) for o in ops}, defines, self.folder))
        function = getattr(library, f"run_{name}")
        function.restype = None
        function.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_size_t, ctypes.c_int]
        return name, function

    def launch(self, kernel: Any, grid: int, block: int, shared: int, arguments: Sequence[Any]) -> None:
        name, function = kernel
        room = max(self.shared_memory, UNASKED)
        if shared > room:
            raise ValueError(f"{name}: {shared} bytes of shared memory, but a block gets {room}")
        values = [self._value(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))

        def run(values: Any = values) -> None:  # which the pointers point to
            function(pointers, grid, block, shared, self.schedule)
            self.check_guards(name)

        self.queue(name, run, *arguments, grid=grid)

    @staticmethod
    def _value(argument: Any) -> NDArray[Any]:
        """One element in memory: the scalar itself, or the address of the array."""
        if argument is None:
            return np.zeros(1, np.uintp)
        if isinstance(argument, np.ndarray):
            return np.array([argument.ctypes.data], np.uintp)
        return np.array([argument])

    def check_guards(self, name: str) -> None:
        """Raises IndexError if a launch wrote outside an array."""
        for reference, start, nbytes in list(self._buffers.values()):
            buffer = reference()
            if buffer is None:
                continue
            if (buffer[:start] != PATTERN).any() or (buffer[start + nbytes :] != PATTERN).any():
                raise IndexError(f"{name} wrote outside an array of {nbytes} bytes")

    def fft_plan(self, shape: tuple[int, int], batch: int, dtype: DTypeLike) -> HostPlan:
        self.recorder.refuse("making an FFT plan")
        return HostPlan(self, shape, batch, dtype)

    def connector(self) -> Connector:
        raise ResourceError("the harness has no NCCL")

    def free_bytes(self) -> int:
        return 1 << 30

    def release(self) -> None:
        self.recorder.refuse("giving memory back")
        self.recorder.drop_all()

    def synchronize(self) -> None:
        self.recorder.refuse("waiting for the device")
        self.calls.append("synchronize")
