"""From configuration sections to the Settings of an engine."""

from __future__ import annotations

from ptycupy.config.schema import Config
from ptycupy.errors import ConfigError
from ptycupy.reconstruction.residency import Residency
from ptycupy.update.optimizers import make_optimizer
from ptycupy.update.schedules import make_schedule
from ptycupy.update.settings import Active, Constraint, Settings


def settings_from(config: Config) -> Settings:
    """The Settings that losses, optimizer, constraints and reconstruction describe."""
    loop, optimizer = config.reconstruction, config.optimizer
    rates = optimizer.rates
    plan, own = optimizer.schedule, optimizer.schedules
    terms = {name: getattr(config.losses, name) for name in type(config.losses).model_fields}
    return Settings(
        losses={name: term.model_dump() for name, term in terms.items() if term is not None} | config.losses.own,
        optimizer=make_optimizer(optimizer.name, **optimizer.options),
        learning_rates={name: rate.learning_rate for name, rate in rates.items() if rate.learning_rate > 0},
        schedule=None if plan is None else make_schedule(plan.name, plan.step_unit, **plan.options),
        schedules={name: make_schedule(one.name, one.step_unit, **one.options) for name, one in own.items()},
        windows={name: Active(start=rate.start, end=rate.end) for name, rate in rates.items()},
        constraints=tuple(
            Constraint(c.name, start=c.start, step=c.step, end=c.end, **(c.model_extra or {}))
            for c in config.constraints
        ),
        batch_size=loop.batch_size,
        grouping=loop.grouping,
        seed=loop.seed,
        gradient_accumulation=loop.gradient_accumulation,
        sub_batch=loop.sub_batch,
        on_divergence=loop.on_divergence,
    )


def residency_from(config: Config) -> Residency:
    """Where the data section wants the patterns; those of a file that grows have their places on the device."""
    limit, tier = config.data.memory_limit_gib, config.data.residency
    if config.data.follow is not None:
        if tier in ("host", "disk"):
            raise ConfigError(f"data.residency: {tier} is not for data.follow, whose patterns lie on the device")
        tier = "device"
    return Residency(tier, None if limit is None else int(limit * 2**30))
