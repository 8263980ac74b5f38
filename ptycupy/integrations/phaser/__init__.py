"""ptycupy as an engine of phaserEM 0.3.1: `type: ptycupy` in a plan file.

phaser looks engines up by name when it parses a plan, so this module is imported first:

    python -m ptycupy.integrations.phaser run plan.yaml     # phaser's own command, with the engine known to it

The engine takes the EnginePlan's keys `niter`, `grouping`, `compact`, `probe_modes`, `slices`, `bwlim_frac` (2/3 or
none), `update_object`, `update_probe`, `update_positions` and `update_tilt`, and those of PtycupyEnginePlan.
"""

from __future__ import annotations

from typing import Any

from phaser.plan import EngineHook, EnginePlan  # type: ignore[import-not-found]

from ptycupy.errors import ConfigError
from ptycupy.integrations.phaser.exchange import Placed, patterns_of, put_back, taken
from ptycupy.integrations.phaser.watch import Watched, active
from ptycupy.reconstruction.engine import Engine
from ptycupy.update.settings import Active, Constraint, Settings

NAME = "ptycupy"
DEFAULT_GROUPING = 64  # phaser's own
FLAGS = {
    "update_object": ("object_amplitude", "object_phase"),
    "update_probe": ("probe",),
    "update_positions": ("shifts",),
    "update_tilt": ("tilts",),
}
RATES = {"object_amplitude": 5e-4, "object_phase": 5e-4, "probe": 1e-4, "shifts": 5e-4, "tilts": 1e-4}


class PtycupyEnginePlan(EnginePlan, kw_only=True):  # type: ignore[call-arg]
    """What an engine of this type takes beside phaser's own keys; names and units are those of `ptycupy.Settings`."""

    losses: dict[str, dict[str, Any]] = {"gaussian": {"power": 0.5}}  # noqa: RUF012 - pane's fields
    optimizer: str = "adam"
    learning_rates: dict[str, float] = RATES  # shifts in px, tilts in mrad
    constraints: list[dict[str, Any]] = []  # noqa: RUF012 - name, start, step, end and the constraint's own parameters
    compute: str = "auto"  # cpu, cuda, cuda:1


def register() -> None:
    """Makes `type: ptycupy` known to phaser; done on import."""
    EngineHook.known[NAME] = (f"{__name__}:run_engine", PtycupyEnginePlan)


def run_engine(args: dict[str, Any], props: Any) -> Any:
    """Iterates phaser's state as its own engines do, and tells its observers. Raises the errors of `ptycupy.errors`."""
    state, observer = args["state"], args["observer"]
    if props.mtf is not None:
        raise ConfigError("mtf: not supported by the engine ptycupy; take phaser's gradient engine")
    placed = taken(state, patterns_of(args["data"]), _anti_aliasing(props.bwlim_frac))
    windows = _windows(props, state)
    rates = {name: rate for name, rate in props.learning_rates.items() if name in windows and rate > 0}
    settings = Settings(
        losses=props.losses,
        optimizer=props.optimizer,
        learning_rates=rates,
        windows=windows,
        constraints=[Constraint(**parameters) for parameters in props.constraints],
        batch_size=props.grouping or DEFAULT_GROUPING,
        grouping="compact" if props.compact else "random",
        seed=0 if args["seed"] is None else int(args["seed"]),
    )
    observer.init_engine(state, recons_name=args["recons_name"], plan=props, noise_model="+".join(props.losses))
    engine = Engine(placed.problem, placed.state, settings, backend=props.compute)
    observer.start_engine(state)
    engine.run(props.niter, [Watched(placed, state, observer, props.niter, args["xp"])])
    put_back(engine, placed, state, args["xp"])
    observer.finish_engine(state)
    return state


def _anti_aliasing(fraction: float | None) -> bool:
    if fraction is not None and abs(fraction - 2 / 3) > 1e-3:
        raise ConfigError(f"bwlim_frac: {fraction}; the engine ptycupy has 2/3, or none (~)")
    return fraction is not None


def _windows(props: Any, state: Any) -> dict[str, Active]:
    """When each State field is refined; those that never are are left out."""
    found = {name: active(getattr(props, flag), state, props.niter) for flag, names in FLAGS.items() for name in names}
    return {name: window for name, window in found.items() if window is not None}


register()

__all__ = ["NAME", "Placed", "PtycupyEnginePlan", "register", "run_engine"]
