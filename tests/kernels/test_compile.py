"""Every kernel compiles for every architecture, into the registers, spills, shared memory and instructions that are
recorded, and no more than a launch can have.

The record is benchmarks/results/kernel_resources.json; `pytest tests/kernels --record-kernels` writes it anew.
"""

from __future__ import annotations

import json
import re
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from ptycupy.backends.cuda import sources
from ptycupy.backends.cuda.nvrtc import Nvrtc, Resources, nvrtc_of, resources
from ptycupy.backends.sizes import FACTORS as LENGTHS
from ptycupy.errors import ResourceError

RECORD = Path(__file__).parents[2] / "benchmarks" / "results" / "kernel_resources.json"
ARCHITECTURES = {12: (70, 75, 80, 86, 89, 90, 100, 120), 13: (75, 80, 86, 89, 90, 100, 120)}
# Three blocks of 256 threads per multiprocessor, without opting in to more shared memory, on every card.
LARGEST = Resources(registers=80, spilled=0, shared=8192)
# Two blocks per multiprocessor where lines are transformed: 8 numbers of a line and 8 factors per thread.
LARGEST_SIZED = Resources(registers=128, spilled=0, shared=17408)
WITH_ROOM = {"sm_80", "sm_90", "sm_100"}  # for a whole wave of 128 x 128 in shared memory; others never launch it
LOOPS = 16  # bytes of loop bookkeeping that may be spilled there


def compiler(major: int) -> Nvrtc:
    try:
        return nvrtc_of(major)
    except ResourceError as error:
        pytest.skip(str(error))


def whole() -> str:
    """All kernels in one program, which takes a third of the time; VALUE is the largest type of each."""
    parts = [f'#include "{header}"' for header in sources.headers()]
    for op in sources.ops():
        text = sources.read(f"{op}.cu")
        parts.append(f"#define VALUE {'float16' if 'patterns.cuh' in text else 'complex'}")
        if sources.lengths(op):
            parts += (part for length in sources.lengths(op) for part in sized(op, length))
        else:
            parts += [f"namespace op_{op} {{", f'#line 1 "{op}.cu"', text, "}"]
        parts.append("#undef VALUE")
    return "\n".join(parts) + "\n"


def sized(op: str, length: int) -> list[str]:
    """The parts of an op for one length of lines; its kernels are called name_length."""
    text = sources.read(f"{op}.cu")
    for kernel in sources.parse(op, text):
        text = re.sub(rf"^(KERNEL\w*) {kernel.name}\(", rf"\1 {kernel.name}_{length}(", text, flags=re.MULTILINE)
    return [
        f"#define LENGTH {length}",
        f"namespace op_{op}_{length} {{",
        f'#line 1 "{op}.cu"',
        text,
        "}",
        "#undef LENGTH",
    ]


def names() -> set[str]:
    """Every kernel, the sized ones with each of their lengths."""
    found = set()
    for name, kernel in sources.signatures().items():
        found |= {f"{name}_{length}" for length in sources.lengths(kernel.op)} or {name}
    return found


def largest(name: str, target: str) -> Resources:
    if name.startswith("multislice") and name.endswith("_128") and target.split()[0] not in WITH_ROOM:
        return LARGEST_SIZED._replace(spilled=LOOPS)
    if name == "propagate_columns_backward_kept_512" and target == "sm_75 float":
        return LARGEST_SIZED._replace(spilled=LOOPS)
    return LARGEST_SIZED if name.rpartition("_")[2] in map(str, LENGTHS) else LARGEST


class Built(NamedTuple):
    """What a kernel takes, and the instructions of its code, the last ones of which fill it up to 128 bytes."""

    resources: Resources
    instructions: int


