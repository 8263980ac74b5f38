"""What a reconstruction gives back, and what a saved one is read as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ptycupy.analysis import Comparison
from ptycupy.analysis.diagnosis import Finding
from ptycupy.api.resolution_section import finest_spot
from ptycupy.data.files import find_file
from ptycupy.errors import DataError
from ptycupy.experiment.results import PROGRAMS, load_earlier
from ptycupy.experiment.state import State
from ptycupy.outputs import write_outputs
from ptycupy.outputs.notebook import result_html, result_png
from ptycupy.reconstruction.run_folder import RESULT
from ptycupy.storage.adopted import adopted
from ptycupy.storage.result import holds_result, load_result, save_result
from ptycupy.storage.snapshot import History, Snapshot

NAMES = {"ssim": "SSIM"}  # of scores, for people


@dataclass(frozen=True)
class Result:
    """A finished, or interrupted, reconstruction; all arrays are NumPy. Notebooks show it as numbers and a picture."""

    snapshot: Snapshot
    folder: Path  # the run folder: result.h5, images, figures, run.log
    scores: Mapping[str, float]  # against the truth where the configuration names one, else empty
    exit_code: int = 0  # 130 or 143 where a signal ended the run early
    information_limit_angstrom: float | None = None  # of the summed phase; None without a pixel size or spots
    findings: tuple[Finding, ...] = ()  # what is worth mending, as report.html says it
    rank: int = 0  # of several that shared it; rank 0 alone has written files, scores, and all of an object in tiles
    comparison: Comparison | None = None  # what `scores` are of: image and truth as compared

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

    def __repr__(self) -> str:  # without the arrays, for consoles
        return f"<Result of {self.snapshot.course}, in {self.folder}>"

    def _repr_html_(self) -> str:
        limit, ended = self.information_limit_angstrom, "a signal, before its last iteration"
        said = {
            **{NAMES.get(name, name): f"{value:.4f} with the known truth" for name, value in self.scores.items()},
            **({} if limit is None else {"information limit": f"{limit:.3g} Å"}),
            **({"worth mending": "; ".join(found.what for found in self.findings)} if self.findings else {}),
            **({"ended by": ended} if self.exit_code else {}),
            "folder": str(self.folder),
        }
        return result_html(self.snapshot, said)

    def _repr_png_(self) -> bytes:
        return result_png(self.snapshot)

    def export(self, folder: str | Path) -> None:
        """Write images and figures into another folder."""
        write_outputs(Path(folder), self.snapshot)


def read_result(path: str | Path) -> Result:
    """A saved reconstruction: a run folder, its result.h5 or a checkpoint, or what another program has written.

    The other programs are those of `ptycupy.export`; they leave no history. The Result has no scores, comparison or
    findings, which are a run's own. Raises DataError for what is missing, damaged or holds no reconstruction.
    """
    snapshot, file = read_snapshot(path)
    return Result(snapshot, file.parent, {}, information_limit_angstrom=finest_spot(snapshot)[0])


def read_snapshot(path: str | Path) -> tuple[Snapshot, Path]:
    """What `read_result` reads, and the file that it came from."""
    file = Path(path)
    file = find_file(file / RESULT if file.is_dir() else file)
    if holds_result(file):
        return load_result(file), file
    earlier = load_earlier(str(file))
    if earlier is None:
        programs = ", ".join(program.__name__.rpartition(".")[2] for program in PROGRAMS)
        raise DataError(f"{file}: holds no reconstruction that is known here ({programs})")
    return adopted(earlier), file
