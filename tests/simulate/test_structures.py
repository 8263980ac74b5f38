"""Crystals: composition, density, distances, twist, vacancies and displacements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from ptycupy.config.schema import Atoms
from ptycupy.errors import DataError, ResourceError
from ptycupy.simulate.structures import SILICON_A, WSE2_A, WSE2_C, AtomicModel, build

FIELD = (40.0, 50.0)


def made(seed: int = 0, field: tuple[float, float] = FIELD, **atoms: object) -> AtomicModel:
    return build(Atoms.model_validate(atoms), field, np.random.default_rng(seed))


def nearest(positions: np.ndarray, others: np.ndarray) -> float:
    return float(np.median(cKDTree(others).query(positions, k=1)[0]))


def test_wse2_bilayer_has_the_published_composition_and_distances() -> None:
    model = made(structure="wse2_bilayer", twist_degrees=0.0)
    tungsten, selenium = model.positions[model.numbers == 74], model.positions[model.numbers == 34]
    cell = WSE2_A**2 * np.sqrt(3) / 2
    assert len(tungsten) == pytest.approx(2 * FIELD[0] * FIELD[1] / cell, rel=0.06)
    assert len(selenium) == pytest.approx(2 * len(tungsten), rel=0.03)
    assert nearest(tungsten, selenium) == pytest.approx(2.526, abs=0.01)  # Schutte et al. 1987: W-Se 2.526
    assert np.unique(tungsten[:, 0].round(6)).tolist() == pytest.approx([1 + 1.6705, 1 + 1.6705 + WSE2_C / 2], abs=1e-3)
    assert model.thickness == pytest.approx(WSE2_C / 2 + 2 * 1.6705 + 2, abs=1e-3)
    first, second = np.unique(tungsten[:, 0])
    assert nearest(tungsten[tungsten[:, 0] == second, 1:], selenium[selenium[:, 0] < second - 2, 1:]) < 1e-9  # 2H
    assert first < second


def test_twist_rotates_the_second_layer_only() -> None:
    flat, twisted = made(twist_degrees=0.0), made(twist_degrees=7.0)
    for layer, angle in ((0, 0.0), (1, 7.0)):
        before, after = (self_layer(model, layer) for model in (flat, twisted))
        c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        middle = np.array(FIELD) / 2
        turned = (before - middle) @ np.array([[c, s], [-s, c]]) + middle
        turned = turned[np.linalg.norm(turned - middle, axis=1) < 15]
        assert cKDTree(after).query(turned)[0].max() < 1e-9


def self_layer(model: AtomicModel, layer: int) -> np.ndarray:
    tungsten = model.positions[model.numbers == 74]
    return tungsten[tungsten[:, 0] == np.unique(tungsten[:, 0])[layer], 1:]


@pytest.mark.parametrize(
    ("structure", "thickness", "volume_per_atom"),
    [("srtio3", 39.0, 3.905**3 / 5), ("silicon", 54.3, SILICON_A**3 / 8)],
)
def test_thick_crystals_have_the_right_density(structure: str, thickness: float, volume_per_atom: float) -> None:
    model = made(structure=structure, thickness_angstrom=thickness)
    count = FIELD[0] * FIELD[1] * thickness / volume_per_atom
    assert len(model.numbers) == pytest.approx(count, rel=0.06)
    assert thickness - 4 < model.thickness < thickness + 4
    assert model.positions[:, 0].min() == pytest.approx(1.0)


def test_nearest_neighbours_of_silicon_graphene_and_srtio3() -> None:
    silicon = made(structure="silicon").positions
    assert np.median(cKDTree(silicon).query(silicon, k=2)[0][:, 1]) == pytest.approx(2.3517, abs=1e-3)
    graphene = made(structure="graphene").positions
    assert np.median(cKDTree(graphene).query(graphene, k=2)[0][:, 1]) == pytest.approx(1.4213, abs=1e-3)
    strontium = made(structure="srtio3")
    assert nearest(
        strontium.positions[strontium.numbers == 22], strontium.positions[strontium.numbers == 8]
    ) == pytest.approx(1.9525, abs=1e-3)


def test_no_two_atoms_share_a_place() -> None:
    for structure in ("wse2_bilayer", "srtio3", "silicon", "graphene"):
        positions = made(structure=structure).positions
        assert cKDTree(positions).query(positions, k=2)[0][:, 1].min() > 1.3


def test_vacancies_take_the_most_abundant_element_and_follow_the_seed() -> None:
    whole, lacking = made(), made(vacancy_fraction=0.02)
    selenium = int((whole.numbers == 34).sum())
    assert (lacking.numbers == 34).sum() == selenium - round(0.02 * selenium)
    assert (lacking.numbers == 74).sum() == (whole.numbers == 74).sum()
    np.testing.assert_array_equal(made(vacancy_fraction=0.02).positions, lacking.positions)
    other = made(seed=1, vacancy_fraction=0.02).positions
    assert other.shape == lacking.positions.shape
    assert not np.array_equal(other, lacking.positions)


def test_displacements_have_the_rms_that_was_asked_for() -> None:
    model = made(structure="silicon")
    moved = model.displaced(0.1, np.random.default_rng(0)).positions - model.positions
    np.testing.assert_allclose(moved.std(0), 0.1, rtol=0.05)
    assert np.abs(moved.mean(0)).max() < 0.01


def test_a_lattice_too_fine_for_its_field_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "fine.xyz"
    file.write_text('1\nLattice="0.01 0 0 0 0.01 0 0 0 1"\nC 0 0 0\n')
    with pytest.raises(ResourceError, match="more than 10000000 atoms"):
        made(path=str(file), field=(100.0, 100.0))


def test_atoms_of_a_file_are_centred_or_tiled(tmp_path: Path) -> None:
    molecule = tmp_path / "molecule.xyz"
    molecule.write_text("2\nwater's cousin\nO 10.0 0.0 0.0\nH 11.0 2.0 4.0\n")
    model = made(path=str(molecule))
    np.testing.assert_allclose(model.positions, [[1.0, 19.0, 24.5], [5.0, 21.0, 25.5]])
    assert model.thickness == 6.0
    crystal = tmp_path / "crystal.xyz"
    crystal.write_text('1\nLattice="5 0 0 0 4 0 0 0 9" Properties=species:S:1:pos:R:3 pbc="T T F"\nCu 0 0 3\n')
    tiled = made(path=str(crystal))
    assert len(tiled.numbers) == 10 * 10
    assert np.unique(tiled.positions[:, 1].round(6)).tolist() == list(np.arange(0.0, 40.0, 4.0))


def test_cells_of_a_file_repeat_along_its_third_vector(tmp_path: Path) -> None:
    crystal = tmp_path / "crystal.xyz"
    crystal.write_text('1\nLattice="5 0 0 0 4 0 1 0 9"\nCu 0 0 3\n')
    model = made(path=str(crystal), cells_along_beam=3)
    assert len(model.numbers) == 3 * 10 * 10
    assert np.unique(model.positions[:, 0]).tolist() == [1.0, 10.0, 19.0]
    assert model.thickness == 20.0


def test_cells_along_the_beam_need_a_lattice(tmp_path: Path) -> None:
    molecule = tmp_path / "molecule.xyz"
    molecule.write_text("1\n\nO 0 0 0\n")
    with pytest.raises(DataError, match="gives no Lattice"):
        made(path=str(molecule), cells_along_beam=2)
