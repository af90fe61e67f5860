"""AudioMonitor for `lightning.pytorch`: all that is the same in both packages."""

from __future__ import annotations

from tests.integrations.lightning_models import LIGHTNING
from tests.integrations.monitor_suite import MonitorSuite


class TestLightning(MonitorSuite):
    package = LIGHTNING
