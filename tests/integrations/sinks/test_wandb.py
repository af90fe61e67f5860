from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
import wandb
from lightning.pytorch.loggers import WandbLogger
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset
from wandb.errors import UsageError

from earmark import Audio, Clip, Run, Take
from earmark.errors import ArgumentError, ArgumentTypeError
from earmark.spectrogram import Picture, spectrogram
from earmark.testing import noise, sine, varied_takes
from earmark.upload.push import push_sink
from earmark_integrations.sinks.wandb import WandbSink, open_sink
from tests.core.faults import flushing
from tests.integrations.sinks.trackers import (
    decoded,
    finished,
    media,
    wandb_rows,
    wandb_uploads,
)


def test_attaches_to_the_active_run(wandb_run: wandb.Run, tmp_path: Path) -> None:
    """By its name alone, the sink finds the run that `wandb.init` started."""
    with Run(tmp_path / "run", sinks=["wandb"], strict=True) as run:
        run.log({"prediction": noise()}, step=0, sample_rate=16_000, caption="hello", example="a")
    (row,) = wandb_rows(finished(wandb_run))
    ((caption, file),) = media(row, "prediction", wandb_run)
    assert caption == "a | hello"
    np.testing.assert_array_equal(decoded(file), noise())


@pytest.mark.usefixtures("wandb_home")
def test_refuses_to_start_a_run() -> None:
    """Without an active run it says what to call, and starts none of its own."""
    way_out = "call wandb.init() before earmark.Run(..., sinks=['wandb'])"
    with pytest.raises(ArgumentError, match=re.escape(f"active W&B run, got none: {way_out}")):
        open_sink()
    assert wandb.run is None


def test_refuses_what_is_no_run() -> None:
    """A logger in the place of its run is refused with the way out."""
    logger: Any = object()
    with pytest.raises(ArgumentTypeError, match=r"got object: pass .* WandbLogger\.experiment"):
        open_sink(logger)


@pytest.mark.usefixtures("wandb_home")
@pytest.mark.parametrize("target", ["", "earmark-tests/abc123", "us/earmark-tests/abc123"])
def test_a_missed_run_is_pushed_to_a_run_of_its_own(tmp_path: Path, target: str) -> None:
    """Named, or as the environment says: each take is a row, with its step, and the run ends."""
    with Run(tmp_path / "run", strict=True) as run:
        for step in (3, 5):
            run.log({"out": noise(seed=step)}, step=step, sample_rate=16_000, example="a")
    opened: list[wandb.Run] = []
    with pytest.MonkeyPatch.context() as patch:
        init = wandb.init

        def remember(**given: Any) -> wandb.Run:
            opened.append(init(**given))
            return opened[0]

        patch.setattr(wandb, "init", remember)
        assert push_sink(tmp_path / "run", "wandb", target) == "wandb: 2 takes sent"

    assert wandb.run is None
    (there,) = opened
    rows = wandb_rows(finished(there))
    assert [row["earmark/step"] for row in rows] == [3, 5]
    for row in rows:
        ((_, file),) = media(row, "out", there)
        np.testing.assert_array_equal(decoded(file), noise(seed=row["earmark/step"]))
    if target:
        assert (there.project, there.id) == ("earmark-tests", "abc123")


def test_a_push_names_a_run_by_three_parts() -> None:
    """Anything longer is no run's path."""
    with pytest.raises(ArgumentError, match="expected a W&B run as entity/project/id, got 'a/b/c"):
        open_sink("a/b/c/d")


def test_hands_over_files_as_they_are(wandb_run: wandb.Run, tmp_path: Path) -> None:
    """Every kind of sound arrives byte for byte, under its key, with its caption, in order."""
    takes = varied_takes(tmp_path / "run")
    sink = WandbSink(wandb_run)
    for number, take in enumerate(takes):
        sink.write(take)
        wandb_run.log({"number": number})
    rows = wandb_rows(finished(wandb_run))
    assert [row["number"] for row in rows] == list(range(len(takes)))
    for take, row in zip(takes, rows, strict=True):
        clips = [clip for clip in take.clips if clip.audio.path]
        for key in {f"{clip.tag}/{clip.role}".lstrip("/") for clip in clips}:
            expected = [c for c in clips if f"{c.tag}/{c.role}".lstrip("/") == key]
            shown = media(row, key, wandb_run)
            assert [caption for caption, _ in shown] == [clip.title for clip in expected]
            for clip, (_, file) in zip(expected, shown, strict=True):
                assert clip.audio.path is not None
                assert file.suffix == clip.audio.path.suffix
                assert file.read_bytes() == clip.audio.path.read_bytes()


