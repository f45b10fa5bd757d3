# SPDX-License-Identifier: MIT
"""Every reset: counts the boot. It never raises, because then main.py would not be run."""

try:
    from node.device.keys import count_boot

    count_boot()
except Exception as err:  # noqa: BLE001 - see above
    print("boot: " + type(err).__name__)
