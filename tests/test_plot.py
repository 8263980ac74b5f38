"""ptycupy.plot: what is drawn into axes, read back from them, and results that notebooks show."""

import io
import re
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import tiny_run
from PIL import Image
from scenes import random_scene
from snapshots import make, same

import ptycupy
from ptycupy import plot
from ptycupy.analysis import fourier_ring_correlation
from ptycupy.api.result import Result
from ptycupy.errors import DataError
from ptycupy.outputs.canvas import new_figure
from ptycupy.storage.result import save_result

IMAGES = ("phase", "amplitude", "phase_fft", "cross_section", "probe", "positions")
CURVES = ("loss", "learning_rates")


@pytest.fixture
def axes():
    return new_figure(4, 4).subplots()


def pixels(axes):
    return np.asarray(axes.images[0].get_array())


def bars(axes):
    """The labels of the colour bars beside the axes."""
    return [other.get_ylabel() for other in axes.figure.axes if other is not axes]


@pytest.mark.parametrize("name", [*IMAGES, *CURVES])
def test_they_draw_into_the_axes_that_they_get_and_return_these(name, axes):
    for snapshot in (make(), make(modes=2, probes=5, pixel_size=None, thickness="each")):
        axes.clear()
        assert getattr(plot, name)(snapshot, axes) is axes
        assert axes.has_data()
        axes.figure.canvas.draw()


@pytest.mark.parametrize("name", IMAGES)
def test_colour_bars_say_what_they_show_and_can_be_left_out(name, axes):
    getattr(plot, name)(make(), axes, colorbar=False)
    assert axes.figure.axes == [axes]
    getattr(plot, name)(make(), axes)
    labels = {
        "phase": "rad",
        "amplitude": "",
        "phase_fft": "log10 magnitude",
        "cross_section": "phase (rad)",
        "probe": "phase (rad); brightness: amplitude",
        "positions": "shift (Å)",
    }
    assert bars(axes) == [labels[name]]


def test_without_axes_pyplot_makes_a_figure(monkeypatch):
    from matplotlib import pyplot

    matplotlib.use("agg")
    axes = plot.phase(make())
    assert axes.figure.number in pyplot.get_fignums()
    pyplot.close(axes.figure)


def test_phase_is_the_sum_or_a_slice(axes):
    snapshot = make(thickness="each")
    stack = snapshot.state.object_phase[0][(slice(None), *snapshot.field_of_view())]
    np.testing.assert_allclose(pixels(plot.phase(snapshot, axes)), stack.sum(axis=0), rtol=1e-5)
    axes.clear()
    plot.phase(snapshot, axes, slice=2, limits=(0.0, 0.3))
    np.testing.assert_array_equal(pixels(axes), stack[2])
    assert axes.images[0].get_clim() == (0.0, 0.3)
    assert axes.get_title() == "phase of slice 3 of 3, z = 20 Å"
    for wrong in (3, -1):
        with pytest.raises(DataError, match=f"slice: {wrong} is not there; the result has 3"):
            plot.phase(snapshot, axes, slice=wrong)


def test_the_spectrum_marks_a_limit(axes):
    plot.phase_fft(make(), axes, limit=1.25)
    assert axes.patches[-1].get_radius() == pytest.approx(0.8)
    assert axes.get_legend().get_texts()[0].get_text() == "information limit 1.250 Å"


@pytest.mark.parametrize(("along", "other"), [("x", 0), ("y", 1)])
def test_cross_sections_go_through_the_strongest_column_or_where_they_are_told(along, other, axes):
    snapshot = make()
    stack = snapshot.state.object_phase[0][(slice(None), *snapshot.field_of_view())]
    strongest = np.unravel_index(stack.sum(axis=0).argmax(), stack.shape[1:])[other]
    plot.cross_section(snapshot, axes, along=along)
    np.testing.assert_array_equal(pixels(axes), stack.take(strongest, axis=1 + other))
    assert axes.get_xlabel() == f"{along} (Å)"
    assert axes.yaxis_inverted()
    np.testing.assert_allclose(axes.images[0].get_extent(), (0, stack.shape[2 - other] * 0.2, 25, -5))
    axes.clear()
    plot.cross_section(snapshot, axes, along=along, at=0.45)
    np.testing.assert_array_equal(pixels(axes), stack.take(2, axis=1 + other))
    assert axes.get_title() == f"at {'yx'[other]} = 0.5 Å"
    with pytest.raises(DataError, match="outside of the picture"):
        plot.cross_section(snapshot, axes, along=along, at=-0.1)


