# SPDX-License-Identifier: MIT
"""The long runs: what the suite samples, here whole.

The firmware's packages are loaded as the simulator loads them, before any part imports them.
"""

import contextlib
import sys

from host_tools.errors import ToolError
from host_tools.provisioning.firmware import firmware_root
from host_tools.umqtt_source import umqtt_path
from simulator.hal.on_cpython import loader

if "node" not in sys.modules:  # else tests/conftest.py has done it
    _roots = [firmware_root()]
    with contextlib.suppress(ToolError):  # not fetched: what needs it will say so
        _roots.append(umqtt_path())
    loader.install(*_roots)
