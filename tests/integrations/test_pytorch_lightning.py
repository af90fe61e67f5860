"""AudioMonitor for `pytorch_lightning`: all that is the same in both packages."""

from __future__ import annotations

import pytest
import pytorch_lightning

from earmark_integrations.pytorch_lightning import AudioMonitor
from tests.integrations.lightning_models import Package, Steps

pytest.register_assert_rewrite("tests.integrations.monitor_suite")

from tests.integrations.monitor_suite import MonitorSuite  # noqa: E402 - after the line above


class Denoiser(Steps, pytorch_lightning.LightningModule):
    """The filter for this package."""


class TestPytorchLightning(MonitorSuite):
    package = Package(pytorch_lightning, AudioMonitor, Denoiser)