def test_one_slice_has_no_cross_section(axes):
    with pytest.raises(DataError, match="one slice"):
        plot.cross_section(make(slices=1), axes)
    with pytest.raises(DataError, match="'z' must be x or y"):
        plot.cross_section(make(), axes, along="z")


def test_probe_modes_are_all_there_each_to_its_own_maximum(axes):
    snapshot = make(probes=3)
    plot.probe(snapshot, axes)
    sheet = pixels(axes)
    assert sheet.shape == (33, 33, 3)  # two rows and columns of 16 px, a white px between
    parts = [sheet[:16, :16], sheet[:16, 17:], sheet[17:, :16]]
    assert [part.max() for part in parts] == [1.0, 1.0, 1.0]
    np.testing.assert_array_equal(sheet[17:, 17:], 1.0)
    power = (np.abs(snapshot.state.probe) ** 2).sum(axis=(1, 2))
    titles = [text.get_text() for text in axes.texts if text.get_text().startswith("mode")]
    assert titles == [f"mode {i + 1}: {100 * power[i] / power.sum():.3g} %" for i in range(3)]
    axes.clear()
    plot.probe(snapshot, axes, mode=1)
    np.testing.assert_array_equal(pixels(axes), parts[1])
    assert axes.get_title() == f"probe, {titles[1]}"
    with pytest.raises(DataError, match="mode: 3 is not there"):
        plot.probe(snapshot, axes, mode=3)


def test_a_probe_in_fourier_space_has_a_scale_in_inverse_angstrom(axes):
    snapshot = make(probes=1)
    flat = replace(snapshot, state=snapshot.state.replace(probe=np.ones((1, 16, 16), np.complex64)))
    plot.probe(flat, axes, fourier=True)
    assert np.argwhere(pixels(axes).max(axis=-1) > 0.5).tolist() == [[8, 8]]
    assert axes.texts[0].get_text() == "1 1/Å"


def test_losses_and_their_terms(axes):
    snapshot = make()
    plot.loss(snapshot, axes)
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), snapshot.history.total)
    axes.clear()
    plot.loss(snapshot, axes, terms=True)
    assert [line.get_label() for line in axes.lines] == ["gaussian", "sparsity"]


def curve(noise, pixel_size=0.2):
    random = np.random.default_rng(1)
    image = random.normal(size=(40, 40))
    return fourier_ring_correlation(image, image + noise * random.normal(size=(40, 40)), pixel_size)


def test_one_ring_correlation_is_judged_by_its_criteria(axes):
    plot.ring_correlation(curve(1.0), axes)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[0] == "correlation"
    assert re.fullmatch(r"half bit: ([\d.]+ Å|up to Nyquist)", labels[1])
    assert axes.get_xlabel() == "spatial frequency (1/Å)"


def test_several_ring_correlations_tell_their_resolution(axes):
    bad, good = curve(3.0), curve(0.0)
    plot.ring_correlation({"bad": bad, "good": good}, axes)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [f"bad: {bad.resolution_angstrom('half_bit'):.3g} Å", "good: up to Nyquist", "half bit", "1/7"]
    (mark,) = [line for line in axes.lines if len(set(line.get_xdata())) == 1]
    assert 1 / mark.get_xdata()[0] == pytest.approx(bad.resolution_angstrom("half_bit"))
    with pytest.raises(DataError, match="'fine' has other frequencies than 'bad'"):
        plot.ring_correlation({"bad": bad, "fine": curve(0.0, 0.1)}, axes)
    with pytest.raises(DataError, match="no curve"):
        plot.ring_correlation({}, axes)
    axes.clear()
    plot.ring_correlation(curve(3.0, None), axes)
    assert axes.get_xlabel() == "spatial frequency (of Nyquist)"
    assert "% of Nyquist" in axes.get_legend().get_texts()[1].get_text()


