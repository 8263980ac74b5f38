"""Stages: one run folder, a subfolder for every stage but the last, each starting from the result before it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ptycupy.config import stage_configs
from ptycupy.config.schema import Config
from ptycupy.errors import DataError
from ptycupy.reconstruction.run_folder import RunFolder
from ptycupy.storage.result import load_result

logger = logging.getLogger(__name__)


class Ended(Protocol):
    """What a stage returns."""

    @property
    def exit_code(self) -> int:
        """Not 0 where a signal ended it early."""
        ...


AnyEnded = TypeVar("AnyEnded", bound=Ended)


def run_stages(
    config: Config, folder: RunFolder, resume: bool, run: Callable[[Config, RunFolder, bool], AnyEnded]
) -> AnyEnded:
    """Runs every stage by `run(config, folder, resume)`; stage k in stage_k, the last in the run folder itself.

    With `resume`, finished stages are left alone and the one that was under way goes on. Returns what the last one that
    ran returned: of the last stage, or of the one that a signal ended.
    """
    if not resume:
        folder.clear_stages()
    *early, last = stage_configs(config)
    before: tuple[Config, Path] | None = None
    for number, stage in enumerate(early, 1):
        path = folder.path / f"stage_{number}"
        path.mkdir(exist_ok=True)
        if not (resume and _finished(path, stage)):
            logger.info("stage %d of %d", number, len(early) + 1)
            with RunFolder(path) as place:
                ended = run(_started(stage, before), place, resume and place.holds_run)
            if ended.exit_code:
                return ended
        before = stage, path / folder.result.name
    logger.info("stage %d of %d", len(early) + 1, len(early) + 1)
    begun = folder.result.exists() or any(folder.path.glob("checkpoint_*.h5"))
    return run(_started(last, before), folder, resume and begun)


def _started(stage: Config, before: tuple[Config, Path] | None) -> Config:
    """The stage's configuration with everything taken from the result before it; a thickness that was refined too."""
    if before is None:
        return stage
    earlier, path = before
    start = {"path": str(path), "key": None}
    thing: dict[str, Any] = {**start, "tilt_path": str(path), "tilt_key": None}
    if earlier.optimizer.slice_thickness.learning_rate > 0:
        thing["slice_thickness_angstrom"] = None
    changes = {
        "object": stage.object.model_copy(update=thing),
        "illumination": stage.illumination.model_copy(update={**start, "shift_along_beam_angstrom": 0.0}),
        "scan": stage.scan.model_copy(update={**start, "adjust_loaded": False}),
    }
    return stage.model_copy(update=changes)


def _finished(path: Path, stage: Config) -> bool:
    """Whether the stage has done its iterations."""
    result = path / "result.h5"
    if not result.exists():
        return False
    try:
        return load_result(result).iteration >= stage.reconstruction.iterations
    except DataError as error:
        logger.warning("stage is done again from its checkpoints: %s", error)
        return False
