"""AudioMonitor in the Trainer of transformers."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import (
    PretrainedConfig,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    VitsConfig,
    VitsModel,
)

from earmark import EarmarkWarning, convert
from earmark.errors import ArgumentError, AudioTypeError, SampleRateError
from earmark_integrations.transformers import AudioMonitor
from tests.integrations.loop_models import RATE, STEP_24, Voices, clips_in, each, samples
from tests.integrations.transformers_models import FilterConfig, FilterModel, Made, make_trainer


def test_it_is_a_real_callback() -> None:
    """The trainer and type checkers ask for one."""
    assert issubclass(AudioMonitor, TrainerCallback)


def test_clips_are_what_the_model_makes(tmp_path: Path) -> None:
    """Of the evaluation's first items, after each evaluation, sample by sample."""
    monitor, made = AudioMonitor(max_examples=3), Made()
    make_trainer(tmp_path, made, monitor).train()
    assert monitor.run_dir == tmp_path / "earmark"
    assert each(clips_in(monitor.run_dir), "tag", "epoch", "step") == [
        ("eval", 1, 3),
        ("eval", 2, 6),
    ]
    predictions = clips_in(monitor.run_dir, role="prediction")
    assert each(predictions, "example") == ["0", "1", "2"]
    assert len(predictions) == 6
    for clip in predictions:
        assert clip.audio.sample_rate == RATE
        if clip.example == "0":
            assert np.abs(samples(clip) - made.of_step[clip.step]).max() <= STEP_24
    for role, column in (("input", "noisy"), ("target", "clean")):
        clips = clips_in(monitor.run_dir, role=role)
        assert len(clips) == 6
        for clip in clips:
            np.testing.assert_array_equal(samples(clip), Voices()[int(clip.example)][column])


def test_the_lines_of_the_docstring_run(tmp_path: Path) -> None:
    """As they stand there."""
    example = (AudioMonitor.__doc__ or "").partition("Example:\n")[2]
    args = TrainingArguments(str(tmp_path), report_to="none", use_cpu=True, max_steps=1)
    names: dict[str, Any] = {"Trainer": Trainer, "AudioMonitor": AudioMonitor, "args": args}
    names |= {"model": FilterModel(FilterConfig()), "train": Voices(), "val": Voices()}
    exec(textwrap.dedent(example), names)  # noqa: S102 - it is ours
    names["trainer"].evaluate()
    assert len(clips_in(tmp_path / "earmark", role="prediction")) == 6


def test_only_what_is_due_is_logged(tmp_path: Path) -> None:
    """The first evaluation, the first at or after every so many epochs, and the last."""
    monitor = AudioMonitor(every_n_epochs=3, max_examples=1)
    make_trainer(tmp_path, monitor, num_train_epochs=5).train()
    assert each(clips_in(monitor.run_dir), "epoch") == [1, 3, 5]


@pytest.mark.parametrize("restore", [False, True])
def test_resuming_repeats_nothing(tmp_path: Path, restore: bool) -> None:
    """Schedule and examples come from the checkpoint, and the functions from the new callback."""
    settings: dict[str, Any] = {"save_strategy": "epoch"}
    settings["restore_callback_states_from_checkpoint"] = restore
    first, second = (
        AudioMonitor(every_n_epochs=4, max_examples=2, predict=lambda model, batch: batch["noisy"])
        for _ in range(2)
    )
    make_trainer(tmp_path, first, **settings).train()
    checkpoint = tmp_path / "checkpoint-6"
    settings["num_train_epochs"] = 5
    make_trainer(tmp_path, second, **settings).train(resume_from_checkpoint=str(checkpoint))
    clips = clips_in(tmp_path / "earmark", role="prediction")
    assert [clip.epoch for clip in clips if clip.example == "0"] == [1, 2, 4, 5]
    assert each(clips, "example") == ["0", "1"]
    for clip in clips:
        np.testing.assert_array_equal(samples(clip), Voices()[int(clip.example)]["noisy"])


def test_two_monitors_keep_a_state_each(tmp_path: Path) -> None:
    """A demo set is a name of its own, so that neither goes on from where the other was."""
    trainer = make_trainer(tmp_path, AudioMonitor(), AudioMonitor(demo=Voices(1), every_n_steps=2))
    trainer.train()
    kept: Any = trainer.state.stateful_callbacks
    examples = [state["examples"] for key, state in kept.items() if "AudioMonitor" in key]
    assert sorted(map(list, examples)) == [["demo"], ["eval"]]