def test_any_image(axes):
    plot.image(np.eye(50), axes, pixel_size=(0.2, 0.1), label="rad", limits=(0.0, 2.0), cmap="inferno")
    assert axes.images[0].get_extent() == [0, 5, 10, 0]
    assert axes.texts[0].get_text() == "1 Å"
    assert bars(axes) == ["rad"]
    with pytest.raises(DataError, match="must be an image"):
        plot.image(np.zeros((2, 3, 4)), axes)


def test_an_engine_at_work_is_shown_without_what_only_resuming_needs(axes, monkeypatch):
    problem, state = random_scene(window=(16, 16))
    settings = ptycupy.Settings({"gaussian": {}}, learning_rates={"object_phase": 1e-3})
    engine = ptycupy.Engine(problem, state, settings, backend="cpu")
    seen = []

    class Watch(ptycupy.Callback):
        def on_iteration(self, engine):
            axes.clear()
            plot.phase(engine, axes, colorbar=False)
            seen.append(pixels(axes).copy())

    engine.run(2, [Watch()])
    assert len(seen) == 2
    assert (seen[0] != seen[1]).any()
    np.testing.assert_array_equal(pixels(plot.phase(engine.snapshot(), new_figure(2, 2).subplots())), seen[1])


def test_plot_is_a_module_of_its_own():
    from ptycupy.plot import phase

    assert ptycupy.plot.phase is phase
    assert "plot" in dir(ptycupy)


@pytest.mark.parametrize("pixel_size", [(0.2, 0.2), None])
def test_a_result_shows_itself(tmp_path, pixel_size):
    result = Result(make(pixel_size=pixel_size, scan=(16, 16)), tmp_path / "a<b", {"correlation": 0.9})
    page = result._repr_html_()
    assert len(page) < 200_000
    assert "http" not in page
    assert "a&lt;b" in page
    assert "correlation</td>" in page
    assert "0.9000 with the known truth" in page
    assert repr(result) == f"<Result of 4 iterations, loss 0.50119, in {tmp_path / 'a<b'}>"
    picture = Image.open(io.BytesIO(result._repr_png_()))
    assert picture.format == "PNG"
    assert np.asarray(picture.convert("L"), float).std() > 10


def test_what_is_worth_knowing_of_a_result_is_said(tmp_path):
    from ptycupy.analysis.diagnosis import Finding

    mend = (Finding("the loss still falls", "more iterations"),)
    whole = Result(make(), tmp_path, {}, information_limit_angstrom=0.512, findings=mend)._repr_html_()
    assert "0.512 Å" in whole
    assert "the loss still falls" in whole
    assert "ended by" not in whole
    assert "ended by" in Result(make(), tmp_path, {}, exit_code=130)._repr_html_()


def test_a_result_is_read_back_from_its_folder_or_its_file(tmp_path):
    save_result(tmp_path / "result.h5", make())
    for path in (tmp_path, tmp_path / "result.h5"):
        found = ptycupy.read_result(path)
        assert same(found.snapshot, make())
        assert found.folder == tmp_path
        assert "loss" in found._repr_html_()
    with pytest.raises(DataError, match="nothing"):
        ptycupy.read_result(tmp_path / "nothing")


def test_a_run_keeps_what_was_compared(tmp_path, monkeypatch):
    tiny_run.without_pictures(monkeypatch)
    config = tiny_run.write(tmp_path, iterations=1)
    assert ptycupy.reconstruct(config, backend="cpu").comparison is None
