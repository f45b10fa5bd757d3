# SPDX-License-Identifier: MIT
"""The node's own condition, measured like anything else: it leaves only where a policy names it.

Stands beside the sensors in the cycle, with the same verbs as pipeline/sample.py.
"""

HEALTH = (
    "resets_power", "resets_watchdog", "resets_other", "boots_unreached", "flash_formats",
    "old_seals", "sensor_faults", "windows_unsealed", "clock_steps",
    "policy_refused", "mix_refused", "certificate",
)  # fmt: skip
HEALTH_INTERVAL_S = 300


class Health:
    """tell(): the values of HEALTH, in its order."""

    part = "health"
    samples = faults = 0

    def __init__(self, tell):
        self._tell = tell
        self._due_ms = None

    def next_ms(self) -> int:
        return self._due_ms

    def shift(self, by_ms: int):
        self._due_ms = None

    def step(self, now_ms: int) -> list:
        interval_ms = HEALTH_INTERVAL_S * 1000
        if self._due_ms is None:
            self._due_ms = now_ms + -now_ms % interval_ms
        if now_ms < self._due_ms:
            return []
        self._due_ms = now_ms - now_ms % interval_ms + interval_ms
        return list(zip(HEALTH, self._tell()))
