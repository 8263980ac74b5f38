"""Every configuration that ships loads, and finds its data."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from ptycupy.config import load_batch, load_config
from ptycupy.config.schema import Config

FOLDER = Path(__file__).parents[2] / "configs"
EVERY = sorted(path for path in FOLDER.rglob("*") if path.suffix in {".yaml", ".yml", ".json", ".toml"})
LISTS = [path for path in EVERY if path.parent.name == "batch"]
FILES = [path for path in EVERY if path not in LISTS]


def test_there_are_configurations():
    assert {"quickstart.yaml", "multislice_wse2.yaml", "simulated.yaml"} <= {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_configuration_loads_and_its_data_are_there(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(path)
    if path.parent.name == "paper" and config.simulation is None:
        assert config.data.path is not None  # the measured data are gigabytes; each file says where they lie
        assert "Data: " in path.read_text()
        return
    named = [config.data, config.illumination, config.scan, *([config.truth] if config.truth else [])]
    for section in named:
        if section.path is not None:
            with h5py.File(section.path, "r") as file:
                assert section.key in file
    assert config.data.path is not None or config.simulation is not None


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_every_list_loads_and_its_data_are_there(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    batch = load_batch(path)
    assert len(batch.entries) > 1
    for config in [entry.loaded.config for entry in batch.entries]:
        assert config.simulation is not None or Path(config.data.path).is_file()


def test_quickstart_works_in_pixels():
    config = load_config(FOLDER / "quickstart.yaml")
    assert config.calibration.mode == "none"
    assert config.losses.sparsity is None
    assert not {"amplitude_threshold", "positive_phase"} & {c.name for c in config.constraints}
    assert config.optimizer.object_phase.learning_rate == 1e-2


def test_wse2_is_the_reference_system_s_setting():
    config = load_config(FOLDER / "multislice_wse2.yaml")
    assert isinstance(config, Config)
    assert (config.object.slices, config.object.slice_thickness_angstrom, config.illumination.modes) == (6, 2.0, 4)
    assert {c.name: c.model_extra for c in config.constraints}["lateral_blur"] == {"std": 0.4}
