# SPDX-License-Identifier: MIT
"""Runs within the MicroPython of a board on a serial line: the node, and the REPL when somebody
interrupts it. In the firmware's dialect.

    board ▶ \x01repl <ms>               it waits for something to run
    host  ▶ repl exec|single <hex>      the characters of a terminal are the host's business

Standard output is the serial port. After `exec` it has \x04, what was raised, \x04.
"""

import os
import sys
from binascii import unhexlify

import vfs

from simulator import node_process
from simulator.hal.bench import bench
from simulator.serial_board import interrupt_key


def main(folder: str, at: str, *files):
    """Runs `files` from the partitions in `folder`, then the REPL. at: where the node's files are
    seen, / as on a board or /lp as in a simulated city."""
    files_of_board = _Files(at)
    interrupt_key.install()
    try:
        node_process.main(
            folder, files=files, mount=files_of_board.mount, run=interrupt_key.run_file
        )
    except (Exception, KeyboardInterrupt) as err:
        sys.print_exception(err)
    files_of_board.leave_computer()
    _serve()


class _Files:
    """The board's files instead of the computer's, which nothing that is typed may change."""

    def __init__(self, at: str):
        self._at = at
        self._code = None
        self._left = False

    def mount(self, code):
        self._code = code
        if self._at == "/":
            self.leave_computer()
        else:
            vfs.mount(code, self._at)

    def leave_computer(self):
        """What was flashed is found before the modules of this computer. Without a filesystem
        there are no files, as on a board."""
        if self._left:
            return
        self._left = True
        vfs.umount("/")
        sys.path.insert(0, "")
        if self._code is not None:
            vfs.mount(self._code, "/")
        os.chdir("/")


def _serve():
    names = {"__name__": "__main__"}
    while True:
        try:
            kind, source = _next()
        except KeyboardInterrupt:
            continue
        _run(kind, source, names)


def _next() -> tuple:
    line = bench.ask("repl", bench.now_ms)
    while not line.startswith("repl "):  # an answer to what was interrupted
        line = bench.hear()
    _, kind, source = line.split()
    return kind, unhexlify(source).decode()


def _run(kind: str, source: str, names: dict):
    failed = None
    try:
        interrupt_key.kbd_intr(interrupt_key.CTRL_C)
        exec(compile(source, "<stdin>", kind), names)
    except (Exception, KeyboardInterrupt) as err:
        failed = err
    if kind == "exec":
        sys.stdout.write("\x04")
    if failed is not None:
        sys.print_exception(failed)
    if kind == "exec":
        sys.stdout.write("\x04")
