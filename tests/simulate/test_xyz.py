"""Lists of atoms: what is read, and how bad files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ptycupy.errors import DataError
from ptycupy.simulate.xyz import read_xyz


def write(folder: Path, text: str) -> Path:
    file = folder / "atoms.xyz"
    file.write_text(text)
    return file


def test_plain_xyz_becomes_z_y_x(tmp_path: Path) -> None:
    atoms = read_xyz(write(tmp_path, "2\ncomment\nW 1.0 2.0 3.0\n34 -1e-1 0 0.5 extra\n"))
    assert atoms.numbers.tolist() == [74, 34]
    np.testing.assert_array_equal(atoms.positions, [[3.0, 2.0, 1.0], [0.5, 0.0, -0.1]])
    assert atoms.lattice is None


def test_extended_xyz_names_its_columns_and_its_lattice(tmp_path: Path) -> None:
    comment = 'Lattice="3.2 0 0 1.6 2.8 0 0 0 20" Properties=id:I:1:forces:R:3:species:S:1:pos:R:3'
    atoms = read_xyz(write(tmp_path, f"1\n{comment}\n7 0 0 0 Se 1 2 3\n"))
    assert atoms.numbers.tolist() == [34]
    np.testing.assert_array_equal(atoms.positions, [[3.0, 2.0, 1.0]])
    np.testing.assert_array_equal(atoms.lattice, [[0.0, 3.2], [2.8, 1.6]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the number of atoms"),
        ("two\n\nC 0 0 0\n", ":1: found 'two'"),
        ("0\n\n", "expected the number of atoms"),
        ("99999999999999999999999\n\n", "expected the number of atoms"),
        ("3\n\nC 0 0 0\n", "truncated: 1 of 3 atoms"),
        ("1\n\nQq 0 0 0\n", ":3: unknown element 'Qq'"),
        ("2\n\nC 0 0 0\nC 0 0\n", ":4: found 'C 0 0'"),
        ("1\n\nC 0 zero 0\n", ":3: found 'C 0 zero 0'"),
        ("1\n\nC 0 nan 0\n", "not finite"),
        ('1\nLattice="1 0 0"\nC 0 0 0\n', "nine numbers"),
        ('1\nLattice="1 0 1 0 1 0 0 0 1"\nC 0 0 0\n', "x-y plane"),
        ('1\nLattice="1 0 0 2 0 0 0 0 1"\nC 0 0 0\n', "parallel"),
        ("1\nProperties=foo:S:1\nC 0 0 0\n", "no species and pos"),
    ],
)
def test_bad_files_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        read_xyz(file)
    assert str(file) in str(caught.value)


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_xyz(tmp_path / "nowhere.xyz")
    binary = tmp_path / "binary.xyz"
    binary.write_bytes(b"\xff\xfe\x00\x80" * 10)
    with pytest.raises(DataError, match="cannot be read"):
        read_xyz(binary)
