from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import torch

from tests.examples.scripts import clips, improvements, run_script, samples

LOGGED = (0, 2, 3)  # every second epoch of four, and the last


class Trained(NamedTuple):
    """One call of the script with the melodies that it synthesises."""

    printed: str
    logs: Path
    run: Path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trains for a few seconds in an empty folder."""
    folder = tmp_path_factory.mktemp("job")
    printed = run_script("train_denoiser.py", "--epochs", "4", "--steps", "12", folder=folder)
    logs = folder / "lightning_logs" / "version_0"
    return Trained(printed, logs, logs / "earmark")


@pytest.mark.parametrize("role", ["input", "prediction", "target"])
def test_it_keeps_the_same_eight_clips_every_second_epoch(trained: Trained, role: str) -> None:
    """Each role has eight clips in the first, every second and the last epoch, and no others."""
    kept = [sorted(clips(trained.run, role, epoch)) for epoch in range(4)]
    assert [len(names) for names in kept] == [8, 0, 8, 8]
    assert kept[0] == kept[2] == kept[3]


def test_a_caption_is_the_melody_and_the_epoch(trained: Trained) -> None:
    """A caption holds the notes that are played, then the epoch that the clip is of."""
    for epoch in LOGGED:
        for clip in clips(trained.run, "prediction", epoch).values():
            assert re.fullmatch(rf"([A-G]#?\d )+\| epoch {epoch}", clip.caption)


def test_the_files_are_what_the_model_made(
    trained: Trained, load: Callable[[str], ModuleType]
) -> None:
    """The last checkpoint makes, of the same batch, the samples in the last epoch's files."""
    denoising, melodies = load("denoising"), load("melodies")
    (checkpoint,) = (trained.logs / "checkpoints").glob("*.ckpt")
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    model = denoising.Denoiser(16_000)
    model.load_state_dict({name.removeprefix("denoiser."): weights[name] for name in weights})
    _, validation = denoising.loaders(melodies.melodies(64, 16_000), 16_000, steps=1, seed=0)
    (batch,) = validation
    with torch.no_grad():
        made = {"input": batch["noisy"], "prediction": model(batch["noisy"])}
    for role, sounds in (made | {"target": batch["clean"]}).items():
        kept = clips(trained.run, role, LOGGED[-1])
        for name, sound in zip(batch["id"], sounds, strict=True):
            np.testing.assert_allclose(samples(kept[name]), sound, rtol=0, atol=1e-6)


def test_the_improvement_is_audible_and_printed(trained: Trained) -> None:
    """The table's figures are those of the files, rise, and end above 5 dB."""
    table = re.findall(r"^ +(\d+) +([+-]\d+\.\d) dB", trained.printed, re.MULTILINE)
    printed = {int(epoch): float(decibels) for epoch, decibels in table}
    assert list(printed) == [0, 1, 2, 3]
    for epoch in LOGGED:
        assert printed[epoch] == pytest.approx(np.mean(improvements(trained.run, epoch)), abs=0.06)
    assert printed[3] >= max(5, printed[0])


def test_it_says_how_to_listen(trained: Trained) -> None:
    """The last lines name the folder that has FLAC files in it, and the command that lists them."""
    folder = re.search(r"FLAC files in (\S+),", trained.printed)
    assert folder is not None
    assert len(list(Path(folder[1]).rglob("*.prediction.flac"))) == 8 * len(LOGGED)
    assert f"earmark ls {trained.run}" in trained.printed


def test_a_folder_of_recordings_is_captioned_with_its_transcripts(
    recordings: Path, tmp_path: Path
) -> None:
    """Transcripts of both kinds become captions, and clips are as long as their recordings."""
    run = tmp_path / "run"
    run_script(
        "train_denoiser.py",
        *("--data", recordings, "--run-dir", run, "--epochs", "1", "--steps", "1"),
        folder=tmp_path,
    )
    for role in ("input", "prediction", "target"):
        kept = clips(run, role, epoch=0)
        assert {name: clip.caption for name, clip in kept.items()} == {
            "1-one": "Say 1-one. | epoch 0",
            "3-three": "Hear 3-three. | epoch 0",
        }
        assert [len(samples(kept[name])) for name in ("1-one", "3-three")] == [4_800, 6_400]
