"""reconstruct: from a configuration to a Result, with everything that a run leaves behind."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy import backends, data, experiment
from ptycupy import config as configuration
from ptycupy.analysis import Comparison, compare_with_truth, information_limit
from ptycupy.config.notes import Note
from ptycupy.config.schema import Config, Reconstruction, Truth
from ptycupy.errors import ConfigError, DataError, DivergenceError, PtycupyError
from ptycupy.experiment.state import Problem, State
from ptycupy.outputs import PatternPair, write_outputs
from ptycupy.outputs.region import mean_mode
from ptycupy.outputs.write import write_figures
from ptycupy.reconstruction.callbacks import Callback, Quiet
from ptycupy.reconstruction.checkpoint import Checkpoints, list_checkpoints, load_newest
from ptycupy.reconstruction.configured import settings_from
from ptycupy.reconstruction.engine import Engine
from ptycupy.reconstruction.interrupt import StopOnSignal
from ptycupy.reconstruction.logs import FILE_ONLY, console, log_file
from ptycupy.reconstruction.progress import IterationLog, ProgressBar
from ptycupy.reconstruction.run_folder import RunFolder, claim
from ptycupy.reconstruction.selection import select_positions, subscan
from ptycupy.reconstruction.stages import run_stages
from ptycupy.storage.patterns import Export, MatVersion, write_patterns
from ptycupy.storage.result import save_result, verify
from ptycupy.storage.scan import write_dataset
from ptycupy.storage.snapshot import History, Snapshot

logger = logging.getLogger(__name__)
SIMULATED = "simulated.h5"


@dataclass(frozen=True)
class Result:
    """A finished, or interrupted, reconstruction; all arrays are NumPy."""

    snapshot: Snapshot
    folder: Path  # the run folder: result.h5, images, figures, run.log
    scores: Mapping[str, float]  # against the truth where the configuration names one, else empty
    exit_code: int = 0  # 130 or 143 where a signal ended the run early
    information_limit_angstrom: float | None = None  # of the summed phase; None without a pixel size or spots

    @property
    def state(self) -> State:
        """Object, probe, shifts, tilts and thickness."""
        return self.snapshot.state

    @property
    def history(self) -> History:
        """Losses, times and learning rates of every iteration."""
        return self.snapshot.history

    def save(self, path: str | Path) -> None:
        """Write one result.h5 there."""
        save_result(Path(path), self.snapshot)

    def export(self, folder: str | Path) -> None:
        """Write images and figures into another folder."""
        write_outputs(Path(folder), self.snapshot)


def reconstruct(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Sequence[str] = (),
    backend: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[Callback] = (),
    quiet: bool = True,
    ptyrad: bool = False,
    allow_unsupported: bool = False,
) -> Result:
    """Reconstructs what a configuration (path, dict or Config) describes, into a run folder of its own.

    `overrides` are "key.path=value" strings, `backend` replaces backend.device, `resume` goes on from the newest good
    checkpoint, `overwrite` replaces the results of a named run. With `quiet=False` progress is shown on stderr.
    Ctrl-C lets the batch finish and saves. Parameters of PtyRAD are recognised by their `init_params` and translated,
    what is different is logged; `ptyrad` takes them for PtyRAD's in any case and is the only way to run a file that is
    Python, `allow_unsupported` goes on where an option has no equivalent. Raises the errors of `ptycupy.errors`.
    """
    settled, label, notes = _settle(config, overrides, backend, ptyrad, allow_unsupported)
    output = settled.output
    with contextlib.ExitStack() as stack:
        if not quiet:
            stack.enter_context(console(logging.INFO))
        signals = stack.enter_context(StopOnSignal())
        overwrite = overwrite or output.overwrite
        folder = stack.enter_context(claim(output.folder, output.name, label, overwrite=overwrite, resume=resume))
        stack.enter_context(log_file(folder.log))
        stack.enter_context(_failures_in_log())
        logger.info("run folder %s", folder.path)
        for note in notes:
            logger.log(logging.WARNING if note.unsupported else logging.INFO, "PtyRAD's %s", note)

        def run(part: Config, place: RunFolder, again: bool) -> Result:
            engine = _prepare(part, place, again)
            signals.engine = engine
            folder.begun = True
            _iterate(engine, part, place, callbacks, bar=not quiet and sys.stderr.isatty())
            return _finish(engine, part, place, signals)

        if not settled.stages:
            return run(settled, folder, resume)
        return run_stages(_with_simulation(settled, folder, resume), folder, resume, run)


def simulate_to_file(
    config: str | Path | Mapping[str, Any] | Config,
    path: str | Path,
    *,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Simulates what a configuration describes into one HDF5 file with its ground truth; returns the path.

    Raises ConfigError where the file exists and `overwrite` is False.
    """
    from ptycupy.simulate import simulate

    target = Path(path)
    if target.exists() and not overwrite:
        raise ConfigError(f"{target}: exists already; use --overwrite or another --output")
    settled = _settle(config, overrides, None)[0]
    return write_dataset(target, simulate(settled))


