"""What the tests of transformers train: a filter with the names that audio models have there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    PretrainedConfig,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.utils.generic import ModelOutput

from tests.integrations.loop_models import RATE, Voices, heard_of


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
