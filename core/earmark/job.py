"""Job: which training this process is a part of, and its rank in it."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass

_LOOPBACK = ("localhost", "127.", "::1", "0.0.0.0")  # noqa: S104 - recognised, never bound


@dataclass(frozen=True)
class Job:
    """What a process knows of the training that it is a part of.

    Args:
        name: The same in every process of a training, and seldom in those of another one.
        rank: Counted from 0.
        world_size: How many ranks there are.
    """

    name: str
    rank: int
    world_size: int


def this_job() -> Job:
    """Ask the launcher's environment, and `torch.distributed` where a process group is up."""
    rank, world_size = _rank_and_world_size()
    return Job(_name(), rank, world_size)


def _rank_and_world_size() -> tuple[int, int]:
    # Whoever has a process group has loaded torch, and core need not import it.
    distributed = sys.modules.get("torch.distributed")
    is_initialized = getattr(distributed, "is_initialized", None)
    if distributed is not None and is_initialized is not None and is_initialized():
        return int(distributed.get_rank()), int(distributed.get_world_size())
    return _number("RANK", 0), _number("WORLD_SIZE", 1)


def _name() -> str:
    elastic = os.environ.get("TORCHELASTIC_RUN_ID", "")
    if elastic not in ("", "none"):  # which torchrun says where it was given no name
        return f"torchelastic {elastic}"
    if _number("SLURM_NTASKS", 1) > 1:  # else its only task may be a shell that starts many jobs
        step = os.environ.get("SLURM_STEP_ID", "")
        return f"slurm {os.environ.get('SLURM_JOB_ID', '')}.{step}"
    address, port = (os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    if not address or not port:
        return f"process {_FIRST_PROCESS} of {socket.gethostname()}"
    place = f" of {socket.gethostname()}" if address.startswith(_LOOPBACK) else ""
    return f"master {address}:{port}{place}"


def _first_process() -> int:
    # A child of multiprocessing has loaded it; others need not.
    process = sys.modules.get("multiprocessing.process")
    parent = None if process is None else process.parent_process()
    return os.getpid() if parent is None or parent.pid is None else parent.pid


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() else default


# Found out on import, since forked processes keep what their parent knew.
_FIRST_PROCESS = _first_process()
