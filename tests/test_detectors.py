"""Rows 30 to 34 and 38 from file to result: odd and rectangular detectors with masks, wide blurs, padding, resampling,
windows larger than the detector; each in a reconstruction that takes a moment."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ptycupy

Array = np.ndarray[Any, Any]
ODD, WIDE = (17, 13), (12, 19)


def write(folder: Path, detector: tuple[int, int], change: Any = None, **sections: Any) -> dict[str, Any]:
    """scan.h5 of 25 patterns in `folder` and the configuration of a short reconstruction of them."""
    random = np.random.default_rng(0)
    y, x = (np.arange(n) - n // 2 for n in detector)
    probe = np.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / 14.0) * np.exp(0.05j * (y[:, None] ** 2 + x[None, :] ** 2))
    steps = np.mgrid[:5, :5].reshape(2, -1).T * 2
    transmission = np.exp(1j * random.uniform(-0.6, 0.6, (detector[0] + 10, detector[1] + 10)))
    waves = [probe * transmission[r : r + detector[0], c : c + detector[1]] for r, c in steps]
    intensity = np.abs(np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(waves, (1, 2))), axes=(1, 2))) ** 2
    patterns = random.poisson(2e4 * intensity / intensity.sum((1, 2)).mean()).astype(np.uint16)
    if change is not None:
        patterns = change(patterns)
    with h5py.File(folder / "scan.h5", "w") as file:
        file["dp"], file["positions_px"], file["probe"] = patterns, steps.astype(float), probe
    path = str(folder / "scan.h5")
    base: dict[str, Any] = {
        "data": {"path": path, "key": "dp"},
        "illumination": {"voltage_kv": 80.0, "convergence_angle_mrad": 10.0, "modes": 1},
        "calibration": {"mode": "pixel_size_angstrom", "value": (0.3, 0.4)},
        "scan": {"path": path, "key": "positions_px"},
        "losses": {"gaussian": {}, "sparsity": None},
        "optimizer": {"object_phase": 2e-2, "object_amplitude": 0.0, "probe": 2e-2, "shifts": 0.0},
        "constraints": [],
        "reconstruction": {"iterations": 6, "batch_size": 5},
        "backend": "cpu",
        "output": {"folder": str(folder / "runs"), "name": "run"},
    }
    for name, values in sections.items():
        base[name] = {**base[name], **values} if name in base else values
    return base


def losses(config: dict[str, Any]) -> tuple[ptycupy.Result, Array]:
    result = ptycupy.reconstruct(config)
    found = np.asarray(result.history.total)
    assert np.isfinite(found).all()
    for _, values in result.state.items():
        assert np.isfinite(np.asarray(values)).all()
    return result, found


MODELS: dict[str, dict[str, Any]] = {
    "plain": {},
    "wide blur": {"model": {"detector_blur_px": 11.0}},  # more than half of the detector
    "window cropped": {"model": {"window_shape": (23, 24), "detector_match": "crop", "detector_blur_px": 0.7}},
    "window resampled": {"model": {"window_shape": (23, 24), "detector_match": "resample"}},
    "padded": {"data": {"pad": {"target_shape": (23, 24), "kind": "exponential"}}},
    "resampled": {"data": {"resample": {"factors": (1.5, 2.0)}}},
    "padded and resampled, window larger": {
        "data": {"pad": {"target_shape": (20, 21), "kind": "edge"}, "resample": {"factors": (1.0, 1.5)}},
        "model": {"window_shape": (25, 40)},
    },
    "prepared": {"data": {"detector_blur_px": 9.0, "noise": {"electrons": 1e4}, "negative_always": True}},
}


@pytest.mark.parametrize(
    ("name", "detector"),
    [(name, ODD) for name in MODELS] + [("wide blur", WIDE), ("padded and resampled, window larger", WIDE)],
)
def test_fault_38_odd_and_rectangular_detectors_with_masks(tmp_path: Path, detector: Any, name: str) -> None:
    config = write(tmp_path, detector)
    mask = np.ones(detector, np.uint8)
    mask[2, 3] = mask[:, -1] = 0
    np.save(tmp_path / "mask.npy", mask)
    model = MODELS[name]
    config["data"] = {**config["data"], "mask_path": str(tmp_path / "mask.npy"), **model.get("data", {})}
    if name == "prepared":
        config["data"]["mask_path"] = None  # so wide a blur leaves no pixel that a masked one is no part of
    config |= {key: value for key, value in model.items() if key != "data"}
    result, found = losses(config)
    assert found[-1] < found[0]
    assert (result.folder / "result.h5").exists()


def test_padding_both_ways_gives_the_same_reconstruction(tmp_path: Path) -> None:
    found = []
    for mode in ("on_the_fly", "precompute"):
        folder = tmp_path / mode
        folder.mkdir()
        pad = {"target_shape": (24, 20), "kind": "power", "mode": mode}
        config = write(folder, (17, 13), data={"path": str(folder / "scan.h5"), "key": "dp", "pad": pad})
        found.append(losses(config)[1])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_fault_30_31_32_33_34_all_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def damage(patterns: Array) -> Array:
        values = patterns.astype(np.float32) * np.float32(1e20)
        values[3, 2, 2] = np.nan
        values[5, 6, 7] = -1e20
        values[9] = 0
        values[:, 8, 6] = 0  # dead
        values[:, 1, 1] = 3e24  # hot
        return values

    config = write(tmp_path, (17, 13), damage)
    with caplog.at_level(logging.WARNING, "ptycupy"):
        result, found = losses(config)
    assert found[-1] < found[0]
    for words in ("NaN or infinite values are masked", "clipped to 0", "weight 0: 9", "check the units"):
        assert words in caplog.text
    assert "1 hot at (1, 1); 1 dead at (8, 6)" in caplog.text
    assert len(result.snapshot.used) == 24


def test_patterns_are_exported_beside_the_result(tmp_path: Path) -> None:
    config = write(tmp_path, (12, 19))
    config["output"]["export_patterns"] = "prepared/patterns.npy"
    config["reconstruction"]["iterations"] = 1
    result, _ = losses(config)
    written = np.load(result.folder / "prepared" / "patterns.npy")
    assert written.shape == (25, 12, 19)
    assert written.mean(0).max() == pytest.approx(1, rel=1e-6)