def export_patterns(
    config: str | Path | Mapping[str, Any] | Config,
    path: str | Path,
    *,
    overrides: Sequence[str] = (),
    reshape: tuple[int, ...] | None = None,
    append_shape: bool = False,
    mat_version: MatVersion = "7.3",
    overwrite: bool = False,
) -> Path:
    """Writes the patterns that a configuration prepares, normalised, as float32 [N, ky, kx]; returns the path.

    The path's suffix is the format: .h5, .hdf5, .npy, .tif, .tiff or .mat. `reshape` gives the whole array's shape,
    the detector last. What is padded or resampled on the fly is written as it is before that. Raises ConfigError where
    the file exists and `overwrite` is False, and the errors of `ptycupy.errors` for what cannot be read or written.
    """
    settled = _settle(config, overrides, None)[0]
    measured = experiment.measure_patterns(settled, data.open_source(settled.data))
    export = Export(measured.source, measured.scale, reshape)
    return write_patterns(Path(path), export, mat_version, append_shape=append_shape, overwrite=overwrite)


def _settle(
    config: str | Path | Mapping[str, Any] | Config,
    overrides: Sequence[str],
    backend: str | None,
    ptyrad: bool = False,
    allow_unsupported: bool = False,
) -> tuple[Config, str, Sequence[Note]]:
    """The Config with everything put in, a label for its run, and the notes of a translation."""
    label = "run"
    notes: Sequence[Note] = ()
    if isinstance(config, Config):
        if overrides:
            raise ConfigError("overrides: only for a file or dict; a Config has model_copy(update=...)")
        configuration.check(config)  # a Config made in Python has only been checked field by field
        settled = config
    elif isinstance(config, (str, Path)):
        label = Path(config).stem
        loaded = configuration.read_config(config, overrides, ptyrad=ptyrad, allow_unsupported=allow_unsupported)
        settled, notes = loaded.config, loaded.notes
    else:
        loaded = configuration.read_dict(config, overrides, ptyrad=ptyrad, allow_unsupported=allow_unsupported)
        settled, notes = loaded.config, loaded.notes
    if backend is not None:
        settled = settled.model_copy(update={"backend": settled.backend.model_copy(update={"device": backend})})
    return settled, label, notes


@contextlib.contextmanager
def _failures_in_log() -> Iterator[None]:
    """What ends a run stands in its log file too; whoever called shows it to the user."""
    try:
        yield
    except PtycupyError as error:
        logger.error("%s", error, extra=FILE_ONLY)
        raise
    except Exception:
        logger.exception("internal error", extra=FILE_ONLY)
        raise


