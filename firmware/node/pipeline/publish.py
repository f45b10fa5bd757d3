# SPDX-License-Identifier: MIT
"""Fifth stage: sends what waits in the outbox, and takes receipts.

A PUBACK frees nothing, since a broker that crashes may forget what it acknowledged: only the
store's receipt settles an envelope. What has no receipt is sent again, the same bytes, on
reconnect and 10 minutes after it was sent.
"""

from node.device.log import say
from node.errors import FormatError, OpenError, OutboxError

_AGAIN_MS = 600_000
_LINGER_MS = 2000  # how long after a send an answer is waited for with the radio awake


class Publisher:
    """outbox, link: the stages beside it; confirm(utc_s): told each receipt's time."""

    def __init__(self, node_id: str, outbox, link, receipts, confirm):
        self._topic = ("lp/" + node_id + "/up").encode()
        self._down = ("lp/" + node_id + "/down").encode()
        self._outbox = outbox
        self._link = link
        self._receipts = receipts
        self._confirm = confirm
        self.receipts = 0  # that were authentic
        self._in_flight = {}  # packet id: number
        self._next = 1  # the next number to look at
        self._oldest = None  # the oldest number without receipt, and since when it is that
        self._oldest_since_ms = 0
        self._linger_until_ms = 0

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
        """A message on `down`: a receipt settles envelopes; anything else is refused."""
        if bytes(topic) != self._down:
            return
        try:
            time_s, log, upto, ranges = self._receipts.open(bytes(message))
            self.receipts += 1
            self._confirm(time_s)
            if log == self._outbox.log:
                self._outbox.settle(upto, ranges)
        except (FormatError, OpenError, OutboxError, OSError) as err:
            say("publish", err)

    def step(self, now_ms: int):
        """Sends as much as may be in flight. now_ms: uptime. LinkError ends the connection."""
        oldest = self._outbox.waiting_from(0)
        if oldest != self._oldest:
            self._oldest, self._oldest_since_ms = oldest, now_ms
        elif oldest is not None and now_ms - self._oldest_since_ms >= _AGAIN_MS:
            self._next, self._oldest_since_ms = oldest, now_ms
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
                self._linger_until_ms = now_ms + _LINGER_MS

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
