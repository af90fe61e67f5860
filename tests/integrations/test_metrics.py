"""Metrics of tensors, torchmetrics' own among them, are metrics of clips as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchmetrics.audio import ScaleInvariantSignalDistortionRatio
from torchmetrics.functional.audio import (
    scale_invariant_signal_distortion_ratio,
    signal_noise_ratio,
)

from earmark import Audio
from earmark.testing import noise, sine
from earmark_integrations.metrics import TensorMetric

TARGET = sine(peak=0.5, num_channels=2)
PREDICTION = np.asarray(TARGET + 0.05 * noise(num_channels=2)[: len(TARGET)], np.float32)


def si_sdr(channel: int) -> float:
    """The ratio in dB, from its definition (Le Roux et al., 2019), in float64."""
    made, wanted = (s[:, channel].astype(np.float64) for s in (PREDICTION, TARGET))
    scaled = wanted * (made @ wanted) / (wanted @ wanted)
    return float(10 * np.log10(scaled @ scaled / ((made - scaled) @ (made - scaled))))


@pytest.mark.parametrize(
    "metric", [scale_invariant_signal_distortion_ratio, ScaleInvariantSignalDistortionRatio()]
)
def test_torchmetrics_work_as_they_are(metric: Any) -> None:
    """Its functions and its classes, which forget the clip before; channels are averaged."""
    ours = TensorMetric(metric)
    for _ in range(2):
        value = ours(Audio(PREDICTION, 16_000), Audio(TARGET, 16_000))
        assert float(value) == pytest.approx((si_sdr(0) + si_sdr(1)) / 2, abs=1e-3)


def test_plain_numbers_are_taken(recwarn: pytest.WarningsRecorder) -> None:
    """Tensors have shape (channels, frames) and float32; a function may return any number."""
    seen: list[torch.Tensor] = []

    def metric(prediction: torch.Tensor, target: torch.Tensor) -> float:
        seen.extend([prediction, target])
        return 0.5

    assert TensorMetric(metric)(Audio(PREDICTION, 16_000), Audio(TARGET, 16_000)) == 0.5
    assert [(each.shape, each.dtype) for each in seen] == [((2, 1600), torch.float32)] * 2
    np.testing.assert_array_equal(seen[0].T, PREDICTION)
    assert not recwarn.list


def test_no_graph_is_kept() -> None:
    """A network that judges sound is run without gradients."""
    weight = torch.ones(1, requires_grad=True)
    metric = TensorMetric(lambda made, wanted: weight * signal_noise_ratio(made, wanted))
    assert not metric(Audio(PREDICTION, 16_000), Audio(TARGET, 16_000)).requires_grad
