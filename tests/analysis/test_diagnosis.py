"""Every check: silent on a sound reconstruction, and naming the line that mends a broken one."""

from dataclasses import replace

import numpy as np
import pytest
from snapshots import make

from ptycupy.analysis.diagnosis import Observed, diagnose
from ptycupy.experiment.probe import make_probe
from ptycupy.experiment.scan import affine_matrix, raster

WINDOW, SCAN, STEP, PIXEL, ANGLE, KV = 32, (12, 12), 5, 0.2, 20.0, 300.0
WAVELENGTH = 0.0197
RADIUS = ANGLE * 1e-3 / WAVELENGTH * WINDOW * PIXEL  # px of the aperture in the Fourier transform of the window


def sound(slices=4, iterations=20):
    """A reconstruction without a fault: a raster, atoms in the middle slices, a loss that has settled."""
    base = make(slices=slices, probes=1, window=(WINDOW, WINDOW), scan=SCAN, step=STEP, pixel_size=(PIXEL, PIXEL))
    probe = make_probe(KV, ANGLE, (WINDOW, WINDOW), PIXEL)[None].astype(np.complex64)
    shape = base.state.object_phase.shape
    phase = 0.3 * np.random.default_rng(1).random(shape).astype(np.float32)
    jitter = np.random.default_rng(0).uniform(-0.2, 0.2, base.state.shifts.shape).astype(np.float32)
    state = replace(base.state, probe=probe, object_phase=phase, shifts=jitter, slice_thickness=np.float32(5.0))
    loss = [0.5 + 0.5 * np.exp(-i) - 0.0004 * i for i in range(iterations)]
    numbers = list(range(1, iterations + 1))
    rates = {"object_phase": [1e-3] * iterations}
    history = replace(base.history, iterations=numbers, total=loss, learning_rates=rates)
    start = base.corners.astype(float)
    return replace(base, state=state, history=history, iteration=iterations, initial_positions=start)