def test_sounds_are_those_that_were_logged(wandb_run: wandb.Run, tmp_path: Path) -> None:
    """16-bit sound is exact, 24-bit sound within 6e-8, sound over full scale exact; in stereo."""
    quiet, loud = sine(num_channels=2, peak=0.1), sine(num_channels=2, peak=1.5)
    sounds = {"recorded": noise(num_channels=2), "quiet": quiet, "loud": loud}
    with Run(tmp_path / "run", sinks=[WandbSink(wandb_run)], strict=True) as run:
        run.log(sounds, step=0, tag="val", sample_rate=16_000)
    (row,) = wandb_rows(finished(wandb_run))
    got = {role: decoded(media(row, f"val/{role}", wandb_run)[0][1]) for role in sounds}
    np.testing.assert_array_equal(got["recorded"], sounds["recorded"])
    np.testing.assert_array_equal(got["loud"], loud)
    np.testing.assert_allclose(got["quiet"], quiet, rtol=0, atol=6e-8)
    assert got["quiet"].shape == (1600, 2)


@pytest.mark.parametrize("with_step", [True, False])
def test_no_row_of_scalars_is_lost(
    wandb_run: wandb.Run, tmp_path: Path, *, with_step: bool
) -> None:
    """Of 1,000 rows of scalars, logged with `step=` or without, each is there, and its value."""
    with Run(tmp_path / "run", sinks=["wandb"], strict=True) as run:
        for i in range(1000):
            wandb_run.log({"loss": i / 7}, step=10 * i if with_step else None)
            if i % 100 == 50:
                for tag in ("val", "test"):
                    run.log({"prediction": noise(seed=i)}, step=i, tag=tag, sample_rate=16_000)
                run.flush()
    rows = wandb_rows(finished(wandb_run))
    assert [row["loss"] for row in rows] == [i / 7 for i in range(1000)]
    assert [row["_step"] for row in rows] == [10 * i if with_step else i for i in range(1000)]
    # With `step=`, W&B keeps a row open until the next step; without, it closes at once.
    heard = range(50, 1000, 100) if with_step else range(51, 1000, 100)
    for tag in ("val", "test"):
        found = [i for i, row in enumerate(rows) if f"{tag}/prediction" in row]
        assert found == list(heard)
        for i, logged in zip(found, range(50, 1000, 100), strict=True):
            ((_, file),) = media(rows[i], f"{tag}/prediction", wandb_run)
            np.testing.assert_array_equal(decoded(file), noise(seed=logged))


def test_takes_between_two_rows_share_the_next_one(wandb_run: wandb.Run, tmp_path: Path) -> None:
    """Examples that are logged one by one are all on the row that follows, and uploaded once."""
    with Run(tmp_path / "run", sinks=["wandb"], strict=True) as run:
        for epoch in range(2):
            for i in range(3):
                sound = {"prediction": noise(seed=10 * epoch + i)}
                run.log(sound, step=epoch, tag="val", sample_rate=16_000, example=f"utt-{i}")
            run.flush()
            wandb_run.log({"val/loss": epoch})
    records = finished(wandb_run)
    rows = wandb_rows(records)
    assert [row["val/loss"] for row in rows] == [0, 1]
    for epoch, row in enumerate(rows):
        shown = media(row, "val/prediction", wandb_run)
        assert [caption for caption, _ in shown] == ["utt-0", "utt-1", "utt-2"]
        for i, (_, file) in enumerate(shown):
            np.testing.assert_array_equal(decoded(file), noise(seed=10 * epoch + i))
    sounds = [path for path in wandb_uploads(records) if path.endswith(".flac")]
    assert len(sounds) == len(set(sounds)) == 6


