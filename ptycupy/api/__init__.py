"""reconstruct, simulate_to_file and export_patterns: what a configuration describes, done."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ptycupy import __version__, data, experiment
from ptycupy import config as configuration
from ptycupy.api.batch import BatchResult, reconstruct_batch
from ptycupy.api.exporting import Exported, export
from ptycupy.api.result import Result, read_result
from ptycupy.api.session import Session, enter, keep_log, open_page, without_paths
from ptycupy.config.notes import Note
from ptycupy.config.schema import Config
from ptycupy.distributed.comm import join
from ptycupy.distributed.handshake import shake
from ptycupy.distributed.team import Team, alone
from ptycupy.errors import ConfigError
from ptycupy.reconstruction.callbacks import Callback
from ptycupy.reconstruction.logs import console, of_rank
from ptycupy.reconstruction.run_folder import claim
from ptycupy.storage.patterns import Export, MatVersion, write_patterns
from ptycupy.storage.scan import write_dataset

logger = logging.getLogger(__name__)
__all__ = [
    "BatchResult",
    "Exported",
    "Result",
    "export",
    "export_patterns",
    "read_result",
    "reconstruct",
    "reconstruct_batch",
    "settle",
    "simulate_to_file",
]


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
    distributed: bool = False,
    live: bool = False,
    live_port: int = 0,
) -> Result:
    """Reconstructs what a configuration (path, dict or Config) describes, into a run folder of its own.

    `overrides` are "key.path=value" strings, `backend` replaces backend.device, `resume` goes on from the newest good
    checkpoint, `overwrite` replaces the results of a named run. With `quiet=False` progress is shown on stderr.
    Ctrl-C lets the batch finish and saves; the Result then names the run folder that `resume` goes on in; early
    stages have folders of their own in it. Parameters of PtyRAD are recognised by their `init_params` and translated,
    what is different is logged; `ptyrad` takes them for PtyRAD's in any case and is the only way to run a file that is
    Python, `allow_unsupported` goes on where an option has no equivalent. `distributed` makes one
    reconstruction of all processes that mpiexec or srun started, and raises on all of them what one of them raises.
    `live` shows the run on a page of this computer, whose address is printed on stderr, and takes orders there;
    `live_port` 0 is any port that is free.
    Raises the errors of `ptycupy.errors`.
    """
    team = Team(join()) if distributed else alone()
    with contextlib.ExitStack() as stack:
        if not quiet:
            stack.enter_context(console(logging.INFO))
        stack.enter_context(of_rank(team.rank))
        with team.guarded():
            settled, label, notes = settle(config, overrides, backend, ptyrad, allow_unsupported)
            shake(team, {"version of ptycupy": __version__, "configuration": without_paths(settled)})
        output = settled.output
        again = overwrite or output.overwrite
        claimed = partial(claim, output.folder, output.name, label, overwrite=again, resume=resume)
        folder, signals = enter(stack, team, settled.distributed.watchdog_seconds, claimed)
        keep_log(stack, team, folder)
        board = open_page(stack, team, signals, live, live_port)
        logger.info("run folder %s", folder.path)
        for note in notes:
            logger.log(logging.WARNING if note.unsupported else logging.INFO, "PtyRAD's %s", note)
        bar = not quiet and sys.stderr.isatty() and team.rank == 0
        result = Session(signals, callbacks, bar=bar, team=team, live=live, board=board).run(settled, folder, resume)
        if board is not None:
            board.post(state="stopped" if result.exit_code else "finished", folder=str(result.folder))
        return result


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
    settled = settle(config, overrides, None)[0]
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
    settled = settle(config, overrides, None)[0]
    measured = experiment.measure_patterns(settled, data.open_source(settled.data))
    export = Export(measured.source, measured.scale, reshape)
    return write_patterns(Path(path), export, mat_version, append_shape=append_shape, overwrite=overwrite)


def settle(
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
