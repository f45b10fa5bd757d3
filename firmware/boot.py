# SPDX-License-Identifier: MIT
"""Every reset: keeps the heap packed, and counts the boot.

It never raises, because then main.py would not be run.
"""

import gc

# Collected often, what stays lies close together: else imports scatter it over the heap, and
# there is soon no room for a buffer of 2 KiB (micropython #8940).
gc.threshold(4096)

try:
    from node.device.boots import Boots

    Boots().count()
except Exception as err:
    print("boot: " + type(err).__name__)
