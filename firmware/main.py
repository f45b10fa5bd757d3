# SPDX-License-Identifier: MIT
"""Started by MicroPython after boot.py: runs the node, and never gives the board to the REPL.

run() ends in a reset. What comes back all the same is code that cannot be loaded: the board sleeps
for a minute, which spares the flash a boot count each second, and starts again.
"""

while True:
    try:
        import micropython

        micropython.kbd_intr(-1)  # MicroPython has let Ctrl-C through again for this file
        import time

        import machine

        time.sleep_ms(1)  # one that was quicker is raised here, and dropped
        break
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
