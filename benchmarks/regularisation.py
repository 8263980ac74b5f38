"""What regularisation along the beam does to a simulated twisted bilayer: Figure 5, S10 and S11 of the PtyRAD paper.

    python benchmarks/regularisation.py [CASE ...] [--set KEY=VALUE ...] [--picture FILE.png]

Two WSe2 layers, twisted by 30 degrees so that their images are different everywhere, with every tenth selenium missing,
are simulated with frozen phonons and counting noise, and reconstructed as 12 slices of 1 angstrom from the true probe.
Per case, against the atoms at rest:

- SSIM and correlation of the phase summed over the slices (`ptycupy.analysis.compare_with_truth`).
- Contrast error of the weak columns: the columns are the local maxima of the true sum, weak those in its lowest third,
  strong those in its highest. (weak / strong as reconstructed) / (weak / strong in truth) - 1, of mean heights above
  the image's minimum: -0.1 means that weak columns are 10 % too weak.
- Leak: each slice is fitted by a sum of the true image of the top layer, that of the bottom layer and a constant. The
  leak is the share of the bottom layer's coefficients (absolute values, all slices) that lies in the first slice, and
  in the first three, which end in the top layer's metal plane. A layer smeared over all depths has 1/12 and 1/4.
- Depth width: standard deviation in angstrom of those coefficients of the bottom layer over depth; 3.45 where smeared.

Each case is merged into benchmarks/results/regularisation_cpu.json; then the depth blur must leak less than the
missing wedge's filter, or the command fails.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ptycupy
from ptycupy.analysis import Comparison, compare_with_truth, registration_shift
from ptycupy.api import simulate_to_file
from ptycupy.data import read_array, read_attributes

RUN = {"command": "python benchmarks/regularisation.py", "ptycupy": ptycupy.__version__}
RESULTS = Path(__file__).parent / "results" / "regularisation_cpu.json"
SLICES = 12
TOP = 3  # slices down to the metal plane of the first layer
MIDDLE = 6  # slices of the simulated potential that belong to the first layer
THERMAL_BLUR = 0.11  # angstrom, as compare_with_truth
Floats = NDArray[np.float64]

EXPERIMENT: dict[str, Any] = {
    "version": 1,
    "illumination": {
        "kind": "electron",
        "voltage_kv": 80,
        "convergence_angle_mrad": 24.9,
        "aberrations": {"C10": -100.0},
        "modes": 1,
    },
    "calibration": {"mode": "pixel_size_angstrom", "value": 0.2},
    "scan": {"step_angstrom": 0.5},
    "object": {"slices": SLICES, "slice_thickness_angstrom": 1.0},
    "simulation": {
        "atoms": {"structure": "wse2_bilayer", "twist_degrees": 30.0, "vacancy_fraction": 0.1},
        "scan_shape": [20, 20],
        "detector_shape": [64, 64],
        "oversampling": 3,
        "potential_slice_angstrom": 1.0,
        "frozen_phonons": 4,
        "phonon_displacement_angstrom": 0.08,
        "dose_per_square_angstrom": 1e6,
    },
    "optimizer": {"object_amplitude": 5e-4, "object_phase": 2e-3, "probe": 1e-4, "shifts": 0.0},
    "reconstruction": {"iterations": 60, "batch_size": 16, "checkpoint_every": None},
    "backend": "cpu",
}
ALWAYS = ("fixed_probe_intensity", {"name": "amplitude_threshold", "thresh": [0.98, 1.02]})
POSITIVE = "positive_phase"


def wedge(beta: float) -> dict[str, Any]:
    return {"name": "missing_wedge", "beta": beta}


BLUR = {"name": "depth_blur", "std": 1.0}
CASES: dict[str, tuple[tuple[Any, ...], float]] = {
    "no filter": ((), 0.0),
    "kz beta 1": ((wedge(1.0),), 0.0),
    "kz beta 1, positivity": ((wedge(1.0), POSITIVE), 0.0),
    "kz beta 1, positivity, sparsity 0.01": ((wedge(1.0), POSITIVE), 0.01),
    "kz beta 1, positivity, sparsity 0.03": ((wedge(1.0), POSITIVE), 0.03),
    "kz beta 1, positivity, sparsity 0.1": ((wedge(1.0), POSITIVE), 0.1),
    "kz beta 0.5, positivity, sparsity 0.1": ((wedge(0.5), POSITIVE), 0.1),
    "kz beta 0.1, positivity, sparsity 0.1": ((wedge(0.1), POSITIVE), 0.1),
    "kz beta 0.01, positivity, sparsity 0.1": ((wedge(0.01), POSITIVE), 0.1),
    "rz sigma 1, positivity, sparsity 0.1": ((BLUR, POSITIVE), 0.1),
    "rz sigma 1": ((BLUR,), 0.0),
    "positivity, sparsity 0.1": ((POSITIVE,), 0.1),
}
"""Constraints besides ALWAYS, weight of the sparsity loss. The last two tell the filters' part from the rest."""
LEAKS_LESS = {
    "rz sigma 1": "kz beta 1",
    "rz sigma 1, positivity, sparsity 0.1": "kz beta 1, positivity, sparsity 0.1",
}


