# SPDX-License-Identifier: MIT
"""Look-alike of MicroPython's `bluetooth`, the observer's part of it: BLE, active, irq, gap_scan.

What is heard comes from the chip at the bench's "ble": advertisements(from_ms, to_ms) gives
[(ms, addr_type, addr, adv_type, rssi, adv_data), …] of that time. The handler is called whenever
the clock moves on, at the time of each; what it is given lies in buffers that are used again, as
on a board. Passive scanning is all there is.
"""

from simulator.hal.bench import bench

_SCAN_RESULT, _SCAN_DONE = 5, 6
_ENODEV, _EALREADY = 19, 114
_ADV_MAX = 31
_PIECE_MS = 4000


class _Radio:
    """The state of the one radio; it hangs on the bench by its `interrupts`."""

    def __init__(self):
        self.is_on = self.is_scanning = False
        self.ends_ms = None
        self.handler = None
        self.heard_ms = 0
        self._address = bytearray(6)
        self._payload = bytearray(_ADV_MAX)

    def __call__(self, to_ms: int):
        """The clock is about to move on to `to_ms`."""
        if not self.is_scanning:
            return
        chip = bench.wired.get(("ble", None))
        if chip is None or not chip.plugged:
            self.is_on = self.is_scanning = False
            return
        end_ms = to_ms if self.ends_ms is None else min(to_ms, self.ends_ms)
        while self.is_scanning and self.heard_ms < end_ms:
            from_ms = self.heard_ms  # in pieces: the heap is small
            self.heard_ms = min(end_ms, from_ms + _PIECE_MS)
            for heard in chip.advertisements(from_ms, self.heard_ms):
                self._pass_on(*heard)
        if self.is_scanning and (self.ends_ms == end_ms or chip.fault == "stops"):
            self.stop()

    def _pass_on(self, time_ms: int, kind: int, address, what: int, rssi: int, payload):
        bench.now_ms = max(bench.now_ms, time_ms)
        self._address[:] = address
        self._payload[: len(payload)] = payload
        told = memoryview(self._payload)[: len(payload)]
        self.tell(_SCAN_RESULT, (kind, memoryview(self._address), what, rssi, told))

    def tell(self, event: int, data: tuple):
        if self.handler is not None:
            self.handler(event, data)

    def stop(self):
        self.is_scanning = False
        self.tell(_SCAN_DONE, ())


def _radio() -> _Radio:
    if bench.interrupts is None:
        bench.interrupts = _Radio()
    return bench.interrupts


class BLE:
    """Each is the same radio."""

    def active(self, active=None) -> bool:
        """OSError when there is no radio."""
        radio = _radio()
        chip = bench.wired.get(("ble", None))
        is_there = chip is not None and chip.plugged
        if active and not is_there:
            raise OSError(_ENODEV)
        if active is not None:
            radio.is_on = bool(active)
        if not radio.is_on or not is_there:
            radio.is_on = radio.is_scanning = False
        return radio.is_on

    def irq(self, handler):
        if handler is not None and not callable(handler):
            raise ValueError("invalid handler")
        _radio().handler = handler

    def gap_scan(self, duration_ms, interval_us=1_280_000, window_us=11_250, active=False):
        """duration_ms: 0 for ever, None stops. OSError when inactive, or under way already."""
        radio = _radio()
        if not self.active():
            raise OSError(_ENODEV)
        if duration_ms is None:
            if radio.is_scanning:
                radio.stop()
            return
        if radio.is_scanning:
            raise OSError(_EALREADY)
        if active or not 2500 <= window_us <= interval_us <= 40_959_375:
            raise ValueError("scan")
        radio.is_scanning = True
        radio.heard_ms = bench.now_ms
        radio.ends_ms = bench.now_ms + duration_ms if duration_ms else None
