# SPDX-License-Identifier: MIT
"""Runs within the MicroPython of a board on a serial line: the node, and the REPL when somebody
interrupts it. In the firmware's dialect.

    board ▶ \x01repl <ms>               it waits for something to run
    host  ▶ repl exec|single <hex>      the characters of a terminal are the host's business

Standard output is the serial port. After `exec` it has \x04, what was raised, \x04.
"""

import sys
from binascii import unhexlify

import esp32
import vfs

from simulator import node_process
from simulator.hal.bench import bench
from simulator.serial_board.board_files import configuration_of

_HIDDEN = "/.sim"  # where the modules lie that a board has in its flash


def main(folder: str, tree: str, *files):
    """Runs `files` from the partitions in `folder`, then the REPL. tree: the compiled modules."""
    try:
        node_process.main(folder, files=files, configuration_of=configuration_of)
    except (Exception, KeyboardInterrupt) as err:
        sys.print_exception(err)
    _leave_computer(tree)
    _serve()


def _leave_computer(tree: str):
    """Shows the board's files and no others: what is typed must not change the computer's."""
    vfs.umount("/")
    vfs.mount(vfs.VfsPosix(tree), _HIDDEN, readonly=True)
    sys.path.append(_HIDDEN)
    for mount in (_unmount_code, _mount_code):
        try:  # noqa: SIM105 - MicroPython has no contextlib
            mount()
        except OSError:
            pass  # it was not mounted, or cannot be: a board, too, goes on without files


def _unmount_code():
    vfs.umount("/lp")


def _mount_code():
    code = vfs.VfsLfs2(esp32.Partition("vfs"), readsize=32, progsize=32, lookahead=32)
    vfs.mount(code, "/")
    if configuration_of(code) is code:
        vfs.mount(code, "/lp")


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
        exec(compile(source, "<stdin>", kind), names)
    except (Exception, KeyboardInterrupt) as err:
        failed = err
    if kind == "exec":
        sys.stdout.write("\x04")
    if failed is not None:
        sys.print_exception(failed)
    if kind == "exec":
        sys.stdout.write("\x04")