def configuration(case: str) -> dict[str, Any]:
    constraints, sparsity = CASES[case]
    named = [one if isinstance(one, dict) else {"name": one} for one in (*ALWAYS, *constraints)]
    losses = {"gaussian": {"weight": 1.0, "power": 0.5}, "sparsity": {"weight": sparsity} if sparsity else None}
    return EXPERIMENT | {"constraints": named, "losses": losses}


def measure(result: ptycupy.Result, data: Path) -> tuple[dict[str, Any], Comparison, Floats]:
    """The numbers of one case, its summed phase beside the truth, and its slices [z, y, x] in the scanned field."""
    region = result.snapshot.field_of_view()
    slices = result.state.object_phase[0][:, region[0], region[1]].astype(float)
    truth, stated = read_array(str(data), "truth_phase"), read_attributes(str(data), "truth_phase")
    pixel = float(np.mean(result.snapshot.pixel_size))
    fine = float(np.mean(stated.numbers("px_A")))
    positions = result.snapshot.initial_positions
    middle = (positions.min(axis=0) + positions.max(axis=0)) / 2 - positions[0]
    centre = np.asarray(stated.numbers("scan_origin_A")) + middle * pixel
    compared = compare_with_truth(slices.sum(axis=0), pixel, truth.sum(axis=0), fine, tuple(centre), THERMAL_BLUR)
    layers = np.stack([truth[:MIDDLE].sum(axis=0), truth[MIDDLE:].sum(axis=0)])
    top, bottom = as_seen(layers, fine, slices.sum(axis=0), pixel, centre)
    profiles = depth_profiles(slices, top, bottom)
    share = np.abs(profiles[1]) / np.abs(profiles[1]).sum()
    depth = np.arange(len(share)) + 0.5
    found = {
        **result.scores,
        "contrast_error_weak_columns": contrast_error(compared),
        "leak_first_slice": float(share[0]),
        "leak_first_three_slices": float(share[:TOP].sum()),
        "depth_width_angstrom": float(np.sqrt(share @ (depth - share @ depth) ** 2)),
        "top_layer_by_slice": [round(float(value), 4) for value in profiles[0]],
        "bottom_layer_by_slice": [round(float(value), 4) for value in profiles[1]],
        "last_loss": result.history.losses["gaussian"][-1],
    }
    return found, compared, slices


