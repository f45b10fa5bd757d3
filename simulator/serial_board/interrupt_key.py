# SPDX-License-Identifier: MIT
"""Ctrl-C on a board's serial line, within its MicroPython: a program shuts it off with
micropython.kbd_intr(-1), and each file that is started lets it through anew (pyexec.c). In the
firmware's dialect.

    board ▶ \x01kbd <ms> <character>      the console acts on it, and says so: then Ctrl-C is off

`micropython` cannot be replaced by path; a module that is loaded already is taken as it is.
"""

import sys

import micropython

from simulator.hal.bench import bench

CTRL_C, NONE = 3, -1


def kbd_intr(character: int):
    """Lets this character interrupt a program, or none. One that came before is raised here."""
    raised = None
    bench.say("kbd", bench.now_ms, character)
    while True:
        try:
            bench.hear()
            break
        except KeyboardInterrupt as err:  # the answer is to be taken in any case
            raised = err
    if raised is not None:
        raise raised


def run_file(name: str):
    """Runs a file of the board, as MicroPython does after a reset. While it is compiled, nothing
    interrupts. What the board has not comes from this checkout."""
    program = None
    try:
        with open(name + ".py") as file:
            program = compile(file.read(), name + ".py", "exec")
    except OSError:
        pass
    kbd_intr(CTRL_C)
    try:
        if program is None:
            __import__(name)
        else:
            exec(program, {"__name__": "__main__"})
    finally:
        if not bench.is_over:  # else the answer would come to the next run
            kbd_intr(NONE)


class _Micropython:
    """Stands for the module: the original's names, and our kbd_intr."""

    def __init__(self):
        for name in dir(micropython):
            if not name.startswith("__"):
                setattr(self, name, getattr(micropython, name))
        self.kbd_intr = kbd_intr


def install():
    sys.modules["micropython"] = _Micropython()
