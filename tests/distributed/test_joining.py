"""Which ranks there are: told by launchers, and nothing of MPI where there is one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_run

from ptycupy.distributed.comm import Local, join, launched
from ptycupy.errors import ResourceError


def test_a_process_alone_imports_no_mpi(tmp_path: Path) -> None:
    config = tiny_run.write(tmp_path, iterations=1)
    code = (
        "import sys; from ptycupy.api import reconstruct;"
        "reconstruct(sys.argv[1], backend='cpu', distributed=True, overrides=['output.name=a']);"
        "sys.exit('mpi4py' in sys.modules)"
    )
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("PMI", "OMPI", "SLURM"))}
    done = subprocess.run([sys.executable, "-c", code, str(config)], env=keep, timeout=300, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PMI_RANK": "1", "PMI_SIZE": "4"}, ("mpiexec (PMI)", 1, 4)),
        ({"PMI_RANK": "0", "PMI_SIZE": "1"}, None),
        ({"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "8"}, ("mpirun (Open MPI)", 3, 8)),
        ({"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}, ("srun (Slurm)", 2, 4)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, None),  # the batch script itself
        ({}, None),
    ],
)
def test_launchers_are_known_by_their_environment(
    environment: dict[str, str], expected: tuple[str, int, int] | None
) -> None:
    assert launched(environment) == expected


def test_another_mpi_than_the_launchers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install 'ptycupy[mpi]'")
    assert isinstance(join(), Local)
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    with pytest.raises(ResourceError, match=r"started 4 processes, but the MPI of mpi4py knows of 1.*MPICH"):
        join()
