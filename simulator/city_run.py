# SPDX-License-Identifier: MIT
"""A whole city for `lamppost demo`: keys, broker, collector, nodes, and the account at the end.

    CityRun(plan): start() ─▶ run() ─▶ account(); stop() ends all that was started

The folder holds tls/, nodes/<node>/, keyring.json and city.json; the same folder can be used for
another run, which begins where the last one ended. Only one run at a time has it.
"""

import contextlib
import dataclasses
import time
from pathlib import Path

from simulator.conductor import NodeProcess

BOARD = "esp32-devkitc"
_HOUR_S = 3600


@dataclasses.dataclass
class Plan:
    """What to run. Times are simulated; speed None is as fast as it goes."""

    kits: list
    for_s: int = 3600
    speed: float | None = None
    seed: int = 1
    mood: str = "normal"
    replay: Path | None = None
    broker: str = "embedded"
    tls_dir: Path | None = None
    interpreter: str = "cpython"
    heap: str = "512k"
    folder: Path | None = None
    store: Path | None = None
    start_s: int | None = None
    on_publish: object = None  # called with (topic, payload, simulated Unix s): embedded only


class CityRun:
    """One run of a plan. start() raises ToolError and leaves nothing half made."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.nodes: list[NodeProcess] = []
        self.conductor = None
        self.collector = None
        self.store_path = None
        self.drained = False
        self._kits = {}  # node id: name of its kit
        self._began_s = 0.0
        self._ended_s = 0.0
        self._access_point = None
        self._open = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends all that was started, in the opposite order."""
        if self.conductor is not None:
            self._remember_end()
        self._open.close()

    def run(self, each_meeting=lambda: None) -> bool:
        """Runs the city for the plan's time, then drains. False when it was cut short."""
        end_ms = self.plan.for_s * 1000
        if self.conductor.run(end_ms, each_meeting):
            self.drained = self.conductor.drain(self._all_settled, DRAIN_PATIENCE_S)
            each_meeting()
        self._ended_s = time.monotonic()
        return self.drained
