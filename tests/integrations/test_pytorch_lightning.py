"""AudioMonitor for `pytorch_lightning`: all that is the same in both packages."""

from __future__ import annotations

from tests.integrations.lightning_models import PYTORCH_LIGHTNING
from tests.integrations.monitor_suite import MonitorSuite


class TestPytorchLightning(MonitorSuite):
    package = PYTORCH_LIGHTNING
