# SPDX-License-Identifier: MIT
"""The stages in order, and what happens when one fails. One call of step() does what is due and
never waits, but for two calls with deadlines of their own: TLS set-up and a flash write."""

from node.device.log import say, status
from node.errors import KeyMissing, LinkError, OutboxError

REST_MAX_MS = 60_000  # the watchdog wants a step well before it bites
_LATE_MS = 1000
_JOIN_POLL_MS = 1000
_TELL_MS = 300_000
_ANSWER_POLL_MS = 20  # half of it is the error of the clock
_RECONNECT_MIN_MS = 1000
_RECONNECT_MAX_MS = 300_000


class Node:
    """One node: its parts are handed in by app.py, which alone wires them."""

    def __init__(self, **parts):
        self.clock = parts["clock"]
        self.wifi = parts["wifi"]
        self.time_sync = parts["time_sync"]
        self.link = parts["link"]
        self.sensors = parts["sensors"]
        self.minimiser = parts["minimiser"]
        self.sealer = parts["sealer"]
        self.outbox = parts["outbox"]
        self.publisher = parts["publisher"]
        self.watchdog = parts["watchdog"]
        self._random_below = parts["random_below"]
        self._records = 0
        self._envelopes = 0
        self._unsealed = 0  # windows that could not be sealed or kept
        self._status = None
        self._hello_sent = False
        self._receipts = 0
        self._backoff_ms = _RECONNECT_MIN_MS
        self._connect_at_ms = 0
        self._retry_ms = _JOIN_POLL_MS

    def step(self) -> int:
        """Does what is due; returns the milliseconds until something is due again."""
        self.watchdog.feed()
        now_ms = self.clock.uptime_ms()
        online = self._network(now_ms)
        utc_ms = self.clock.utc_ms()
        rest_ms = REST_MAX_MS
        if utc_ms is not None and self.clock.may_close_windows():
            rest_ms = min(rest_ms, self._measure(utc_ms))
        if online:
            self._deliver(now_ms)
        self._tell()
        if not online:
            rest_ms = min(rest_ms, self._retry_ms)
        if self.time_sync.waiting():
            rest_ms = min(rest_ms, _ANSWER_POLL_MS)
        return max(1, rest_ms)

    def rest(self, duration_ms: int):
        """Sleeps; while an answer of broker or store is expected, wakes up when it comes."""
        awaited_ms = 0
        if self.link.connected:
            awaited_ms = self.publisher.expects_ms(self.clock.uptime_ms())
            if self.link.awaits_answer():
                awaited_ms = duration_ms
        if not awaited_ms:
            self.clock.sleep_ms(duration_ms)
            return
        try:
            self.link.poll(min(duration_ms, awaited_ms))
        except (LinkError, OutboxError, OSError) as err:
            self._drop(err)

    # sample → minimise → seal → outbox

    def _measure(self, utc_ms: int) -> int:
        minimiser = self.minimiser
        minimiser.follow(utc_ms // 1000, self.clock.steps)
        # A reading that comes up to a second late still belongs to the window that ends.
        while utc_ms - minimiser.next_instant_s * 1000 > _LATE_MS:
            self._release()
        next_ms = utc_ms + REST_MAX_MS
        for sensor in self.sensors:
            for quantity, value in sensor.step(utc_ms):
                minimiser.add(quantity, value)
            next_ms = min(next_ms, sensor.next_ms())
        while minimiser.next_instant_s * 1000 <= utc_ms:
            self._release()
        return min(next_ms, minimiser.next_instant_s * 1000) - utc_ms

    def _release(self):
        instant_s = self.minimiser.next_instant_s
        records = self.minimiser.close()
        if records is not None:
            self._seal(records, instant_s)

    def _seal(self, records: list, instant_s) -> bool:
        outbox = self.outbox
        try:
            outbox.make_room()
            number, floor = outbox.next_number, outbox.floor
            outbox.append(self.sealer.seal(outbox.log, number, floor, records, instant_s))
        except (KeyMissing, OutboxError, OSError) as err:
            say("seal", err)
            self._unsealed += 1
            return False
        self._records += len(records)
        self._envelopes += 1
        return True

    # outbox → publish

    def _network(self, now_ms: int) -> bool:
        self._retry_ms = _JOIN_POLL_MS
        if not self.wifi.step(now_ms):
            if self.link.connected:
                self._drop(LinkError("wifi"))
            return False
        utc_ms = self.time_sync.step(now_ms)
        if utc_ms is not None and not self.clock.set_utc_ms(utc_ms):
            self.time_sync.ask_soon(now_ms)
        if self.clock.utc_ms() is None:  # certificates cannot be checked: not one TLS byte
            return False
        if not self.link.connected and now_ms >= self._connect_at_ms:
            self._connect()
        self._retry_ms = max(1, self._connect_at_ms - now_ms)
        return self.link.connected

    def _connect(self):
        try:
            self.link.connect()
            self.publisher.on_connect()
        except (LinkError, OutboxError, OSError) as err:
            self._drop(err)
            return
        say("link", "connected")
        if self.clock.confirmed_s is None and not self._hello_sent:
            self._hello_sent = self._seal([], None)

    def _deliver(self, now_ms: int):
        try:
            self.link.poll(0)
            self.publisher.step(now_ms)
            self.link.tick()
            if self.publisher.receipts != self._receipts:  # only a receipt shows that all is well
                self._receipts = self.publisher.receipts
                self._backoff_ms = _RECONNECT_MIN_MS
        except (LinkError, OutboxError, OSError) as err:
            self._drop(err)

    def _drop(self, err):
        say("link", err)
        self.link.close()
        # Full jitter, so that a district that lost its broker does not come back as a herd.
        self._connect_at_ms = self.clock.uptime_ms() + self._random_below(self._backoff_ms)
        self._backoff_ms = min(2 * self._backoff_ms, _RECONNECT_MAX_MS)

    def _tell(self):
        faults = sum([sensor.faults for sensor in self.sensors])
        period = self.clock.uptime_ms() // _TELL_MS  # it is told at least once in each
        now = (self._envelopes, self.outbox.waiting(), faults, self.link.connected, period)
        if now != self._status:
            self._status = now
            status(
                samples=sum([sensor.samples for sensor in self.sensors]),
                faults=faults,
                records=self._records,
                envelopes=self._envelopes,
                newest=self.outbox.next_number - 1,
                waiting=now[1],
                unsealed=self._unsealed,
                online=1 if now[3] else 0,
            )
