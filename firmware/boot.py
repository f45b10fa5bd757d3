# SPDX-License-Identifier: MIT
"""Every reset: shuts the REPL, keeps the heap packed, and counts the boot.

A node that runs takes no Ctrl-C, so its serial port gives nobody a prompt. At a cold boot alone
(power, or the button EN) there is a window of 3 s first: Ctrl-C in it ends this file, MicroPython
then leaves out main.py, and the board stays at its REPL, with no watchdog running. The window
needs nothing of the node's code, so that a node is reached whose code cannot start, or that
restarts again and again. There is none after a sleep, a watchdog or a reset by software: those a
node can be brought to from outside, and machine.reset_cause() tells them from a cold boot (a reset
by software is its HARD_RESET on an ESP32).

What remains open: who holds the board can write its flash, or press EN and use the window. What
is typed before this file begins reaches no program.

After the window it never raises, because then main.py would not be run.
"""

while True:
    try:
        import micropython

        micropython.kbd_intr(-1)  # before all else: MicroPython lets Ctrl-C through at each file
        import gc
        import time

        import machine

        time.sleep_ms(1)  # one that was quicker is raised here, and dropped
        break
    except KeyboardInterrupt:
        pass

if machine.reset_cause() == machine.PWRON_RESET:
    micropython.kbd_intr(3)  # before it is told: an answer may come at once
    print("maintenance: Ctrl-C within 3 s")
    time.sleep_ms(3000)
    micropython.kbd_intr(-1)

# Collected often, what stays lies close together: else imports scatter it over the heap, and
# there is soon no room for a buffer of 2 KiB (micropython #8940).
gc.threshold(4096)

try:
    from node.device.boots import Boots

    Boots().count()
except Exception as err:
    print("boot: " + type(err).__name__)
