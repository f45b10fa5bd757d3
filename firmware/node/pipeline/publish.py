# SPDX-License-Identifier: MIT
"""Fifth stage: sends what waits in the outbox, and takes receipts and commands.

A PUBACK frees nothing, since a broker that crashes may forget what it acknowledged: only the
store's receipt settles an envelope. What has no receipt is sent again, the same bytes, on
reconnect and 10 minutes after it was sent; ever more rarely as long as no receipt comes at all,
since then it is the store that is away, and the broker keeps what it can.

A receipt that names numbers which were not sent tells that the flash was set back to an earlier
state, or that another board has a copy of it: some of our numbers are taken. What was given before
this power-up is settled by it all the same, and what is under free numbers is delivered; when the
rest lies under taken ones, it is given up, and a new outbox begun.

A receipt for an envelope of this power-up was made after that envelope: so its time is at most as
old as that, and tells the node's clock an upper bound as well.
"""

from node.cbor import is_number
from node.device.log import say
from node.errors import (
    CommandError,
    FormatError,
    KeyMissing,
    OpenError,
    OutboxError,
    PolicyError,
)
from node.pipeline.down import kind

_AGAIN_MS = 600_000  # doubles up to the next while no receipt comes
_AGAIN_MAX_MS = 6 * 3_600_000
_NEVER_MS = 1 << 60
_LINGER_MS = 2000  # how long after a send a receipt is waited for with the radio awake; halved by
# each wait that was for nothing


class Publisher:
    """outbox, link: the stages beside it; receipts, commands: their openers, see down.py;
    confirm(utc_s, age_ms): told each receipt's time, and its greatest age where that is known;
    use_command(number): notes a command before it is carried out; take_policy([…]): takes a part
    of a policy; uptime_ms(): the clock's."""

    def __init__(self, node_id: str, outbox, link, receipts, confirm, commands, use_command,
                 take_policy, uptime_ms):  # fmt: skip
        self._topic = ("lp/" + node_id + "/up").encode()
        self._down = ("lp/" + node_id + "/down").encode()
        self._outbox = outbox
        self._link = link
        self._receipts = receipts
        self._confirm = confirm
        self._commands = commands
        self._use_command = use_command
        self._take_policy = take_policy
        self._uptime_ms = uptime_ms
        self._again_ms = _AGAIN_MS if receipts.has_key else _NEVER_MS
        self.receipts = 0  # that were authentic
        self.on_new_outbox = None  # called with how many envelopes are given up for a new outbox
        self.take_key = None  # called with verb, number and arguments of what brings one
        self._oldest_since_ms = 0
        self._linger_ms = _LINGER_MS
        self._linger_until_ms = 0
        self._unheard = False  # something was sent, and no receipt has come since
        self._begin()

    def _begin(self):
        """Knows nothing of what is under way."""
        self._in_flight = {}  # packet id: number
        self._next = 1  # the next number to look at
        self._sent = 0  # the highest that was sent
        self._set_back = False  # whether the store has numbers that were not
        self._oldest = None  # the oldest number without receipt, and since when it is that
        self._first = self._outbox.next_number  # of this power-up
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
                self._send(number, envelope, packet_id)
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
        except (FormatError, OpenError, KeyMissing, OutboxError, CommandError, PolicyError,
                OSError) as err:  # fmt: skip
            say("publish", err)
        except MemoryError:  # refused like any other, or it would come again for ever
            say("publish", "there is no memory for a message")

    def _on_receipt(self, time_s: int, log: bytes, upto: int, ranges: list):
        self.receipts += 1
        self._linger_ms, self._unheard = _LINGER_MS, False
        self._again_ms = min(self._again_ms, _AGAIN_MS)
        age_ms = None
        try:
            if log == self._outbox.log:
                known = max(self._sent, self._first - 1)
                self._set_back |= max([upto] + [last for _, last in ranges]) > known
                if self._set_back:
                    self._on_set_back(upto, ranges)
                else:
                    self._outbox.settle(upto, ranges)
                    age_ms = self._age_ms()
        finally:
            self._confirm(time_s, age_ms)

    def _on_set_back(self, upto: int, ranges: list):
        """The store has numbers of this outbox that were not sent: some of ours are taken."""
        outbox, before = self._outbox, self._first - 1
        # Up to there our envelopes are those that the store has.
        outbox.settle(min(upto, before), [[a, min(b, before)] for a, b in ranges if a <= before])
        taken, number = 0, outbox.waiting_from(0)
        while number is not None:
            if number > upto and not [1 for a, b in ranges if a <= number <= b]:
                return  # it is not taken, and first to be delivered
            taken += 1
            number = outbox.waiting_from(number + 1)
        say("publish", "the flash was set back: a new outbox is begun, given up: " + str(taken))
        if self.on_new_outbox is not None:
            self.on_new_outbox(taken)
        outbox.begin_anew()
        self._begin()

    def _age_ms(self):
        """How old a receipt can be at most; None when it settles nothing of this power-up."""
        if self._probe is None or self._outbox.waiting_from(self._probe[0]) == self._probe[0]:
            return None
        (_, since_ms), self._probe = self._probe, None
        return self._uptime_ms() - since_ms

    def _on_command(self, number: int, verb: str, arguments: list):
        if verb == "policy":  # states a fact, as a receipt does: its signature says what it may
            self._take_policy(arguments)
            return
        if verb == "certificate":  # states a fact, too
            self._link.rarely("identity_parts", arguments)
            return
        if verb in ("mask", "mix"):  # they note the number themselves
            self.take_key(verb, number, arguments)
            return
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
                self._send(number, envelope, None)
                self._linger(now_ms)

    def _send(self, number: int, envelope: bytes, packet_id):
        """packet_id: that of its first time, which was in flight when a connection ended."""
        self._sent = max(self._sent, number)  # before: an error may come behind the last byte
        try:
            packet_id = self._link.publish_qos1(self._topic, envelope, packet_id)
        except ValueError as err:  # longer than a packet of ours: those behind it must not wait
            say("publish", err)
            self._in_flight.pop(packet_id, None)
            return
        self._in_flight[packet_id] = number

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
