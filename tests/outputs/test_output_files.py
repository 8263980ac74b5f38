"""TIFF stacks that ImageJ reads, and the set of figures."""

import sys
import time

import matplotlib as mpl
import numpy as np
import pytest
import tifffile
from PIL import Image
from snapshots import make

from ptycupy.errors import ResourceError
from ptycupy.outputs import PatternPair, write_outputs
from ptycupy.outputs.tiff import write_tiffs


def pair(window, seed=0):
    rng = np.random.default_rng(seed)
    measured = rng.poisson(3.0, (2, *window)).astype(float)
    measured[:, 0, 0] = -1  # a masked pixel
    return PatternPair(np.array([2, 7]), measured, rng.uniform(0, 5, (2, *window)))


def test_tiff_is_float32_cropped_and_calibrated(tmp_path):
    snapshot = make(pixel_size=(0.2, 0.25), thickness="each")
    phase, amplitude = write_tiffs(tmp_path, snapshot)
    rows, columns = snapshot.field_of_view()
    with tifffile.TiffFile(phase) as file:
        assert file.is_imagej
        assert file.series[0].axes == "ZYX"
        stack, metadata = file.asarray(), file.imagej_metadata
        y, x = (file.pages[0].tags[name].value for name in ("YResolution", "XResolution"))
        assert file.pages[0].tags["ResolutionUnit"].value == 1  # so that ImageJ takes the unit of the metadata
    assert stack.dtype == np.float32
    np.testing.assert_array_equal(stack, snapshot.state.object_phase[0, :, rows, columns])
    assert (y[1] / y[0], x[1] / x[0]) == pytest.approx((0.2, 0.25))
    assert metadata["unit"] == "angstrom"
    assert metadata["spacing"] == pytest.approx(10)
    assert metadata["Labels"] == ["z = 0.00 angstrom", "z = 8.00 angstrom", "z = 20.00 angstrom"]
    np.testing.assert_array_equal(tifffile.imread(amplitude), snapshot.state.object_amplitude[0, :, rows, columns])


def test_tiff_per_object_mode_and_in_pixels(tmp_path):
    snapshot = make(modes=2, slices=1, pixel_size=None)
    paths = write_tiffs(tmp_path, snapshot)
    names = [f"object_{what}_mode_{mode}.tif" for what in ("phase", "amplitude") for mode in (1, 2)]
    assert [path.name for path in paths] == names
    rows, columns = snapshot.field_of_view()
    with tifffile.TiffFile(paths[1]) as file:
        assert file.imagej_metadata["unit"] == "pixel"
        np.testing.assert_array_equal(file.asarray(), snapshot.state.object_phase[1, 0, rows, columns])


@pytest.mark.parametrize(
    ("options", "figures"),
    [
        (
            {},
            {
                "phase",
                "phase_slices",
                "cross_sections",
                "amplitude",
                "phase_fft",
                "probe",
                "positions",
                "loss",
                "course",
                "patterns",
            },
        ),
        (
            {"slices": 1, "modes": 2, "pixel_size": None, "window": (16, 12), "probes": 8, "iterations": 1},
            {"phase", "amplitude", "phase_fft", "probe", "positions", "loss", "course", "patterns"},
        ),
        (
            {"scan": (1, 1), "iterations": 0, "slices": 30, "probes": 1},
            {"phase", "phase_slices", "cross_sections", "amplitude", "phase_fft", "probe", "positions", "patterns"},
        ),
    ],
    ids=["calibrated", "uncalibrated", "one position"],
)
def test_every_figure_is_written_small_and_soon(tmp_path, options, figures):
    snapshot = make(**options)
    start = time.perf_counter()
    paths = write_outputs(tmp_path, snapshot, pair(snapshot.detector_shape))
    assert time.perf_counter() - start < 20  # 3 s where nothing else runs
    pictures = [path for path in paths if path.suffix == ".png"]
    assert {path.stem for path in pictures} == figures
    assert set(tmp_path.iterdir()) == set(paths)
    for path in pictures:
        assert path.stat().st_size < 1_000_000
        with Image.open(path) as picture:
            assert np.ptp(np.asarray(picture.convert("L"), int)) > 128, f"{path.name} is empty"


def test_pyplot_and_its_global_state_stay_untouched(tmp_path):
    def state():
        settings = {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}  # reading that loads pyplot
        return "matplotlib.pyplot" in sys.modules, settings

    before = state()
    write_outputs(tmp_path, make(scan=(2, 2)))
    assert state() == before


def test_inputs_are_not_changed(tmp_path):
    snapshot, patterns = make(), pair((16, 16))
    write_outputs(tmp_path, snapshot, patterns)
    np.testing.assert_array_equal(snapshot.state.object_phase, make().state.object_phase)
    np.testing.assert_array_equal(patterns.measured, pair((16, 16)).measured)


def test_fault_57_unwritable_folder(tmp_path):
    with pytest.raises(ResourceError, match="none: outputs could not be written"):
        write_outputs(tmp_path / "none", make())
