"""AudioMonitor in the Trainer of transformers."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import wandb
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset
from transformers import (
    PretrainedConfig,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    VitsConfig,
    VitsModel,
)
from transformers.utils.generic import ModelOutput

from earmark import EarmarkWarning, convert
from earmark.errors import ArgumentError, AudioTypeError, SampleRateError
from earmark.testing import MemorySink
from earmark_integrations._huggingface import batches_of, name_of_scalars, run_model
from earmark_integrations.sinks.wandb import WandbSink
from earmark_integrations.transformers import AudioMonitor
from tests.integrations.loop_models import (
    RATE,
    STEP_24,
    Voices,
    clips_in,
    each,
    heard_of,
    samples,
    steps_in_tensorboard,
)
from tests.integrations.sinks.trackers import finished, wandb_at_home_in, wandb_rows


class FilterConfig(PretrainedConfig):  # type: ignore[no-untyped-call]  # a hook of theirs has no types
    """The rate is where audio models have it."""

    model_type = "test-filter"

    def __init__(self, sampling_rate: int | None = RATE, **given: Any) -> None:
        self.sampling_rate = sampling_rate
        super().__init__(**given)


@dataclass
class FilterOutput(ModelOutput):
    """As audio models put it out."""

    loss: Tensor | None = None
    audio_values: Tensor | None = None


class FilterModel(PreTrainedModel):
    """Nine taps and a dropout."""

    config_class = FilterConfig
    main_input_name = "noisy"

    def __init__(self, config: FilterConfig) -> None:
        super().__init__(config)
        torch.manual_seed(0)
        self.taps = nn.Conv1d(1, 1, 9, padding=4)
        self.dropout = nn.Dropout(0.1)
        self.post_init()  # type: ignore[no-untyped-call]  # it has no annotations

    def _init_weights(self, module: nn.Module) -> None:
        """They are drawn already."""

    def forward(self, noisy: Tensor, clean: Tensor | None = None) -> FilterOutput:
        """The filtered sounds `(B, T)`, and the loss if there are targets."""
        filtered = self.taps(self.dropout(noisy)[:, None])[:, 0]
        loss = None if clean is None else nn.functional.mse_loss(filtered, clean)
        return FilterOutput(loss=loss, audio_values=filtered)

    def halve(self, batch: dict[str, Any], by: float = 2) -> Tensor:
        """A prediction whose samples are known."""
        assert not self.training
        halved: Tensor = batch["noisy"] / by
        return halved


class Made(TrainerCallback):
    """Keeps what the model makes of the first item at each evaluation."""

    def __init__(self) -> None:
        self.of_step: dict[int, Any] = {}

    def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """The model is as the evaluation left it: in eval mode."""
        model = given["model"]
        self.of_step[state.global_step] = heard_of(lambda noisy: model(noisy).audio_values, 0)


def make_trainer(
    folder: Path, *callbacks: Any, model: Any = None, val: Any = None, **given: Any
) -> Trainer:
    """A quiet trainer on the CPU, which evaluates after each of two epochs of three steps."""
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "num_train_epochs": 2,
        "per_device_train_batch_size": 2,
        "per_device_eval_batch_size": 2,
        "eval_strategy": "epoch",
        "logging_strategy": "epoch",
        "save_strategy": "no",
        "learning_rate": 0.05,
        "report_to": "none",
        "label_names": ["clean"],
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
    }
    return Trainer(
        FilterModel(FilterConfig()) if model is None else model,
        TrainingArguments(**(settings | given)),
        train_dataset=Voices(),
        eval_dataset=Voices() if val is None else val,
        callbacks=list(callbacks),
    )


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


def test_clips_are_at_the_steps_of_the_scalars(tmp_path: Path) -> None:
    """In TensorBoard each sound stands where the evaluation's loss does."""
    monitor = AudioMonitor(max_examples=1)
    make_trainer(
        tmp_path,
        monitor,
        report_to="tensorboard",
        eval_strategy="steps",
        eval_steps=2,
        max_steps=6,
    ).train()
    (folder,) = (tmp_path / "runs").iterdir()
    steps = steps_in_tensorboard(folder)
    assert steps["eval/loss"] == steps["eval/prediction/0"] == [2, 4, 6]
    assert each(clips_in(monitor.run_dir), "step", "epoch") == [(2, 0), (4, 1), (6, 2)]


