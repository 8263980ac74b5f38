"""What a finished run is told about in report.html: its numbers, its pictures and what is worth mending."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.centre_of_mass import centres_of_mass, filled
from ptycupy.analysis.diagnosis import Finding, Observed, diagnose
from ptycupy.api.sections import RESIDUALS, headline, sections
from ptycupy.config.schema import Config
from ptycupy.data.defects import Evidence, saturated_pixels
from ptycupy.data.spaced import evenly_spaced
from ptycupy.outputs import PatternPair
from ptycupy.outputs.canvas import save_png
from ptycupy.outputs.pattern_figures import Residuals, residuals_figure
from ptycupy.outputs.report import Advice, write_report
from ptycupy.reconstruction.engine import Engine
from ptycupy.storage.snapshot import Snapshot

logger = logging.getLogger(__name__)
MOST_LINES = 64  # of the scan, about its middle, whose centres of mass are looked at
MOST_RESIDUALS = 1024  # positions, evenly spaced
SLAB = 32  # patterns


@dataclass(frozen=True)
class Seen:
    """What pictures and report need of measured and modelled patterns, of all ranks."""

    pair: PatternPair
    residuals: Residuals
    centres: NDArray[np.float64] | None  # of mass, of the middle of a raster of which every position is used


def look(engine: Engine) -> Seen:
    """Looks at the patterns, with all ranks: each of them at its own."""
    return Seen(pattern_pair(engine), sampled_residuals(engine), _centres(engine))


def pattern_pair(engine: Engine) -> PatternPair:
    """Two patterns, a third and two thirds into the scan, as measured and as the model has them."""
    used = engine.used
    indices = np.unique(used[[len(used) // 3, 2 * len(used) // 3]])
    return PatternPair(indices, engine.measured(indices), engine.predict(indices))


def report(
    engine: Engine,
    seen: Seen,
    snapshot: Snapshot,
    config: Config,
    folder: Path,
    scores: Mapping[str, float],
    limit: float | None,
    no_limit: str,
) -> list[Finding]:
    """Writes report.html beside the pictures in `folder` and returns what is worth mending, which is logged too.

    `limit` is the information limit in angstrom, `no_limit` says why there is none."""
    residuals = seen.residuals
    save_png(residuals_figure(snapshot, residuals), folder / RESIDUALS)
    found = diagnose(snapshot, observed(seen, config))
    for finding in found:
        logger.warning("%s", finding)
    write_report(
        folder / "report.html",
        f"ptycupy: {folder.name}",
        time.strftime("%Y-%m-%d %H:%M") + f", ptycupy {snapshot.versions.get('ptycupy', '')}",
        [Advice(finding.what, finding.remedy) for finding in found],
        sections(engine, snapshot, config, folder, residuals, scores, limit, no_limit),
        headline(snapshot, residuals, scores, limit),
    )
    return found


def sampled_residuals(engine: Engine) -> Residuals:
    """How well the model explains up to 1024 positions, and their mean patterns."""
    used = engine.used
    chosen = used[evenly_spaced(len(used), MOST_RESIDUALS)]
    scale, random = _count(engine), np.random.default_rng(0)
    relative: list[float] = []
    noise: list[float] = []
    evidence = Evidence(engine.experiment.detector_shape)
    sums = np.zeros((3, *engine.experiment.detector_shape))  # measured, model, and how often a pixel counted
    for start in range(0, len(chosen), SLAB):
        part = chosen[start : start + SLAB]
        measured, model = engine.measured(part).astype(np.float64), engine.predict(part).astype(np.float64)
        counts = measured >= 0
        measured, model = (np.where(counts, np.maximum(values, 0), 0) for values in (measured, model))
        relative += _misfit(measured, model)
        if scale is not None:
            evidence.add(np.rint(measured / scale))
            noise += _misfit(scale * random.poisson(model / scale), model)
        sums += [measured.sum(0), model.sum(0), counts.sum(0)]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums[0] / sums[2], sums[1] / sums[2]
    return Residuals(
        chosen,
        np.asarray(relative),
        *means,
        noise=float(np.mean(noise)) if noise else None,
        counts=None if scale is None else float(sums[0].sum() / scale / len(chosen)),
        saturated=int(np.count_nonzero(saturated_pixels(evidence, np.dtype(engine.problem.patterns.dtype)))),
    )


def _misfit(measured: np.ndarray, model: np.ndarray) -> list[float]:
    """|sqrt(model) - sqrt(measured)| summed, over sqrt(measured) summed, of every pattern [n, ky, kx]."""
    roots = np.sqrt(measured), np.sqrt(model)
    found: list[float] = (np.abs(roots[1] - roots[0]).sum((1, 2)) / np.maximum(roots[0].sum((1, 2)), 1e-30)).tolist()
    return found


def _count(engine: Engine) -> float | None:
    """What one count is in scaled patterns; None where the patterns are not counts, or no longer."""
    problem = engine.problem
    whole = np.dtype(problem.patterns.dtype).kind in "iub" and np.ndim(problem.pattern_scale) == 0
    changed = problem.pattern_padding is not None or problem.pattern_resampling is not None
    return float(problem.pattern_scale) if whole and not changed else None


def observed(seen: Seen, config: Config) -> Observed:
    """What the measured patterns say, for the diagnosis."""
    turn = config.data.orientation
    return Observed(
        centres=seen.centres,
        mean_pattern=np.nan_to_num(seen.residuals.measured),
        saturated=seen.residuals.saturated,
        orientation=(turn.flip_y, turn.flip_x, turn.transpose),
        convergence_angle=config.illumination.convergence_angle_mrad,
        rotation_degrees=config.scan.affine.rotation_degrees,
    )


def _centres(engine: Engine) -> NDArray[np.float64] | None:
    """Centres of mass of the middle of a raster of which every position is used."""
    shape = engine.problem.scan_shape
    if shape is None or math.prod(shape) != len(engine.used) or engine.problem.wavelength is None:
        return None
    part = tuple(slice(max(0, (n - MOST_LINES) // 2), (n + MOST_LINES) // 2 if n > MOST_LINES else n) for n in shape)
    numbers = np.arange(len(engine.used)).reshape(shape)[part]
    slabs = [numbers.ravel()[start : start + SLAB] for start in range(0, numbers.size, SLAB)]
    found = [centres_of_mass(np.maximum(engine.measured(slab), 0)) for slab in slabs]
    return filled(np.concatenate(found).reshape(*numbers.shape, 2))
