# SPDX-License-Identifier: MIT
"""MQTT 3.1.1 over mutual TLS, on top of umqtt.simple: the same verbs, and no wait without end.

What the stock client lacks: each packet is one write and so one TLS record; TCP_NODELAY; packet
ids that wrap, outlive a connection and skip those in flight; several messages in flight, whose
PUBACKs may come in any order; the same id and DUP on a retry; a parser that knows every packet a
broker sends; and a deadline on all of it. Trouble of any kind closes the connection and raises
LinkError, whose arguments are short: a reason, and what is known of it.

    ("certificate", "future")   not valid yet: is the board's clock right?    "expired"  no longer
    ("certificate", "trusted CA") by another authority     "Common Name"  for another host
    ("tls", n)                  the handshake failed: mbedTLS's number, or the network's; without
                                a number: it did not end in time; -10496: there is no
                                subjectAltName in the certificate
    ("network", n)              any other trouble of the network: its number

A message that is too long for us is thrown away and acknowledged, or it would come again with each
connection, for ever.

    link = MQTTClient("0123456789", "broker.city", 8883, make_context(ca, cert, key), clock)
    link.set_callback(on_message)
    link.connect(); link.subscribe(b"lp/0123456789/down")
    while link.can_publish() and more: link.publish_qos1(b"lp/0123456789/up", body)
    link.poll(100); link.tick()
"""

import select
import socket

import umqtt.simple

from node import forget
from node.device.log import say
from node.errors import LinkError
from node.link.tls_check import REASONS

_TCP_NODELAY = (6, 1, 1)  # level IPPROTO_TCP, option, on: the same numbers on Linux and lwIP
_ROUNDS = 8  # reads in one poll(): a broker that never pauses must not hold the node
_SLICE_MS = 100
_SEND_FIRST = 256


def _octets(text):
    return text.encode() if isinstance(text, str) else text


