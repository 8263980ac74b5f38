"""Views against the same thing done to the whole array with NumPy."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptycupy.config.schema import Data, Orientation
from ptycupy.data import ArraySource, load_mask, open_source
from ptycupy.data.transform import orient
from ptycupy.errors import DataError

VALUES = np.random.default_rng(3).integers(0, 60_000, (4, 5, 6, 8)).astype(np.uint16)  # slow, fast, ky, kx


def save(tmp_path: Path, values: np.ndarray[Any, Any] = VALUES) -> str:
    np.save(tmp_path / "a.npy", values)
    return str(tmp_path / "a.npy")


def whole(source: Any) -> np.ndarray[Any, Any]:
    return np.concatenate([patterns for _, patterns in source.slabs(7)])


@pytest.mark.parametrize("flip_y", [False, True])
@pytest.mark.parametrize("flip_x", [False, True])
@pytest.mark.parametrize("transpose", [False, True])
def test_flips_come_before_the_transpose(tmp_path: Path, flip_y: bool, flip_x: bool, transpose: bool) -> None:
    expected = VALUES.reshape(20, 6, 8)
    if flip_y:
        expected = np.flip(expected, 1)
    if flip_x:
        expected = np.flip(expected, 2)
    if transpose:
        expected = expected.transpose(0, 2, 1)
    orientation = Orientation(flip_y=flip_y, flip_x=flip_x, transpose=transpose)
    source = open_source(Data(path=save(tmp_path), orientation=orientation))
    assert source.shape == expected.shape
    assert source.dtype == np.uint16
    np.testing.assert_array_equal(whole(source), expected)
    np.testing.assert_array_equal(source.read([13, 2]), expected[[13, 2]])
    assert source.read([1]).flags.c_contiguous
    assert source.scan_shape == (4, 5)


def test_a_transpose_exchanges_the_detector_calibration() -> None:
    from ptycupy.data import Calibration

    source = ArraySource(VALUES.reshape(20, 6, 8), calibration=Calibration(dk_inverse_angstrom=(0.1, 0.2)))
    assert orient(source, Orientation(transpose=True)).calibration.dk_inverse_angstrom == (0.2, 0.1)
    assert orient(source, Orientation(flip_y=True)).calibration.dk_inverse_angstrom == (0.1, 0.2)


def test_crops_of_scan_and_detector_after_orientation(tmp_path: Path) -> None:
    config = Data(
        path=save(tmp_path),
        orientation=Orientation(flip_x=True, transpose=True),
        crop_scan=((1, 3), (None, -1)),
        crop_detector=((2, None), (None, 5)),
    )
    source = open_source(config)
    turned = np.flip(VALUES, 3).swapaxes(2, 3)
    expected = turned[1:3, :-1, 2:, :5].reshape(8, 6, 5)
    assert source.scan_shape == (2, 4)
    assert source.shape == (8, 6, 5)
    np.testing.assert_array_equal(whole(source), expected)
    np.testing.assert_array_equal(source.read([7, 0]), expected[[7, 0]])
    assert source.provenance.steps == (
        "crop scan [1:3, 0:4]",
        "flip_x transpose",
        "crop detector [2:8, 0:5]",
    )
    with pytest.raises(IndexError, match="8"):
        source.read([8])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read([3]), expected[[3]])


@pytest.mark.parametrize("span", [(3, 3), (0, 7), (-9, 2), (4, 1)])
def test_crops_that_leave_nothing_or_leave_the_array(tmp_path: Path, span: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=r"data\.crop_detector y .* within 0\.\.6"):
        open_source(Data(path=save(tmp_path), crop_detector=(span, (None, None))))
    with pytest.raises(DataError, match=r"data\.crop_scan slow .* within 0\.\.4"):
        open_source(Data(path=save(tmp_path), crop_scan=(span, (None, None))))


def test_cropping_an_unknown_scan_asks_for_its_shape(tmp_path: Path) -> None:
    config = {"path": save(tmp_path, VALUES.reshape(20, 6, 8)), "crop_scan": ((0, 2), (0, 2))}
    with pytest.raises(DataError, match=r"data\.scan_shape.*4 x 5"):
        open_source(Data(**config))
    expected = VALUES[:2, :2].reshape(4, 6, 8)
    np.testing.assert_array_equal(whole(open_source(Data(**config, scan_shape=(4, 5)))), expected)


@pytest.mark.parametrize(
    ("stored", "permute", "reshape"),
    [
        ((4, 5, 6, 8), (1, 0, 3, 2), None),
        ((4, 5, 6, 8), (2, 3, 0, 1), None),
        ((6, 8, 20), (2, 0, 1), None),
        ((6, 8, 20), (2, 1, 0), (4, 5, 8, 6)),
        ((20, 48), None, (20, 6, 8)),
        ((20, 48), None, (4, 5, 6, -1)),
        ((120, 8), None, (-1, 6, 8)),
        ((120, 8), None, (4, 5, 6, 8)),
        ((8, 120), (1, 0), (20, 6, 8)),
        ((4, 30, 8), None, (20, 6, 8)),
        ((2, 2, 5, 6, 8), None, (4, 5, 6, 8)),
        ((960,), None, (20, 6, 8)),
        ((6, 8), None, (1, 6, 8)),
        ((1, 6, 8), None, None),
    ],
)
def test_permute_then_reshape_as_numpy_does(tmp_path: Path, stored: Any, permute: Any, reshape: Any) -> None:
    values = np.arange(np.prod(stored), dtype=np.int32).reshape(stored)
    expected = values if permute is None else values.transpose(permute)
    expected = expected if reshape is None else expected.reshape(reshape)
    flat = expected.reshape(-1, *expected.shape[-2:])
    source = open_source(Data(path=save(tmp_path, values), permute=permute, reshape=reshape))
    assert source.shape == flat.shape
    assert expected.ndim == 3 or source.scan_shape == expected.shape[:2]
    np.testing.assert_array_equal(whole(source), flat)
    order = [len(flat) - 1, 0]
    np.testing.assert_array_equal(source.read(order), flat[order])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"permute": (0, 1)}, r"data\.permute \[0, 1\] does not order the 4 axes"),
        ({"permute": (0, 1, 2, 2)}, "does not order"),
        ({"reshape": (19, 6, 8)}, "does not fit"),
        ({"reshape": (-1, -1, 8)}, "does not fit"),
        ({"reshape": (-1, 7, 8)}, "does not fit"),
        ({"reshape": (0, 6, 8)}, "does not fit"),
        ({"reshape": (960,)}, r"set data\.reshape"),
        ({"reshape": (16, 6, 10)}, "cuts through"),
        ({"detector_shape": (8, 6)}, r"data\.detector_shape says \(8, 6\)"),
    ],
)
def test_impossible_regrouping_is_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_source(Data(path=save(tmp_path), **config))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_of_any_indices(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    import h5py

    chunks = data.draw(st.none() | st.tuples(*(st.integers(1, n) for n in VALUES.shape)))
    permute = data.draw(st.permutations([0, 1]).map(lambda lead: (*lead, 2, 3)))
    indices = data.draw(st.lists(st.integers(0, 19), max_size=25))
    path = tmp_path_factory.mktemp("any") / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("dp", data=VALUES, chunks=chunks)
    expected = VALUES.transpose(permute).reshape(20, 6, 8)
    source = open_source(Data(path=str(path), permute=permute))
    np.testing.assert_array_equal(source.read(indices), expected[indices])


def test_a_mask_is_turned_and_cropped_like_the_patterns(tmp_path: Path) -> None:
    mask = VALUES[0, 0] > 20_000
    np.save(tmp_path / "mask.npy", mask.astype(np.float32)[None])
    config = {
        "path": save(tmp_path),
        "mask_path": str(tmp_path / "mask.npy"),
        "orientation": Orientation(flip_y=True, transpose=True),
        "crop_detector": ((1, 7), (None, None)),
    }
    got = load_mask(Data(**config))
    assert got is not None
    assert got.dtype == np.bool_
    np.testing.assert_array_equal(got, mask[::-1].T[1:7])
    assert load_mask(Data(path=save(tmp_path))) is None


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((8, 6)), r"a mask \(8, 6\).*needs \(6, 8\)"),
        (np.zeros((6, 8)), "every pixel"),
        (np.full((6, 8), np.nan), "of numbers"),
    ],
)
def test_masks_that_do_not_fit(tmp_path: Path, mask: Any, message: str) -> None:
    np.save(tmp_path / "mask.npy", mask)
    with pytest.raises(DataError, match=message):
        load_mask(Data(path=save(tmp_path), mask_path=str(tmp_path / "mask.npy")))


SELECTIONS = [
    [[1, 3], [0, 5, 2], None, None],
    [[1], [-3, None]],
    [2, [0, 4]],
    [None, None, [1, 5], [1, 8, 3]],
    [None, -1],
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
@pytest.mark.parametrize("kind", ["npy", "h5"])
def test_a_selection_is_numpy_s(tmp_path: Path, selection: list[Any], kind: str) -> None:
    path = save(tmp_path)
    if kind == "h5":
        path = str(tmp_path / "a.h5")
        with h5py.File(path, "w") as file:
            file.create_dataset("dp", data=VALUES, chunks=(2, 2, 3, 8))
    parts = tuple(part if isinstance(part, int) else slice(*part) if part else slice(None) for part in selection)
    expected = VALUES[parts]
    data = Data.model_validate({"path": path, "selection": selection})
    found = open_source(data)
    np.testing.assert_array_equal(whole(found), expected.reshape(-1, *expected.shape[-2:]))
    np.testing.assert_array_equal(found.read([2, 0]), expected.reshape(-1, *expected.shape[-2:])[[2, 0]])
    assert found.scan_shape == (expected.shape[:2] if expected.ndim == 4 else found.scan_shape)
    turned = open_source(Data.model_validate({"path": path, "selection": [0], "permute": [1, 2, 0]}))
    np.testing.assert_array_equal(whole(turned), VALUES[0].transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ([None] * 5, "names 5 axes of .*which has 4"),
        ([4], "index 4 of axis 0, which has 4"),
        ([None, [3, 3]], r"\[3, 3\] of axis 1 \(of 5\) is empty"),
    ],
)
def test_a_selection_that_does_not_fit_is_named(tmp_path: Path, selection: list[Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        open_source(Data.model_validate({"path": save(tmp_path), "selection": selection}))