def _prepare(config: Config, folder: RunFolder, resume: bool) -> Engine:
    device = config.backend
    backend = backends.select(device.device, config.model.dtype, device.fft, device.deterministic)
    seen = _with_simulation(config, folder, resume)
    source = data.open_source(seen.data)
    if config.truth is not None:
        data.read_attributes(config.truth.path, config.truth.key)  # refused now, not after the last iteration
    problem, state = experiment.build(seen, source)
    if config.output.export_patterns is not None and not resume:
        export = Export(problem.patterns, problem.pattern_scale)
        logger.info("wrote %s", write_patterns(folder.path / config.output.export_patterns, export, overwrite=True))
    engine = Engine(_chosen(problem, config.reconstruction), state, settings_from(config), backend)
    if resume:
        text = configuration.dump(config)

        def check(snapshot: Snapshot) -> None:
            for line in verify(snapshot, engine.fingerprint, text):
                logger.warning("resuming with a change: %s", line)
            if not np.array_equal(snapshot.used, engine.used):
                raise DataError(
                    f"{len(snapshot.used)} positions were reconstructed, now {len(engine.used)} others are asked for:"
                    " reconstruction.half, reconstruction.subscan or the patterns' weights differ"
                )

        engine.restore(load_newest(folder.path, check))
        logger.info("resumed after iteration %d", engine.iteration)
    else:
        folder.clear()
    return engine


def _with_simulation(config: Config, folder: RunFolder, resume: bool) -> Config:
    """The configuration, with the data set that its `simulation` section makes where it names no data."""
    if config.simulation is None or config.data.path is not None:
        return config
    path = folder.path / SIMULATED
    if not (resume and path.exists()):
        from ptycupy.simulate import simulate

        logger.info("simulating %s", path)
        write_dataset(path, simulate(config))
    named: dict[str, Any] = {
        "data": config.data.model_copy(update={"path": str(path), "key": "dp"}),
        "truth": config.truth or Truth(path=str(path), key="truth_phase"),
    }
    return config.model_copy(update=named)


def _chosen(problem: Problem, loop: Reconstruction) -> Problem:
    """The problem with weight 0 for the positions of the other half, and for those outside the subscan."""
    if loop.half == "all" and loop.subscan is None:
        return problem
    count = problem.patterns.shape[0]
    chosen = np.zeros(count, bool)
    indices = select_positions(count, loop.half, problem.scan_shape)
    if loop.subscan is not None:
        indices = np.intersect1d(indices, subscan(problem.scan_shape, loop.subscan.mode, loop.subscan.shape))
    chosen[indices] = True
    weights = chosen if problem.pattern_weights is None else chosen & np.asarray(problem.pattern_weights, bool)
    return replace(problem, pattern_weights=weights)


def _iterate(engine: Engine, config: Config, folder: RunFolder, callbacks: Sequence[Callback], *, bar: bool) -> None:
    loop = config.reconstruction
    checkpoints = Checkpoints(folder.path, loop.checkpoint_every, configuration.dump(config))
    watchers: list[Callback] = [*callbacks, IterationLog(loop.iterations, bar=bar), checkpoints]
    if config.output.figures_every is not None:
        watchers.append(_Figures(folder.path, config.output.figures_every))
    with contextlib.ExitStack() as stack:
        if bar:
            watchers.append(stack.enter_context(ProgressBar(loop.iterations, engine.iteration)))
        if engine.iteration >= loop.iterations:
            logger.info(
                "nothing to do: %d iterations are done; a larger reconstruction.iterations goes on", engine.iteration
            )
        try:
            engine.run(max(loop.iterations - engine.iteration, 0), watchers)
        except DivergenceError as error:
            kept = list_checkpoints(folder.path)
            raise DivergenceError(f"{error}. Last good checkpoint: {kept[-1] if kept else 'none yet'}") from error