def seen(**changes):
    y, x = np.ogrid[:WINDOW, :WINDOW]
    disk = 1.0 * (np.hypot(y - WINDOW // 2, x - WINDOW // 2) <= RADIUS)
    return Observed(**{"centres": None, "mean_pattern": disk, "convergence_angle": ANGLE, **changes})


def only(snapshot, observed=None):
    """The one finding that there must be."""
    (finding,) = diagnose(snapshot, observed or seen())
    return finding


def changed(snapshot, **fields):
    return replace(snapshot, state=replace(snapshot.state, **fields))


def test_a_sound_reconstruction_has_nothing_to_mend():
    assert diagnose(sound(), seen()) == []
    assert diagnose(sound()) == []
    assert diagnose(sound(slices=1), seen()) == []


def field(angle=0.0, shape=(40, 36)):
    """Centres of mass of random Gaussian atoms on a raster that is rotated by `angle`."""
    places = raster(shape, (0.5, 0.5)) @ affine_matrix(1, 0, angle, 0)
    away = places[:, None] - np.random.default_rng(3).uniform(-8, 8, (12, 2))
    return -(away * np.exp(-(away**2).sum(-1) / 3)[..., None]).sum(1).reshape(*shape, 2)


@pytest.mark.parametrize(
    ("stored", "present", "wanted"),
    [
        (lambda f: f[..., ::-1], (False, False, False), "{flip_y: false, flip_x: false, transpose: true}"),
        (lambda f: f * [-1, 1], (False, False, False), "{flip_y: true, flip_x: false, transpose: false}"),
        (lambda f: f * [-1, 1], (False, False, True), "{flip_y: false, flip_x: true, transpose: true}"),
        (lambda f: f[..., ::-1], (True, False, True), "{flip_y: true, flip_x: false, transpose: false}"),
    ],
)
def test_a_wrong_orientation_names_the_right_one(stored, present, wanted):
    finding = only(sound(), seen(centres=stored(field()), orientation=present))
    assert finding.remedy == f"data.orientation: {wanted}"


def test_the_wanted_orientation_is_right_for_stored_patterns():
    """The rule by which turns are put together, against patterns that are really turned."""
    from itertools import product

    from ptycupy.analysis.diagnosis.case import Case
    from ptycupy.analysis.diagnosis.geometry import wrong_orientation

    right = field()

    def turn(f, flip_y, flip_x, transpose):
        f = f * [-1 if flip_y else 1, -1 if flip_x else 1]
        return f[..., ::-1] if transpose else f

    def undo(f, flip_y, flip_x, transpose):
        f = f[..., ::-1] if transpose else f
        return f * [-1 if flip_y else 1, -1 if flip_x else 1]

    flags = list(product((False, True), repeat=3))
    for true, present in product(flags, flags):
        shown = turn(undo(right, *true), *present)  # as the configuration turns what was stored
        found = wrong_orientation(Case(sound(), seen(centres=shown, orientation=present)))
        named = {k: "true" if v else "false" for k, v in zip(("flip_y", "flip_x", "transpose"), true, strict=True)}
        text = ", ".join(f"{k}: {v}" for k, v in named.items())
        alike = shown is right or np.array_equal(shown, right) or np.array_equal(shown, -right)
        if found is None:  # a turn by 180 degrees leaves no curl: that alone is not named
            assert alike
        else:
            assert found.remedy == f"data.orientation: {{{text}}}"


def test_a_rotated_scan_is_told_by_how_much():
    for present in (0.0, -5.0, 33.0):
        finding = only(sound(), seen(centres=field(20.0), rotation_degrees=present))
        assert finding.remedy == "scan.affine.rotation_degrees: 20.0"
    assert diagnose(sound(), seen(centres=field(20.0), rotation_degrees=20.0)) == []


def test_a_stretched_scan_means_another_pixel_size():
    base = sound()
    middle = base.corners.mean(axis=0)
    finding = only(changed(base, shifts=(0.04 * (base.corners - middle)).astype(np.float32)))
    assert finding.what.startswith("the refined scan is +4.0 %")
    assert "divided by 1.0400" in finding.remedy


def test_a_steady_drift():
    base = sound()
    time = np.linspace(0, 1, len(base.corners))[:, None]
    random = np.random.default_rng(5).permutation(len(time))  # a drift that no affine map explains: scanned at random
    snapshot = replace(base, used=random, state=replace(base.state, shifts=np.zeros_like(base.state.shifts)))
    shifts = np.zeros_like(base.state.shifts)
    shifts[random] = (time * [3.0, -1.0]).astype(np.float32)
    finding = only(changed(snapshot, shifts=shifts))
    assert finding.what == "the positions drift by 3.2 px (y +3.0, x -1.0) from the first to the last"


def test_the_aperture():
    finding = only(sound(), seen(convergence_angle=ANGLE, mean_pattern=np.ones((WINDOW, WINDOW))))
    assert finding.what.startswith(f"the mean pattern's disk has a radius of 18.1 px, the aperture {RADIUS:.1f} px")


def test_saturated_pixels():
    assert only(sound(), seen(saturated=3)).remedy == "data.bad_pixels: mask"
    many = only(sound(), seen(saturated=200))
    assert many.what.startswith("200 pixels, 20 % of the detector")
    assert many.remedy.startswith("data.mask_path")


def test_a_probe_at_the_edge_of_its_window():
    wide = make_probe(KV, ANGLE, (WINDOW, WINDOW), PIXEL, aberrations={"C10": -400.0})[None].astype(np.complex64)
    finding = only(changed(sound(), probe=wide))
    assert "at the edge of its window" in finding.what


def test_a_probe_with_frequencies_outside_of_the_aperture():
    base = sound()
    stripes = 1 + 0.6 * np.cos(2 * np.pi * np.arange(WINDOW) * 13 / WINDOW)
    finding = only(changed(base, probe=(base.state.probe * stripes).astype(np.complex64)))
    assert "outside of the aperture" in finding.what
    assert "probe_fourier_mask" in finding.remedy


def test_the_raster_in_the_object():
    base = sound()
    rows = np.arange(base.state.object_phase.shape[-2])[:, None]
    phase = base.state.object_phase + (0.2 * np.cos(2 * np.pi * rows / STEP)).astype(np.float32)
    finding = only(changed(base, object_phase=phase))
    assert finding.what.startswith("the phase has a spot at the frequency of the raster's step of 5 px")


def test_a_specimen_that_left_the_middle():
    base = sound(slices=6)
    phase = base.state.object_phase.copy()
    phase[:, :4] *= 0.1
    finding = only(changed(base, object_phase=phase))
    assert finding.what.endswith("slices below the middle")
    phase = phase[:, ::-1]
    assert only(changed(base, object_phase=phase)).what.endswith("slices above the middle")


def test_empty_slices():
    base = sound(slices=8)
    phase = base.state.object_phase.copy()
    phase[:, [0, 1, 6, 7]] *= 0.01
    finding = only(changed(base, object_phase=phase))
    assert finding.what == "2 slices at the top and 2 at the bottom hold nothing"
    assert finding.remedy == "object.slices: 6"


def test_slices_that_are_too_thick():
    finding = only(changed(sound(), slice_thickness=np.float32(60.0)))
    assert finding.what.startswith("slices of 60 angstrom are thicker than the 32.5")  # 1 / (0.0197 * 1.25^2)
    assert finding.remedy.startswith("object.slices: 8 of")


def course(*loss):
    base = sound(iterations=len(loss))
    return replace(base, history=replace(base.history, total=list(loss)))


def test_the_loss():
    wild = [1.0, 0.8, 0.7, 0.6, 0.5] + [0.5, 0.56, 0.49, 0.55, 0.5]
    assert only(course(*wild)).remedy == "smaller learning rates, for example optimizer.object_phase: 0.00033"
    assert only(course(*([1.0, 0.7] + [0.5] * 18))).remedy.startswith("reconstruction.iterations: 10,")
    assert only(course(*(0.97**i for i in range(20)))).what == "the loss still falls by 3.0 % per iteration"
    assert diagnose(course(1.0, 0.9, 0.8), seen()) == []