def test_a_row_that_is_logged_in_parts_stays_whole(wandb_run: wandb.Run, tmp_path: Path) -> None:
    """Scalars of one step, logged before and after a take, are on one row with its sounds."""
    with Run(tmp_path / "run", sinks=["wandb"], strict=True) as run:
        wandb_run.log({"loss": 1.0}, step=5)
        run.log({"prediction": noise()}, step=5, sample_rate=16_000)
        run.flush()
        wandb_run.log({"accuracy": 0.5}, step=5)
    (row,) = wandb_rows(finished(wandb_run))
    assert (row["_step"], row["loss"], row["accuracy"]) == (5, 1.0, 0.5)
    assert len(media(row, "prediction", wandb_run)) == 1


def test_the_last_take_is_written_when_the_run_ends(wandb_run: wandb.Run, tmp_path: Path) -> None:
    """A take after the last scalars is on a row of its own once the run has finished."""
    wandb_run.log({"loss": 1.0})
    with Run(tmp_path / "run", sinks=["wandb"], strict=True) as run:
        run.log({"prediction": noise()}, step=1, sample_rate=16_000)
    before, after = wandb_rows(finished(wandb_run))
    assert before["loss"] == 1.0
    assert len(media(after, "prediction", wandb_run)) == 1


def test_a_finished_run_is_answered_at_once(wandb_run: wandb.Run, tmp_path: Path) -> None:
    """W&B's own sentence comes, and not after the half minute that it waits for a dead run."""
    sink = WandbSink(wandb_run)
    wandb_run.finish()
    with (
        Run(tmp_path / "run", sinks=[sink], strict=True) as run,
        pytest.raises(UsageError, match="is finished"),
        flushing(run),
    ):
        run.log({"prediction": noise()}, step=0, sample_rate=16_000)


def test_closing_leaves_the_run_open(wandb_run: wandb.Run) -> None:
    """The run goes on taking scalars after the sink is closed."""
    WandbSink(wandb_run).close()
    wandb_run.log({"loss": 1.0})
    assert [row["loss"] for row in wandb_rows(finished(wandb_run))] == [1.0]


def test_a_reference_is_passed_on_as_a_link(wandb_run: wandb.Run, tmp_path: Path) -> None:
    """W&B takes no references, so the URL is shown, and the sounds beside it are not lost."""
    url = "https://sounds.invalid/a.flac?x=1&y=2"
    with Run(tmp_path / "run", sinks=["wandb"], strict=True) as run:
        sounds = {"target": Audio(url), "prediction": noise()}
        run.log(sounds, step=0, sample_rate=16_000, caption="<b>", example="utt")
    (row,) = wandb_rows(finished(wandb_run))
    assert len(media(row, "prediction", wandb_run)) == 1
    (link,) = row["target/link"]["html"]
    text = (Path(wandb_run.dir) / link["path"]).read_text()
    assert text == f'<a href="{html.escape(url)}">utt | &lt;b&gt;</a>'


def test_a_disabled_run_costs_nothing(wandb_home: Path, tmp_path: Path) -> None:
    """With W&B switched off, takes go nowhere, and no error comes of it."""
    disabled = wandb.init(mode="disabled")
    with Run(tmp_path / "run", sinks=["wandb"], strict=True) as run:
        run.log({"prediction": noise()}, step=0, sample_rate=16_000)
    assert not list(wandb_home.rglob("*.flac"))
    disabled.finish()


