"""Metrics of tensors, such as those of torchmetrics, as metrics of clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from earmark.audio import Audio
from earmark.metrics import check_metrics


@dataclass(frozen=True)
class TensorMetric:
    """Makes a metric of clips of a function, or a torchmetrics metric, of tensors.

    It is given float32 tensors of shape `(channels, frames)` on the CPU, and runs without
    gradients, behind the training thread. Of several numbers, one for each channel, the mean is
    taken.

    Args:
        metric: A function of `(prediction, target)`, for example
            `torchmetrics.functional.audio.scale_invariant_signal_distortion_ratio`.

    Example:
        >>> error = TensorMetric(torch.nn.functional.l1_loss)
        >>> a, b = Audio([0.5, 0.25], 16_000), Audio([0.0, 0.0], 16_000)
        >>> error(a, b).item()
        0.375
    """

    metric: Callable[[torch.Tensor, torch.Tensor], Any]

    def __call__(self, prediction: Audio, target: Audio) -> Any:
        """Compute it of one clip."""
        with torch.no_grad():
            value = self.metric(_tensor(prediction), _tensor(target))
        reset = getattr(self.metric, "reset", None)  # a torchmetrics metric remembers all it saw
        if reset is not None:
            reset()
        return value.float().mean() if isinstance(value, torch.Tensor) else value


def tensor_metrics(metrics: Mapping[str, Any]) -> dict[str, TensorMetric]:
    """Make metrics of clips of functions of tensors, by name.

    Raises:
        ArgumentTypeError: If they are not functions by name.
        ArgumentError: If a name is empty.
    """
    return {name: TensorMetric(function) for name, function in check_metrics(metrics).items()}


def _tensor(audio: Audio) -> torch.Tensor:
    return torch.tensor(audio.samples.T)
