"""The whole simulation, on the reference backend: physics, noise, reproducibility, and what it hands on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import ReferenceBackend

from ptycupy.config.schema import Config
from ptycupy.errors import ConfigError, ResourceError
from ptycupy.experiment.optics import electron_wavelength, interaction_constant
from ptycupy.simulate import SimulatedScan, simulate
from ptycupy.simulate.scattering import table

DETECTOR, PIXEL, STEP, SCAN = (26, 20), 0.3, 0.5, (3, 2)


def configured(**changes: Any) -> Config:
    """A small simulation; keyword `a__b` sets config["a"]["b"], bare names set keys of the simulation section."""
    sections: dict[str, dict[str, Any]] = {
        "illumination": {"voltage_kv": 80.0, "convergence_angle_mrad": 20.0, "aberrations": {"C10": -20.0}},
        "calibration": {"mode": "pixel_size_angstrom", "value": PIXEL},
        "scan": {"step_angstrom": STEP},
        "simulation": {
            "scan_shape": SCAN,
            "detector_shape": DETECTOR,
            "potential_slice_angstrom": 4.0,
            "oversampling": 2,
        },
    }
    for name, value in changes.items():
        section, _, key = name.rpartition("__")
        sections.setdefault(section or "simulation", {})[key] = value
    return Config.model_validate(sections)


def run(chunk: int | None = None, **changes: Any) -> SimulatedScan:
    return simulate(configured(**changes), backend=ReferenceBackend(), chunk=chunk)


def window_of(scan: SimulatedScan, position: int) -> np.ndarray:
    """The truth [z, y, x] in a pattern's window, moved by a fraction of a pixel so that the probe is in its middle."""
    pixel = np.array(scan.truth_pixel_size)
    window = np.rint(np.array(DETECTOR) * PIXEL / pixel).astype(int)
    centre = np.array(scan.scan_origin) + np.array(scan.scan_step) * np.unravel_index(position, scan.scan_shape)
    corner = centre / pixel - window // 2
    whole = np.rint(corner).astype(int)
    rows, columns = (slice(w, w + n) for w, n in zip(whole, window, strict=True))
    fy, fx = np.fft.fftfreq(scan.truth_phase.shape[1])[:, None], np.fft.fftfreq(scan.truth_phase.shape[2])
    ramp = np.exp(2j * np.pi * ((corner - whole)[0] * fy + (corner - whole)[1] * fx))
    return np.fft.ifft2(np.fft.fft2(scan.truth_phase) * ramp).real[:, rows, columns]


def central(values: np.ndarray) -> np.ndarray:
    """The detector's part of a far field with zero frequency in the corner."""
    start = np.array(values.shape) // 2 - np.array(DETECTOR) // 2
    return np.fft.fftshift(values)[start[0] : start[0] + DETECTOR[0], start[1] : start[1] + DETECTOR[1]]


def multislice(scan: SimulatedScan, oversampling: int, position: int) -> np.ndarray:
    """A textbook multislice of one pattern from the truth alone: the object is moved instead of the probe."""
    window = np.array(DETECTOR) * oversampling
    pixel, wavelength = PIXEL / oversampling, electron_wavelength(80.0)
    k2 = np.fft.fftfreq(window[0], pixel)[:, None] ** 2 + np.fft.fftfreq(window[1], pixel) ** 2
    step = np.exp(2j * np.pi * 4.0 * (np.sqrt(wavelength**-2 - k2) - 1 / wavelength)) * (k2 <= (1 / 3 / pixel) ** 2)
    wave = focused_probe(oversampling)
    for index, phase in enumerate(window_of(scan, position)):
        if index:
            wave = np.fft.ifft2(np.fft.fft2(wave) * step)
        wave = wave * np.exp(1j * phase)
    return central(np.abs(np.fft.fft2(wave, norm="ortho")) ** 2)


def focused_probe(oversampling: int, kv: float = 80.0) -> np.ndarray:
    window = np.array(DETECTOR) * oversampling
    pixel, wavelength = PIXEL / oversampling, electron_wavelength(kv)
    k2 = np.fft.fftfreq(window[0], pixel)[:, None] ** 2 + np.fft.fftfreq(window[1], pixel) ** 2
    inside = wavelength * np.sqrt(k2) <= 0.020
    probe = np.fft.fftshift(np.fft.ifft2(inside * np.exp(1j * np.pi * wavelength * 20.0 * k2)))
    return probe / np.linalg.norm(probe)


def test_patterns_are_those_of_an_independent_multislice() -> None:
    scan = run(scan__step_angstrom=2 * PIXEL, scan_shape=(3, 3))  # whole pixels
    assert scan.truth_phase.shape[0] == 3
    for position in range(9):
        expected = multislice(scan, 2, position)
        np.testing.assert_allclose(scan.patterns[position], expected, atol=2e-6 * expected.max())
    assert np.abs(scan.patterns[0] - scan.patterns[5]).max() > 1e-3 * scan.patterns.max()


