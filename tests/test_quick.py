"""`ptycupy quick`: numbers of known data sets, a picture, and a configuration that runs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import j1

from ptycupy import config
from ptycupy.analysis import first_look
from ptycupy.analysis.first_look import look, overlap, probe_diameter
from ptycupy.cli import main
from ptycupy.data import ArraySource
from ptycupy.errors import DataError
from ptycupy.experiment.optics import electron_wavelength
from ptycupy.experiment.probe import make_probe
from ptycupy.experiment.scan import probe_overlap, raster

DATA = Path(__file__).parents[1] / "configs" / "data"
WSE2 = ["--key", "dp", "--voltage-kv", "80", "--convergence-angle-mrad", "24.9"]


def run(arguments, capsys):
    code = main(["quick", *map(str, arguments)])
    return code, capsys.readouterr()


def test_wse2(tmp_path, capsys):
    code, said = run([DATA / "abtem_wse2.h5", *WSE2, "--output", tmp_path / "new" / "look"], capsys)
    assert code == 0
    lines = {line[:16].strip(): line[16:] for line in said.out.splitlines()[:-1]}
    assert lines["scan"] == "24 x 24"
    assert lines["orientation"].startswith("as stored")
    assert float(lines["pixel size"].split()[0]) == pytest.approx(0.1494, abs=0.001)  # DATA: 0.1494
    assert lines["pixel size"].endswith("the file says 0.1494 x 0.1494")
    folder = Path(said.out.splitlines()[-1])
    assert folder == tmp_path / "new" / "look"
    with Image.open(folder / "quick.png") as picture:
        assert min(picture.size) > 500
    loaded = config.load_config(folder / "quick.yaml")
    assert loaded.data.scan_shape == (24, 24)
    assert loaded.scan.step_angstrom == 0.429  # the file's own
    assert loaded.calibration.mode == "file"
    assert loaded.data.orientation.transpose is False


def turned_source(shape=(16, 14), transpose=True, dtype=np.uint16):
    """A small scan with a bright disk that moves as over Gaussian atoms, stored with its axes exchanged."""
    y, x = np.ogrid[:32, :32]
    slow, fast = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    push = 1.5 * np.stack([np.sin(2 * np.pi * slow / 8), np.sin(2 * np.pi * fast / 7)], -1).reshape(-1, 2)
    # a soft disk of radius 6 about (16, 16), pushed towards the phase's rise
    patterns = [200 / (1 + np.exp(2 * (np.hypot(y - 16 + a, x - 16 + b) - 6))) for a, b in push]
    stack = np.asarray(patterns)
    return ArraySource((stack.swapaxes(1, 2) if transpose else stack).astype(dtype), shape)


def test_a_disk_and_an_exchange_of_axes_are_found():
    seen = look(turned_source())
    assert seen.radius == pytest.approx(6, abs=0.5)
    assert seen.centre == pytest.approx((16, 16), abs=0.3)
    assert seen.counts == pytest.approx(200 * np.pi * 36, rel=0.1)
    assert seen.orientation.transpose
    assert seen.bright_field.shape == seen.phase.shape == (16, 14)
    assert seen.whole_counts


def test_only_the_middle_of_a_large_scan_is_read(monkeypatch):
    source = turned_source()
    monkeypatch.setattr(first_look, "MOST_BYTES", source.patterns.nbytes // 4)
    seen = look(source)
    assert seen.part == (slice(4, 12), slice(3, 10))
    whole = look(turned_source(dtype=np.float32))
    assert not whole.whole_counts


def test_what_is_wrong_is_said(tmp_path, capsys):
    np.save(tmp_path / "flat.npy", np.ones((7, 16, 16), np.uint8))
    code, said = run([tmp_path / "flat.npy"], capsys)
    assert code == 3
    assert "give --scan-shape" in said.err
    np.save(tmp_path / "dark.npy", np.zeros((36, 16, 16), np.uint8))
    code, said = run([tmp_path / "dark.npy"], capsys)
    assert code == 3
    assert "all patterns are dark" in said.err
    with pytest.raises(DataError, match="too small"):
        look(ArraySource(np.ones((6, 8, 8)), (2, 3)))
    np.save(tmp_path / "scan.npy", turned_source().patterns)
    (tmp_path / "file").write_text("in the way")
    shape = ["--scan-shape", "16", "14"]
    code, said = run([tmp_path / "scan.npy", *shape, "--output", tmp_path / "file"], capsys)
    assert code == 4
    assert "cannot be written" in said.err


def test_what_nobody_said_must_be_filled_in(tmp_path, capsys):
    np.save(tmp_path / "scan.npy", turned_source().patterns)
    code, said = run([tmp_path / "scan.npy", "--scan-shape", "16", "14"], capsys)
    assert code == 0
    assert "not known: give --voltage-kv" in said.out
    text = (tmp_path / "scan_quick" / "quick.yaml").read_text()
    assert text.count("FILL IN") == 3
    assert "transpose: true" in text


def test_overlap():
    assert overlap(2.0, 8.0) == 0.75
    assert overlap(9.0, 8.0) == 0
    wavelength = electron_wavelength(300)
    # Airy's disk (2 J1(v) / v)^2, v = 2 pi r angle / wavelength: the integral 4 pi squared over that of its square.
    v = np.linspace(1e-6, 400, 400001)
    square = 2 * np.pi * np.trapezoid((2 * j1(v) / v) ** 4 * v, v)
    area = (4 * np.pi) ** 2 / square * (wavelength / (2 * np.pi * 0.020)) ** 2
    assert probe_diameter(20, wavelength, 0) == pytest.approx(2 * np.sqrt(area / np.pi), rel=0.02)
    assert probe_diameter(20, wavelength, 3000) == pytest.approx(120, rel=0.03)  # geometry: 2 * 3000 * 0.020
    assert probe_diameter(20, wavelength, 1e6) == pytest.approx(4e4)  # no wave is made for that


def test_quick_and_recon_mean_the_same_overlap():
    wavelength = electron_wavelength(80)
    probe = make_probe(80, 24.9, (128, 128), 0.1494)
    seen = probe_overlap(raster((8, 8), (0.429 / 0.1494,) * 2), (8, 8), probe[None])
    assert seen == pytest.approx(overlap(0.429, probe_diameter(24.9, wavelength, 0)), abs=0.02)
