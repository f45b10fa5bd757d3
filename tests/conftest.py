# SPDX-License-Identifier: MIT
"""The firmware's packages are loaded as the simulator loads them, so that tests/portable runs here
as on MicroPython. With LAMPPOST_REQUIRE_ALL=1 a skipped test is a failure."""

import contextlib
import os

import pytest

from host_tools.errors import ToolError
from host_tools.provisioning.firmware import firmware_root
from host_tools.umqtt_source import umqtt_path
from simulator.hal.on_cpython import loader

roots = [firmware_root()]
with contextlib.suppress(ToolError):  # offline, and never fetched: its tests will say so
    roots.append(umqtt_path())
loader.install(*roots)

REQUIRE_ALL = os.environ.get("LAMPPOST_REQUIRE_ALL") == "1"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped here: {reason}"
