"""What the figures show: numbers, units and scales, read back from the drawn artists."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from snapshots import atoms, make

from ptycupy.outputs.canvas import new_figure, robust_limits, save_png, show_image
from ptycupy.outputs.chart_figures import loss_figure, positions_figure
from ptycupy.outputs.object_figures import (
    amplitude_figure,
    phase_fft_figure,
    phase_slices_figure,
    phase_sum_figure,
    windowed_spectrum,
)
from ptycupy.outputs.pattern_figures import PatternPair, patterns_figure
from ptycupy.outputs.probe_figures import colour_wave, lit_middle, probe_figure
from ptycupy.outputs.region import shown_region
from ptycupy.outputs.scalebar import label, round_length


@pytest.mark.parametrize(("width", "length"), [(10, 2), (17, 5), (100, 20), (0.4, 0.1), (3.4, 1), (1.0, 0.2)])
def test_scale_bar_is_round_and_at_most_30_percent(width, length):
    assert round_length(width) == pytest.approx(length)


def test_scale_bar_label_changes_to_nanometres():
    assert [label(5, "Å"), label(200, "Å"), label(50, "px"), label(0.5, "1/Å")] == ["5 Å", "20 nm", "50 px", "0.5 1/Å"]


def test_scale_bar_has_its_true_length():
    axes = new_figure(3, 3).subplots()
    show_image(axes, np.eye(50), (0.2, 0.2), "Å")
    bar = axes.patches[0]
    assert axes.texts[0].get_text() == "2 Å"
    assert bar.get_width() * 50 * 0.2 == pytest.approx(2)


def test_robust_limits_survive_outliers_and_constants():
    values = np.linspace(0, 1, 10000)
    values[0], values[1] = 1e9, np.nan
    low, high = robust_limits(values)
    assert 0 <= low < 0.01
    assert 0.99 < high < 1.01
    assert robust_limits(np.ones(9)) == (0.5, 1.5)
    assert robust_limits(np.full(3, np.nan)) == (0, 1)


@pytest.mark.parametrize(("cmap", "mode", "error"), [("gray", "L", 0), ("inferno", "P", 3)])
def test_png_of_noise_stays_below_a_megabyte_and_true(tmp_path, cmap, mode, error):
    figure = new_figure(7, 7)
    show_image(figure.subplots(), np.random.default_rng(0).uniform(0, 1, (910, 910)), cmap=cmap)
    save_png(figure, tmp_path / "noise.png")
    assert (tmp_path / "noise.png").stat().st_size < 1_000_000
    with Image.open(tmp_path / "noise.png") as saved:
        assert saved.mode == mode
        difference = np.asarray(saved.convert("RGB"), int) - np.asarray(figure.canvas.buffer_rgba())[..., :3]
    assert np.abs(difference).mean() <= error


def test_phase_is_summed_over_slices_and_weighted_over_modes():
    snapshot = make(modes=2)
    image = phase_sum_figure(snapshot).axes[0].images[0]
    region = snapshot.field_of_view()
    expected = np.tensordot(snapshot.object_occupancy, snapshot.state.object_phase.sum(axis=1), 1)[region]
    np.testing.assert_allclose(image.get_array(), expected, rtol=1e-5)
    assert phase_sum_figure(snapshot).axes[1].get_ylabel() == "rad"


def test_amplitude_is_multiplied_over_slices():
    snapshot = make()
    image = amplitude_figure(snapshot).axes[0].images[0]
    expected = snapshot.state.object_amplitude[0].prod(axis=0)[snapshot.field_of_view()]
    np.testing.assert_allclose(image.get_array(), expected, rtol=1e-5)


def test_slices_share_one_scale_and_name_their_depth():
    panels = phase_slices_figure(make(thickness="each")).axes[:3]
    assert [axes.get_title() for axes in panels] == ["slice 1, z = 0 Å", "slice 2, z = 8 Å", "slice 3, z = 20 Å"]
    assert len({axes.images[0].get_clim() for axes in panels}) == 1


def test_of_many_slices_25_are_shown():
    figure = phase_slices_figure(make(slices=60, scan=(2, 2)))
    assert sum(len(axes.images) for axes in figure.axes) == 25
    assert figure.axes[24].get_title().startswith("slice 60")


def test_spectrum_peaks_at_the_lattice():
    spectrum = windowed_spectrum(atoms((81, 90), 1, spacing=9.0)[0, 0] + 5)
    y, x = (index - n // 2 for index, n in zip(np.unravel_index(spectrum.argmax(), (81, 90)), (81, 90), strict=True))
    assert sorted([abs(y) * 9 / 81, abs(x) * 9 / 90]) == [0, 1]


def test_spectrum_axes_are_in_inverse_angstrom():
    axes = phase_fft_figure(make()).axes[0]
    np.testing.assert_allclose(axes.images[0].get_extent(), (-2.5, 2.5, 2.5, -2.5))
    assert axes.get_xlabel() == "spatial frequency (1/Å)"
    assert phase_fft_figure(make(slices=1, pixel_size=None)).axes[0].get_xlabel() == "spatial frequency (1/px)"


def test_probe_modes_tell_their_power():
    snapshot = make(probes=2)
    power = (np.abs(snapshot.state.probe) ** 2).sum(axis=(1, 2))
    titles = [axes.get_title() for axes in probe_figure(snapshot).axes[:2]]
    assert titles == [f"mode {i + 1}: {100 * power[i] / power.sum():.3g} %" for i in range(2)]


def test_probe_hue_is_the_phase_and_brightness_the_amplitude():
    red, cyan, dark = colour_wave(np.array([[1.0, -1.0, 0.0]]))[0]
    assert red[0] == red.max() == 1
    assert cyan[0] == cyan.min()
    np.testing.assert_array_equal(dark, 0)


def test_positions_are_in_angstrom_and_arrows_to_scale():
    snapshot = make()
    figure = positions_figure(snapshot)
    axes = figure.axes[0]
    quiver = axes.collections[0]
    shifts = snapshot.state.shifts * 0.2
    np.testing.assert_allclose(quiver.X, (snapshot.corners[:, 1] + 8) * 0.2, rtol=1e-6)
    assert axes.yaxis_inverted()
    factor = quiver.U[0] / shifts[0, 1]
    np.testing.assert_allclose(quiver.U, factor * shifts[:, 1], rtol=1e-4)
    np.testing.assert_allclose(quiver.V, factor * shifts[:, 0], rtol=1e-4)
    assert f"arrows {factor:.3g} times" in axes.get_title() or factor == pytest.approx(1)


def test_positions_from_a_given_start():
    snapshot = make()
    start = snapshot.corners + snapshot.state.shifts - np.float32([0.5, -0.25])
    quiver = positions_figure(snapshot, start).axes[0].collections[0]
    np.testing.assert_allclose(quiver.V / quiver.U, -2, rtol=1e-4)


def test_positions_that_did_not_move_need_no_colours():
    snapshot = make()
    figure = positions_figure(snapshot, snapshot.corners.astype(np.float64) + snapshot.state.shifts)
    assert len(figure.axes) == 1
    assert figure.axes[0].get_title() == "20 positions, none moved"


def test_loss_is_logarithmic_over_decades_only():
    whole, terms = loss_figure(make()).axes
    assert (whole.get_yscale(), terms.get_yscale()) == ("linear", "log")
    snapshot = make()
    snapshot.history.losses = {"gaussian": snapshot.history.total}
    assert loss_figure(snapshot).axes[0].get_yscale() == "linear"


def test_patterns_share_a_scale_and_leave_masked_pixels_out():
    rng = np.random.default_rng(0)
    measured = rng.uniform(0, 4, (2, 16, 16))
    measured[0, 3, 4] = -1
    model = measured + 0.5
    figure = patterns_figure(make(), PatternPair(np.array([5, 6]), measured, model))
    left, middle, right = (axes.images[0] for axes in figure.axes[:3])
    assert left.get_clim() == middle.get_clim()
    assert np.isnan(np.ma.filled(left.get_array(), np.nan)[3, 4])
    np.testing.assert_allclose(middle.get_array(), np.sqrt(np.maximum(model[0], 0)))
    low, high = right.get_clim()
    assert low == -high
    assert figure.axes[0].texts[0].get_text().endswith("mrad")


def test_fault_39_one_position_shows_all_that_was_illuminated():
    snapshot = make(scan=(1, 1))
    assert shown_region(snapshot) == (slice(4, 20), slice(4, 20))


def test_a_small_probe_is_shown_without_the_dark_around_it():
    probe = np.zeros((2, 64, 48), np.complex64)
    probe[0, 30:35, 22:27] = 1
    assert lit_middle(probe) == (slice(24, 40), slice(18, 30))
    probe[1, :, 0] = 0.3  # 3 % and more of the power far from it
    assert lit_middle(probe) == (slice(0, 64), slice(0, 48))
    assert lit_middle(np.zeros((1, 1, 1), complex)) == (slice(0, 1), slice(0, 1))
    base = make(window=(64, 64), probes=1)
    spot = np.zeros((1, 64, 64), np.complex64)
    spot[0, 28:37, 28:37] = 1
    figure = probe_figure(replace(base, state=replace(base.state, probe=spot)))
    assert "the middle 25 % and" in figure.get_suptitle()
    assert figure.axes[0].images[0].get_array().shape == (16, 16, 3)
