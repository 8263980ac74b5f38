"""The doctor on machines that are not this one: each fault has its line, and the line that mends it."""

import numpy as np
import pytest

from ptycupy import doctor as package
from ptycupy.backends import examination
from ptycupy.cli import main
from ptycupy.doctor import calculation, doctor, findings
from ptycupy.errors import ResourceError


def test_python_and_packages():
    assert findings.python((3, 9, 1), "Linux", 4).fix == "install Python 3.10 or newer"
    assert findings.python((3, 13, 0), "Linux", None).fix == ""
    absent, there = findings.packages({"h5py": None, "numpy": "2.4.0"})
    assert (absent.text, absent.fix) == ("not installed", "pip install h5py")
    assert (there.text, there.fix) == ("2.4.0", "")


def test_cupy_twice_is_a_fault():
    found = findings.cupy({"cupy-cuda11x": "13.6", "cupy-cuda12x": "14.0"}, (12, 4))
    assert found.fix == "pip uninstall cupy-cuda11x cupy-cuda12x; pip install 'ptycupy[cuda12]'"
    assert findings.cupy({"cupy-cuda12x": "14.0", "cupy-cuda13x": "14.0"}, (13, 0)).fix.endswith("'ptycupy[cuda12]'")
    assert findings.cupy({"cupy-cuda11x": "13.6"}, (12, 4)).fix.startswith("pip uninstall cupy-cuda11x")
    assert findings.cupy({"cupy-cuda12x": "14.0"}, (12, 4)).fix == ""


@pytest.mark.parametrize(
    ("driver", "wanted"), [((12, 2), "cuda12"), ((13, 1), "cuda13"), ((11, 8), None), (None, None)]
)
def test_a_driver_without_cupy_asks_for_the_wheel_that_it_can_run(driver, wanted):
    fix = findings.cupy({}, driver).fix
    assert (f"pip install 'ptycupy[{wanted}]'" in fix) if wanted else fix == ""


def test_a_driver_that_is_missing_or_too_old_for_cupy():
    assert findings.cuda_driver(None, None).fix == ""  # nobody asked for a GPU
    assert "install NVIDIA's driver" in findings.cuda_driver(None, 12).fix
    assert findings.cuda_driver((12, 4), 13).fix == "a driver for CUDA 13, or pip install 'ptycupy[cuda12]'"
    assert findings.cuda_driver((13, 0), 12).fix == ""


def test_threads():
    assert "pip install tbb" in findings.numba_threads("workqueue", 4, 4).fix
    assert findings.numba_threads("omp", 2, 16).text.startswith("2 threads, omp layer; 16 CPU cores")
    assert findings.numba_threads("omp", 16, 16).fix == ""


def test_libraries_are_told_by_their_paths_and_two_of_one_are_a_fault():
    paths = ["/a/libcufft.so.11", "/b/libcufft.so.12.0.1", "/c/libgomp.so.1", "/c/libgomp-a34b.so.1", "/c/libc.so.6"]
    cufft, gomp = findings.libraries([*paths, paths[0]])
    assert cufft.text == "/a/libcufft.so.11, /b/libcufft.so.12.0.1"
    assert "LD_LIBRARY_PATH" in cufft.fix
    assert gomp.text == "/c/libgomp-a34b.so.1, /c/libgomp.so.1"
    assert gomp.fix == ""
    (nvrtc,) = findings.libraries(["/d/libnvrtc-builtins.so.12.9", "/d/libnvrtc.so.12"])
    assert (nvrtc.text, nvrtc.fix) == ("/d/libnvrtc.so.12", "")


def test_disk_and_mpi():
    assert findings.disk("cache", "/x", 0.2, True, "set PTYCUPY_CACHE_DIR").fix == "set PTYCUPY_CACHE_DIR"
    assert findings.disk("cache", "/x", 50.0, True, "set PTYCUPY_CACHE_DIR").fix == ""
    assert "cannot be written" in findings.disk("here", "/x", 50.0, False, "another output.folder").text
    started = ("srun (Slurm)", 0, 4)
    assert "mpi4py is not installed" in findings.mpi(None, started, "").text
    assert "ptycupy[mpi]" in findings.mpi("4.1", started, "of another MPI").fix
    assert findings.mpi("4.1", started, "").fix == ""
    assert findings.mpi(None, None, "").fix == ""


def test_this_machine_is_well_on_its_cpu(monkeypatch):
    monkeypatch.setattr(package.backends, "available", lambda: {"cpu": "", "cuda": "no CuPy"})
    report = doctor()
    assert report.healthy
    found = {finding.subject: finding for finding in report.findings}
    assert "agrees with central differences" in found["cpu gradient"].text
    assert "agrees with its sum" in found["cpu transform"].text
    assert "does not work" not in str(report)


def test_a_gpu_that_cannot_compile_fails_although_the_cpu_is_well(monkeypatch, capsys):
    """The default backend would be CUDA, so the exit code is not 0."""

    def refuses():
        raise ResourceError("NVRTC of CUDA 12 was not found: pip install nvidia-cuda-nvrtc-cu12")

    monkeypatch.setattr(package.backends, "available", lambda: {"cpu": "", "cuda": ""})
    monkeypatch.setattr(calculation, "compile_anew", refuses)
    monkeypatch.setattr(package, "CHECKS", {"compiler": calculation.compiled})
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "failed: NVRTC of CUDA 12 was not found" in out
    assert "-> --backend cpu runs without it" in out
    assert out.rstrip().endswith("the backend that a run takes by itself does not work")


@pytest.mark.parametrize("fault", ["transform", "gradient"])
def test_wrong_results_are_seen(monkeypatch, fault):
    from ptycupy import functional

    forward, loss_and_gradients = functional.forward, functional.loss_and_gradients
    monkeypatch.setattr(functional, "forward", lambda *given, **named: 1.01 * np.asarray(forward(*given, **named)))

    def wrong(*given, **named):
        loss, gradients = loss_and_gradients(*given, **named)
        return loss, gradients.replace(object_phase=1.01 * gradients.object_phase)

    monkeypatch.setattr(functional, "loss_and_gradients", wrong)
    found = getattr(calculation, fault)(f"cpu {fault}", "cpu")
    assert "WRONG" in found.text
    assert found.fix


def test_without_a_driver_nothing_raises(monkeypatch):
    def absent(name):
        raise OSError(name)

    monkeypatch.setattr(examination.ctypes, "CDLL", absent)
    assert examination.cuda_driver() is None


def test_libraries_where_the_system_lists_none(monkeypatch, tmp_path):
    monkeypatch.setattr(package, "MAPS", tmp_path / "absent")
    assert package._loaded() == []
