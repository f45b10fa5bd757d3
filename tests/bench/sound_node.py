# SPDX-License-Identifier: MIT
"""Runs under MicroPython on the compiled firmware: prints as JSON what a second of audio takes, in
the filter alone and in the driver as a whole."""

import json
from array import array

from utime import ticks_diff, ticks_us

from node.drivers.a_weighting import weigh
from node.drivers.ics43434 import ICS43434

ROUNDS = 20
BLOCK, STATE = 250, 19  # of a_weighting.py
BLOCKS = 48_000 // BLOCK  # in a second


class Source:
    """An I2S whose buffer is full at once, of what was left in it."""

    def irq(self, handler):
        self.handler = handler

    def readinto(self, buf):
        self.buf = buf


def best_us(work):
    best = None
    for _ in range(ROUNDS):
        began = ticks_us()
        work()
        spent = ticks_diff(ticks_us(), began)
        best = spent if best is None else min(best, spent)
    return best


def main():
    block, state = array("i", range(BLOCK)), array("i", bytes(4 * STATE))
    source = Source()
    driver = ICS43434(source)
    driver.poll()

    def filter_alone():
        for _ in range(BLOCKS):
            weigh(block, state)

    def all_of_it():
        for _ in range(BLOCKS):
            source.handler(source)

    print(json.dumps({"filter_us": best_us(filter_alone), "driver_us": best_us(all_of_it)}))


main()
