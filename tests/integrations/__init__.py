import pytest

pytest.register_assert_rewrite("tests.integrations.monitor_suite")