def test_clips_are_on_the_rows_of_wandb(tmp_path: Path) -> None:
    """The row that has the clips has the trainer's own step, which is its horizontal axis."""
    with wandb_at_home_in(tmp_path):
        run = wandb.init(project="earmark-tests")
        make_trainer(tmp_path, AudioMonitor(max_examples=1), report_to="wandb").train()
        rows = wandb_rows(finished(run))
    losses = [row["train/global_step"] for row in rows if "eval/loss" in row]
    clips = [row["train/global_step"] for row in rows if "eval/prediction" in row]
    assert losses == clips == [3, 6]


def test_a_sink_that_is_given_has_its_own_row_too(tmp_path: Path) -> None:
    """Not the row of the next scalars, which are of a later step."""
    with wandb_at_home_in(tmp_path):
        run = wandb.init(project="earmark-tests")
        monitor = AudioMonitor(max_examples=1, sinks=[WandbSink(run)])
        steps: dict[str, Any] = {"logging_strategy": "steps", "logging_steps": 1}
        make_trainer(tmp_path, monitor, report_to="wandb", **steps).train()
        rows = wandb_rows(finished(run))
    assert [row["train/global_step"] for row in rows if "eval/prediction" in row] == [3, 6]


def test_a_tracker_without_sound_is_told(tmp_path: Path) -> None:
    """Once, with where the clips are; so is a TensorBoard writer in another place."""
    monitor = AudioMonitor()
    trainer = make_trainer(tmp_path, monitor)
    trainer.args.report_to = ["clearml", "tensorboard"]
    with pytest.warns(EarmarkWarning) as told:
        trainer.train()
    first, second = (str(warning.message) for warning in told)
    assert first == f"earmark: clearml gets no clips: they are in {monitor.run_dir}"
    assert second.startswith("earmark: tensorboard gets no clips (expected a SummaryWriter, got")


def test_sinks_get_every_take(tmp_path: Path) -> None:
    """Those that are given, instead of the trainer's."""
    sink = MemorySink()
    make_trainer(tmp_path, AudioMonitor(sinks=[sink]), report_to="tensorboard").train()
    assert [take.step for take in sink.takes] == [3, 6]


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


class Stream(IterableDataset[int]):
    """Items that nobody has numbered."""

    def __iter__(self) -> Any:
        return iter(range(5))


def test_batches_are_read_from_the_start() -> None:
    """With their places, by a loader of this process, whatever the other one is."""
    listed: DataLoader[int] = DataLoader(list(range(5)), batch_size=2, num_workers=2)  # type: ignore[arg-type]  # a list will do
    streamed = DataLoader(Stream(), batch_size=2)
    for loader in (listed, streamed):
        batches = [(batch.tolist(), place.before) for batch, place in batches_of(loader)]
        assert batches == [([0, 1], 0), ([2, 3], 2), ([4], 4)]
    assert [batch for batch, _ in batches_of([[1], [2]])] == [[1], [2]]


def test_a_model_is_given_what_it_takes() -> None:
    """The columns of its forward, all of them if it takes any, or a batch that has none."""
    model = FilterModel(FilterConfig())
    model.train(mode=False)
    noisy = torch.ones(1, 20)
    made = run_model(model, {"noisy": noisy, "text": ["hello"]}).audio_values
    assert torch.equal(made, run_model(model, noisy).audio_values)

    class Greedy(nn.Module):
        def forward(self, **columns: Any) -> list[str]:
            return list(columns)

    assert run_model(Greedy(), {"a": 1, "b": 2}, c=3) == ["a", "b", "c"]


def test_evaluations_are_called_as_their_scalars() -> None:
    """By the prefix that all of their metrics have."""
    assert name_of_scalars({"eval_loss": 1, "eval_runtime": 1}) == ["eval"]
    assert name_of_scalars({"eval_far_off_loss": 1, "eval_far_off_runtime": 1}) == [
        "eval",
        "far_off",
    ]
    assert name_of_scalars({"test_loss": 1, "test_runtime": 1}) == ["test"]
    assert name_of_scalars({"eval_accuracy": 1}) == ["eval"]


def test_a_value_of_the_package_is_no_sound() -> None:
    """Its types are not taken for ones that the monitor's file converts."""
    with pytest.raises(AudioTypeError, match="got FilterConfig"):
        convert.source(FilterConfig())
    with pytest.raises(AudioTypeError, match=r"got Pre[tT]rainedConfig"):
        convert.source(PretrainedConfig())
