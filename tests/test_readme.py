"""Every snippet of the README runs, as it stands and in its order, and does what it says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Generator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from accelerate import Accelerator
from click.testing import CliRunner
from ignite.engine import Engine
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import Trainer, TrainingArguments

import earmark
from earmark.cli import cli
from earmark_integrations.lightning import AudioMonitor
from tests.core.object_store import ObjectStore, object_store
from tests.integrations.lightning_models import told

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(
    r"^```(\w*)\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)
PYTHON = [code for language, code in BLOCKS if language == "python"]
COMMANDS = [line for language, code in BLOCKS if language == "sh" for line in code.splitlines()]


class Clips(Dataset[dict[str, Any]]):
    """Noisy and clean clips with their text."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> dict[str, Any]:
        clean = torch.sin(torch.arange(800) * (index + 1) / 10) / 4
        return {"noisy": clean + 0.01, "clean": clean, "text": f"clip {index}"}


class Denoiser(pl.LightningModule):
    """What the README trains."""

    sample_rate = 16_000

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def training_step(self, batch: dict[str, Any], _: int) -> Tensor:
        """The error of a gain."""
        return nn.functional.mse_loss(self.gain * batch["noisy"], batch["clean"])

    def forward(self, noisy: Tensor) -> Tensor:
        """The louder or quieter sounds."""
        return self.gain * noisy

    def validation_step(self, batch: dict[str, Any], _: int) -> dict[str, Tensor]:
        """What the README says it returns."""
        return {"prediction": self(batch["noisy"]), "target": batch["clean"]}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The simplest there is."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture(name="names")
def fixture_names(_store: ObjectStore) -> dict[str, Any]:
    """What the README's snippets take for granted: a model, its data, and some sounds."""
    loader = DataLoader(Clips(), batch_size=2)
    steps = iter(range(100, 10_000, 100))
    sound = torch.sin(torch.arange(16_000) / 10) / 4
    model = Denoiser()
    return {
        "model": model,
        "hf_trainer": Trainer(model, TrainingArguments("out", report_to="none", use_cpu=True)),
        "evaluator": Engine(lambda engine, batch: batch),
        "engine": Engine(lambda engine, batch: batch),
        "accelerator": Accelerator(project_dir="out", cpu=True),
        "train_loader": loader,
        "val_loader": loader,
        "train_one_epoch": lambda: next(steps),
        **dict.fromkeys(("noisy", "enhanced", "clean", "samples"), sound),
        "narrow": sound.expand(2, -1),
        "wide": torch.sin(torch.arange(48_000) / 30).expand(2, -1) / 4,
        "AudioMonitor": AudioMonitor,
    }


@pytest.fixture(name="_store")
def fixture_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[ObjectStore]:
    """The bucket that the README speaks of, and a spool."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EARMARK_SPOOL", str(tmp_path / "spool"))
    with object_store() as store:
        yield store


def test_every_python_snippet_runs(names: dict[str, Any]) -> None:
    """The snippets train a model, log clips, read them back, and leave the runs they speak of."""
    with told() as messages:
        for code in PYTHON:
            exec(compile(code, str(README), "exec"), names)  # noqa: S102 - the README is ours
        names["run"].close()

    assert messages == []
    monitored = earmark.open_run(names["monitor"].run_dir)
    predictions = list(monitored.clips(role="prediction", example="0"))
    assert [clip.epoch for clip in predictions] == [0, 5, 10, 15, 19]
    assert predictions[-1].caption == "clip 0 | epoch 19"
    looped = list(earmark.open_run("runs/vocoder").clips(role="target"))
    assert [(c.epoch, c.step) for c in looped] == [(0, 100), (5, 600), (10, 1100), (15, 1600)]
    widened = {c.role: c.audio for c in earmark.open_run("runs/upsampler").clips(example="utt-8")}
    assert [audio.duration_seconds for audio in widened.values()] == [0.75, 0.75]
    listened = earmark.open_run("out/earmark").clips(role="prediction")
    assert [(clip.step, clip.caption) for clip in listened] == [(100, "clip 0"), (100, "clip 1")]


@pytest.mark.usefixtures("_store")
def test_every_command_of_ours_runs() -> None:
    """The commands that the README names do what it says to the run that it speaks of."""
    with earmark.Run("runs/vocoder") as run:
        sound = {"prediction": torch.ones(800) / 8}
        for step in range(12):
            run.log(sound, step=step, sample_rate=16_000, caption="hello", example="utt")
    lines = [line for line in COMMANDS if line.startswith("earmark")]
    done = {line: CliRunner().invoke(cli, shlex.split(line, comments=True)[1:]) for line in lines}

    assert {line: result.exit_code for line, result in done.items()} == dict.fromkeys(lines, 0)
    assert "hello" in done[lines[0]].output
    assert [clip.step for clip in earmark.open_run("runs/vocoder").clips()] == [0, 10, 11]
    assert len(list(earmark.open_run("s3://bucket/vocoder").clips())) == 3
    assert list(Path("logs/vocoder").glob("events.*"))


def test_the_first_screen_says_what_it_is_and_shows_it() -> None:
    """The claim, the installation, under ten lines of code and `make demo` come first."""
    screen = "\n".join(README.read_text(encoding="utf-8").splitlines()[:24])

    assert "Hear your model train" in screen
    assert "pip install" in screen
    assert "make demo" in screen
    assert len(PYTHON[0].splitlines()) < 10
