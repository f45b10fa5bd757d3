# SPDX-License-Identifier: MIT
"""A collector in a process of its own, on the city's time, so that it can be killed: at once, or
between the commit of a batch and its receipt.

    city      ▶ {"store", "keyring", "broker", …}, then  clock <Unix s>  die  stop
    collector ▶ one JSON object per change: {"settled", "received", "counts", …}; {"clock"} when it
                has taken the time

`python -m simulator.collector_process` runs the other end.
"""

import collections
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from host_tools.child_environment import child_environment
from host_tools.collector.keyring import Keyring
from host_tools.collector.mqtt_worker import MqttWorker
from host_tools.collector.store import Store
from host_tools.errors import ToolError

# Real time; a city's hour takes less than a second, so a collector must not rest for one.
_RECONNECT_S = 0.05, 0.4
_AGAIN_S = 0.1
_LOOK_S = 0.5
_START_WITHIN_S, _STOP_WITHIN_S = 60, 30
_TAKEN_WITHIN_S = 10


class CollectorProcess:
    """Looks like MqttWorker to a city. files: ca, certificate, key; woken(): at each change."""

    def __init__(self, store: Path, keyring: Path, broker: tuple, files: tuple, server_name: str,
                 now_s, woken):  # fmt: skip
        self.changed = threading.Condition()
        self.connected = False
        self.trouble = None
        self.received = 0
        self.settled: dict[str, int] = {}
        self.counts = collections.defaultdict(collections.Counter)
        self._told_s = self._taken_s = None  # the city's time
        self._now_s = now_s
        self._woken = woken
        self._first = {
            "store": str(store), "keyring": str(keyring), "broker": list(broker),
            "files": [str(file) for file in files], "server_name": server_name,
        }  # fmt: skip
        self._process = None

    def start(self, wait: bool = True):
        """Starts the process; ToolError when it is not connected in time, where that is asked."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "simulator.collector_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=child_environment(),
            start_new_session=True,  # Ctrl-C is for the city, which ends it in order
        )
        self._told_s = self._taken_s = None
        self._say(json.dumps(self._first))
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        self.tell_clock()
        if wait and not self.wait_for(lambda: self.connected, _START_WITHIN_S):
            reason = self.trouble or "silence"
            self.kill()
            raise ToolError(f"the collector does not connect: {reason}", "look after the broker")

    def tell_clock(self):
        """Sets its clock to the city's, and waits until it has: a busy machine must not make a
        store whose receipts tell nodes a time long past."""
        if self._now_s() != self._told_s:
            self._told_s = self._now_s()
            self._say(f"clock {self._told_s}")
            self.wait_for(self._has_taken_clock, _TAKEN_WITHIN_S)

    def _has_taken_clock(self) -> bool:
        return self._taken_s == self._told_s or not self.runs()

    def die_after_commit(self):
        """Lets it die at the next batch that it stores, before the receipt."""
        self._say("die")

    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self):
        """Ends it in good order: what it has is stored."""
        if self._process is None:
            return
        self._say("stop")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_WITHIN_S)
        self.kill()

    def kill(self):
        """Ends it at once, as kill -9 does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        self.connected = False

    def wait_for(self, condition, within_s: float) -> bool:
        """Waits until condition() holds, asked at each change; whether it does."""
        with self.changed:
            return self.changed.wait_for(condition, within_s)

    def _say(self, line: str):
        if self._process is not None:
            with contextlib.suppress(OSError, ValueError):  # it has just died
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()

    def _listen(self, process):
        for line in process.stdout:
            state = json.loads(line)
            with self.changed:
                if process is not self._process:
                    return
                if "clock" in state:
                    self._taken_s = state["clock"]
                    self.changed.notify_all()
                    continue
                self.connected, self.trouble = state["connected"], state["trouble"]
                self.received = state["received"]
                self.settled.update(state["settled"])
                for name, counts in state["counts"].items():
                    self.counts[name] = collections.Counter(counts)
                self.changed.notify_all()
            self._woken(None)
        process.wait()
        with self.changed:
            self.changed.notify_all()


class _Worker(MqttWorker):
    """dies: whether the next batch that is stored is the last thing that it does."""

    dies = False

    def _make_client(self):
        client = super()._make_client()
        client.reconnect_delay_set(*_RECONNECT_S)
        return client

    def _write(self, function, *args):
        result = super()._write(function, *args)
        if self.dies and result is not None and result.opened:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


class _Process:
    """This process: one worker, the clock that it is told, and what it says."""

    def __init__(self):
        self._first = json.loads(sys.stdin.readline())
        self._now_s = 0
        self._said = None
        self._writing = threading.Lock()
        self._dies = False
        self._stopped = threading.Event()
        self._clocked = threading.Event()
        self._worker = None

    def run(self):
        threading.Thread(target=self._obey, daemon=True).start()
        self._clocked.wait()
        with Store(Path(self._first["store"]), Keyring(Path(self._first["keyring"]))) as store:
            self._connect(store)
            if self._worker is None:  # it was stopped at once
                return
            while not self._stopped.is_set():
                self._tell()
                self._worker.wait_for(self._is_news, _LOOK_S)
            self._worker.stop()
            self._tell()

    def _connect(self, store: Store):
        """A broker that is not there yet is waited for."""
        first = self._first
        while not self._stopped.is_set():
            self._worker = _Worker(
                store, tuple(first["broker"]), *map(Path, first["files"]), first["server_name"],
                lambda: self._now_s,
            )  # fmt: skip
            self._worker.dies = self._dies
            try:
                self._worker.start()
                return
            except ToolError as err:
                self._worker.trouble = err.message
                time.sleep(_AGAIN_S)

    def _obey(self):
        for line in sys.stdin:
            verb, *words = line.split()
            if verb == "clock":
                self._now_s = int(words[0])
                self._clocked.set()
                self._print({"clock": self._now_s})
            elif verb == "die":
                self._dies = True
                if self._worker is not None:
                    self._worker.dies = True
            else:
                break
        self._stopped.set()
        self._clocked.set()
        if self._worker is not None:
            with self._worker.changed:
                self._worker.changed.notify_all()

    def _state(self) -> dict:
        worker = self._worker
        return {
            "connected": worker.connected,
            "trouble": worker.trouble,
            "received": worker.received,
            "settled": dict(worker.settled),
            "counts": {name: dict(counts) for name, counts in worker.counts.items()},
        }

    def _is_news(self) -> bool:
        return self._stopped.is_set() or self._state() != self._said

    def _tell(self):
        with self._worker.changed:
            state = self._state()
        if state != self._said:
            self._print(state)
        self._said = state

    def _print(self, state: dict):
        with self._writing:
            print(json.dumps(state), flush=True)


if __name__ == "__main__":
    for _signal in (signal.SIGINT, signal.SIGTERM):
        signal.signal(_signal, signal.SIG_IGN)  # the city ends it, in its order
    _Process().run()
