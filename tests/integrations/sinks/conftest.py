"""A W&B run and a TensorBoard writer, both offline, both gone after the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import wandb
    from torch.utils.tensorboard import SummaryWriter


@pytest.fixture
def wandb_home(tmp_path: Path) -> Iterator[Path]:
    """A folder that holds whatever W&B writes; no run is active yet."""
    from tests.integrations.sinks.trackers import wandb_at_home_in

    folder = tmp_path / "wandb-home"
    folder.mkdir()
    with wandb_at_home_in(folder):
        yield folder


@pytest.fixture
def wandb_run(wandb_home: Path) -> wandb.Run:
    """An active, offline W&B run."""
    import wandb

    return wandb.init(project="earmark-tests")


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SummaryWriter]:
    """A TensorBoard writer."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "events")) as writer:
        yield writer
