"""A reconstruction run on shapes: what its batches and constraints cost, and what stands in memory."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ptycupy.api.pace import Pace
from ptycupy.backends.interface import Backend
from ptycupy.data.counts import PackedPatterns
from ptycupy.distributed.team import Team
from ptycupy.distributed.tiles import Tiles
from ptycupy.experiment.state import Problem, State
from ptycupy.model.objective import in_one_pass
from ptycupy.model.ranks import ALONE
from ptycupy.planning import Ceilings, Cost, Counting, bytes_per_pattern
from ptycupy.planning.ceilings import best_seconds, cold_seconds
from ptycupy.planning.exchange import CountedComm, Traffic, most
from ptycupy.reconstruction.batches import make_groups
from ptycupy.reconstruction.engine import Engine
from ptycupy.reconstruction.memory import room_for_waves
from ptycupy.reconstruction.residency import Holding, Residency, choose, room_for
from ptycupy.reconstruction.teamwork import agree, constrain, gather_rows, tiled
from ptycupy.update.settings import Settings

RESIDENT = 0.45  # of the shared cache: as much of it as waves may take that are to stay there
READ = 64  # patterns of a batch that are read to see how long that takes
PARTS = 3  # sub-batches that are counted; more of them cost as much each
RECORDED = 30e-6  # s of Python for an update that is a CUDA graph: benchmarks/results/host_time.json
CALLS_OF_A_GRAPH = 3  # its row, itself, its losses


class Forecast:
    """An Engine on a counting backend; of a team, whose Comm is a CountedComm, that of one of its ranks. `packed` are
    all patterns, where they become so and the Problem has them as they came."""

    def __init__(
        self,
        problem: Problem,
        state: State,
        settings: Settings,
        counted: Counting,
        team: Team | None = None,
        tiles: Tiles | None = None,
        packed: PackedPatterns | None = None,
    ) -> None:
        self._counted, self.team = counted, team
        ranks = ALONE if team is None else team
        one = replace(settings, sub_batch=1)
        self.engine = Engine(problem, state, one, cast(Backend, counted), ranks=ranks, tiles=tiles)
        self.canvas = self.engine.parameters.canvas if tiles is None else tiles.layout.canvas
        self.positions = len(self.engine.used)
        found = self.engine.experiment.patterns if packed is None else packed
        self._packed = found if isinstance(found, PackedPatterns) else None
        self._own = ranks.own(self.engine.used)
        self.held = len(self._own)  # patterns of this rank
        self.shapes = self.engine.parameters
        idle = set() if self.shapes.slices > 1 else {"tilts", "slice_thickness"}  # one slice has no use for them
        present = {name for name, _ in self.shapes.items()} - idle
        self.refined = sorted(present & {name for name, rate in settings.learning_rates.items() if rate > 0})
        self.holding: Holding | None = None  # where the patterns lie; None = all on the device
        self.read_seconds = 0.0  # of a pattern that comes from where they lie

    # --- what is counted -------------------------------------------------------------------------------------
    @property
    def parameters(self) -> int:
        """Real numbers that are refined; a complex one is two."""
        arrays = [getattr(self.shapes, name) for name in self.refined]
        counts = [int(array.size) * (2 if array.dtype.kind == "c" else 1) for array in arrays]
        whole, tile = math.prod(self.canvas), math.prod(self.shapes.canvas)
        apart = tiled(self.engine)
        return sum(n * whole // tile if name in apart else n for name, n in zip(self.refined, counts, strict=True))

    @property
    def measured_values(self) -> int:
        """Detector pixels of all patterns that take part."""
        height, width = self.engine.experiment.detector_shape
        return self.positions * height * width

    def hold(self, residency: Residency, machine: Ceilings, chunked: bool) -> Holding:
        """Where the patterns would lie on a machine; `memory` counts what they take there."""
        settings, host = self.engine.settings, residency.host_free()
        batch = settings.batch_size * settings.gradient_accumulation
        shared = self.engine.backend.name == "cpu"
        free = min(machine.memory_bytes, host) if shared else machine.memory_bytes
        room = room_for(self.shapes, batch, free, host, shared)
        patterns = self.engine.experiment.patterns
        sizes = [math.prod(patterns.shape[1:]) * patterns.dtype.itemsize]
        if self._packed is not None:  # what is packed does not stream
            sizes.insert(0, self._packed.nbytes // self._packed.shape[0])
        for size in sizes:
            self.holding = choose(residency.tier, self.held, size, batch, room, chunked=chunked)
            if self.holding.tier == "device":
                break
        assert self.holding is not None
        return self.holding

    def some_batches(self) -> list[NDArray[np.int32]]:
        """A few patterns of the first batches, as the engine would draw them."""
        engine, settings = self.engine, self.engine.settings
        positions = engine.initial_positions[self._own]
        size = self.most(settings.batch_size)
        groups = make_groups(positions, size, settings.grouping, np.random.default_rng(settings.seed))
        return [self._own[group[:READ]] for group in groups[:3]]

    # --- memory ------------------------------------------------------------------------------------------------
    @cached_property
    def memory(self) -> dict[str, int]:
        """Bytes on the device whatever the batch is, by what they are for."""
        patterns = placed_patterns = int(self.engine.experiment.patterns.nbytes)
        if self._packed is not None:
            patterns = self._packed.nbytes * self.held // self.positions
        parameters = sum(int(array.nbytes) for _, array in self.shapes.items())
        gradients = sum(int(getattr(self.shapes, name).nbytes) for name in self.refined)
        placed = self._counted.ledger.live - self._counted.arena_bytes()
        self._step(1, 1)
        moments = sum(int(a.nbytes) for kept in self.engine.moments.values() for a in kept.arrays.values())
        # The complex object, once per batch, and its gradient.
        canvas = 2 * int(self.shapes.object_phase.size) * self._counted.complex.itemsize
        return {
            "patterns": patterns if self.holding is None else self.holding.device_bytes,
            "parameters": parameters,
            "gradients": gradients,
            "moments": moments,
            "canvas": canvas,
            "tables": max(placed - placed_patterns - parameters, 0),
        }

    @cached_property
    def bytes_per_pattern(self) -> int:
        """Of the tape and its scratch."""
        backend = cast(Backend, self._counted)
        return bytes_per_pattern(backend, self.shapes, self.engine.experiment, self.refined)

    def sub_batches(self, machine: Ceilings) -> tuple[int, ...]:
        """Patterns at once that are worth trying: as many as the engine would take by memory, and where the machine has
        a cache for them, no more than whose waves stay in it; (0,) where not even one fits."""
        free = machine.memory_bytes - sum(self.memory.values())
        once = in_one_pass(self.engine.terms)
        room = room_for_waves(free, on_gpu=self._counted.kind != "cpu", in_one_pass=once)
        fitting = max(0, room // self.bytes_per_pattern)
        resident = self._resident(machine)
        return (fitting, resident) if 0 < resident < fitting else (fitting,)

    def _resident(self, machine: Ceilings) -> int:
        """How many patterns have their waves in the machine's cache."""
        waves = int(self.shapes.probe.nbytes) * int(self.shapes.object_phase.shape[0])
        return int(RESIDENT * machine.cache_bytes) // waves

    def bytes_at(self, batch: int, sub_batch: int) -> int:
        """On the device, once batches of every length were there: the last one, and the last part of one, are shorter
        and have scratch of their own on the CPU."""
        fixed = sum(size for name, size in self.memory.items() if name != "canvas")  # that is scratch
        self._counted.release()
        for size in {self.most(batch), self.most(self.positions % batch)} - {0}:
            parts = min(size // sub_batch, PARTS)
            self._step(parts * sub_batch + size % sub_batch, sub_batch)
        return fixed + self._counted.arena_bytes() + self._counted.plan_bytes()

    # --- time --------------------------------------------------------------------------------------------------
    def seconds(self, machine: Ceilings, batch: int, sub_batch: int) -> float:
        """Of one iteration: every pattern once, then the constraints."""
        return self.pace(machine, batch, sub_batch).seconds

    def pace(self, machine: Ceilings, batch: int, sub_batch: int) -> Pace:
        """What the device, the host and the patterns' way to them take of an iteration."""
        whole, rest = divmod(self.positions, batch)
        device = host = exchange = 0.0
        if self.team is not None:
            update, end = (traffic.seconds(machine, self.team.size) for traffic in self.traffic)
            exchange = (whole + bool(rest)) * update + end
        way = ""
        for size, times in ((batch, whole), (rest, 1)):
            if size and times:
                own = self.most(size)
                one = self._update(machine, own, min(sub_batch, own))
                device, host = device + times * one[0], host + times * one[1]
                way = way or self._counted.way
        before = time.perf_counter()
        after = self._after
        engine_seconds = time.perf_counter() - before
        device += sum(machine.seconds(cost) for cost in after.values())
        host += engine_seconds + sum(cost.queued for cost in after.values()) * machine.call_seconds
        apart = machine.call_seconds > 0
        return Pace(device, host, self._passing(machine), apart, self._counted.threads, way, exchange)

    def most(self, batch: int) -> int:
        """Patterns of a batch on the rank that has most of them."""
        if self.team is None or not batch:
            return batch
        ranks, grouping = self.team.size, self.engine.settings.grouping
        if grouping != "random":  # sparse batches spread over the scan, compact ones lie in one tile
            return batch if grouping == "compact" and self.engine.tiles is not None else -(-batch // ranks)
        return min(math.ceil(most(ranks, batch, self.positions)), self.held)

    @cached_property
    def traffic(self) -> tuple[Traffic, Traffic]:
        """What ranks tell each other in an update, and at the end of an iteration."""
        comm = self.team.comm if self.team is not None else None
        assert isinstance(comm, CountedComm)
        comm.take()
        self._step(1, 1)
        update = comm.take()
        _ = self._after
        gather_rows(self.engine)
        agree(self.engine)
        return update, comm.take()

    def _update(self, machine: Ceilings, batch: int, sub_batch: int) -> tuple[float, float]:
        """Seconds of the device and of the host."""
        self._counted.launched.clear()
        costs = self._of_batch(batch, sub_batch)
        whole_waves = "multislice_forward" in self._counted.launched
        cached = not whole_waves and sub_batch <= self._resident(machine)
        device = sum(machine.seconds(cost, cached) for cost in costs.values())
        if cached:  # all but the tape, which goes to memory and comes back
            slower = 1 / machine.bytes_per_second - 1 / machine.cache_bytes_per_second
            device += 2 * batch * self.bytes_per_pattern * slower
        if self.engine.graphs.usable:
            return device, RECORDED + CALLS_OF_A_GRAPH * machine.call_seconds
        return device, self._engine_seconds + sum(cost.queued for cost in costs.values()) * machine.call_seconds

    def _passing(self, machine: Ceilings) -> float:
        """Seconds in which the patterns of an iteration that do not stay on the device are read and sent."""
        if self.holding is None or self.holding.tier == "device":
            return 0.0
        count = self.holding.count - self.holding.kept
        sent = count * self.holding.pattern_bytes / machine.bus_bytes_per_second if machine.bus_bytes_per_second else 0
        return max(sent, count * self.read_seconds)

    @cached_property
    def _engine_seconds(self) -> float:
        """Of the engine's own Python for an update, measured here: on shapes alone it does nothing else. Where the host
        computes too, its caches are full of numbers whenever that begins."""
        self._step(1, 1)
        if self._counted.kind == "cpu":
            return cold_seconds(lambda: self._step(1, 1))
        return best_seconds(lambda: self._step(1, 1), lambda: None, 0.0)

    def _of_batch(self, batch: int, sub_batch: int) -> dict[str, Cost]:
        """By op; what the parts beyond the first ones cost is the difference of two counts."""
        parts = -(-batch // sub_batch)
        if parts <= PARTS:
            return self._step(batch, sub_batch)
        fewer, more = (self._step(n * sub_batch, sub_batch) for n in (PARTS - 1, PARTS))
        further = batch / sub_batch - PARTS
        for name, cost in more.items():
            each = Cost()
            each.add(cost)
            each.add(fewer.get(name, Cost()), -1)
            cost.add(each, further)
        return more

    def _step(self, batch: int, sub_batch: int) -> dict[str, Cost]:
        """Costs of one update."""
        self.engine.sub_batch = sub_batch
        self._counted.ledger.take()
        self.engine.step(self._own[:batch])
        return self._counted.ledger.take()

    @property
    def _after(self) -> dict[str, Cost]:
        """Costs of the constraints of an iteration in which all of them run."""
        engine = self.engine
        self._counted.ledger.take()
        for _, apply in engine.constraints:
            constrain(engine, apply)
        return self._counted.ledger.take()


__all__ = ["Forecast"]
