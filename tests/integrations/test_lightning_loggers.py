"""The trainer's loggers: every take is on the row or step of its scalars, sample by sample."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from earmark.errors import UnknownSinkError
from earmark.testing import MemorySink
from tests.integrations.lightning_models import (
    Denoiser,
    clips_in,
    fit,
    loader,
    monitor,
    speech,
)
from tests.integrations.sinks.trackers import (
    Row,
    decoded,
    finished,
    media,
    wandb_at_home_in,
    wandb_rows,
)


class Stereo(Denoiser):
    """Logs a scalar in every step, and returns stereo sounds on the grid of 16 bits."""

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        """A step with a scalar of its own."""
        loss = super().training_step(batch, index)
        self.log("train", loss)
        return loss

    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
        """A prediction that is another one in each epoch."""
        super().validation_step(batch, index)
        return {"prediction": stereo(batch["clean"], self.current_epoch)}


def stereo(mono: Tensor, epoch: int) -> Tensor:
    """Two different channels, `(..., 2, T)`, a little different in each epoch."""
    left = mono + epoch / 2**10
    return torch.stack([left, -mono], -2)


def expected(example: int, epoch: int) -> NDArray[np.float32]:
    """What is logged of an example, `(frames, channels)`."""
    return np.asarray(stereo(speech(example), epoch).numpy().T)


class Words(Logger):
    """A logger that nobody knows, and that holds no sound."""

    @property
    def name(self) -> str:
        """A part of the directory."""
        return "words"

    @property
    def version(self) -> int:
        """Another part of it."""
        return 0

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Forget them."""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Forget them."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder that holds whatever W&B writes."""
    (tmp_path / "home").mkdir()
    with wandb_at_home_in(tmp_path / "home"):
        yield tmp_path / "home"


def check_wandb(rows: list[Row], run: Any) -> None:
    """Three epochs of three steps, with scalars, and the clips of two examples each."""
    assert [row["trainer/global_step"] for row in rows if "train" in row] == list(range(9))
    validations = [row for row in rows if "loss" in row]
    assert [row["trainer/global_step"] for row in validations] == [2, 5, 8]
    for epoch, row in enumerate(validations):
        shown = media(row, "val/prediction", run)
        captions = [f"{index} | words {index}" for index in range(2)]
        assert [caption for caption, _ in shown] == captions
        for index, (_, file) in enumerate(shown):
            np.testing.assert_array_equal(decoded(file), expected(index, epoch))
    assert sum("val/prediction" in row for row in rows) == 3


def check_tensorboard(folder: str) -> None:
    """Scalars and clips of two examples in three epochs, as TensorBoard's own reader sees them."""
    sizes = {"tensors": 0, "scalars": 0}
    events = EventAccumulator(folder, size_guidance=sizes).Reload()
    steps = [event.step for event in events.Scalars("loss")]
    assert steps == [2, 5, 8]
    for index in range(2):
        sounds = events.Tensors(f"val/prediction/{index}")
        assert [event.step for event in sounds] == steps
        for epoch, event in enumerate(sounds):
            file = BytesIO(event.tensor_proto.string_val[0])
            np.testing.assert_array_equal(decoded(file), expected(index, epoch))
        words = events.Tensors(f"val/prediction/{index}/caption/text_summary")
        assert [event.tensor_proto.string_val[0] for event in words] == [
            f"words {index}".encode()
        ] * 3


def test_every_logger_that_holds_sound_gets_every_take(home: Path, tmp_path: Path) -> None:
    """W&B on the rows of the scalars, TensorBoard on their steps, CSV in silence."""
    wandb_logger = WandbLogger(project="tests", save_dir=home, offline=True)
    board = TensorBoardLogger(tmp_path / "board")
    loggers = [CSVLogger(tmp_path / "csv"), board, wandb_logger]
    listener = monitor()
    assert fit(tmp_path, listener, module=Stereo(), logger=loggers, max_epochs=3) == []
    run = wandb_logger.experiment
    check_wandb(wandb_rows(finished(run)), run)
    check_tensorboard(board.log_dir)
    assert listener.run_dir == tmp_path / "csv" / "lightning_logs" / "version_0" / "earmark"
    assert len(clips_in(listener.run_dir)) == 6


def test_the_run_is_named_after_the_run_of_wandb(home: Path, tmp_path: Path) -> None:
    """It lies beside the checkpoints there, under the project and the id."""
    logger = WandbLogger(project="tests", save_dir=home / "logs", offline=True)
    listener = monitor(max_examples=1)
    assert fit(tmp_path, listener, logger=logger) == []
    assert listener.run_dir == home / "logs" / "tests" / str(logger.version) / "earmark"
    assert len(clips_in(listener.run_dir)) == 1


