"""The simulated stand-ins of the paper's data sets (`configs/paper/*_simulated.yaml`), tiny, through one iteration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ptycupy
from ptycupy import backends
from ptycupy.config import load_config
from ptycupy.experiment import build
from ptycupy.reconstruction.configured import settings_from
from ptycupy.simulate import simulate
from ptycupy.simulate.coherence import focal_spread

FOLDER = Path(__file__).parents[2] / "configs" / "paper"
FILES = sorted(FOLDER.glob("*_simulated.yaml"))
TINY = (
    "simulation.scan_shape=[3, 3]",
    "simulation.detector_shape=[24, 24]",
    "simulation.oversampling=1",
    "simulation.frozen_phonons=1",
    "simulation.potential_slice_angstrom=20",
    "simulation.atoms.cells_along_beam=1",
    "reconstruction.iterations=1",
)


def test_every_measured_set_has_a_stand_in_that_names_it_and_is_named_by_it() -> None:
    measured = sorted(set(FOLDER.glob("*.yaml")) - set(FILES))
    assert [path.stem for path in measured] == ["moss6", "psco", "wse2", "zsm5"]
    for path in measured:
        stand_in = path.with_name(f"{path.stem}_simulated.yaml")
        assert stand_in.name in path.read_text()
        assert path.name in stand_in.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_stand_in_is_its_data_set_s_experiment(path: Path) -> None:
    simulated, measured = load_config(path), load_config(path.with_name(path.name.replace("_simulated", "")))
    for name in ("voltage_kv", "convergence_angle_mrad"):
        assert getattr(simulated.illumination, name) == getattr(measured.illumination, name)
    assert simulated.illumination.aberrations["C10"] == measured.illumination.aberrations["C10"]
    assert simulated.scan.step_angstrom == measured.scan.step_angstrom
    assert simulated.object == measured.object
    assert simulated.model.detector_blur_px == measured.model.detector_blur_px


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_stand_in_is_simulated_and_reconstructed(path: Path) -> None:
    config = load_config(path, TINY)
    backend = backends.select("cpu")
    scan = simulate(config, backend=backend)
    assert scan.electrons_per_pattern is not None
    dose = scan.electrons_per_pattern / np.prod(scan.scan_step)
    assert dose == pytest.approx({"moss6_simulated": 100, "zsm5_simulated": 3500}.get(path.stem, 1e6))
    engine = ptycupy.Engine(*build(config, scan.source()), settings_from(config), backend)
    engine.run(1)
    assert np.isfinite(engine.history.total).all()
    assert np.ptp(engine.state.object_phase) > 5e-4


def test_partial_coherence_is_the_paper_s() -> None:
    simulation = load_config(FOLDER / "wse2_simulated.yaml").simulation
    assert simulation is not None
    spread = focal_spread(simulation.chromatic_aberration_angstrom, simulation.energy_spread_ev, 80)
    assert spread == pytest.approx(43.75, abs=0.005)
    assert simulation.source_size_angstrom == 0.34
