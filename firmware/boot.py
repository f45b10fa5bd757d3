# SPDX-License-Identifier: MIT
"""Every reset: counts the boot. It never raises, because then main.py would not be run."""

try:
    from node.device.keys import count_boot

    count_boot()
except Exception as err:
    print("boot: " + type(err).__name__)
