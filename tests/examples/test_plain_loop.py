from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.examples.scripts import EXAMPLES, clips, improvements, run_script, samples


@pytest.fixture(scope="module")
def run(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of four short epochs on a folder of recordings."""
    folder = tmp_path_factory.mktemp("job")
    options = ("--data", recordings, "--epochs", "4", "--steps", "2")
    run_script("plain_loop.py", *options, folder=folder)
    return folder / "runs" / "denoiser"


@pytest.mark.parametrize("role", ["input", "prediction", "target"])
def test_two_lines_keep_every_second_epoch_and_the_last(run: Path, role: str) -> None:
    """Clips have their transcript, their epoch, and the step of the optimiser."""
    for epoch in (0, 2, 3):
        kept = clips(run, role, epoch)
        assert {name: clip.caption for name, clip in kept.items()} == {
            "1-one": f"Say 1-one. | epoch {epoch}",
            "3-three": f"Hear 3-three. | epoch {epoch}",
        }
        assert {clip.step for clip in kept.values()} == {2 * (epoch + 1)}
    assert clips(run, role, 1) == {}


def test_the_metrics_are_those_of_the_files(run: Path) -> None:
    """The improvement that was logged with a clip is the one measured in its files."""
    for epoch in (0, 2, 3):
        kept = clips(run, "prediction", epoch)
        assert len(kept) == 2
        logged = [clip.metrics["si_sdri"] for clip in kept.values()]
        np.testing.assert_allclose(logged, improvements(run, epoch), atol=0.01)


def test_the_target_is_the_recording(run: Path, recordings: Path) -> None:
    """The stored target has the very samples of the recording, without the batch's padding."""
    targets = clips(run, "target", epoch=0)
    for name in ("1-one", "3-three"):
        recorded, _ = soundfile.read(recordings / f"{name}.wav")
        np.testing.assert_array_equal(samples(targets[name]), recorded)


def test_it_is_short() -> None:
    """A plain loop with earmark in it takes fewer than sixty lines."""
    assert len((EXAMPLES / "plain_loop.py").read_text("utf-8").splitlines()) < 60