def _finish(engine: Engine, config: Config, folder: RunFolder, signals: StopOnSignal) -> Result:
    snapshot = engine.snapshot(configuration.dump(config))
    save_result(folder.result, snapshot)
    if signals.exit_code is not None:
        logger.warning("stopped in iteration %d; saved %s, --resume goes on", engine.iteration + 1, folder.result)
        return Result(snapshot, folder.path, {}, signals.exit_code)
    write_outputs(folder.path, snapshot, _pattern_pair(engine), engine.initial_positions)
    scores: dict[str, float] = {}
    truth = _with_simulation(config, folder, resume=True).truth
    if truth is not None:
        try:
            found = score(snapshot, truth)
        except DataError as error:
            logger.warning("not compared with the truth: %s", error)
        else:
            scores = {"correlation": found.correlation, "ssim": found.ssim}
            logger.info("against the truth: correlation %.4f, SSIM %.4f", found.correlation, found.ssim)
    limit = _information_limit(snapshot)
    if limit is not None:
        # In a field of a few unit cells spots run into each other, and the limit is finer than what stands out.
        text = "information limit, by the finest separate Fourier spot: %.3f angstrom (%.0f pm)"
        logger.info(text, limit, 100 * limit)
    logger.info("finished after iteration %d: %s", engine.iteration, folder.result)
    return Result(snapshot, folder.path, scores, information_limit_angstrom=limit)


def _information_limit(snapshot: Snapshot) -> float | None:
    """Angstrom, of the phase summed over slices, in the scanned field; None where there is none to tell."""
    if snapshot.pixel_size is None:
        return None
    try:
        return information_limit(_summed_phase(snapshot), snapshot.pixel_size)
    except DataError as error:
        logger.info("no information limit: %s", error)
        return None


def _summed_phase(snapshot: Snapshot) -> NDArray[Any]:
    """[y, x] the phase summed over slices, of the mean object mode, in the scanned field."""
    phase: NDArray[Any] = mean_mode(snapshot, snapshot.state.object_phase).sum(axis=0)[snapshot.field_of_view()]
    return phase


def score(snapshot: Snapshot, truth: Truth) -> Comparison:
    """The phase summed over slices, in the scanned field, against a truth; see `analysis.compare_with_truth`.

    Raises DataError where the truth does not say what is needed or does not fit.
    """
    if snapshot.pixel_size is None:
        raise DataError("the reconstruction has no pixel size")
    stated = data.read_attributes(truth.path, truth.key)
    pixel_size = truth.pixel_size_angstrom or stated.numbers("px_A")
    origin = truth.scan_origin_angstrom or stated.numbers("scan_origin_A")
    if pixel_size is None or origin is None:
        raise DataError(
            f"{truth.path}: {truth.key}: truth.pixel_size_angstrom and truth.scan_origin_angstrom are needed,"
            " or the attributes px_A and scan_origin_A"
        )
    phase = data.read_array(truth.path, truth.key)
    positions = snapshot.initial_positions
    middle = (positions.min(axis=0) + positions.max(axis=0)) / 2 - positions[0]  # px from the first one
    centre = np.broadcast_to(origin, (2,)) + middle * snapshot.pixel_size
    return compare_with_truth(
        _summed_phase(snapshot),
        snapshot.pixel_size,
        phase if phase.ndim == 2 else phase.sum(axis=0, dtype=np.float64),
        float(np.mean(pixel_size)),
        (float(centre[0]), float(centre[1])),
    )


class _Figures(Quiet):
    """Figures every so many iterations, in folders of their own."""

    def __init__(self, folder: Path, every: int) -> None:
        self.folder = folder
        self.every = every

    def on_iteration(self, engine: Engine) -> None:
        if engine.iteration % self.every == 0:
            folder = self.folder / f"figures_{engine.iteration:04d}"
            try:
                folder.mkdir(exist_ok=True)
                write_figures(folder, engine.snapshot(), _pattern_pair(engine), engine.initial_positions)
            except OSError as error:
                logger.warning("figures not written, the run goes on: %s", error)


def _pattern_pair(engine: Engine) -> PatternPair:
    """Two patterns, a third and two thirds into the scan, as measured and as the model has them."""
    used = engine.used
    indices = np.unique(used[[len(used) // 3, 2 * len(used) // 3]])
    return PatternPair(indices, engine.measured(indices), engine.predict(indices))