def test_a_shared_run_gets_a_row_for_each_take(
    wandb_run: wandb.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where many processes write to a run, which then has no steps, each take is a row."""
    monkeypatch.setattr(wandb.Run, "settings", wandb.Settings(mode="shared"))  # needs a server
    with Run(tmp_path / "run", sinks=["wandb"], strict=True) as run:
        for step in range(2):
            run.log({"prediction": noise(seed=step)}, step=step, tag="val", sample_rate=16_000)
    rows = wandb_rows(finished(wandb_run))
    assert [len(media(row, "val/prediction", wandb_run)) for row in rows] == [1, 1]


class Hum(pl.LightningModule):
    """A model that learns next to nothing, and logs what a real one does."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(0.5))

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        loss = ((self.gain - 1) * batch[0]).square().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[torch.Tensor]) -> None:
        self.log("val/loss", ((self.gain - 1) * batch[0]).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Listen(pl.Callback):
    """What a monitor does: when a validation ends, logs a clip, also to the logger's W&B run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run: Run | None = None

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        if self.run is None:
            assert isinstance(trainer.logger, WandbLogger)
            sink = open_sink(trainer.logger.experiment)
            self.run = Run(self.folder, sinks=[sink], strict=True)
        epoch = trainer.current_epoch
        sound = {"prediction": noise(seed=epoch)}
        self.run.log(sound, step=trainer.global_step, epoch=epoch, tag="val", sample_rate=16_000)
        self.run.flush()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        assert self.run is not None
        self.run.close()


def train(logger: WandbLogger, *callbacks: pl.Callback) -> None:
    """Three epochs of four steps, with a row of training scalars every second step."""
    torch.manual_seed(0)
    batches = DataLoader(TensorDataset(torch.randn(8, 100)), batch_size=2)
    trainer = pl.Trainer(
        max_epochs=3,
        logger=logger,
        callbacks=list(callbacks),
        log_every_n_steps=2,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Hum(), batches, DataLoader(TensorDataset(torch.randn(2, 100))))


@pytest.mark.usefixtures("wandb_home")
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # Lightning with torch 2.14
@pytest.mark.filterwarnings("ignore:.*does not have many workers")  # 8 tensors need none
def test_lightnings_rows_of_scalars_carry_the_sounds(tmp_path: Path) -> None:
    """A validation's clips are on the very row of its scalars, and all rows are as without them."""
    plain = WandbLogger(project="earmark-tests", offline=True, save_dir=tmp_path)
    train(plain)
    without = wandb_rows(finished(plain.experiment))

    logger = WandbLogger(project="earmark-tests", offline=True, save_dir=tmp_path)
    train(logger, Listen(tmp_path / "run"))
    rows = wandb_rows(finished(logger.experiment))
    assert [scalars(row) for row in rows] == [scalars(row) for row in without]
    validations = [row for row in rows if "val/loss" in row]
    assert [row for row in rows if "val/prediction" in row] == validations
    assert [row["trainer/global_step"] for row in validations] == [3, 7, 11]
    for epoch, row in enumerate(validations):
        ((_, file),) = media(row, "val/prediction", logger.experiment)
        np.testing.assert_array_equal(decoded(file), noise(seed=epoch))


def scalars(row: dict[str, Any]) -> dict[str, Any]:
    """What a row holds but for the sounds and the time."""
    return {
        key: value
        for key, value in row.items()
        if isinstance(value, int | float) and key not in ("_runtime", "_timestamp")
    }


def test_pictures_are_beside_their_sounds(wandb_run: wandb.Run, tmp_path: Path) -> None:
    """On the same row, pixel by pixel, with the captions of their sounds, however often."""
    takes = [take for take in varied_takes(tmp_path / "run") if take.clips[0].audio.path][:2]
    sink = WandbSink(wandb_run)
    for take in takes:
        sink.write(take)
        sink.write_pictures(pictures_of(take))
    (row,) = wandb_rows(finished(wandb_run))
    for key in {f"{clip.tag}/{clip.role}".lstrip("/") for take in takes for clip in take.clips}:
        shown = row[f"{key}/spectrogram"]
        pictures = [
            (clip.title, picture)
            for take in takes
            for clip, picture in pictures_of(take)
            if f"{clip.tag}/{clip.role}".lstrip("/") == key
        ]
        assert shown["captions"] == [title for title, _ in pictures]
        for name, (_, picture) in zip(shown["filenames"], pictures, strict=True):
            pixels = np.asarray(Image.open(Path(wandb_run.dir) / name))
            np.testing.assert_array_equal(pixels, picture)


def pictures_of(take: Take) -> list[tuple[Clip, Picture]]:
    """A picture of each of its sounds."""
    return [(clip, spectrogram(clip.audio)) for clip in take.clips if clip.audio.path]