def test_several_data_sets_have_their_names(tmp_path: Path) -> None:
    """As their scalars do, and all of them are due at once."""
    monitor = AudioMonitor(max_examples=1, every_n_epochs=2)
    val = {"near": Voices(2), "far": Voices(2, first=4)}
    make_trainer(tmp_path, monitor, val=val).train()
    clips = clips_in(monitor.run_dir, role="target")
    assert sorted(each(clips, "tag", "epoch")) == [
        *(("eval/far", 1), ("eval/far", 2)),
        *(("eval/near", 1), ("eval/near", 2)),
    ]
    for clip in clips:
        index = 4 if clip.tag == "eval/far" else 0
        np.testing.assert_array_equal(samples(clip), Voices()[index]["clean"])


def test_a_tag_takes_the_place_of_the_usual_name(tmp_path: Path) -> None:
    """As in every framework: names of data sets, and of other evaluations, come behind it."""
    val = {"near": Voices(2), "far": Voices(2, first=4)}
    trainer = make_trainer(tmp_path, AudioMonitor(tag="mine"), val=val, num_train_epochs=1)
    trainer.train()
    trainer.evaluate(Voices(2), metric_key_prefix="test")
    tags = each(clips_in(tmp_path / "earmark"), "tag")
    assert tags == ["mine/near", "mine/far", "mine/test"]


def test_a_demo_set_needs_no_evaluation(tmp_path: Path) -> None:
    """It is played at the steps that are due, with the words that the model does not take."""
    monitor = AudioMonitor(every_n_steps=2, demo=Voices(2, first=3), captions="{text}")
    make_trainer(tmp_path, monitor, eval_strategy="no").train()
    clips = clips_in(monitor.run_dir, role="prediction")
    assert each(clips, "tag", "step") == [("demo", step) for step in (1, 2, 4, 6)]
    assert each(clips, "example", "caption") == [("0", "words 3"), ("1", "words 4")]


@pytest.mark.parametrize("strategy", ["no", "epoch"])
def test_a_demo_set_goes_by_epochs(tmp_path: Path, strategy: str) -> None:
    """At the evaluations, and without any, at the end of each epoch; once in each."""
    monitor = AudioMonitor(demo=["hello", "there"], predict=lambda model, batch: torch.ones(1, 99))
    val = {"near": Voices(2), "far": Voices(2, first=4)}
    make_trainer(tmp_path, monitor, eval_strategy=strategy, val=val).train()
    clips = clips_in(monitor.run_dir, role="prediction")
    assert each(clips, "step") == [3, 6]
    assert [clip.caption for clip in clips] == ["hello", "there"] * 2


def test_a_prediction_of_its_own(tmp_path: Path) -> None:
    """By the name of a method, in variants."""
    variants = {"soft": {"by": 4}, "loud": {"by": 2}}
    monitor = AudioMonitor(predict="halve", variants=variants, max_examples=1)
    make_trainer(tmp_path, monitor).train()
    for role, by in (("prediction.soft", 4), ("prediction.loud", 2)):
        for clip in clips_in(monitor.run_dir, role=role):
            np.testing.assert_array_equal(samples(clip), Voices()[0]["noisy"].numpy() / by)


def test_errors_do_not_stop_the_training(tmp_path: Path) -> None:
    """A prediction that raises is told once, and the training ends as it would."""

    def fail(model: Any, batch: Any) -> Any:
        raise ValueError("no vocoder today")

    trainer = make_trainer(tmp_path, AudioMonitor(predict=fail))
    with pytest.warns(EarmarkWarning, match="no vocoder today") as told:
        trainer.train()
    assert len(told) == 1
    assert trainer.state.global_step == 6


def test_a_sample_rate_is_needed_at_the_start(tmp_path: Path) -> None:
    """Before the first step, with the places where it was looked for."""
    model = FilterModel(FilterConfig(sampling_rate=None))
    with pytest.raises(SampleRateError, match=r"looked for .* in model, model\.config; pass"):
        make_trainer(tmp_path, AudioMonitor(), model=model).train()
    with pytest.raises(ArgumentError, match="method of FilterModel, got 'haalve'"):
        make_trainer(tmp_path, AudioMonitor(predict="haalve")).train()


