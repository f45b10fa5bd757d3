# SPDX-License-Identifier: MIT
"""Started by MicroPython after boot.py: runs the node, and never gives the board to the REPL.

run() ends in a reset. What comes back all the same is code that cannot be loaded: the board sleeps
for a minute, which spares the flash a boot count each second, and starts again.
"""

import time

import machine
import micropython

try:
    micropython.kbd_intr(-1)  # MicroPython has let Ctrl-C through again for this file
    time.sleep_ms(1)  # a Ctrl-C that was quicker is raised here, and dropped
except KeyboardInterrupt:
    pass
try:
    from node.app import run

    run()
except Exception as err:  # of loading code, before any key is read
    print("main: " + type(err).__name__ + ": " + str(err))
except (KeyboardInterrupt, SystemExit):
    pass
machine.deepsleep(60_000)
