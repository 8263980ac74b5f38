"""The commands that wait for a GPU can at least be given: the page's shell runs with programs that only write down how
they are called, and every call of ours is parsed, its configuration and its --set included."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ptycupy.cli import _parser
from ptycupy.config import load_config
from ptycupy.config.batch import load_batch

ROOT = Path(__file__).parents[2]
PROGRAMS = ("ptycupy", "python", "pytest", "compute-sanitizer", "mpiexec", "ncu", "nsys")
BORROWED = {"/tmp/wse2/wse2.yaml": "configs/paper/wse2.yaml"}  # copied there by the page
pytestmark = pytest.mark.skipif(sys.platform == "win32" or shutil.which("bash") is None, reason="needs bash")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Every call of a program on the page, as words; loops are run, nothing else is."""
    folder = tmp_path_factory.mktemp("checks")
    log = folder / "calls"
    for name in PROGRAMS:
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!{shutil.which('bash')}\nIFS=$'\\x1f'; echo \"{name}$IFS$*\" >> {log}\n")
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
    page = (ROOT / "benchmarks" / "GPU_CHECKS.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    checked = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    # Nothing but these programs is found: what the page copies, kills or installs is not.
    script = f"PATH={folder / 'bin'}\ncd {folder}\n{block}\nwait\n"
    subprocess.run([str(shutil.which("bash"))], input=script, capture_output=True, text=True, check=False, timeout=60)
    return [line.split("\x1f") for line in log.read_text().splitlines() if "\x1f" in line]


def of(calls: list[list[str]], name: str) -> list[list[str]]:
    """What a program is given, also behind others that run it, each once."""
    found = {tuple(call[call.index(name) + 1 :]) for call in calls if name in call}
    return sorted(map(list, found))


def test_calls_of_ptycupy(calls: list[list[str]]) -> None:
    commands, parser = of(calls, "ptycupy"), _parser()
    assert len(commands) > 80
    for words in commands:
        given = parser.parse_args(words)  # leaves with a message where it cannot
        named, overrides = getattr(given, "config", None), getattr(given, "overrides", ())
        if words[0] == "batch":
            load_batch(ROOT / words[1], overrides)
        elif named is not None:
            load_config(ROOT / BORROWED.get(named, named), overrides)


def test_calls_of_benchmarks(calls: list[list[str]]) -> None:
    """Every script is there and has every option."""
    commands = [words for words in of(calls, "python") if words and words[0].startswith("benchmarks/")]
    assert {words[0] for words in commands} >= {"benchmarks/gpu_targets.py", "benchmarks/plot.py"}
    for words in commands:
        text = (ROOT / words[0]).read_text(encoding="utf-8")
        for option in (word for word in words if word.startswith("--")):
            assert f'"{option}"' in text, f"{words[0]} has no {option}"


def test_calls_of_pytest(calls: list[list[str]]) -> None:
    """What they name is there."""
    named = [word for words in of(calls, "pytest") for word in words if "/" in word and not word.startswith("-")]
    assert len(named) > 5
    for word in named:
        assert (ROOT / word).exists(), word


def test_what_is_to_be_reached_has_the_records_that_it_reads(calls: list[list[str]]) -> None:
    """Batches 16 and 256 beside PtyRAD, eager and compiled; sweeps, a minute of load, by every way."""
    beside = [words for words in of(calls, "python") if words and words[0] == "benchmarks/against_ptyrad.py"]
    batches = {words[words.index("--batch") + 1] for words in beside if "--batch" in words and "--compiled" in words}
    assert {"16", "256"} <= batches
    bench = [words for words in of(calls, "ptycupy") if words[0] == "bench"]
    for suite in ("iteration", "load"):
        ways = {words[words.index("--fft") + 1] for words in bench if suite in words and "--fft" in words}
        assert ways == {"cufft", "steps", "whole", "own"}
