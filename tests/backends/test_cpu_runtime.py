"""How CpuBackend runs: memory, threads, the compilation cache and the choice of the FFT library."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from backends.scene import SHAPES, Scene

from ptycupy.backends import cache
from ptycupy.backends.cpu import CpuBackend, fourier, jit
from ptycupy.errors import ResourceError

# One pass through everything that adds up, printed as a hash of the bits.
FINGERPRINT = """
import hashlib
import numpy as np
from backends.scene import Scene
from ptycupy.backends.cpu import CpuBackend
scene = Scene(5, 1, 3, 2, (24, 17))
backend = CpuBackend("float32")
make = lambda values: values.astype(backend.complex if values.dtype.kind == "c" else backend.real)
waves, transmission = make(scene.waves()), make(scene.complex(1, 2, *scene.canvas))
grad, transfer = np.zeros_like(transmission), make(scene.complex(1, 1, *scene.window))
place = (1, scene.corners, scene.indices)
results = [backend.transmit_forward(waves, transmission, *place)]
results.append(backend.transmit_backward(waves.copy(), waves, transmission, *place, grad, True))
grad_transfer = np.zeros_like(transfer)
spectra = backend.propagate_forward(waves.copy(), transfer, 0, True)[1]
results.append(backend.propagate_backward(waves.copy(), transfer, 0, spectra, grad_transfer))
intensity, measured = make(scene.positive(5, *scene.window)), make(scene.measured())
results.append(backend.gaussian_statistics(intensity, measured, 0.5))
results.append(backend.pacbed_statistics(intensity, measured, 0.5))
results.append(backend.total_power(make(scene.complex(40000))))
results += [grad, grad_transfer, backend.coverage(scene.canvas, scene.window, scene.corners, scene.indices)]
print(hashlib.sha256(b"".join(result.tobytes() for result in results)).hexdigest())
"""

TWO_THREADS_AT_ONCE = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from ptycupy.backends.cpu import CpuBackend, jit
backend = CpuBackend("float32")
waves = np.ones((4, 1, 2, 32, 32), np.complex64)
with ThreadPoolExecutor(4) as pool:
    results = list(pool.map(lambda _: backend.far_field_forward(waves.copy())[0, 0, 0, 0, 0].real, range(200)))
assert all(result == 32 for result in results), results
print(jit.THREADING_LAYER)
"""


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([tests, *sys.path]), **variables}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def backend() -> CpuBackend:
    return CpuBackend("float32")


def test_only_two_dtypes_and_two_fft_libraries() -> None:
    assert CpuBackend("float64").complex == np.complex128
    with pytest.raises(ValueError, match="float16"):
        CpuBackend("float16")
    with pytest.raises(ValueError, match="rocket, scipy"):
        CpuBackend("float32", "fftw")


def test_asarray_copies_only_what_does_not_match(backend: CpuBackend) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert backend.asarray(values) is values
    assert backend.asarray(values, np.float32) is values
    assert backend.asarray(values.T).flags.c_contiguous
    assert backend.asarray(values, np.float64).dtype == np.float64
    assert backend.to_host(values) is values


def test_fill_copy_add(backend: CpuBackend) -> None:
    target, source = backend.zeros((2, 3), np.float64), np.full((2, 3), 2.0)
    backend.fill(target, 1.5)
    backend.add(target, source)
    assert (target == 3.5).all()
    backend.copy(target, source)
    assert (target == source).all()
    backend.synchronize()
    assert backend.free_bytes() > 1 << 20


def test_arena_hands_out_the_same_blocks_again(backend: CpuBackend) -> None:
    rounds = []
    for _ in range(2):
        with backend.arena():
            rounds.append([backend.empty((2, 2), np.float32) for _ in range(3)] + [backend.empty((4,), np.float32)])
    assert all(a is b for a, b in zip(*rounds, strict=True))
    assert len({id(block) for block in rounds[0]}) == 4
    assert not any(np.shares_memory(backend.empty((2, 2), np.float32), block) for block in rounds[0])
    assert not any(np.shares_memory(backend.zeros((2, 2), np.float32), block) for block in rounds[0])


def test_arenas_nest_and_return_their_blocks_after_an_error(backend: CpuBackend) -> None:
    inner = []

    def fail() -> None:
        with backend.arena():
            inner.append(backend.empty((5,), np.float32))
            raise KeyError

    with backend.arena():
        outer = backend.empty((5,), np.float32)
        with pytest.raises(KeyError):
            fail()
        again = backend.empty((5,), np.float32)
    assert again is inner[0]
    assert again is not outer


