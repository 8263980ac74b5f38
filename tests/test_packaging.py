"""What is shipped: the package with its kernels, and nothing else."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import ptycupy

ROOT = Path(__file__).parents[1]
KERNELS = {path.name for path in (ROOT / "kernels").iterdir() if path.is_file()}
LARGEST = 500_000  # bytes; measured data are far larger
DATA = (".h5", ".hdf5", ".npy", ".npz", ".raw", ".tif", ".tiff", ".mib", ".emd")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(sdist, wheel made from that sdist)."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def wheel(built):
    """File name -> size."""
    with zipfile.ZipFile(built[1]) as archive:
        return {entry.filename: entry.file_size for entry in archive.infolist()}


@pytest.fixture(scope="module")
def sdist(built):
    with tarfile.open(built[0]) as archive:
        return {entry.name.split("/", 1)[1]: entry.size for entry in archive if entry.isfile()}


def test_the_kernels_are_inside_the_package(wheel, sdist):
    assert any(name.endswith(".cu") for name in KERNELS)
    assert {name.removeprefix("ptycupy/kernels/") for name in wheel if name.startswith("ptycupy/kernels/")} == KERNELS
    assert {f"kernels/{name}" for name in KERNELS} <= set(sdist)


def test_every_module_is_shipped(wheel):
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "ptycupy").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert "ptycupy/py.typed" in wanted
    assert wanted <= set(wheel)


def test_nothing_else_is_shipped(wheel, sdist):
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ptycupy"}
    assert {name.split("/")[0] for name in sdist} <= {
        "ptycupy", "kernels", "pyproject.toml", "README.md", "LICENSE", "PKG-INFO", ".gitignore",
    }  # fmt: skip
    for name, size in [*wheel.items(), *sdist.items()]:
        assert not name.endswith(DATA), f"{name} is data"
        assert size < LARGEST, f"{name} has {size} bytes"


def test_one_version(built):
    assert built[1].name.startswith(f"ptycupy-{ptycupy.__version__}-py3-none-any")
    assert built[0].name == f"ptycupy-{ptycupy.__version__}.tar.gz"


def test_licence_and_entry_point_are_in_the_wheel(built):
    with zipfile.ZipFile(built[1]) as archive:
        names = archive.namelist()
        (entry_points,) = [name for name in names if name.endswith("entry_points.txt")]
        assert "ptycupy = ptycupy.cli:main" in archive.read(entry_points).decode()
    assert any(name.endswith("LICENSE") for name in names)