def test_patterns_between_pixels_are_those_of_an_independent_multislice() -> None:
    """Moving the object and moving the probe differ by what of the probe lies at the window's edge."""
    scan = run()
    for position in (0, 3, 5):
        expected = multislice(scan, 2, position)
        assert np.linalg.norm(scan.patterns[position] - expected) < 0.03 * np.linalg.norm(expected)


def test_a_weak_object_scatters_kinematically() -> None:
    """First Born approximation: the change of amplitude is i sigma V psi, so the dark field is |FT(sigma V psi)|^2."""
    scan = run(atoms={"structure": "graphene"}, illumination__voltage_kv=300.0, potential_slice_angstrom=50.0)
    probe = focused_probe(2, kv=300.0)
    field = probe * window_of(scan, 0)[0]
    expected = central(np.abs(np.fft.fft2(field, norm="ortho")) ** 2)
    dark = central(np.abs(np.fft.fft2(probe)) < 1e-6)
    ratio = scan.patterns[0][dark].sum() / expected[dark].sum()
    assert ratio == pytest.approx(1.0, abs=0.02)
    assert np.corrcoef(scan.patterns[0][dark], expected[dark])[0, 1] > 0.99
    assert scan.truth_phase.mean() == pytest.approx(
        interaction_constant(300.0) * 47.8776 * table()[6](np.zeros(1))[0] / (2.4617**2 * np.sqrt(3) / 4), rel=0.12
    )


def test_the_beam_is_conserved_and_its_lost_part_is_small() -> None:
    """Without a specimen all of it arrives; with one, only what scatters beyond the detector is missing."""
    empty = run(specimen="phantom", phantom_phase_rad=0.0)
    np.testing.assert_allclose(empty.patterns.sum((1, 2)), 1.0, rtol=1e-5)
    weak = run(specimen="phantom", phantom="discs", phantom_phase_rad=0.4)
    np.testing.assert_allclose(weak.patterns.sum((1, 2)), 1.0, rtol=5e-3)
    atoms = run().patterns.sum((1, 2))
    assert ((atoms > 0.85) & (atoms < 1.0)).all()


def test_absorption_takes_intensity_away() -> None:
    scan = run(specimen="phantom", phantom_phase_rad=0.0, phantom_absorption=0.5)
    totals = scan.patterns.sum((1, 2))
    assert (totals < 0.9999).all()
    assert (totals > 0.2).all()


def test_dose_sets_the_counts_within_poisson_error() -> None:
    dose = 4e4
    scan = run(specimen="phantom", phantom_phase_rad=0.0, dose_per_square_angstrom=dose)
    electrons = dose * STEP**2
    assert scan.electrons_per_pattern == pytest.approx(electrons)
    assert scan.patterns.dtype == np.uint16
    totals = scan.patterns.sum((1, 2), dtype=float)
    assert np.abs(totals - electrons).max() < 4 * np.sqrt(electrons)
    mean = run(specimen="phantom", phantom_phase_rad=0.0).patterns * electrons
    chi2 = np.sum((scan.patterns - mean) ** 2 / mean.clip(1e-3), where=mean > 5) / np.count_nonzero(mean > 5)
    assert chi2 == pytest.approx(1.0, abs=0.15)


def test_counts_beyond_sixteen_bits_become_uint32() -> None:
    scan = run(specimen="phantom", phantom_phase_rad=0.0, dose_per_square_angstrom=4e8)
    assert scan.patterns.dtype == np.uint32
    np.testing.assert_allclose(scan.patterns.sum((1, 2), dtype=float), 1e8, rtol=1e-3)


def test_the_seed_decides_everything_random() -> None:
    random = {
        "atoms": {"vacancy_fraction": 0.1},
        "frozen_phonons": 2,
        "phonon_displacement_angstrom": 0.1,
        "dose_per_square_angstrom": 1e5,
    }
    first, again, other = run(**random), run(**random), run(seed=1, **random)
    np.testing.assert_array_equal(first.patterns, again.patterns)
    np.testing.assert_array_equal(first.truth_phase, again.truth_phase)
    assert not np.array_equal(first.patterns, other.patterns)
    assert not np.array_equal(first.truth_phase, other.truth_phase)


def test_chunks_do_not_change_the_result() -> None:
    random = {"frozen_phonons": 2, "phonon_displacement_angstrom": 0.1, "dose_per_square_angstrom": 1e5}
    np.testing.assert_array_equal(run(chunk=1, **random).patterns, run(chunk=4, **random).patterns)


def test_frozen_phonons_are_the_mean_of_their_configurations() -> None:
    """Their number only averages: the first configuration of three is that of one."""
    shaken = {"phonon_displacement_angstrom": 0.15}
    one, two = run(frozen_phonons=1, **shaken), run(frozen_phonons=2, **shaken)
    second = 2 * two.patterns - one.patterns
    assert second.min() > -1e-6
    assert np.abs(second - one.patterns).max() > 1e-3 * one.patterns.max()
    np.testing.assert_array_equal(one.truth_phase, run().truth_phase)


