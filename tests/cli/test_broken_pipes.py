"""FAULTS row 61: whoever read our output has gone, or nobody ever did. The command does its work and exits with 0."""

import subprocess
import sys

import numpy as np
import pytest
import tiny_run


def command(name, folder):
    """Arguments of a command that works, and what it must have left behind (None: nothing)."""
    if name == "recon":
        config = tiny_run.write(folder, iterations=1)
        return [
            "recon",
            config,
            "--backend",
            "cpu",
            "--set",
            "output.name=one",
        ], folder / "runs" / "one" / "report.html"
    if name == "quick":
        patterns = np.random.default_rng(0).poisson(5, (6, 6, 16, 16)).astype(np.uint16)
        patterns[..., 5:11, 5:11] += 50
        np.save(folder / "scan.npy", patterns)
        return ["quick", folder / "scan.npy"], folder / "scan_quick" / "quick.yaml"
    return {"doctor": ["doctor"], "guide": ["guide", "first_reconstruction"]}[name], None


@pytest.mark.parametrize("name", ["recon", "quick", "doctor", "guide"])
def test_fault_61_readers_that_have_gone(name, tmp_path):
    arguments, left = command(name, tmp_path)
    process = tiny_run.start(*arguments)
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=300) == 0
    assert left is None or left.is_file()


@pytest.mark.parametrize("name", ["recon", "doctor", "guide"])
def test_fault_61_head_gets_its_line_and_stderr_stays_silent_of_it(name, tmp_path):
    arguments, _ = command(name, tmp_path)
    process = tiny_run.start(*arguments)
    first = process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    assert (process.wait(timeout=300), bool(first)) == (0, True)
    assert "Broken pipe" not in said
    assert "Traceback" not in said
    process.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes descriptors")
@pytest.mark.parametrize(("name", "closed"), [("recon", ">&- 2>&-"), ("quick", "2>&-"), ("guide", ">&-")])
def test_fault_61_streams_that_were_never_open(name, closed, tmp_path):
    arguments, left = command(name, tmp_path)
    line = f'"$@" {closed}'
    ended = subprocess.run(["sh", "-c", line, "sh", sys.executable, "-m", "ptycupy", *map(str, arguments)], timeout=300)
    assert ended.returncode == 0
    assert left is None or left.is_file()
