"""The section `tune`: which keys are tried with which values, how they are chosen, and what makes a trial good."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from ptycupy.config.base import Count, Positive, Section, described, refusal

Number = int | float
SECTIONS = (
    "data", "illumination", "calibration", "scan", "object", "model", "losses", "optimizer", "constraints",
    "reconstruction",
)  # fmt: skip
FIXED = ("data.path", "reconstruction.iterations", "reconstruction.half", "reconstruction.checkpoint_every")
Objective = Literal["contrast", "loss", "held_out_loss", "ring_correlation"]


class Dimension(Section):
    """What one key may be: a range of numbers, or choices; a bare list is its choices.

    A choice may be a mapping, which is merged onto the section that the key names.
    """

    low: Number | None = described(None, "Smallest value.", example=-100.0)
    high: Number | None = described(None, "Largest value.", example=100.0)
    step: Number | None = described(None, "Distance of the values that are tried; null = all numbers.", example=5.0)
    log: bool = described(False, "Every factor is as likely as any other, as for learning rates.")
    choices: tuple[Any, ...] | None = described(None, "Values, instead of a range.", example=["adam", "sgd"])

    @model_validator(mode="before")
    @classmethod
    def _bare_list(cls, values: Any) -> Any:
        return {"choices": values} if isinstance(values, (list, tuple)) else values

    @model_validator(mode="after")
    def _range_or_choices(self) -> Dimension:
        wrong = _dimension_problem(self)
        if wrong is not None:
            raise refusal("tune.space", [wrong])
        return self


def _dimension_problem(one: Dimension) -> tuple[tuple[str, ...], str] | None:
    ranged = one.low is not None or one.high is not None
    if one.choices is not None:
        if ranged or one.step is not None or one.log:
            return (), "choices and a range are both given; keep one"
        return None if one.choices else (("choices",), "is empty")
    if one.low is None or one.high is None:
        return (), "needs low and high, or choices, e.g. `{low: -100, high: 100}`"
    if one.low > one.high:
        return ("low",), f"{one.low:g} is above high, {one.high:g}"
    if one.step is not None and one.step <= 0:
        return ("step",), f"{one.step:g} must be greater than 0"
    if one.log and (one.low <= 0 or one.step is not None):
        return ("log",), "needs low above 0, and no step"
    return None


class Sampler(Section):
    """How the next values are chosen; plain text means `name`."""

    name: Literal["tpe", "random", "cmaes", "gp", "qmc", "grid", "nsga2", "nsga3", "brute_force"] = described(
        "tpe", "tpe, random, cmaes (needs the package cmaes), gp (needs torch), qmc, nsga2 and nsga3 (several "
        "objectives), grid (every combination of choices and steps) and brute_force (each of them once).",
    )  # fmt: skip
    startup_trials: int | None = described(
        None, "The first trials are drawn at random, the same for every sampler with the same seed; null = 10 for tpe, "
        "cmaes and gp, else 0.", ge=0, example=10,
    )  # fmt: skip
    options: dict[str, Any] = described({}, "The sampler's own options, as Optuna names them.", example={"group": True})

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, values: Any) -> Any:
        return {"name": values} if isinstance(values, str) else values


class Pruner(Section):
    """When a trial that does badly ends early; plain text means `name`."""

    name: Literal["hyperband", "median", "percentile", "successive_halving", "patient", "threshold"] = described(
        "hyperband", "hyperband, median, percentile, successive_halving, threshold, or patient, which waits for "
        "another one that `options.wrapped` names.",
    )  # fmt: skip
    options: dict[str, Any] = described(
        {}, "The pruner's own options, as Optuna names them; resources and steps are iterations.",
        example={"min_resource": 5, "reduction_factor": 2},
    )  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, values: Any) -> Any:
        return {"name": values} if isinstance(values, str) else values


class Tune(Section):
    """What `ptycupy tune` does: many short reconstructions with other values of some keys."""

    space: dict[str, Dimension] = described(
        {}, "Dotted keys of this configuration and what they may be.", fill=True,
        example={
            "illumination.aberrations.C10": {"low": -100.0, "high": 100.0, "step": 5.0},
            "optimizer.probe": {"low": 1e-5, "high": 1e-3, "log": True},
            "optimizer.name": {"choices": ["adam", "sgd"]},
        },
    )  # fmt: skip
    study: str | None = described(
        None, "Name of the study and of its folder in output.folder; workers that name the same one share it. "
        "null = the name of this file.", example="wse2_defocus",
    )  # fmt: skip
    storage: str | None = described(
        None, "Where the trials are kept: a journal file, relative to the current folder, or the URL of a database "
        "(sqlite, postgresql, mysql); $NAMES of the environment are put in. null = journal.log in the study's folder.",
        example="postgresql://$DATABASE_LOGIN@server/tuning",
    )  # fmt: skip
    trials: Count = described(50, "Trials of the whole study, of all its workers together.", unit="trials")
    iterations: Count | None = described(
        None, "Iterations of a trial; null = reconstruction.iterations.", unit="iterations", example=20
    )
    objectives: tuple[Objective, ...] = described(
        ("contrast",), "What is minimised, one or several. contrast: -sigma/mu of the phase summed over depth, in the "
        "scanned field. loss: of the last iteration. held_out_loss: of patterns that no gradient has seen. "
        "ring_correlation: minus the area under the Fourier ring correlation of two halves, which are reconstructed "
        "instead of the whole.", min_length=1,
    )  # fmt: skip
    sampler: Sampler = described(Sampler(), "How the next values are chosen.")
    pruner: Pruner | None = described(None, "When a trial ends early; null = never.")
    report_every: Count = described(1, "Iterations between the values that the pruner sees.", unit="iterations")
    held_out_fraction: float = described(0.1, "Share of the patterns that held_out_loss keeps.", gt=0, lt=1)
    required_gain: float | None = described(
        0.02, "Share of the loss of held_out_fraction of the patterns by which a trial must have lowered it since its "
        "start; one that has not fails. Looked at where contrast or ring_correlation is an objective, as these do not "
        "compare with patterns; null = never.", ge=0, lt=1, example=0.05,
    )  # fmt: skip
    initial: tuple[dict[str, Any], ...] = described(
        (), "Values of the first trials; keys that one leaves out are chosen by the sampler.",
        example=[{"illumination.aberrations.C10": -50.0}],
    )  # fmt: skip
    seed: int = described(0, "Seed of the sampler, and of which patterns are held out.", ge=0)
    timeout_seconds: Positive | None = described(
        None, "A worker begins no trial after this time; null = never.", unit="s", example=3600.0
    )
    dead_after_seconds: Positive = described(
        300.0, "A worker on another machine that gives no sign of life for so long is taken for dead, and its trial "
        "is queued again.", unit="s",
    )  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _bare_objective(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("objectives"), str):
            return {**values, "objectives": [values["objectives"]]}
        return values

    @model_validator(mode="after")
    def _sound(self) -> Tune:
        problems: list[tuple[tuple[str | int, ...], str]] = []
        if not self.space:
            example = "`illumination.aberrations.C10: {low: -100, high: 100}`"
            problems.append((("space",), f"required: the keys to tune and their ranges, e.g. {example}"))
        for key in self.space:
            if key.partition(".")[0] not in SECTIONS or key in FIXED:
                problems.append((("space", key), f"cannot be tuned; keys of {', '.join(SECTIONS)} can"))
        for number, point in enumerate(self.initial):
            unknown = [key for key in point if key not in self.space]
            if unknown:
                problems.append((("initial", number), f"{unknown[0]} is not in tune.space"))
        if len(set(self.objectives)) < len(self.objectives):
            problems.append((("objectives",), "names one twice"))
        if len(self.objectives) > 1 and self.pruner is not None:
            problems.append((("pruner",), "needs a single objective; take null"))
        if self.study is not None and (self.study in {"", ".", ".."} or set(self.study) & set('/\\:*?"<>|\n')):
            problems.append((("study",), f"{self.study!r} must be one folder name, without a path"))
        if problems:
            raise refusal("tune", problems)
        return self