def instructions(image: bytes) -> dict[str, int]:
    """Per kernel, from the sizes of a cubin's sections of code; an instruction has 16 bytes on all of these GPUs."""
    (headers,) = struct.unpack_from("<Q", image, 0x28)
    size, count, naming = struct.unpack_from("<3H", image, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", image, headers + i * size) for i in range(count)]
    names = sections[naming][4]
    found = {}
    for name, _, _, _, _, length in sections:
        start = names + name
        text = image[start : image.index(b"\0", start)].decode()
        if text.startswith(".text."):
            found[text.removeprefix(".text.")] = length // 16
    return found


def compile_all(nvrtc: Nvrtc, architecture: int, real: str) -> dict[str, Built]:
    headers = {name: sources.read(name) for name in sources.headers()}
    options = (f"-DREAL={real}", "--ptxas-options=-v")
    compiled = nvrtc.compile("kernels", whole(), headers, f"sm_{architecture}", options)
    counts = instructions(compiled.image)
    return {name: Built(taken, counts[name]) for name, taken in resources(compiled.log).items()}


@pytest.fixture(params=ARCHITECTURES, ids=lambda major: f"NVRTC {major}")
def measured(request: pytest.FixtureRequest) -> tuple[str, dict[str, dict[str, Built]]]:
    """The compiler's version, and per target what every kernel became."""
    nvrtc = compiler(request.param)
    jobs = [(architecture, "float") for architecture in ARCHITECTURES[request.param]] + [(90, "double")]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda job: compile_all(nvrtc, *job), jobs))
    names = [f"sm_{architecture} {real}" for architecture, real in jobs]
    return ".".join(map(str, nvrtc.version)), dict(zip(names, results, strict=True))


def test_every_kernel_compiles_within_its_resources(
    measured: tuple[str, dict[str, dict[str, Built]]], request: pytest.FixtureRequest
) -> None:
    version, targets = measured
    for target, kernels in targets.items():
        assert kernels.keys() == names()
        if target.endswith("float"):
            excess = {
                name: built.resources
                for name, built in kernels.items()
                if any(a > b for a, b in zip(built.resources, largest(name, target), strict=True))
            }
            assert not excess, f"{target}, NVRTC {version}: more than {LARGEST} or {LARGEST_SIZED}"
    found = {
        target: {name: [*built.resources, built.instructions] for name, built in sorted(kernels.items())}
        for target, kernels in targets.items()
    }
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if request.config.getoption("--record-kernels"):
        record[version] = found
        RECORD.write_text(to_json(record))
    if version in record:  # another patch release of the compiler is held to LARGEST alone
        assert found == record[version], "see the differences, then accept them with --record-kernels"


def to_json(record: dict[str, dict[str, dict[str, list[int]]]]) -> str:
    """One line per kernel: version -> target -> kernel -> [registers, spilled bytes, shared bytes, instructions]."""
    lines = ["{"]
    for v, (version, targets) in enumerate(sorted(record.items())):
        lines.append(f' "{version}": {{')
        for t, (target, kernels) in enumerate(targets.items()):
            rows = ",\n".join(f'   "{name}": {json.dumps(values)}' for name, values in kernels.items())
            lines.append(f'  "{target}": {{\n{rows}\n  }}{"," if t < len(targets) - 1 else ""}')
        lines.append(" }" + ("," if v < len(record) - 1 else ""))
    return "\n".join([*lines, "}"]) + "\n"


def test_record_covers_the_compilers_of_the_wheels() -> None:
    versions = json.loads(RECORD.read_text())
    assert {version.split(".")[0] for version in versions} == {"12", "13"}


def test_fault_52_compile_error_names_file_line_and_log() -> None:
    nvrtc = compiler(12)
    text = sources.read("transmit.cu").replace("int pixels = height * width;", "int pixels = height * wdth;", 1)
    line = next(i for i, content in enumerate(text.splitlines(), 1) if "wdth" in content)
    headers = {name: sources.read(name) for name in sources.headers()}
    with pytest.raises(ResourceError, match=rf'(?s)transmit\.cu does not compile.*transmit\.cu\({line}\).*"wdth"'):
        nvrtc.compile("transmit.cu", text, headers, "sm_80", ("-DREAL=float",))


def test_target_of_new_and_old_devices() -> None:
    nvrtc = compiler(12)
    assert nvrtc.target(90) == "sm_90"
    assert nvrtc.target(88) == "sm_87"  # binary compatible within a major
    assert nvrtc.target(990).startswith("compute_")  # PTX, finished by the driver
    headers = {name: sources.read(name) for name in sources.headers()}
    image = nvrtc.compile("scale.cu", sources.read("scale.cu"), headers, "compute_90", ("-DREAL=float",)).image
    assert b".entry scale" in image
    with pytest.raises(ResourceError, match="6.1 is too old"):
        nvrtc.target(61)
