"""Two processes: rank zero writes, both do the same work, and they agree on the run's directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

import earmark
from tests.integrations.lightning_models import Denoiser, fit, heard, loader, monitor, speech


class Noted(Denoiser):
    """Notes in a file of its rank what it predicts, and where its monitor writes.

    Args:
        notes: The folder of these files.
    """

    def __init__(self, notes: Path) -> None:
        super().__init__()
        self.notes = notes

    def note(self, text: str) -> None:
        """Write a line."""
        with Path(self.notes, f"rank-{self.global_rank}").open("a") as file:
            file.write(f"{text}\n")

    def predict_clean(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """A prediction on the grid of 16 bits."""
        self.note(f"predicted {len(batch['text'])}")
        return {"prediction": batch["clean"]}

    def on_fit_end(self) -> None:
        """Note the directory that the monitor found."""
        (listener,) = (one for one in self.trainer.callbacks if hasattr(one, "run_dir"))  # type: ignore[attr-defined]  # Lightning's gap
        self.note(f"run {listener.run_dir}")


def test_two_processes_write_one_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No clip twice, none of the other rank's, and as many predictions on either."""
    listener = monitor(max_examples=3, predict="predict_clean")
    messages = fit(
        tmp_path,
        listener,
        module=Noted(tmp_path),
        val=loader(9, batch=2),
        logger=CSVLogger(tmp_path / "logs"),
        strategy="ddp_spawn",
        devices=2,
        max_epochs=2,
    )
    assert messages == []
    assert "EarmarkWarning" not in capfd.readouterr().err
    first, second = (Path(tmp_path, f"rank-{rank}").read_text() for rank in range(2))
    assert first == second
    assert first.count("predicted 2") == 2 * 2
    (run,) = earmark.list_runs(tmp_path)
    assert first.endswith(f"run {run.path}\n")
    assert run.path == tmp_path / "logs" / "lightning_logs" / "version_0" / "earmark"
    assert len(run.writers) == 1
    clips = list(run.clips(all_versions=True))
    assert [(clip.epoch, clip.example) for clip in clips] == [
        (epoch, example) for epoch in range(2) for example in ("0", "2", "4")
    ]
    for clip in clips:
        np.testing.assert_array_equal(heard(clip), speech(int(clip.example)).numpy())
