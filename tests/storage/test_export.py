"""Results in the layouts of other programs: written, read back, the same to float32; what a format lacks is said."""

from dataclasses import replace

import numpy as np
import pytest
from snapshots import make

import ptycupy
from ptycupy.cli import main
from ptycupy.errors import ConfigError, DataError, ResourceError
from ptycupy.experiment.results import load_earlier
from ptycupy.storage.export import FORMATS
from ptycupy.storage.result import load_result, save_result

NAMES = [entry.name for entry in FORMATS]
RICH = {"modes": 2, "slices": 4, "probes": 3, "window": (16, 12), "pixel_size": (0.2, 0.25), "thickness": "each",
        "tilts": 20}  # fmt: skip


def mean_object(snapshot):
    weights = snapshot.object_occupancy[:, None, None, None]
    amplitude, phase = ((weights * field).sum(0, keepdims=True) for field in (
        snapshot.state.object_amplitude, snapshot.state.object_phase))  # fmt: skip
    return amplitude * np.exp(1j * phase)


def expected_object(snapshot, holds):
    """The transmission that a format with these parts has of a snapshot."""
    state = snapshot.state
    if "slices" not in holds:
        return (state.object_amplitude * np.exp(1j * state.object_phase)).prod(axis=1, keepdims=True)
    if "object modes" not in holds:
        return mean_object(snapshot)
    return state.object_amplitude * np.exp(1j * state.object_phase)


@pytest.mark.parametrize(
    "options", [{}, {"slices": 1, "probes": 1, "window": (15, 16)}, RICH], ids=["one", "odd", "rich"]
)
@pytest.mark.parametrize("entry", FORMATS, ids=NAMES)
def test_round_trip(tmp_path, entry, options):
    snapshot = make(**options)
    done = ptycupy.export(snapshot, tmp_path / f"there{entry.suffix}", entry.name)
    found = load_earlier(str(done.path))
    state = snapshot.state
    expected = expected_object(snapshot, entry.holds)
    np.testing.assert_allclose(found.amplitude * np.exp(1j * found.phase), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.probe.astype(np.complex64), state.probe)
    assert found.window == state.probe.shape[-2:]
    np.testing.assert_allclose(found.positions, snapshot.corners + state.shifts, rtol=0, atol=1e-5)
    assert found.wavelength == pytest.approx(snapshot.wavelength, rel=1e-12)
    if snapshot.pixel_size[0] == snapshot.pixel_size[1] or "pixels" in entry.holds:
        np.testing.assert_allclose(found.pixel_size, snapshot.pixel_size, rtol=1e-12)
    if "slices" in entry.holds and state.object_phase.shape[1] > 1:
        gaps = np.broadcast_to(state.slice_thickness, (state.object_phase.shape[1] - 1,))
        gaps = gaps if "gaps" in entry.holds else np.full_like(gaps, gaps.mean())
        np.testing.assert_allclose(np.broadcast_to(found.slice_thickness, gaps.shape), gaps, rtol=1e-6)
        if "tilts" in entry.holds:
            np.testing.assert_allclose(found.tilts, np.broadcast_to(state.tilts, found.tilts.shape), rtol=1e-6)
        elif "tilt" in entry.holds:
            np.testing.assert_allclose(found.tilts, state.tilts.mean(axis=0, keepdims=True), rtol=1e-5)


def test_what_has_no_place_is_said(tmp_path):
    snapshot = make(**RICH)
    snapshot = replace(snapshot, state=snapshot.state.replace(background=np.ones((16, 12), np.float32)))
    lost = {name: ptycupy.export(snapshot, tmp_path / name, name).lost for name in NAMES}
    assert lost["ptycupy"] == lost["npz"] == ()
    assert lost["ptyrad"][:2] == ("a thickness for each gap (their mean is written)", "pixels that are not square")
    assert lost["ptyrad"][2:] == ("the background",)
    assert lost["phaser"] == ("object modes (their mean is written)", "the background")
    assert "a tilt for each position" in lost["py4dstem"]
    assert "tilts" not in lost["py4dstem"]
    assert "tilts" in lost["cxi"]
    assert lost["ptypy"][0].startswith("slices (their product")
    plain = make(tilts=1)
    plain = replace(plain, state=plain.state.replace(tilts=np.zeros((1, 2), np.float32)))
    for entry in FORMATS:
        expected = () if "slices" in entry.holds else ("slices (their product is written) and thickness",)
        assert ptycupy.export(plain, tmp_path / f"plain_{entry.name}", entry.name).lost == expected


@pytest.mark.parametrize("start", [name for name in NAMES if name != "ptypy"])
def test_one_program_becomes_another(tmp_path, start):
    """Every format that holds slices is read and becomes a result.h5 of our own."""
    snapshot = make(slices=3)
    there = ptycupy.export(snapshot, tmp_path / f"there{start}", start).path
    done = ptycupy.export(there, tmp_path / "back.h5", "ptycupy")
    back = load_result(done.path)
    expected = snapshot.state.object_amplitude * np.exp(1j * snapshot.state.object_phase)
    np.testing.assert_allclose(back.state.object_amplitude * np.exp(1j * back.state.object_phase), expected, atol=1e-6)
    np.testing.assert_allclose(back.corners + back.state.shifts, snapshot.corners + snapshot.state.shifts, atol=1e-5)
    assert back.state.slice_thickness == pytest.approx(10)
    assert back.wavelength == pytest.approx(snapshot.wavelength)


def test_command(tmp_path, capsys):
    save_result(tmp_path / "result.h5", make(tilts=20))
    assert main(["export", str(tmp_path), "--to", "cxi"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"{tmp_path / 'result_cxi.cxi'}", "CXI has no place for tilts, a tilt for each position"]
    assert main(["export", str(tmp_path), "--to", "cxi"]) == 2
    assert "exists already; use --overwrite" in capsys.readouterr().err
    out = tmp_path / "new folder" / "a.mat"
    assert main(["export", str(tmp_path / "result.h5"), "--to", "mat", "--out", str(out)]) == 0
    assert load_earlier(str(out)).program == "PtychoShelves"
    assert main(["export", str(tmp_path), "--to", "cxi", "--overwrite"]) == 0
    assert main(["export", str(tmp_path), "--to", "pty_rad"]) == 2
    assert "did you mean ptyrad?" in capsys.readouterr().err


def test_pixels_are_refused_where_a_length_is_needed(tmp_path):
    snapshot = make(slices=1, pixel_size=None)
    for entry in FORMATS:
        if entry.name in ("ptycupy", "ptyrad", "phaser", "npz"):
            path = ptycupy.export(snapshot, tmp_path / entry.name, entry.name).path
            assert load_earlier(str(path)).pixel_size is None
        else:
            with pytest.raises(ConfigError, match="has no pixel size"):
                ptycupy.export(snapshot, tmp_path / entry.name, entry.name)
            assert not (tmp_path / entry.name).exists()


def test_what_is_no_reconstruction_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros((4, 4)))
    with pytest.raises(DataError, match="holds no reconstruction that is known here"):
        ptycupy.export(tmp_path / "other.npz", None, "cxi")
    with pytest.raises(DataError, match="none.h5"):
        ptycupy.export(tmp_path / "none.h5", None, "cxi")
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be made"):
        ptycupy.export(make(), tmp_path / "file" / "x.h5", "phaser")
