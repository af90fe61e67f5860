"""What `AudioMonitor` does in both packages: each of them runs all of this with its own trainer."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

import earmark
from earmark.errors import ArgumentError
from tests.integrations.lightning_models import (
    FRAMES,
    GOES_ON,
    RATE,
    STEP_24,
    Package,
    Speech,
    clips_in,
    fit,
    heard,
    loader,
    make_trainer,
    numbers,
    speech,
    told,
    utterance,
)

MISSING = (
    "expected a prediction in the outputs, found none in None: return {'prediction': sound}, or "
    "pass predict= to make one of the batch"
)


class MonitorSuite:
    """The behaviours; a subclass says in which package."""

    package: Package

    def monitor(self, **given: Any) -> Any:
        """A monitor of this package for the tests' batches."""
        return self.package.monitor(**({"input": "noisy", "target": "clean"} | given))

    def test_it_is_a_real_callback(self) -> None:
        """Type checkers and the command line of Lightning ask for the package's own class."""
        assert issubclass(self.package.monitor, self.package.pl.Callback)

    def test_every_hook_has_the_signature_of_lightning(self) -> None:
        """What Lightning passes by name arrives, in hooks that Lightning has."""
        for name, hook in vars(self.package.monitor.__mro__[1]).items():
            theirs = getattr(self.package.pl.Callback, name, None)
            if name.startswith("on_") or name in ("setup", "teardown"):
                assert theirs is not None
                names = list(inspect.signature(hook).parameters)
                assert names == list(inspect.signature(theirs).parameters)

    def test_clips_are_what_validation_step_returned(self, tmp_path: Path) -> None:
        """Each prediction of each epoch is on disk, sample by sample, with its words."""
        monitor, module = self.monitor(max_examples=6), self.package.module()
        assert fit(tmp_path, monitor, module=module, package=self.package, max_epochs=2) == []
        assert len(module.returned) == 2 * 3
        for returned in module.returned:
            for text, sound in zip(returned["text"], returned["prediction"], strict=True):
                index = text.removeprefix("words ")
                stored = clips_in(
                    monitor.run_dir, role="prediction", epoch=returned["epoch"], example=index
                )
                assert [clip.caption for clip in stored] == [text] * (int(index) < 6)
                for clip in stored:
                    assert np.abs(heard(clip) - sound.numpy()).max() <= STEP_24

    def test_inputs_and_targets_are_those_of_the_data(self, tmp_path: Path) -> None:
        """They are exact in every epoch, as soundfile reads them, and stored once."""
        monitor = self.monitor(max_examples=3)
        assert fit(tmp_path, monitor, package=self.package, max_epochs=2) == []
        data = Speech()
        clips = [clip for clip in clips_in(monitor.run_dir) if clip.role != "prediction"]
        assert len(clips) == 2 * 2 * 3
        for clip in clips:
            column = {"input": "noisy", "target": "clean"}[clip.role]
            assert clip.audio.path is not None
            samples, rate = soundfile.read(clip.audio.path, dtype="float32")
            np.testing.assert_array_equal(samples, data[int(clip.example)][column].numpy())
            assert (rate, clip.audio.duration_seconds) == (RATE, FRAMES / RATE)
        assert len({clip.audio.path for clip in clips}) == 2 * 3

    def test_eight_examples_are_logged_unless_told_otherwise(self, tmp_path: Path) -> None:
        """They are the first ones, over as many batches as it takes, in every epoch."""
        monitor = self.monitor()
        assert fit(tmp_path, monitor, package=self.package, max_epochs=2) == []
        for epoch in range(2):
            clips = clips_in(monitor.run_dir, role="prediction", epoch=epoch)
            assert [clip.example for clip in clips] == [str(index) for index in range(8)]

    def test_the_same_examples_are_found_in_shuffled_batches(self, tmp_path: Path) -> None:
        """With ids in the batch the order of the loader does not matter."""
        monitor, torch_state = self.monitor(max_examples=3), torch.manual_seed(1)
        val = loader(12, shuffle=True, id=utterance)
        assert fit(tmp_path, monitor, val=val, package=self.package, max_epochs=3) == []
        assert torch_state is torch.default_generator
        epochs = [clips_in(monitor.run_dir, role="prediction", epoch=epoch) for epoch in range(3)]
        examples = [{clip.example for clip in clips} for clips in epochs]
        assert examples[0] == examples[1] == examples[2]
        assert len(examples[0]) == 3
        for clip in clips_in(monitor.run_dir, role="target"):
            index = int(clip.example.removeprefix("utt-"))
            np.testing.assert_array_equal(heard(clip), speech(index).numpy())

    def test_the_sanity_check_is_not_logged(self, tmp_path: Path) -> None:
        """What Lightning validates before the first step leaves no clip."""
        monitor, module = self.monitor(max_examples=1), self.package.module()
        messages = fit(
            tmp_path, monitor, module=module, package=self.package, num_sanity_val_steps=2
        )
        assert messages == []
        assert len(module.returned) == 2 + 3
        assert numbers(clips_in(monitor.run_dir), "step") == [2]

    def test_fast_dev_run_writes_nothing(self, tmp_path: Path) -> None:
        """A trial run converts every sound, and leaves no directory behind."""
        monitor = self.monitor()
        assert fit(tmp_path, monitor, package=self.package, fast_dev_run=True) == []
        assert not monitor.run_dir.exists()

    def test_fast_dev_run_tells_of_bad_outputs(self, tmp_path: Path) -> None:
        """That is what a trial run is for."""
        monitor = self.monitor(prediction=lambda outputs, batch: batch["noisy"] * 1j)
        (message,) = fit(tmp_path, monitor, package=self.package, fast_dev_run=True)
        assert message.startswith("earmark: the prediction of a batch at step 0 was not logged: ")
        assert "complex64" in message

    def test_a_prediction_of_its_own(self, tmp_path: Path) -> None:
        """`predict` runs a method on the batch, in eval mode, without gradients."""

        class Module(self.package.module):  # type: ignore[name-defined,misc]  # one of two
            def enhance(self, batch: dict[str, Any]) -> dict[str, Tensor]:
                assert not self.training
                assert not torch.is_grad_enabled()
                return {"prediction": batch["noisy"] / 2}

        monitor = self.monitor(predict="enhance", max_examples=2)
        assert fit(tmp_path, monitor, module=Module(), package=self.package) == []
        for clip in clips_in(monitor.run_dir, role="prediction"):
            half = Speech()[int(clip.example)]["noisy"].numpy() / 2
            np.testing.assert_array_equal(heard(clip), half)

    def test_predict_has_to_be_a_method(self, tmp_path: Path) -> None:
        """A name that the module does not know is an error before the first step."""
        message = "expected predict to be a method of .*Denoiser, got 'enhanse': name one, or pass"
        with pytest.raises(ArgumentError, match=message):
            fit(tmp_path, self.monitor(predict="enhanse"), package=self.package)

    def test_a_demo_set_is_heard_in_a_training_without_validation(self, tmp_path: Path) -> None:
        """Prompts go to the model at the end of each epoch, in variants, beside another monitor."""

        class Module(self.package.module):  # type: ignore[name-defined,misc]  # one of two
            def say(self, batch: dict[str, Any], gain: float) -> Tensor:
                return torch.stack([gain * speech(len(text)) for text in batch["text"]])

        demo = self.package.monitor(
            demo=["a", "bc"], predict="say", variants={"half": {"gain": 0.5}, "full": {"gain": 1}}
        )
        settings: dict[str, Any] = {"package": self.package, "max_epochs": 2}
        messages = fit(
            tmp_path, self.monitor(), demo, module=Module(), limit_val_batches=0, **settings
        )
        assert messages == []
        clips = clips_in(demo.run_dir)
        assert len(clips) == 2 * 2 * 2
        for clip in clips:
            gain = {"prediction.half": 0.5, "prediction.full": 1}[clip.role]
            np.testing.assert_array_equal(heard(clip), gain * speech(len(clip.caption)).numpy())
            assert (clip.tag, clip.caption) == ("demo", ["a", "bc"][int(clip.example)])

    def test_bad_outputs_cost_one_warning(self, tmp_path: Path) -> None:
        """Training ends normally, and the cause is told once over all batches and epochs."""

        class Module(self.package.module):  # type: ignore[name-defined,misc]  # one of two
            def validation_step(self, batch: dict[str, Any], index: int) -> None:
                return None

        monitor = self.monitor()
        messages = fit(tmp_path, monitor, module=Module(), package=self.package, max_epochs=2)
        lost = "earmark: a batch at step 2 was not logged: "
        assert messages == [f"{lost}{MISSING}{GOES_ON}"]
        assert clips_in(monitor.run_dir) == []

    def test_training_goes_on_from_a_checkpoint(self, tmp_path: Path) -> None:
        """The schedule and the chosen examples are kept, whatever the loader's order is now."""
        first, second = (self.monitor(every_n_epochs=2, max_examples=2) for _ in range(2))
        val = loader(8, batch=8, id=utterance)
        trainer = make_trainer(tmp_path, first, package=self.package, max_epochs=2)
        with told() as messages:
            trainer.fit(self.package.module(), loader(), val)
            trainer.save_checkpoint(tmp_path / "last.ckpt")
        assert messages == []
        later = loader(8, batch=8, id=lambda index: utterance(7 - index))
        messages = fit(
            tmp_path,
            second,
            val=later,
            package=self.package,
            max_epochs=5,
            ckpt_path=tmp_path / "last.ckpt",
        )
        assert messages == []
        clips = clips_in(second.run_dir, role="prediction")
        assert numbers(clips, "epoch") == [0, 1, 2, 4]
        assert numbers(clips, "example") == ["utt-0", "utt-1"]
        assert len(earmark.open_run(second.run_dir).writers) == 2

    def test_it_is_picklable_until_the_first_hook(self) -> None:
        """Strategies that start processes send the callbacks there."""
        monitor = pickle.loads(pickle.dumps(self.monitor(captions="{text}", every_n_epochs=3)))  # noqa: S301 - our own
        assert monitor.state_dict() == self.monitor().state_dict()