class MQTTClient(umqtt.simple.MQTTClient):
    """server: name or address in the broker's certificate; context: see tls_context; clock: has
    uptime_ms(). A packet longer than `send_size` (at most 16 KiB) is refused, and a message longer
    than `receive_size` thrown away: `oversized` counts them."""

    serial, newest, turn = 0, 0, None  # of the certificate in `context`: see identity.py
    nvs = None  # where others are kept

    def __init__(
        self, client_id, server, port, context, clock, keepalive_s=300, max_in_flight=10,
        receive_size=1024, send_size=1536, connect_ms=20_000, answer_ms=10_000,
    ):  # fmt: skip
        super().__init__(client_id, server, port=port, keepalive=keepalive_s)
        self.connected = False
        self.on_puback = None  # called with the packet id of each of our messages that is taken
        self.context = context
        self._clock = clock
        self._max_in_flight = max_in_flight
        self._connect_ms = connect_ms
        self._answer_ms = answer_ms
        self._send_max = send_size
        self._tx = bytearray(min(send_size, _SEND_FIRST))  # what a policy sends is far shorter
        self._rx = bytearray(receive_size)
        self._rx_view = memoryview(self._rx)
        self._start = self._end = 0  # of the bytes in _rx that are not yet parsed
        self._skip = 0  # bytes of an oversized message that are still to come
        self.oversized = 0
        self._in_flight = {}  # packet id: when it was sent; None: not on this connection
        self._requests = {}  # packet id of a SUBSCRIBE or UNSUBSCRIBE: when it was sent
        self._raw = None  # the TCP socket below self.sock
        self._readable = self._writable = None
        self._greeted = False  # whether TLS is set up and has taken our CONNECT
        self.session = None  # the CONNACK's session-present flag; None: it was not let in
        self._ping_ms = None  # when the PINGREQ was sent that has no answer yet
        self._sent_ms = 0
        self._op = None

    def rarely(self, name: str, what):
        """Has a module here do what there is to do with certificates, and forgets it."""
        try:
            __import__("node.link." + name, None, None, (name,)).run(self, what)
        finally:
            forget("link", name)

    def connect(self, clean_session=False, timeout=None) -> bool:
        """Opens TCP, TLS and MQTT within `connect_ms` (or `timeout` seconds). True if the broker
        kept our session.

        The look-up of the name counts, but cannot be cut short: lwIP asks each of its two DNS
        servers four times in 7 s (DNS_MAX_RETRIES, DNS_TMR_INTERVAL), so after 14 s it has ended.

        Ids in flight stay taken until tick(): publish what is unanswered again before it."""
        self.close()
        limit_ms = self._connect_ms if timeout is None else timeout * 1000
        deadline_ms = self._clock.uptime_ms() + limit_ms
        self._greeted, self.session, self._ping_ms = False, None, None
        self._requests.clear()
        for packet_id in self._in_flight:
            self._in_flight[packet_id] = None
        try:
            self._open(deadline_ms)
        except (OSError, ValueError) as err:
            raise self._lost(err)
        self._send(self._pack_connect(clean_session), deadline_ms)
        self._greeted = True
        while self.session is None:
            self._poll_until(deadline_ms)
        self.connected = True
        return self.session

    def close(self):
        """Ends the connection without a word; the broker keeps the session."""
        stream = self.sock or self._raw
        self.connected = False
        self.sock = self._raw = self._readable = self._writable = None
        self._start = self._end = self._skip = 0
        if stream is not None:
            try:
                stream.close()
            except OSError:
                pass  # it is gone either way

    def disconnect(self):
        """Ends the connection in good order."""
        try:
            if self.connected:
                self._send(self._pack_head(0xE0, 0))
        except LinkError:
            pass
        self.close()

    def can_publish(self) -> bool:
        """Whether one more message may be in flight."""
        return len(self._in_flight) < self._max_in_flight

    def publish_qos1(self, topic, payload, dup_id=None, retain=False) -> int:
        """Sends one message and does not wait for its PUBACK; returns its packet id. A message
        that is sent again takes its first id as `dup_id`. ValueError if it is too long."""
        packet_id = self._next_id() if dup_id is None else dup_id
        self._publish((0x32 if dup_id is None else 0x3A) | retain, topic, payload, packet_id)
        self._in_flight[packet_id] = self._sent_ms
        return packet_id

    def publish(self, topic, msg, retain=False, qos=0):
        """umqtt's verb: at QoS 1 it waits for the PUBACK."""
        if qos not in (0, 1):
            raise ValueError("qos")
        if qos == 0:
            self._publish(0x30 | retain, _octets(topic), _octets(msg), 0)
            return
        packet_id = self.publish_qos1(_octets(topic), _octets(msg), None, retain)
        while packet_id in self._in_flight:
            self._poll_until(self._in_flight[packet_id] + self._answer_ms)

    def subscribe(self, topic, qos=1) -> int:
        """Asks for a topic and does not wait: a refusal, or no answer, raises in poll or tick."""
        return self._request(0x82, topic, qos)

    def unsubscribe(self, topic) -> int:
        return self._request(0xA2, topic, None)

    def ping(self):
        self._send(self._pack_head(0xC0, 0))
        if self._ping_ms is None:
            self._ping_ms = self._sent_ms

    def poll(self, timeout_ms=0) -> bool:
        """Handles what has come; if nothing has, waits at most `timeout_ms` for something."""
        came = False
        for _ in range(_ROUNDS):
            if not self._receive():
                break
            came = True
            if self.sock is None:  # a callback closed it
                return came
        if not came and timeout_ms > 0:
            # What TLS had decrypted is read by now, so the TCP socket tells all there is to tell.
            self._readable.poll(timeout_ms)
            came = self._receive()
        return came

    def tick(self):
        """Watches the deadlines, and keeps an idle connection alive. Call it at least each half
        of the keepalive interval."""
        self.poll(0)
        now_ms = self._clock.uptime_ms()
        oldest_ms = now_ms - self._answer_ms
        for packet_id, sent_ms in list(self._in_flight.items()):
            if sent_ms is None:
                del self._in_flight[packet_id]  # its owner did not send it again
            elif sent_ms < oldest_ms:
                raise self._lost("puback")
        for sent_ms in self._requests.values():
            if sent_ms < oldest_ms:
                raise self._lost("suback")
        if self._ping_ms is not None:
            if self._ping_ms < oldest_ms:
                raise self._lost("pingresp")
        elif self.keepalive and now_ms - self._sent_ms >= self.keepalive * 500:
            self.ping()

    def awaits_answer(self) -> bool:
        """Whether the broker owes an answer on this connection: worth waiting for in poll()."""
        return bool(self._in_flight or self._requests or self._ping_ms is not None)

    def check_msg(self):
        """umqtt's verb: handles what has come, at once."""
        self.tick()

    def wait_msg(self):
        """umqtt's verb: handles what comes first. Returns its first byte, or None when nothing
        came within `answer_ms`."""
        self._op = None
        deadline_ms = self._clock.uptime_ms() + self._answer_ms
        while self._op is None and self._clock.uptime_ms() < deadline_ms:
            self.poll(deadline_ms - self._clock.uptime_ms())
            self.tick()
        return self._op

    # out

    def _open(self, deadline_ms):
        address = socket.getaddrinfo(self.server, self.port, 0, socket.SOCK_STREAM)[0][-1]
        left_ms = deadline_ms - self._clock.uptime_ms()
        if left_ms <= 0:
            raise self._lost("name")
        self._raw = raw = socket.socket()
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(raw, select.POLLIN)
        self._writable.register(raw, select.POLLOUT)
        raw.settimeout(max(1, left_ms // 1000))
        raw.connect(address)
        raw.setsockopt(*_TCP_NODELAY)
        raw.setblocking(False)
        # The first write drives the handshake: thus a peer that trickles has one deadline too.
        self.sock = self.context.wrap_socket(
            raw, server_hostname=self.server, do_handshake_on_connect=False
        )

    def _next_id(self) -> int:
        packet_id = self.pid
        while True:
            packet_id = packet_id % 65_535 + 1
            if packet_id not in self._in_flight and packet_id not in self._requests:
                self.pid = packet_id
                return packet_id

    def _pack_head(self, first, size) -> int:
        """Type, flags and remaining length (§2.2); returns the size, or where the rest starts."""
        if size + 3 > self._send_max:
            raise ValueError("too long")
        if size + 3 > len(self._tx):
            self._tx = bytearray(min(self._send_max, 2 * (size + 3)))
        tx = self._tx
        tx[0] = first
        if size < 128:
            tx[1] = size
            return 2
        tx[1] = size & 0x7F | 0x80
        tx[2] = size >> 7
        return 3

    def _pack_text(self, at, text) -> int:
        """A length and that many bytes (§1.5.3); returns where they end."""
        at = self._pack_16(at, len(text))
        self._tx[at : at + len(text)] = text
        return at + len(text)

    def _pack_16(self, at, number) -> int:
        self._tx[at] = number >> 8
        self._tx[at + 1] = number & 0xFF
        return at + 2

    def _pack_connect(self, clean_session) -> int:
        texts = [_octets(self.client_id)]
        flags = clean_session << 1
        if self.lw_topic:
            texts += [_octets(self.lw_topic), _octets(self.lw_msg)]
            flags |= 0x04 | self.lw_qos << 3 | self.lw_retain << 5
        at = self._pack_head(0x10, 10 + sum([2 + len(text) for text in texts]))
        self._tx[at : at + 8] = b"\0\x04MQTT\x04" + bytes([flags])
        at = self._pack_16(at + 8, self.keepalive)
        for text in texts:
            at = self._pack_text(at, text)
        return at

    def _request(self, first, topic, qos) -> int:
        packet_id, topic = self._next_id(), _octets(topic)
        at = self._pack_head(first, 4 + len(topic) + (qos is not None))
        at = self._pack_text(self._pack_16(at, packet_id), topic)
        if qos is not None:
            self._tx[at] = qos
            at += 1
        self._send(at)
        self._requests[packet_id] = self._sent_ms
        return packet_id

    def _publish(self, first, topic, payload, packet_id):
        size = 2 + len(topic) + len(payload)
        at = self._pack_head(first, size + 2 if packet_id else size)
        at = self._pack_text(at, topic)
        if packet_id:
            at = self._pack_16(at, packet_id)
        end = at + len(payload)
        self._tx[at:end] = payload
        self._send(end)

    def _send(self, size, deadline_ms=None):
        """Writes the first `size` bytes of the send buffer at once; waits only if TCP is full."""
        if self.sock is None:
            raise LinkError("not connected")
        self._sent_ms = self._clock.uptime_ms()
        try:
            done = self.sock.write(self._tx, size)
            if done != size:
                self._send_rest(done or 0, size, deadline_ms or self._sent_ms + self._answer_ms)
        except (OSError, ValueError) as err:
            raise self._lost(err)

    def _send_rest(self, done, size, deadline_ms):
        view = memoryview(self._tx)
        # Until it is connected, it is the answers of the handshake that are waited for.
        ready = self._writable if self.connected else self._readable
        while done < size:
            left_ms = deadline_ms - self._clock.uptime_ms()
            if left_ms <= 0:
                raise self._lost("write" if self._greeted else "tls")
            ready.poll(min(left_ms, _SLICE_MS))
            done += self.sock.write(view[done:size]) or 0

    # in

    def _poll_until(self, deadline_ms):
        left_ms = deadline_ms - self._clock.uptime_ms()
        if left_ms <= 0:
            raise self._lost("no answer")
        self.poll(left_ms)

    def _receive(self) -> bool:
        if self.sock is None:
            raise LinkError("not connected")
        rx, start, end = self._rx, self._start, self._end
        if start:
            if start < end:  # a packet's beginning is left over: to the front with it
                rx[: end - start] = rx[start:end]
            end -= start
            self._start, self._end = 0, end
        try:
            count = self.sock.readinto(self._rx_view[end:] if end else rx)
        except (OSError, ValueError) as err:
            raise self._lost(err)
        if count is None:
            return False
        if not count:
            raise self._lost("closed")
        self._end = end + count
        self._parse()
        return True

    def _parse(self):
        """Handles each whole packet. State is kept in self: a callback may poll or close."""
        rx = self._rx
        while True:
            if self._skip:
                skipped = min(self._skip, self._end - self._start)
                self._skip -= skipped
                self._start += skipped
            start = self._start
            body, end, shift, more = start + 1, 0, 0, 128
            while more > 127:  # the remaining length (§2.2.3), of four bytes at most
                if body >= self._end:
                    return
                more = rx[body]
                end += (more & 0x7F) << shift
                body += 1
                shift += 7
                if shift > 28:
                    raise self._lost("malformed")
            end += body
            if end > self._end and self._end - start < len(rx):
                return
            # Either it is whole, or it is longer than the buffer: the rest of it is skipped.
            self._start = min(end, self._end)
            self._skip = end - self._start
            self._op = rx[start]
            self._handle(rx[start], body, end)

    def _handle(self, first, at, end):
        rx, size = self._rx, end - at
        number = rx[at] << 8 | rx[at + 1] if size >= 2 else 0
        if first == 0x20 and size == 2 and self.session is None:
            if number & 0xFF:
                raise self._lost("refused")
            self.session = number >> 8 == 1
        elif self.session is None:
            raise self._lost("malformed")  # nothing comes before CONNACK
        elif first == 0x40 and size == 2:
            if self._in_flight.get(number) is not None:
                del self._in_flight[number]
                if self.on_puback is not None:
                    self.on_puback(number)
        elif first & 0xF0 == 0x30:
            self._take(first >> 1 & 3, at + 2, at + 2 + number, end)
        elif first == 0x90 and size == 3:
            if self._requests.pop(number, None) is not None and rx[at + 2] & 0x80:
                raise self._lost("subscribe")
        elif first == 0xB0 and size == 2:
            self._requests.pop(number, None)
        elif first == 0xD0 and size == 0:
            self._ping_ms = None
        else:
            raise self._lost("malformed")

    def _take(self, qos, at, topic_end, end):
        """A PUBLISH: tells the callback, then acknowledges. One that is too long is acknowledged
        as well, and only counted."""
        rx, body = self._rx, topic_end + 2 if qos else topic_end
        if qos > 1 or body > self._start:
            raise self._lost("malformed")
        packet_id = rx[topic_end] << 8 | rx[topic_end + 1] if qos else None
        if packet_id == 0:
            raise self._lost("malformed")
        if self._skip:
            self.oversized += 1
            say("link", "a message is too long")
        elif self.cb is not None:
            self.cb(bytes(self._rx_view[at:topic_end]), bytes(self._rx_view[body:end]))
        if qos and self.sock is not None:
            self._send(self._pack_16(self._pack_head(0x40, 2), packet_id))

    def _lost(self, reason) -> LinkError:
        """Closes the connection; what to raise."""
        shaking_hands = self.sock is not None and not self._greeted
        self.close()
        if isinstance(reason, ValueError):
            return LinkError("certificate", *[word for word in REASONS if word in reason.args[0]])
        if isinstance(reason, OSError):
            return LinkError("tls" if shaking_hands else "network", reason.args[0])
        return LinkError(reason)
