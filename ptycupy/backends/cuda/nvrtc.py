"""NVIDIA's run-time compiler through ctypes: CUDA C++ in, cubin out. Needs no driver and no GPU."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ptycupy.backends.cuda.libraries import find
from ptycupy.errors import ResourceError

OLDEST = 70  # the oldest architecture that the kernels are tested to compile for


class Compiled(NamedTuple):
    """A loadable image (cubin, or PTX for a device newer than the compiler) and what the compiler said."""

    image: bytes
    log: str


class Nvrtc:
    """One loaded libnvrtc; several majors may be loaded side by side. Thread-safe, as NVRTC is."""

    def __init__(self, path: Path) -> None:
        """Raises ResourceError where the library cannot be loaded."""
        try:
            self._library = ctypes.CDLL(str(path))
            self.version = self._version()
        except (OSError, AttributeError) as error:
            raise ResourceError(f"NVRTC at {path} cannot be used: {error}") from error
        self._library.nvrtcGetErrorString.restype = ctypes.c_char_p

    def _version(self) -> tuple[int, int]:
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        return major.value, minor.value

    def architectures(self) -> list[int]:
        """Compute capabilities it compiles for, as 70, 75, 80, ..."""
        count = ctypes.c_int()
        self._check(self._library.nvrtcGetNumSupportedArchs(ctypes.byref(count)), "nvrtcGetNumSupportedArchs")
        values = (ctypes.c_int * count.value)()
        self._check(self._library.nvrtcGetSupportedArchs(values), "nvrtcGetSupportedArchs")
        return sorted(values)

    def target(self, capability: int) -> str:
        """The option for a device: its own cubin, an older one of the same major, or PTX for the driver to finish.

        Raises ResourceError for a device older than the compiler knows.
        """
        known = [arch for arch in self.architectures() if arch >= OLDEST]
        same_major = [arch for arch in known if arch // 10 == capability // 10 and arch <= capability]
        if same_major:
            return f"sm_{same_major[-1]}"
        older = [arch for arch in known if arch <= capability]
        if not older:
            raise ResourceError(
                f"compute capability {capability / 10:.1f} is too old: "
                f"ptycupy with NVRTC {self.version[0]}.{self.version[1]} needs {known[0] / 10:.1f} or newer"
            )
        return f"compute_{older[-1]}"

    def compile(
        self, name: str, source: str, headers: Mapping[str, str], target: str, options: Sequence[str] = ()
    ) -> Compiled:
        """Compiles `source`, called `name` in messages, for `target` (sm_90, compute_90).

        Raises ResourceError with the compiler's log where it refuses.
        """
        library, program = self._library, ctypes.c_void_p()
        texts = (ctypes.c_char_p * len(headers))(*(text.encode() for text in headers.values()))
        names = (ctypes.c_char_p * len(headers))(*(header.encode() for header in headers))
        text = f'#line 1 "{name}"\n{source}'.encode()
        status = library.nvrtcCreateProgram(ctypes.byref(program), text, name.encode(), len(headers), texts, names)
        self._check(status, "nvrtcCreateProgram")
        try:
            given = [f"--gpu-architecture={target}", "--std=c++17", *options]
            array = (ctypes.c_char_p * len(given))(*(option.encode() for option in given))
            status = library.nvrtcCompileProgram(program, len(given), array)
            log = self._get(program, "ProgramLog").rstrip(b"\0\n").decode(errors="replace")
            if status:
                said = library.nvrtcGetErrorString(status).decode()
                raise ResourceError(f"{name} does not compile for {target} ({said}; {' '.join(options)}):\n{log}")
            return Compiled(self._get(program, "CUBIN" if target.startswith("sm_") else "PTX"), log)
        finally:
            library.nvrtcDestroyProgram(ctypes.byref(program))

    def _get(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        self._check(getattr(self._library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)), what)
        buffer = ctypes.create_string_buffer(size.value)
        self._check(getattr(self._library, f"nvrtcGet{what}")(program, buffer), what)
        return buffer.raw

    def _check(self, status: int, what: str) -> None:
        if status:
            raise ResourceError(f"NVRTC: {what} failed with status {status}")


@cache
def nvrtc_of(major: int) -> Nvrtc:
    """The NVRTC of a CUDA major; raises ResourceError where it is not installed."""
    path = find("nvrtc", major)
    if path is None:
        wheel = "nvidia-cuda-nvrtc-cu12" if major == 12 else "nvidia-cuda-nvrtc"
        raise ResourceError(f"NVRTC of CUDA {major} was not found: pip install {wheel}, or set CUDA_PATH")
    return Nvrtc(path)


_RESOURCES = re.compile(  # the two lines about a kernel; ptxas puts different things before "bytes stack frame"
    r"Function properties for (?P<name>\w+)\n[^\n]*?bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads\n[^\n]*?Used (?P<registers>\d+) registers"
    r"(?:[^\n]*?(?P<shared>\d+) bytes smem)?"
)


class Resources(NamedTuple):
    """What a kernel takes: registers per thread, bytes spilled per thread, bytes of static shared memory per block."""

    registers: int
    spilled: int
    shared: int


def resources(log: str) -> dict[str, Resources]:
    """Per kernel, from the log of a compilation with `--ptxas-options=-v`."""
    return {
        match["name"]: Resources(
            int(match["registers"]), int(match["stores"]) + int(match["loads"]), int(match["shared"] or 0)
        )
        for match in _RESOURCES.finditer(log)
    }


__all__ = ["Compiled", "Nvrtc", "Resources", "nvrtc_of", "resources"]