def as_seen(layers: Floats, fine: float, image: Floats, pixel: float, centre: Floats) -> tuple[Floats, Floats]:
    """Both layers [Y, X] on the image's pixels [y, x], blurred, and together registered to the image."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    blurred = [gaussian_filter(layer.astype(float), THERMAL_BLUR / fine) for layer in layers]

    def sampled(moved: tuple[float, float]) -> list[Floats]:
        along = [
            (centre[axis] + (np.arange(n) - (n - 1) / 2 - moved[axis]) * pixel) / fine
            for axis, n in enumerate(image.shape)
        ]
        grid = np.meshgrid(*along, indexing="ij")
        return [map_coordinates(layer, grid, order=1, mode="grid-wrap") for layer in blurred]

    expected = np.sum(sampled((0.0, 0.0)), axis=0)
    top, bottom = sampled(registration_shift(image - image.mean(), expected - expected.mean()))
    return top, bottom


def depth_profiles(slices: Floats, top: Floats, bottom: Floats) -> Floats:
    """[2, z] coefficients of the top and the bottom layer's image in every slice, by least squares."""
    basis = np.stack([top.ravel(), bottom.ravel(), np.ones(top.size)], axis=1)
    coefficients: Floats = np.linalg.lstsq(basis, slices.reshape(len(slices), -1).T, rcond=None)[0]
    return coefficients[:2]


def contrast_error(compared: Comparison) -> float:
    from scipy.ndimage import maximum_filter

    truth = compared.truth
    columns = (truth == maximum_filter(truth, 5)) & (truth > 0.1 * truth.max())
    low, high = np.quantile(truth[columns], (1 / 3, 2 / 3))
    weak, strong = columns & (truth <= low), columns & (truth >= high)
    seen = maximum_filter(compared.image, 3)  # a column may lie a pixel beside where the truth has it
    return float((seen[weak].mean() / seen[strong].mean()) / (truth[weak].mean() / truth[strong].mean()) - 1)


def write(found: dict[str, Any]) -> dict[str, Any]:
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    merged = {**known, **found}
    RESULTS.write_text(json.dumps(merged, indent=1) + "\n")
    return merged


def picture(path: Path, shown: dict[str, tuple[Comparison, Floats]]) -> None:
    """Per case the truth, the summed phase, the first, fourth, seventh and tenth slice, and a cut along depth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 2.3 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), 7, squeeze=False)
    for row, (case, (compared, slices)) in zip(grid, shown.items(), strict=True):
        images = {"truth": compared.truth, case: compared.image}
        images |= {f"slice {index}": slices[index] for index in (0, 3, 6, 9)}
        images["depth (down)"] = slices[:, slices.shape[1] // 2]
        for axes, (title, image) in zip(row, images.items(), strict=True):
            axes.imshow(image, cmap="magma", aspect="auto" if title.startswith("depth") else "equal")
            axes.set_title(title, fontsize=7)
            axes.set_axis_off()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"by default all: {'; '.join(CASES)}")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    shown = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "bilayer.h5"
        simulate_to_file(EXPERIMENT, data, overrides=arguments.overrides)
        for case in arguments.cases or CASES:
            config = configuration(case) | {
                "data": {"path": str(data), "key": "dp", "scan_shape": EXPERIMENT["simulation"]["scan_shape"]},
                "truth": {"path": str(data), "key": "truth_phase"},
                "output": {"folder": folder},
            }
            result = ptycupy.reconstruct(config, overrides=arguments.overrides)
            found, *shown[case] = measure(result, data)
            if arguments.overrides:
                found["set"] = arguments.overrides
            known = write({**RUN, case: found})
            print(case, json.dumps(found), flush=True)
    if arguments.picture:
        picture(arguments.picture, shown)
    for pair in LEAKS_LESS.items():
        if known.keys() >= set(pair):
            blur, filtered = (known[case]["leak_first_slice"] for case in pair)
            assert blur < filtered, f"{pair[0]} leaks {blur:.3f} into the first slice, {pair[1]} {filtered:.3f}"


if __name__ == "__main__":
    main()
