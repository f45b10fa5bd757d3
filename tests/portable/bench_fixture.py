# SPDX-License-Identifier: MIT
"""A simulated board for one test: time at zero, no grant that ends, an empty NVS."""

import sys

from simulator.hal.bench import Bench, bench

START_S = 1_800_014_400  # a midday, in Unix time


def fresh_bench():
    """Resets the one bench of this process; returns it."""
    empty = Bench()
    for name in empty.__dict__:
        setattr(bench, name, getattr(empty, name))
    bench.start_s = START_S
    bench.until_ms = 1 << 60
    bench.air = {"ssid": "city", "password": "secret", "hosts": {"time": ["192.168.4.1", 123]},
                 "sntp": True}  # fmt: skip
    bench.folder = _folder()
    return bench


def _folder():
    if sys.implementation.name == "micropython":
        import uos

        folder = "/tmp/lamppost-portable-%d" % int.from_bytes(uos.urandom(4), "big")
        uos.mkdir(folder)
    else:
        import tempfile

        folder = tempfile.mkdtemp()
    write_nvs(folder, "{}")
    return folder


def write_nvs(folder, content):
    """Replaces what NVS holds (a JSON text)."""
    from simulator.hal.host_file import open_host

    with open_host(folder + "/nvs.json", "w") as file:
        file.write(content)


def remove_bench():
    """Removes the test's NVS."""
    if sys.implementation.name == "micropython":
        import uos

        uos.remove(bench.folder + "/nvs.json")
        uos.rmdir(bench.folder)
    else:
        import shutil

        shutil.rmtree(bench.folder)
