# SPDX-License-Identifier: MIT
"""The stages in order, and what happens when one fails. One call of step() does what is due and
never waits, but for two calls with deadlines of their own: TLS set-up and a flash write."""

from node import forget
from node.device.log import say, status
from node.errors import KeyMissing, LinkError, OutboxError, PolicyError
from node.pipeline.health import Health

REST_MAX_MS = 60_000  # the watchdog wants a step well before it bites
_LATE_MS = 1000
_JOIN_POLL_MS = 1000
_TELL_MS = 300_000
_OWED_POLL_MS = 10_000
_ANSWER_POLL_MS = 20  # half of it is the error of the clock
_TOGETHER = 4  # envelopes in one write, when several windows close in one step
_SCRUB_MS = 200
_SCRUB_AGAIN_MS = 3_600_000
_SAFE_MS = 3_600_000
_UNKEPT_MAX = 12  # writes that failed in a row: an hour of windows of 5 min
_RECONNECT_MIN_MS = 1000
_RECONNECT_MAX_MS = 300_000
_NEW = -1  # as link/identity.py has it


class Node:
    """One node: its parts are handed in by app.py, which alone wires them."""

    def __init__(self, **parts):
        self.clock = parts["clock"]
        self.wifi = parts["wifi"]
        self.time_sync = parts["time_sync"]
        self.link = parts["link"]
        self.sensors = parts["sensors"] + [Health(self._health)]
        self.minimiser = parts["minimiser"]
        self.sealer = parts["sealer"]
        self.outbox = parts["outbox"]
        self._append = parts["append"]  # the outbox's, or of what stands before it
        self.publisher = parts["publisher"]
        self.watchdog = parts["watchdog"]
        self.keys = parts["keys"]
        self._make_scrub = parts["make_scrub"]
        self.boots = parts["boots"]
        self.renewal = parts["renewal"]
        self._random_below = parts["random_below"]
        self._certificate = 0  # the serial of that under which the latest receipt came
        self._safe = self.boots.is_safe()
        self._safe_until_ms = self.clock.uptime_ms() + _SAFE_MS
        self._offset_ms = 0  # from uptime to the time that sensors and windows are told
        self._early = None  # readings from before the time was known
        self._quantities = parts["quantities"]
        self._batch = []  # (envelope, how many records) sealed in this step
        self._records = 0
        self._envelopes = 0
        self._unsealed = 0  # windows that could not be sealed or kept
        self._unkept = 0  # writes in a row that failed
        self._status = None
        self._hello_sent = False
        self._receipts = 0
        self._backoff_ms = _RECONNECT_MIN_MS
        self._connect_at_ms = 0
        self._scrub_at_ms = 0
        self._scrubber = None  # while it works
        self._stale = 0  # earlier seals that were found last
        self._retry_ms = _JOIN_POLL_MS

    def step(self) -> int:
        """Does what is due; returns the milliseconds until something is due again."""
        self.watchdog.feed()
        now_ms = self.clock.uptime_ms()
        online = self._network(now_ms)
        now_ms = self.clock.uptime_ms()  # a TLS set-up takes its time, and sensors are exact
        instant_s = self.minimiser.next_instant_s
        rest_ms = min(REST_MAX_MS, self._measure(now_ms))
        if online:
            self._deliver(now_ms)
        if self._scrub(now_ms):
            rest_ms = min(rest_ms, _SCRUB_MS)
        self._tell()
        if not online:
            rest_ms = min(rest_ms, self._retry_ms)
        if self.time_sync.waiting():
            rest_ms = min(rest_ms, _ANSWER_POLL_MS)
        if instant_s == self.minimiser.next_instant_s:  # nothing was released in this step
            self.minimiser.draw_ahead()
        # How long this step took must not move the next one, which may release something.
        return max(1, rest_ms - (self.clock.uptime_ms() - now_ms))

    def over(self) -> bool:
        """Whether the board should start anew: the safe state has served, a policy or a tree of
        masks has come where there was none, or the flash takes nothing any more, which the start
        may mend."""
        has_to = self.renewal.needs_start() or self.keys.starts
        if has_to or self._unkept >= _UNKEPT_MAX or self.outbox.is_broken:
            return True
        if not self._safe:
            return False
        if self.boots.unreached and self.clock.uptime_ms() >= self._safe_until_ms:
            self.boots.leave_safe()
            return True
        return not self.boots.unreached

    def rest(self, duration_ms: int):
        """Sleeps; while an answer of broker or store is expected, wakes up when it comes."""
        awaited_ms = 0
        if self.link.connected:
            awaited_ms = self.publisher.expects_ms(self.clock.uptime_ms())
            if self.link.awaits_answer():
                awaited_ms = min(duration_ms, _OWED_POLL_MS)  # then its deadline is looked at
        if not awaited_ms:
            self.clock.sleep_ms(duration_ms)
            return
        try:
            self.link.poll(min(duration_ms, awaited_ms))
        except (LinkError, OutboxError, OSError) as err:
            self._drop(err)

    # sample → minimise → seal → outbox

    def _measure(self, uptime_ms: int) -> int:
        """Until when nothing is to be measured, in ms from now."""
        self._follow_clock()
        now_ms = uptime_ms + self._offset_ms
        minimiser = self.minimiser
        if self._offset_ms:
            if minimiser.follow(now_ms // 1000, self.clock.steps):
                self._renew_policy(now_ms // 1000)
            # A reading that comes up to a second late still belongs to the window that ends.
            while now_ms - minimiser.next_instant_s * 1000 > _LATE_MS:
                self._release()
        next_ms = now_ms + REST_MAX_MS
        for sensor in self.sensors:
            for quantity, value in sensor.step(now_ms):
                if self._offset_ms:
                    minimiser.add(quantity, value)
                else:
                    self._hold(uptime_ms, quantity, value)
            next_ms = min(next_ms, sensor.next_ms())
        if self._offset_ms:
            while minimiser.next_instant_s * 1000 <= now_ms:
                self._release()
            self._renew_policy(now_ms // 1000)
            next_ms = min(next_ms, minimiser.next_instant_s * 1000)
        self._keep()
        return next_ms - now_ms

    def _follow_clock(self):
        """Sensors and windows live in Unix time as soon as that may close windows, and before in
        the board's uptime."""
        offset_ms, before_ms = self.clock.offset_ms(), self._offset_ms
        if offset_ms == before_ms:
            return
        self._offset_ms = offset_ms
        for sensor in self.sensors:
            sensor.shift(offset_ms - before_ms)
        if not before_ms:
            self._place()

    def _hold(self, uptime_ms: int, quantity: str, value: int):
        if self._early is None:
            from node.pipeline.early import Early  # forgotten once the time is known

            self._early = Early(self._quantities)
        self._early.add(uptime_ms, quantity, value)

    def _place(self):
        """Gives the readings from before the time was known to their windows."""
        early, self._early = self._early, None
        if early is None:
            return
        forget("pipeline", "early")
        minimiser = self.minimiser
        for uptime_ms, quantity, value in early.readings():
            at_s = (uptime_ms + self._offset_ms + 999) // 1000  # SNTP may err by some ms
            if minimiser.follow(at_s, self.clock.steps):
                self._renew_policy(at_s)
            while minimiser.next_instant_s < at_s:
                self._release()
            minimiser.add(quantity, value)

    def _release(self):
        instant_s = self.minimiser.next_instant_s
        records = self.minimiser.close(self.clock.kept_s(), self.clock.is_held())
        if records is None and self.renewal.is_late(instant_s):
            records = []  # its receipt makes the time sure
        if records is not None:
            self._seal(records, instant_s if records else None)
        self._renew_policy(instant_s)

    def _renew_policy(self, now_s: int):
        """Goes on under the policy that takes effect now, if there is one: at 00:00 UTC, when all
        windows have closed (now_s, Unix time); or later, when the time was not sure then."""
        if not self.renewal.is_due(now_s):
            return
        self.minimiser.keep_released()  # what was sealed under the one before tells it no more
        try:
            policy = self.renewal.take_next(now_s)
        except PolicyError as err:
            say("policy", err)
            return
        say("policy", "version " + str(policy.version) + " is in force")
        self.minimiser.use(policy, now_s)
        self.sealer.use(policy)

    def _seal(self, records: list, instant_s):
        outbox = self.outbox
        try:
            if not self._batch:
                outbox.make_room()
            number = outbox.next_number + len(self._batch)
            sealed = self.sealer.seal(outbox.log, number, outbox.floor, records, instant_s)
            self._batch.append((sealed, len(records)))
            self._unsealed += self.sealer.unmasked
        except (KeyMissing, OutboxError, OSError) as err:
            say("seal", err)
            self._unsealed += 1
        if len(self._batch) == _TOGETHER:
            self._keep()

    def _keep(self) -> int:
        """Makes durable what was sealed; returns how many that are."""
        if not self._batch:
            return 0
        batch, self._batch = self._batch, []
        first = self.outbox.next_number
        try:
            self._append(*[envelope for envelope, _ in batch])
        except (OutboxError, OSError) as err:
            say("outbox", err)
        kept = self.outbox.next_number - first
        self._unkept = 0 if kept == len(batch) else self._unkept + 1
        self._records += sum([count for _, count in batch[:kept]])
        self._envelopes += kept
        self._unsealed += len(batch) - kept
        return kept

    # the node itself

    def _health(self) -> tuple:
        """What HEALTH names, in its order."""
        boots = self.boots
        return (boots.power, boots.watchdog, boots.other, boots.unreached, boots.formats,
                self._stale, self._faults(), self._unsealed, self.clock.steps,
                self.renewal.refused, self.keys.mix_refused, self._certificate)  # fmt: skip

    def _faults(self) -> int:
        return sum([sensor.faults for sensor in self.sensors])

    def _scrub(self, now_ms: int) -> bool:
        """One write towards an old seal's end; whether there is more to do at once."""
        if not self.keys.stepped or now_ms < self._scrub_at_ms:
            return False
        try:
            if self._scrubber is None:
                self._scrubber = self._make_scrub()
            more = self._scrubber.step(self.keys.epoch)
            self._stale = self._scrubber.stale
            if more:
                return True
            self.keys.stepped = self._stale > 0
        except (OSError, MemoryError) as err:  # tried again: nothing is lost by it
            say("keys", err)
        self._scrubber = None
        forget("device", "nvs_scrub")
        self._scrub_at_ms = now_ms + _SCRUB_AGAIN_MS
        return False

    def on_new_outbox(self, given_up: int):
        """A new outbox takes the place of one whose flash was set back."""
        self._unsealed += given_up
        self.minimiser.keep_released()

    # outbox → publish

    def _network(self, now_ms: int) -> bool:
        self._retry_ms = _JOIN_POLL_MS
        if not self.wifi.step(now_ms):
            self._retry_ms = self.wifi.wait_ms
            if self.link.connected:
                self._drop(LinkError("wifi"))
            return False
        utc_ms = self.time_sync.step(now_ms)
        if utc_ms is not None and not (self.clock.set_utc_ms(utc_ms) and self.clock.is_held()):
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
        is_asked = self.clock.confirmed_s is None or not self.clock.is_held()
        if is_asked and not self._hello_sent:
            self.minimiser.keep_released()
            self._seal([], None)
            self._hello_sent = self._keep() > 0

    def _deliver(self, now_ms: int):
        try:
            self.link.poll(0)
            self.publisher.step(now_ms)
            self.link.tick()
            if self.publisher.receipts != self._receipts:  # only a receipt shows that all is well
                self._receipts = self.publisher.receipts
                self._certificate = self.link.serial
                self._backoff_ms = _RECONNECT_MIN_MS
                self.boots.reached()
            if self.link.turn == _NEW:  # last: such a receipt came under the one before
                raise LinkError("a new certificate")
        except (LinkError, OutboxError, OSError) as err:
            self._drop(err)

    def _drop(self, err):
        say("link", err)
        self.link.close()
        self._receipts = self.publisher.receipts  # what comes next comes under the next one
        if self.link.turn is not None:  # there is another certificate
            try:
                self.link.rarely("identity", err)
            except (LinkError, OSError, MemoryError) as err:
                say("certificate", err)
        # Full jitter, so that a district that lost its broker does not come back as a herd.
        self._connect_at_ms = self.clock.uptime_ms() + self._random_below(self._backoff_ms)
        self._backoff_ms = min(2 * self._backoff_ms, _RECONNECT_MAX_MS)

    def _tell(self):
        faults = self._faults()
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
                old_seals=self._stale,
                safe=1 if self._safe else 0,
                online=1 if now[3] else 0,
            )
