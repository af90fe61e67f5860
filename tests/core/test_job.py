"""Which training a process is a part of: as its launcher says, or as its processes descend."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import pytest

from earmark.job import Job, this_job

LAUNCHERS = ("TORCHELASTIC_RUN_ID", "SLURM_", "MASTER_", "RANK", "WORLD_SIZE")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has launched these tests."""
    for name in list(os.environ):
        if name.startswith(LAUNCHERS):
            monkeypatch.delenv(name)


def set_all(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """What a launcher leaves in the environment."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_a_process_of_its_own_is_a_job_of_its_own() -> None:
    """Another Python is another job, and both are alone in it."""
    script = "from earmark.job import this_job; print(this_job().name)"
    other = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert this_job() == Job(this_job().name, 0, 1)
    assert other.stdout.strip() != this_job().name


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_children_are_of_the_same_job(method: str) -> None:
    """Loader workers and spawned ranks belong to whoever started them."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {method} here")
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(this_job) == this_job()


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"TORCHELASTIC_RUN_ID": "7f", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, "torchelastic 7f"),
        ({"SLURM_JOB_ID": "12", "SLURM_STEP_ID": "3", "SLURM_NTASKS": "4"}, "slurm 12.3"),
        ({"TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, "master a:1"),
    ],
    ids=["torchrun", "srun", "static"],
)
def test_launchers_say_the_job(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str
) -> None:
    """Whatever all ranks of one job have in common."""
    set_all(monkeypatch, **variables)
    assert this_job().name == name


def test_a_task_that_is_alone_may_be_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trainings started by hand within one allocation are two jobs."""
    alone = this_job().name
    set_all(monkeypatch, SLURM_JOB_ID="12", SLURM_NTASKS="1")
    assert this_job().name == alone


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "::1"])
def test_each_machine_is_its_own_localhost(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Jobs on two machines may well have the same address and port."""
    set_all(monkeypatch, MASTER_ADDR=address, MASTER_PORT="29500")
    assert this_job().name.startswith(f"master {address}:29500 of ")


def test_the_rank_is_the_launchers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchrun and accelerate leave it in the environment."""
    set_all(monkeypatch, RANK="3", WORLD_SIZE="8")
    assert (this_job().rank, this_job().world_size) == (3, 8)
