"""How the reconstructions of a batch ended: as a CSV file, which a resumed batch reads again, and as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ptycupy.storage.atomic import atomic_write

WAITING, FINISHED, FAILED, INTERRUPTED = "waiting", "finished", "failed", "interrupted"
REASON_SHOWN = 100  # characters of it in the table; the file has all


@dataclass
class Outcome:
    """One reconstruction; numbers are NaN where there are none."""

    name: str
    status: str = WAITING
    iterations: int = 0
    loss: float = math.nan  # of the last iteration
    seconds: float = math.nan  # of all iterations
    correlation: float = math.nan  # with the truth
    ssim: float = math.nan
    information_limit_angstrom: float = math.nan
    exit_code: int = 0
    reason: str = ""  # why it failed


def write_summary(path: Path, outcomes: Sequence[Outcome]) -> None:
    """One row per reconstruction under the names of Outcome's fields; replaces the file at once or not at all."""
    names = [field.name for field in fields(Outcome)]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(names)
    rows.writerows([_written(getattr(outcome, name)) for name in names] for outcome in outcomes)
    with atomic_write(path) as sink:
        sink.write(text.getvalue().encode())


def read_summary(path: Path) -> dict[str, Outcome]:
    """The rows of a file by `write_summary`, by name; none where there is no file, or another one."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["name"]: _read(row) for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, TypeError):  # it is only shown: results themselves say what is done
        return {}


def _read(row: dict[str, str]) -> Outcome:
    outcome = Outcome(row["name"])
    for field in fields(Outcome)[1:]:
        if row[field.name]:
            setattr(outcome, field.name, type(getattr(outcome, field.name))(row[field.name]))
    return outcome


def table(outcomes: Sequence[Outcome]) -> str:
    """The same for a terminal, columns without any number left out."""
    head = ["name", "status", "iterations", "loss", "seconds"]
    numbers = [n for n in ("correlation", "ssim", "information_limit_angstrom") if any(_known(o, n) for o in outcomes)]
    titles = [*head, *(n.replace("information_limit_angstrom", "limit (Å)") for n in numbers), ""]
    lines = [titles]
    for outcome in outcomes:
        cells = [_written(getattr(outcome, name)) for name in [*head, *numbers]]
        reason = " ".join(outcome.reason.split())
        lines.append([*cells, reason if len(reason) <= REASON_SHOWN else reason[: REASON_SHOWN - 3] + "..."])
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    return "\n".join("  ".join(f"{c:<{w}}" for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _known(outcome: Outcome, name: str) -> bool:
    return not math.isnan(getattr(outcome, name))


def _written(value: str | float) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)