def test_an_unchanged_target_goes_to_a_logger_once(tmp_path: Path) -> None:
    """The prediction of every epoch is there, its target and input at the first one."""
    board = TensorBoardLogger(tmp_path)
    listener = monitor(max_examples=1, input="noisy", target="clean")
    assert fit(tmp_path, listener, logger=board, max_epochs=3) == []
    events = EventAccumulator(board.log_dir, size_guidance={"tensors": 0}).Reload()
    steps = {
        role: [event.step for event in events.Tensors(f"val/{role}/0")]
        for role in ("input", "prediction", "target")
    }
    assert steps == {"input": [2], "prediction": [2, 5, 8], "target": [2]}


def test_a_second_training_goes_to_the_same_logger(tmp_path: Path) -> None:
    """The logger outlives the run's writer: what is logged later is in the same file."""
    board, listener = TensorBoardLogger(tmp_path), monitor(max_examples=1)
    assert fit(tmp_path, listener, logger=board) == []
    (message,) = fit(tmp_path, listener, logger=board)
    assert "step 2 was logged before" in message
    events = EventAccumulator(board.log_dir, size_guidance={"tensors": 0}).Reload()
    assert [event.step for event in events.Tensors("val/prediction/0")] == [2, 2]


def test_an_unknown_logger_costs_one_sentence(tmp_path: Path) -> None:
    """The clips are on disk all the same, and the message says where."""
    listener = monitor()
    messages = fit(tmp_path, listener, logger=[Words(), CSVLogger(tmp_path)], max_epochs=2)
    directory = tmp_path / "words" / "version_0" / "earmark"
    assert messages == [f"earmark: Words gets no clips: they are in {directory}"]
    assert len(clips_in(directory)) == 4


def test_a_logger_of_ones_own_is_known_by_its_base(tmp_path: Path) -> None:
    """Subclasses of known loggers get what these get."""

    class OurBoard(TensorBoardLogger):
        pass

    class OurTable(CSVLogger):
        pass

    board = OurBoard(tmp_path)
    assert fit(tmp_path, monitor(), logger=[board, OurTable(tmp_path)]) == []
    assert EventAccumulator(board.log_dir).Reload().Tags()["tensors"]


def test_sinks_are_chosen_by_name(tmp_path: Path) -> None:
    """A name stands for the trainer's own logger; what is not named gets nothing."""
    boards = [TensorBoardLogger(tmp_path / name) for name in ("on", "off")]
    sink = MemorySink()
    assert fit(tmp_path, monitor(sinks=["tensorboard", sink]), logger=boards[0]) == []
    assert fit(tmp_path, monitor(sinks=[]), logger=boards[1]) == []
    found = [EventAccumulator(board.log_dir).Reload() for board in boards]
    assert len(found[0].Tensors("val/prediction/0")) == 1
    assert found[1].Tags()["tensors"] == []
    assert len(sink.takes) == 1


def test_an_unknown_sink_is_an_error_before_the_first_step(tmp_path: Path) -> None:
    """A misspelt name is a configuration error, and the message lists the right ones."""
    with pytest.raises(UnknownSinkError, match=r"tensorboard, wandb.*got no sink 'tensorbored'"):
        fit(tmp_path, monitor(sinks=["tensorbored"]))


def test_a_logger_whose_package_is_gone_costs_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asked for sounds there, so training starts."""
    monkeypatch.delitem(sys.modules, "earmark_integrations.sinks.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard.plugins.audio", None)
    board, listener = TensorBoardLogger(tmp_path), monitor()
    (message,) = fit(tmp_path, listener, logger=board)
    assert message.startswith("earmark: TensorBoardLogger gets no clips (the 'tensorboard' sink ")
    assert message.endswith(f"pip install 'earmark[tensorboard]'): they are in {listener.run_dir}")
    assert len(clips_in(listener.run_dir)) == 2


def test_a_sink_that_fails_costs_nobody_else_anything(tmp_path: Path) -> None:
    """The clips are on disk and in the other sink, and one message tells of the fault."""

    class Broken:
        def write(self, take: Any) -> None:
            raise ConnectionError("no network")

        def close(self) -> None:
            raise ConnectionError("still no network")

    sink = MemorySink()
    listener = monitor(sinks=[Broken(), sink])
    messages = fit(tmp_path, listener, max_epochs=2, val=loader(4))
    assert messages
    assert "ConnectionError: no network" in messages[0]
    assert len(clips_in(listener.run_dir)) == 4
    assert len(sink.takes) == 2