def test_blurs_conserve_the_sum() -> None:
    sharp = run(specimen="phantom", phantom="discs")
    for blur in (
        {"source_size_angstrom": 0.5},
        {"detector_blur_px": 0.8},
        {"chromatic_aberration_angstrom": 1e7, "energy_spread_ev": 0.9, "defoci": 5},
    ):
        blurred = run(specimen="phantom", phantom="discs", **blur)
        np.testing.assert_allclose(blurred.patterns.sum((1, 2)), sharp.patterns.sum((1, 2)), rtol=2e-3)
        assert np.abs(blurred.patterns - sharp.patterns).max() > 1e-3 * sharp.patterns.max()


def test_tilt_of_the_specimen_moves_the_slices_apart() -> None:
    straight, tilted = run(), run(object__tilt_mrad=(8.0, 0.0))
    assert np.abs(straight.patterns - tilted.patterns).max() > 1e-3 * straight.patterns.max()


def test_finer_simulation_gives_the_same_patterns() -> None:
    coarse, fine = (run(oversampling=factor, atoms={"structure": "graphene"}) for factor in (3, 6))
    assert fine.truth_pixel_size == pytest.approx((0.05, 0.05))
    np.testing.assert_allclose(fine.patterns, coarse.patterns, atol=0.01 * coarse.patterns.max())


def test_calibration_and_geometry_agree() -> None:
    scan = run(scan__step_angstrom=(0.5, 0.4))
    assert scan.pixel_size == pytest.approx((PIXEL, PIXEL))
    assert scan.dk == pytest.approx((1 / (26 * PIXEL), 1 / (20 * PIXEL)))
    assert scan.patterns.shape == (6, *DETECTOR)
    steps = (
        np.diff(scan.positions.reshape(*SCAN, 2), axis=0)[..., 0],
        np.diff(scan.positions.reshape(*SCAN, 2), axis=1)[..., 1],
    )
    np.testing.assert_allclose(steps[0] * PIXEL, 0.5, atol=1e-5)
    np.testing.assert_allclose(steps[1] * PIXEL, 0.4, atol=1e-5)
    first_centre = (scan.positions[0] + np.array(DETECTOR) // 2) * PIXEL
    np.testing.assert_allclose(first_centre, scan.scan_origin, atol=1e-5)
    assert scan.source().calibration.scan_step_angstrom == (0.5, 0.4)
    by_dk = run(scan__step_angstrom=(0.5, 0.4), calibration__mode="dk_inverse_angstrom", calibration__value=scan.dk)
    np.testing.assert_allclose(by_dk.patterns, scan.patterns, atol=1e-6)


def test_progress_counts_every_configuration() -> None:
    seen: list[tuple[int, int]] = []
    config = configured(frozen_phonons=2, phonon_displacement_angstrom=0.1)
    simulate(config, backend=ReferenceBackend(), progress=lambda done, total: seen.append((done, total)), chunk=4)
    assert seen == [(4, 12), (6, 12), (10, 12), (12, 12)]


def test_phantom_of_several_slices_and_of_x_rays() -> None:
    scan = run(
        specimen="phantom", phantom="discs", object__slices=3, object__slice_thickness_angstrom=10.0,
        illumination__kind="xray", illumination__voltage_kv=None, illumination__energy_kev=8.8,
        illumination__convergence_angle_mrad=2.0, calibration__value=150.0, scan__step_angstrom=200.0,
        illumination__aberrations={},
    )  # fmt: skip
    assert scan.truth_phase.shape[0] == 3
    assert scan.truth_slice_thickness == 10.0
    assert not np.array_equal(scan.truth_phase[0], scan.truth_phase[1])
    assert scan.energy_kev == 8.8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"calibration__mode": "fitted_disk", "calibration__value": None}, "pixel_size_angstrom"),
        ({"scan__step_angstrom": None}, "scan.step_angstrom"),
        ({"illumination__voltage_kv": None}, "voltage_kv"),
        ({"illumination__convergence_angle_mrad": 200.0}, "mrad"),
        ({"specimen": "phantom", "object__slices": 2}, "object.slice_thickness_angstrom"),
        (
            {"illumination__kind": "xray", "illumination__voltage_kv": None, "illumination__energy_kev": 8.0,
             "illumination__convergence_angle_mrad": 3.0, "calibration__value": 100.0, "scan__step_angstrom": 100.0},
            "phantom",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(**changes)


def test_no_simulation_section_is_refused() -> None:
    with pytest.raises(ConfigError, match="no simulation section"):
        simulate(Config(), backend=ReferenceBackend())


def test_fault_41_an_object_beyond_memory_is_refused_with_the_estimate() -> None:
    with pytest.raises(ResourceError, match=r"voxels needs .* GB, but 1 GB are free"):
        run(scan__step_angstrom=5000.0)
