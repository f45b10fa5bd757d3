# SPDX-License-Identifier: MIT
"""Runs a script as a node would: on MicroPython, and on CPython with the simulator's look-alikes.

Fixtures `launch` and `run`.
"""

import os
import subprocess
import sys

import pytest

from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from host_tools.umqtt_source import umqtt_path
from tests.bench.mqtt import NODE, ROOT

# What every script begins with. Files are handed over as literals: the firmware's open() on
# CPython sees the simulated flash alone.
PRELUDE = """
import sys
import time
from node.errors import LinkError
from node.link.mqtt import MQTTClient
from node.link.tls_context import make_context

class Clock:
    uptime_ms = staticmethod(time.ticks_ms)

def make(port, ca=CA, cert=CERT, key=KEY, host="127.0.0.1", **options):
    return MQTTClient(NODE, host, port, make_context(ca, cert, key), Clock, **options)

def fails(call):
    began = time.ticks_ms()
    try:
        call()
    except LinkError as err:
        print(*err.args + (time.ticks_diff(time.ticks_ms(), began),))
    else:
        print("no error")

def settle(client):
    while client._in_flight or client._requests:
        client.poll(1000)
        client.tick()
"""

CPYTHON = """
import sys
from pathlib import Path
from simulator.hal.bench import EPOCH_S, bench
from simulator.hal.on_cpython import loader
loader.install(Path(sys.argv[2]), Path(sys.argv[3]))
bench.wifi_joined = True
bench.until_ms = 10**9
bench.air["hosts"]["localhost"] = ["127.0.0.1"]
bench.start_s = EPOCH_S  # the board's clock is right
loader.run_file(Path(sys.argv[1]))
"""


@pytest.fixture(params=["micropython", "cpython"])
def launch(request, tmp_path):
    """Starts a script as a node would run it; a subprocess with text pipes."""
    try:
        umqtt = umqtt_path()
        command = [micropython_path(), "-X", "heapsize=160k"]
    except ToolError as err:
        pytest.skip(f"{err}: {err.hint}")
    environment = {**os.environ, "MICROPYPATH": f"{ROOT / 'firmware'}:{umqtt}"}
    arguments = []
    if request.param == "cpython":
        command = [sys.executable, "-c", CPYTHON]
        arguments = [ROOT / "firmware", umqtt]
    running = []

    def start(script, folder, **values):
        names = {"CA": "ca.der", "CERT": "node.der", "KEY": "node.key.der"}
        values = {name: (folder / file).read_bytes() for name, file in names.items()} | values
        lines = [f"{name} = {value!r}" for name, value in {"NODE": NODE, **values}.items()]
        path = tmp_path / f"script{len(running)}.py"
        path.write_text("\n".join(lines) + PRELUDE + script)
        running.append(
            subprocess.Popen(
                [*command, path, *arguments],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return running[-1]

    start.interpreter = request.param
    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def run(launch):
    """Runs a script to its end; the lines that it printed."""

    def run_to_end(script, folder, **values):
        process = launch(script, folder, **values)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return output.splitlines()

    run_to_end.interpreter = launch.interpreter
    return run_to_end
