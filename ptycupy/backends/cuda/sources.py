"""The .cu files: where they are, what kernels they hold and what arguments those take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ptycupy.backends.sizes import FACTORS, WHOLE_WAVES
from ptycupy.errors import ResourceError

_KERNEL = re.compile(r"^KERNEL\w* (\w+)\((.*?)\)\s*\{", re.MULTILINE | re.DOTALL)
_ARGUMENT = re.compile(r"(?P<const>const )?(?P<type>[\w ]+?)(?P<pointer>\*?) (?P<name>\w+)")


@dataclass(frozen=True)
class Argument:
    """One parameter of a kernel: `const real* waves` is type real, a pointer, not written."""

    name: str
    type: str  # as in the source: real, complex, int, size_t, double, VALUE, ...
    pointer: bool
    written: bool


@dataclass(frozen=True)
class Signature:
    """A kernel, the op (file) that holds it, and its parameters in order."""

    name: str
    op: str
    arguments: tuple[Argument, ...]

    @property
    def generic(self) -> bool:
        """Whether it is compiled per element type (the macro VALUE)."""
        return any(argument.type == "VALUE" for argument in self.arguments)


@cache
def folder() -> Path:
    """kernels/ inside the package (wheel) or beside it (checkout, editable install)."""
    package = Path(__file__).resolve().parents[2]
    for candidate in (package / "kernels", package.parent / "kernels"):
        if (candidate / "common.cuh").is_file():
            return candidate
    raise ResourceError(f"the CUDA sources are missing: no kernels/common.cuh in {package} or {package.parent}")


@cache
def read(file: str) -> str:
    """The text of one file of `folder()`."""
    return (folder() / file).read_text(encoding="utf-8")


@cache
def headers() -> tuple[str, ...]:
    """Names of the .cuh files."""
    return tuple(sorted(path.name for path in folder().glob("*.cuh")))


@cache
def ops() -> tuple[str, ...]:
    """Names of the .cu files, without the ending."""
    return tuple(sorted(path.stem for path in folder().glob("*.cu")))


@cache
def lengths(op: str) -> tuple[int, ...]:
    """The lengths of lines that an op is compiled for (the macro LENGTH); none where it has no lines."""
    text = read(f"{op}.cu")
    if '#include "wave.cuh"' in text:
        return WHOLE_WAVES
    return tuple(FACTORS) if re.search(r"\bLENGTH\b", text) else ()


@cache
def generic(op: str) -> bool:
    """Whether an op is compiled for more than the real type."""
    return bool(lengths(op)) or "VALUE" in read(f"{op}.cu")


def parse(op: str, text: str) -> tuple[Signature, ...]:
    """The kernels of one source; comments may stand behind arguments."""
    found = []
    for match in _KERNEL.finditer(re.sub(r"//[^\n]*", "", text)):
        arguments = []
        for part in match[2].split(","):
            argument = _ARGUMENT.fullmatch(" ".join(part.split()))
            if argument is None:
                raise ValueError(f"{op}.cu: {match[1]}: argument {part.strip()!r} is not 'type name' or 'type* name'")
            pointer = bool(argument["pointer"])
            arguments.append(
                Argument(argument["name"], argument["type"], pointer, pointer and argument["const"] is None)
            )
        found.append(Signature(match[1], op, tuple(arguments)))
    return tuple(found)


@cache
def signatures() -> dict[str, Signature]:
    """Every kernel by name."""
    return {kernel.name: kernel for op in ops() for kernel in parse(op, read(f"{op}.cu"))}


__all__ = ["Argument", "Signature", "folder", "generic", "headers", "lengths", "ops", "parse", "read", "signatures"]
