# SPDX-License-Identifier: MIT
"""Fifth stage: sends what waits in the outbox, and takes receipts and commands.

A PUBACK frees nothing, since a broker that crashes may forget what it acknowledged: only the
store's receipt settles an envelope. What has no receipt is sent again, the same bytes, on
reconnect and 10 minutes after it was sent; ever more rarely as long as no receipt comes at all,
since then it is the store that is away, and the broker keeps what it can.

A receipt that names numbers which were never given tells that the flash was set back to an earlier
state, or that another board has a copy of it: our numbers are taken. What the store has is settled
by it all the same; when the rest is of this power-up, and so under taken numbers, a new outbox is
begun.

A receipt for an envelope of this power-up was made after that envelope: so its time is at most as
old as that, and tells the node's clock an upper bound as well.
"""

from node.device.log import say
from node.errors import CommandError, FormatError, KeyMissing, OpenError, OutboxError
from node.pipeline.down import is_number, kind

_AGAIN_MS = 600_000  # doubles up to the next while no receipt comes
_AGAIN_MAX_MS = 6 * 3_600_000
_NEVER_MS = 1 << 60
_LINGER_MS = 2000  # how long after a send a receipt is waited for with the radio awake; halved by
# each wait that was for nothing


class Publisher:
    """outbox, link: the stages beside it; receipts, commands: their openers, see down.py;
    confirm(utc_s, age_ms): told each receipt's time, and its greatest age where that is known;
    use_command(number): notes a command before it is carried out; uptime_ms(): the clock's."""

    def __init__(self, node_id: str, outbox, link, receipts, confirm, commands, use_command,
                 uptime_ms):  # fmt: skip
        self._topic = ("lp/" + node_id + "/up").encode()
        self._down = ("lp/" + node_id + "/down").encode()
        self._outbox = outbox
        self._link = link
        self._receipts = receipts
        self._confirm = confirm
        self._commands = commands
        self._use_command = use_command
        self._uptime_ms = uptime_ms
        self._again_ms = _AGAIN_MS if receipts.has_key else _NEVER_MS
        self.receipts = 0  # that were authentic
        self._in_flight = {}  # packet id: number
        self._next = 1  # the next number to look at
        self._oldest = None  # the oldest number without receipt, and since when it is that
        self._oldest_since_ms = 0
        self._linger_ms = _LINGER_MS
        self._linger_until_ms = 0
        self._unheard = False  # something was sent, and no receipt has come since
        self._first = outbox.next_number  # of this power-up
        self._began = self._first  # from which number on a probe is looked for
        self._probe = None  # an envelope of this power-up: its number, and when it was there

    def on_connect(self):
        """Begins anew on a new connection: first what was in flight, with its packet id."""
        self._link.subscribe(self._down)
        for packet_id in sorted(self._in_flight):
            number = self._in_flight[packet_id]
            envelope = None
            if self._outbox.waiting_from(number) == number:
                envelope = self._read(number)
            if envelope is None:
                del self._in_flight[packet_id]
            else:
                self._link.publish_qos1(self._topic, envelope, packet_id)
        self._next = 1

    def on_puback(self, packet_id: int):
        self._in_flight.pop(packet_id, None)

    def on_message(self, topic, message):
        """A message on `down`: a receipt, or a command; anything else is refused."""
        if bytes(topic) != self._down:
            return
        message = bytes(message)
        try:
            if kind(message) == b"r":
                self._on_receipt(*self._receipts.open(message))
            else:
                self._on_command(*self._commands.open(message))
        except (FormatError, OpenError, KeyMissing, OutboxError, CommandError, OSError) as err:
            say("publish", err)

    def _on_receipt(self, time_s: int, log: bytes, upto: int, ranges: list):
        self.receipts += 1
        self._linger_ms, self._unheard = _LINGER_MS, False
        self._again_ms = min(self._again_ms, _AGAIN_MS)
        age_ms = None
        try:
            if log == self._outbox.log:
                if max([upto] + [last for _, last in ranges]) < self._outbox.next_number:
                    self._outbox.settle(upto, ranges)
                    age_ms = self._age_ms()
                else:
                    self._on_set_back(upto, ranges)
        finally:
            self._confirm(time_s, age_ms)

    def _on_set_back(self, upto: int, ranges: list):
        before = self._first - 1  # up to there our envelopes are those that the store has
        known = [[first, min(last, before)] for first, last in ranges if first <= before]
        self._outbox.settle(min(upto, before), known)
        waiting = self._outbox.waiting_from(0)
        if waiting is not None and waiting <= before:
            return
        say("publish", "the flash was set back: a new outbox is begun")
        self._outbox.begin_anew()
        self._in_flight.clear()
        self._first = self._began = self._next = 1
        self._oldest = self._probe = None

    def _age_ms(self):
        """How old a receipt can be at most; None when it settles nothing of this power-up."""
        if self._probe is None or self._outbox.waiting_from(self._probe[0]) == self._probe[0]:
            return None
        (_, since_ms), self._probe = self._probe, None
        return self._uptime_ms() - since_ms

    def _on_command(self, number: int, verb: str, arguments: list):
        if verb != "resend" or len(arguments) != 2 or not is_number(arguments[1]):
            raise CommandError("not known")
        if arguments[0] != self._outbox.log:
            raise CommandError("not for this outbox")
        self._use_command(number)
        self._outbox.resend(arguments[1])
        self._next = 1
        say("publish", "sends again what a command asks for")

    def step(self, now_ms: int):
        """Sends as much as may be in flight. now_ms: uptime. LinkError ends the connection."""
        newest = self._outbox.next_number - 1
        if self._probe is None and newest >= self._began:
            self._began, self._probe = newest + 1, (newest, now_ms)
        oldest = self._outbox.waiting_from(0)
        if oldest != self._oldest:
            self._oldest, self._oldest_since_ms = oldest, now_ms
        elif oldest is not None and now_ms - self._oldest_since_ms >= self._again_ms:
            self._next, self._oldest_since_ms = oldest, now_ms
            self._again_ms = min(2 * self._again_ms, _AGAIN_MAX_MS)
        numbers = None
        while self._link.can_publish():
            number = self._outbox.waiting_from(self._next)
            if number is None:
                break
            self._next = number + 1
            if numbers is None:
                numbers = set(self._in_flight.values())
            envelope = None if number in numbers else self._read(number)
            if envelope is not None:
                packet_id = self._link.publish_qos1(self._topic, envelope)
                self._in_flight[packet_id] = number
                self._linger(now_ms)

    def _linger(self, now_ms: int):
        if self._unheard and now_ms > self._linger_until_ms:
            self._linger_ms //= 2
        self._unheard = True
        self._linger_until_ms = now_ms + self._linger_ms

    def _read(self, number: int):
        """The envelope; None when flash does not give it back: those behind it must not wait."""
        try:
            return self._outbox.read(number)
        except (OutboxError, OSError) as err:
            say("outbox", err)
            return None

    def expects_ms(self, now_ms: int) -> int:
        """For how long an answer is worth waiting for; 0 when none is expected."""
        if self._outbox.waiting_from(0) is None and not self._in_flight:
            return 0
        return max(0, self._linger_until_ms - now_ms)
