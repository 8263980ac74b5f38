"""Which settings of the algorithm matter: Table S6 of the PtyRAD paper, by two objectives; what the best trials are.

    NUMBA_NUM_THREADS=1 python benchmarks/what_matters.py [--set key=value ...] [--seconds S] [--out FILE.json]

Runs configs/tune_importance.yaml (random trials, whose objectives are the loss of held-out patterns and contrast), then
reconstructs the best trials by each objective again and compares their phases with the truth. Importances (PED-ANOVA)
are those of all trials and those without SGD.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import TrialState

import ptycupy
from ptycupy.bench.machine import describe_machine
from ptycupy.config import load_config
from ptycupy.tune import tune
from ptycupy.tune.space import Space
from ptycupy.tune.worker import quiet_optuna

CONFIG = Path(__file__).parents[1] / "configs" / "tune_importance.yaml"
PICKED = 3  # of the best by each objective


def importances(study: Any, trials: list[Any], index: int) -> dict[str, float]:
    """Shares of the keys for one objective, of these trials."""
    import optuna

    part = optuna.create_study()
    for trial in trials:
        part.add_trial(
            optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=trial.values[index])
        )
    found = optuna.importance.get_param_importances(part, evaluator=PedAnovaImportanceEvaluator())
    return {key: round(float(share), 3) for key, share in found.items()}


def against_truth(config: Any, space: Space, trial: Any, folder: str) -> dict[str, Any]:
    """The trial once more: how its summed phase compares with the truth, and how far that spreads."""
    values = {key: space.decode(key, value) for key, value in trial.params.items()}
    chosen = space.config(values)
    loop = chosen.reconstruction.model_copy(update={"iterations": config.tune.iterations})
    output = chosen.output.model_copy(update={"folder": folder, "preview_seconds": None})
    result = ptycupy.reconstruct(chosen.model_copy(update={"reconstruction": loop, "output": output}))
    spread = float(np.std(result.state.object_phase.sum(axis=1).mean(axis=0)))
    scores = {name: round(score, 4) for name, score in result.scores.items()}
    return {"trial": trial.number, "values": values, "objectives": trial.values, "phase_std_rad": spread, **scores}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--seconds", type=float, help="no trial begins later")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    overrides = ["backend=cpu", *arguments.overrides]
    if arguments.seconds is not None:
        overrides.append(f"tune.timeout_seconds={arguments.seconds:g}")
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(CONFIG, (*overrides, f"output.folder={folder}"))
        names, space = config.tune.objectives, Space(config)
        study = tune(config, quiet=False).study
        trials = study.get_trials(deepcopy=False)
        done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        moving = [trial for trial in done if trial.params.get("optimizer.name") != "sgd"]
        record = {
            **describe_machine("cpu"),
            "command": " ".join(["python benchmarks/what_matters.py", *(f"--set {o}" for o in arguments.overrides)]),
            "trials": [
                {"values": trial.params, "objectives": trial.values, "seconds": trial.user_attrs.get("seconds"),
                 "state": trial.state.name.lower(), "reason": trial.user_attrs.get("reason")}
                for trial in trials
            ],
            "objectives": list(names),
            "importances": {name: importances(study, done, i) for i, name in enumerate(names)},
            "importances_without_sgd": {name: importances(study, moving, i) for i, name in enumerate(names)},
        }  # fmt: skip
        with quiet_optuna():
            seen: dict[int, dict[str, Any]] = {}
            for kind, among in (("best", done), ("best_without_sgd", moving)):
                record[kind] = {}
                for i, name in enumerate(names):
                    best = sorted(among, key=lambda one: one.values[i])[:PICKED]
                    for trial in best:
                        if trial.number not in seen:
                            seen[trial.number] = against_truth(config, space, trial, folder)
                    record[kind][name] = [seen[trial.number] for trial in best]
        record["seconds"] = round(time.perf_counter() - begun, 1)
    for key in ("importances", "importances_without_sgd", "best", "best_without_sgd"):
        print(key, json.dumps(record[key], indent=1))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(record) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