def test_in_place_methods_refuse_what_they_would_copy(backend: CpuBackend) -> None:
    values = np.ones((4, 6), np.float32)[:, ::2]
    with pytest.raises(ValueError, match="not contiguous"):
        backend.clamp(values, 0, 1, 0)
    with pytest.raises(ValueError, match="not contiguous"):
        backend.adam(values, values, values, values, 0.1, 1, 0.9, 0.999, 1e-8)


def test_results_depend_neither_on_the_number_of_threads_nor_on_the_cache(tmp_path: Path) -> None:
    """To the last bit: one process compiles everything, the other finds it in the cache."""
    prints = [run(FINGERPRINT, NUMBA_NUM_THREADS=count, PTYCUPY_CACHE_DIR=str(tmp_path)) for count in ("1", "3")]
    assert all(result.returncode == 0 for result in prints), prints[0].stderr + prints[1].stderr
    assert prints[0].stdout == prints[1].stdout


def test_fault_71_threads_share_no_scratch(backend: CpuBackend) -> None:
    scene = Scene(*SHAPES[0])
    phases = [scene.volume().astype(np.float32) for _ in range(8)]
    ones = np.ones_like(phases[0])

    def work(phase: np.ndarray) -> float:
        with backend.arena():
            for _ in range(50):
                transmission = backend.transmission_forward(ones, phase)
                error = np.abs(transmission - np.exp(1j * phase)).max()
        return float(error)

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(work, phases)) < 1e-6


def test_the_workqueue_layer_is_entered_by_one_thread_at_a_time() -> None:
    """Without the lock this layer ends the process ("concurrent access has been detected")."""
    result = run(TWO_THREADS_AT_ONCE, NUMBA_THREADING_LAYER="workqueue", NUMBA_NUM_THREADS="2")
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["workqueue"]


def test_fault_52_without_a_cache_folder_code_is_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    code = """
import logging; logging.basicConfig()
import numpy as np
from ptycupy.backends.cpu import CpuBackend, jit
assert jit.CACHE_FOLDER is None
print(CpuBackend("float32").total_power(np.full(3, 2, np.complex64))[0])
"""
    result = run(code, PTYCUPY_CACHE_DIR=str(tmp_path / "file"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["12.0"]
    assert result.stderr.count("kept in memory only") == 1


def test_fault_52_a_full_disk_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    class Full:
        path = "somewhere"

        def save_overload(self, signature: object, data: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    forgiving = jit._ForgivingCache(Full())
    assert forgiving.path == "somewhere"
    forgiving.save_overload(None, None)
    assert "No space left on device" in caplog.text


def test_code_is_cached_in_its_own_folder_and_only_there() -> None:
    import numba

    assert jit.CACHE_FOLDER is not None
    assert jit.CACHE_FOLDER.name.startswith("cpu-")
    assert any(jit.CACHE_FOLDER.rglob("*.nbi"))
    assert str(numba.config.CACHE_DIR) != str(jit.CACHE_FOLDER)


def test_cache_digest_sees_names_contents_and_versions(tmp_path: Path) -> None:
    a, b = tmp_path / "a.py", tmp_path / "b.py"
    a.write_text("1")
    b.write_text("2")
    first = cache.digest([a, b], ["0.60"])
    assert first == cache.digest([b, a], ["0.60"])
    assert first != cache.digest([a], ["0.60"])
    assert first != cache.digest([a, b], ["0.61"])
    b.write_text("3")
    assert first != cache.digest([a, b], ["0.60"])


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", ".cache/ptycupy"), ("darwin", "Library/Caches/ptycupy"), ("win32", "AppData/Local/ptycupy/cache")],
)
def test_user_cache_by_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, expected: str) -> None:
    for name in ("PTYCUPY_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache.user_cache() == tmp_path / expected
    monkeypatch.setenv("PTYCUPY_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert cache.user_cache() == tmp_path / "elsewhere"


def test_scipy_serves_where_rocket_does_not_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = {"rocket": "ImportError: no rocket today", "scipy": ""}
    monkeypatch.setattr(fourier, "_failure", failures.__getitem__)
    assert fourier.load_fourier("auto").__name__.endswith("fourier_scipy")
    assert "no rocket today" in caplog.text
    with pytest.raises(ResourceError, match="no rocket today"):
        fourier.load_fourier("rocket")
    failures["scipy"] = "ImportError: nor scipy"
    with pytest.raises(ResourceError, match="nor scipy"):
        fourier.load_fourier("auto")
