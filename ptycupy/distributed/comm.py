"""Comm: what ranks say to each other. One process alone, and the launchers that start several."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from ptycupy.errors import ResourceError

# (rank, size) as launchers tell them; Slurm's only inside of a step, because a batch script has no other ranks.
LAUNCHERS = {
    "mpiexec (PMI)": ("PMI_RANK", "PMI_SIZE"),
    "mpirun (Open MPI)": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    "srun (Slurm)": ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
}


class Comm(Protocol):
    """The ranks that a launcher started. Every method but `swap` and `abort` is called by all of them."""

    rank: int
    size: int
    local_rank: int  # among those on this host
    local_size: int

    def either(self, bits: int) -> int:
        """Bitwise or over the ranks."""
        ...

    def add(self, values: NDArray[Any]) -> None:
        """values [L] float32 or float64 becomes the sum over the ranks, added in their order: the same bits on every
        rank, and in every run of as many."""
        ...

    def add_on_device(self, array: Any) -> None:
        """The sum of arrays on GPUs, by an MPI that can read them, in whatever order it takes."""
        ...

    def broadcast(self, values: NDArray[Any]) -> None:
        """values becomes what it is on rank 0."""
        ...

    def exchange(self, thing: Any) -> list[Any]:
        """What every rank gives, in their order."""
        ...

    def swap(self, outgoing: Mapping[int, NDArray[Any]], incoming: Mapping[int, NDArray[Any]]) -> None:
        """Sends an array to each of some ranks, and fills these arrays with what those ranks send here: shapes and
        types are known on both sides. Only the ranks that something goes to or comes from need call it."""
        ...

    def abort(self, exit_code: int) -> None:
        """Ends all ranks now."""
        ...


class Local:
    """One process alone."""

    rank = local_rank = 0
    size = local_size = 1

    def either(self, bits: int) -> int:
        return bits

    def add(self, values: NDArray[Any]) -> None:
        return

    def add_on_device(self, array: Any) -> None:
        return

    def broadcast(self, values: NDArray[Any]) -> None:
        return

    def exchange(self, thing: Any) -> list[Any]:
        return [thing]

    def swap(self, outgoing: Mapping[int, NDArray[Any]], incoming: Mapping[int, NDArray[Any]]) -> None:
        return

    def abort(self, exit_code: int) -> None:
        raise SystemExit(exit_code)


def launched(environment: Mapping[str, str] | None = None) -> tuple[str, int, int] | None:
    """(launcher, rank, size) where one started several processes; None for a process alone."""
    given = os.environ if environment is None else environment
    for launcher, (rank, size) in LAUNCHERS.items():
        if given.get(rank, "").isdigit() and given.get(size, "").isdigit() and int(given[size]) > 1:
            return launcher, int(given[rank]), int(given[size])
    return None


def join() -> Comm:
    """The ranks that a launcher started, or this process alone, which needs no MPI.

    Raises ResourceError where mpi4py is missing, or is of another MPI than the launcher.
    """
    found = launched()
    if found is None:
        return Local()
    launcher, rank, size = found
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of another MPI's launcher: said below
            from ptycupy.distributed.mpi import Mpi

        comm = Mpi()
    except (ImportError, RuntimeError) as error:
        raise ResourceError(
            f"{launcher} started {size} processes, but mpi4py cannot be used ({str(error).splitlines()[0]}): "
            "pip install 'ptycupy[mpi]' with the MPI of the launcher"
        ) from error
    if comm.size != size:
        raise ResourceError(
            f"{launcher} started {size} processes, but the MPI of mpi4py knows of {comm.size}: it is another MPI "
            f"than the launcher's ({comm.library}); use its own mpiexec, or build mpi4py with the launcher's MPI"
        )
    _share_cores(comm)
    return comm


def _share_cores(comm: Comm) -> None:
    """Ranks that the launcher has not bound to cores of their own would each start threads for all of them."""
    cores = os.cpu_count() or 1
    bound = len(os.sched_getaffinity(0)) < cores if hasattr(os, "sched_getaffinity") else False
    if not bound and "numba" not in sys.modules:
        os.environ.setdefault("NUMBA_NUM_THREADS", str(max(1, cores // comm.local_size)))


__all__ = ["Comm", "Local", "join", "launched"]
