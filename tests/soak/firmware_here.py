# SPDX-License-Identifier: MIT
"""Loads the firmware's packages as the simulator does. Import it before anything of `node`."""

import sys

from host_tools.provisioning.firmware import firmware_root
from simulator.hal.on_cpython import loader

if not [finder for finder in sys.meta_path if type(finder).__name__ == "_FirmwareFinder"]:
    loader.install(firmware_root())