def test_the_processor_may_carry_the_sample_rate(tmp_path: Path) -> None:
    """If the model does not."""
    trainer = make_trainer(tmp_path, AudioMonitor(), model=FilterModel(FilterConfig(None)))
    handler: Any = trainer.callback_handler
    handler.processing_class = FilterConfig(16_000)
    trainer.evaluate()
    clips = clips_in(tmp_path / "earmark")
    assert {clip.audio.sample_rate for clip in clips} == {16_000}


def test_an_evaluation_without_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is logged whatever the schedule says, in a run of its own, unless it was before."""
    monkeypatch.chdir(tmp_path)
    monitor = AudioMonitor(every_n_epochs=100, max_examples=1)
    trainer = make_trainer(tmp_path, monitor, report_to="tensorboard")
    trainer.evaluate()
    assert each(clips_in(monitor.run_dir), "step", "epoch") == [(0, 0)]
    trainer.train()
    trainer.evaluate()
    steps = [clip.step for clip in clips_in(monitor.run_dir, role="prediction")]
    assert steps == [0, 3, 6]


def test_training_is_the_same_with_and_without(tmp_path: Path) -> None:
    """Weights, logs and random numbers are equal to the last bit, whatever is predicted."""
    given: dict[str, Any] = {"max_examples": 2, "predict": lambda model, batch: torch.rand(2, 50)}
    demo = DataLoader(Voices(), batch_size=2)
    monitors = AudioMonitor(**given), AudioMonitor(demo=demo, every_n_steps=1, tag="demo", **given)
    runs = []
    for number, callbacks in enumerate([(), monitors]):
        trainer = make_trainer(tmp_path / str(number), *callbacks, num_train_epochs=3)
        trainer.train()
        losses = [log["eval_loss"] for log in trainer.state.log_history if "eval_loss" in log]
        weights = dict((trainer.model or nn.Module()).named_parameters())
        runs.append((weights, losses, torch.get_rng_state()))
    (alone, losses, state), (watched, same_losses, same_state) = runs
    assert losses == same_losses
    assert torch.equal(state, same_state)
    assert all(torch.equal(alone[name], watched[name]) for name in alone)
    assert each(clips_in(tmp_path / "1" / "earmark"), "tag") == ["demo", "eval"]


def test_it_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By argument or from outside, and then nothing is needed."""
    model = FilterModel(FilterConfig(sampling_rate=None))
    make_trainer(tmp_path, AudioMonitor(enabled=False), model=model).train()
    monkeypatch.setenv("EARMARK_MODE", "disabled")
    make_trainer(tmp_path, AudioMonitor(), model=model).train()
    assert not (tmp_path / "earmark").exists()


def test_a_model_of_the_hub(tmp_path: Path) -> None:
    """A text to speech model of random weights speaks the prompts, at the rate of its own."""
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "ffn_dim": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    flow: dict[str, Any] = {"flow_size": 16, "spectrogram_bins": 9, "wavenet_dilation_rate": 1}
    layers: dict[str, Any] = {"prior_encoder_num_flows": 1, "prior_encoder_num_wavenet_layers": 1}
    voice: dict[str, Any] = {
        "upsample_initial_channel": 32,
        "depth_separable_channels": 2,
        "vocab_size": 30,
    }
    config = VitsConfig(**sizes, **flow, **layers, **voice, duration_predictor_num_flows=1)
    prompts = [{"input_ids": torch.arange(1, 6)}, {"input_ids": torch.arange(3, 9)}]
    monitor = AudioMonitor(demo=prompts)
    trainer = make_trainer(tmp_path, model=VitsModel(config))
    monitor.on_evaluate(trainer.args, trainer.state, trainer.control, model=trainer.model)
    clips = clips_in(tmp_path / "earmark", role="prediction")
    assert each(clips, "example") == ["0", "1"]
    assert {clip.audio.sample_rate for clip in clips} == {16_000}
    assert all(clip.audio.num_frames > 256 for clip in clips)


def test_a_value_of_the_package_is_no_sound() -> None:
    """Its types are not taken for ones that the monitor's file converts."""
    with pytest.raises(AudioTypeError, match="got FilterConfig"):
        convert.source(FilterConfig())
    with pytest.raises(AudioTypeError, match=r"got Pre[tT]rainedConfig"):
        convert.source(PretrainedConfig())
