# SPDX-License-Identifier: MIT
"""node/link/mqtt.py against a scripted broker that speaks bytes. Packets are written out by hand
from MQTT 3.1.1; time passes only while the client waits."""

import sys
import unittest

if sys.implementation.name != "micropython":
    from host_tools.errors import ToolError
    from host_tools.umqtt_source import umqtt_path

    try:
        sys.path.append(str(umqtt_path()))
    except ToolError as err:
        raise unittest.SkipTest(str(err))
    for name in ("socket", "struct", "binascii"):  # as umqtt.simple 1.3.4 calls them
        sys.modules.setdefault("u" + name, __import__(name))

from node.errors import LinkError
from node.link import mqtt

CONNACK = b"\x20\x02\x00\x00"
UP = b"lp/0123456789/up"
DOWN = b"lp/0123456789/down"


def puback(packet_id):
    return bytes([0x40, 2, packet_id >> 8, packet_id & 0xFF])


class Clock:
    def __init__(self):
        self.now_ms = 0

    def uptime_ms(self):
        return self.now_ms


class Poller:
    """Waits on the broker in one direction."""

    def __init__(self, broker, direction):
        self.broker = broker
        self.direction = direction

    def poll(self, timeout_ms):
        if timeout_ms < 0:
            raise ValueError("a wait without end")
        self.broker.waits.append(self.direction)
        if not self.broker.inbox:
            if self.broker.drip is not None and self.direction == "in":
                timeout_ms = min(timeout_ms, 1000)
                self.broker.inbox = self.broker.drip[:1] or b"x"
                self.broker.drip = self.broker.drip[1:]
            self.broker.clock.now_ms += timeout_ms
        return []


class Broker:
    """What is below the client: a stream that notes writes and gives out what is queued."""

    def __init__(self, clock):
        self.clock = clock
        self.writes = []
        self.buffers = []
        self.waits = []
        self.inbox = b""
        self.drip = None  # what comes one byte a second, and then x for ever
        self.at_once = 10_000  # bytes given per read
        self.takes = 10_000  # bytes accepted per write; 0: none for the time being
        self.answer = None  # function(packet) -> bytes
        self.error = None
        self.ended = self.closed = False

    def write(self, data, length=None):
        if self.error:
            raise self.error
        self.buffers.append(data)
        data = bytes(data) if length is None else bytes(data[:length])
        count = min(self.takes, len(data))
        if count == 0:
            return None
        self.writes.append(data[:count])
        if self.answer and count == len(data):
            self.inbox += self.answer(data)
        return count

    def readinto(self, buf):
        if self.error:
            raise self.error
        count = min(self.at_once, len(buf), len(self.inbox))
        if count == 0:
            return 0 if self.ended else None
        buf[:count] = self.inbox[:count]
        self.inbox = self.inbox[count:]
        return count

    def close(self):
        self.closed = True

    def take(self):
        writes, self.writes = self.writes, []
        return writes


class Client(mqtt.MQTTClient):
    """The client, with the scripted broker instead of TCP and TLS."""

    def __init__(self, **options):
        clock = Clock()
        super().__init__("0123456789", "broker", 8883, None, clock, **options)
        self.clock = clock
        self.hello = CONNACK
        self.heard = []
        self.acked = []
        self.set_callback(self.hear)
        self.on_puback = self.acked.append

    def hear(self, topic, message):
        self.heard.append((topic, message))

    def _open(self, limit_ms):
        self.sock = self.broker = Broker(self.clock)
        self._readable, self._writable = Poller(self.broker, "in"), Poller(self.broker, "out")
        self.broker.inbox = self.hello


def connected(**options):
    client = Client(**options)
    client.connect()
    client.broker.take()
    return client


class TestMqtt(unittest.TestCase):
    def raises_within(self, limit_ms, client, call):
        """LinkError, before `limit_ms` have passed, and the connection is closed."""
        began_ms = client.clock.now_ms
        with self.assertRaises(LinkError):
            call()
        self.assertTrue(client.clock.now_ms - began_ms <= limit_ms)
        self.assertFalse(client.connected)
        self.assertTrue(client.broker.closed)

    # connect

    def test_connect_is_one_write_of_the_standard_s_bytes(self):
        client = Client(keepalive_s=300)
        self.assertEqual(client.connect(), False)
        self.assertEqual(
            client.broker.take(),
            [b"\x10\x16\x00\x04MQTT\x04\x00\x01\x2c\x00\x0a0123456789"],
        )
        self.assertTrue(client.connected)

    def test_connect_tells_whether_the_session_was_kept(self):
        client = Client()
        client.hello = b"\x20\x02\x01\x00"
        self.assertEqual(client.connect(), True)

    def test_a_last_will_and_a_clean_session_are_asked_for(self):
        client = Client(keepalive_s=0)
        client.set_last_will("w", "bye", True, 1)
        client.connect(True)
        self.assertEqual(
            client.broker.take(),
            [b"\x10\x1e\x00\x04MQTT\x04\x2e\x00\x00\x00\x0a0123456789\x00\x01w\x00\x03bye"],
        )

    def test_a_refusal_is_an_error(self):
        client = Client()
        client.hello = b"\x20\x02\x00\x05"
        self.raises_within(0, client, client.connect)

    def test_what_comes_before_connack_is_an_error(self):
        client = Client()
        client.hello = b"\xd0\x00" + CONNACK
        self.raises_within(0, client, client.connect)

    def test_a_message_right_behind_connack_is_taken(self):
        client = Client()
        client.hello = CONNACK + b"\x30\x04\x00\x01tm"
        client.connect()
        self.assertEqual(client.heard, [(b"t", b"m")])

    def test_the_socket_is_opened_without_delay_and_without_blocking(self):
        calls = []

        class Raw:
            def settimeout(self, seconds):
                calls.append(("settimeout", seconds))

            def connect(self, address):
                calls.append(("connect", address))

            def setsockopt(self, *option):
                calls.append(("setsockopt", option))

            def setblocking(self, flag):
                calls.append(("setblocking", flag))

            def close(self):
                calls.append(("close",))

        class Socket:
            SOCK_STREAM = 1
            socket = Raw

            @staticmethod
            def getaddrinfo(host, port, family, kind):
                return [(2, kind, 0, "", (host, port))]

        class Poller:
            def register(self, obj, mask):
                calls.append(("register", mask))

        class Select:
            POLLIN, POLLOUT = 1, 4
            poll = Poller

        class Context:
            def wrap_socket(self, raw, **options):
                calls.append(("wrap", options["server_hostname"]))
                raise ValueError("the name of the city hall")

        saved = mqtt.socket, mqtt.select
        mqtt.socket, mqtt.select = Socket, Select
        try:
            client = mqtt.MQTTClient("n", "broker", 8883, Context(), Clock())
            with self.assertRaises(LinkError) as caught:
                client.connect()
            if hasattr(caught, "exception"):
                self.assertEqual(caught.exception.args, ("certificate",))
        finally:
            mqtt.socket, mqtt.select = saved
        self.assertEqual(
            calls,
            [
                ("register", 1),
                ("register", 4),
                ("settimeout", 20),
                ("connect", ("broker", 8883)),
                ("setsockopt", (6, 1, 1)),
                ("setblocking", False),
                ("wrap", "broker"),
                ("close",),
            ],
        )

    def test_the_look_up_of_the_name_counts(self):
        clock, timeouts = Clock(), []

        class Raw:
            def settimeout(self, seconds):
                timeouts.append(seconds)

            def connect(self, address):
                raise OSError(110)

            def close(self):
                pass

        class Socket:
            SOCK_STREAM = 1
            socket = Raw
            takes_ms = 0

            @staticmethod
            def getaddrinfo(host, port, family, kind):
                clock.now_ms += Socket.takes_ms
                return [(2, kind, 0, "", (host, port))]

        class Poller:
            def register(self, obj, mask):
                pass

        class Select:
            POLLIN, POLLOUT = 1, 4
            poll = Poller

        saved = mqtt.socket, mqtt.select
        mqtt.socket, mqtt.select = Socket, Select
        raised = []
        try:
            for Socket.takes_ms in (0, 14_000, 21_000):
                try:
                    mqtt.MQTTClient("n", "broker", 8883, None, clock).connect()
                except LinkError as err:
                    raised.append(err.args)
        finally:
            mqtt.socket, mqtt.select = saved
        self.assertEqual(timeouts, [20, 6])
        self.assertEqual(raised, [("network", 110), ("network", 110), ("name",)])

    # publish

    def test_publish_is_one_write_from_one_buffer(self):
        client = connected()
        client.broker.buffers.clear()
        self.assertEqual(client.publish_qos1(b"a/b", b"hello"), 1)
        self.assertEqual(client.publish_qos1(b"a/b", memoryview(b"bye")), 2)
        self.assertEqual(
            client.broker.take(),
            [b"\x32\x0c\x00\x03a/b\x00\x01hello", b"\x32\x0a\x00\x03a/b\x00\x02bye"],
        )
        self.assertTrue(client.broker.buffers[0] is client.broker.buffers[1])

    def test_lengths_around_the_second_length_byte(self):
        client = connected()
        for size, length in ((122, b"\x7f"), (123, b"\x80\x01"), (1400, b"\xfd\x0a")):
            client.publish_qos1(b"t", b"x" * size)
            packet = client.broker.take()[0]
            self.assertEqual(packet[1 : 1 + len(length)], length)
            self.assertEqual(packet[1 + len(length) :], b"\x00\x01t" + packet[-size - 2 :])
            self.assertEqual(packet[-size:], b"x" * size)

    def test_what_does_not_fit_the_buffer_is_refused_and_the_link_stays(self):
        client = connected(send_size=64)
        with self.assertRaises(ValueError):
            client.publish_qos1(b"t", bytes(60))
        client.publish_qos1(b"t", bytes(50))
        self.assertEqual(len(client.broker.take()), 1)

    def test_pubacks_match_in_any_order_and_strange_ones_are_ignored(self):
        client = connected(max_in_flight=3)
        ids = [client.publish_qos1(UP, b"x") for _ in range(3)]
        self.assertFalse(client.can_publish())
        client.broker.inbox = puback(ids[2]) + puback(999) + puback(ids[0]) + puback(ids[0])
        self.assertTrue(client.poll())
        self.assertEqual(client.acked, [ids[2], ids[0]])
        self.assertTrue(client.can_publish())
        self.assertFalse(client.poll())

    def test_ids_wrap_and_skip_what_is_in_flight(self):
        client = connected()
        client.pid = 65_533
        ids = [client.publish_qos1(UP, b"x") for _ in range(4)]
        self.assertEqual(ids, [65_534, 65_535, 1, 2])
        client.pid = 65_533
        client.broker.inbox = puback(65_535)
        client.poll()
        self.assertEqual(client.publish_qos1(UP, b"x"), 65_535)
        self.assertEqual(client.subscribe(DOWN), 3)
        self.assertEqual(client.publish_qos1(UP, b"x"), 4)
        client.pid = 2
        self.assertEqual(client.publish_qos1(UP, b"x"), 5)

    def test_more_messages_than_there_are_ids(self):
        client = connected()
        client.broker.answer = lambda packet: b"\x40\x02" + packet[4 + 1 : 4 + 3]
        lowest, highest = 1, 0
        for _ in range(66_000):
            packet_id = client.publish_qos1(b"t", b"x")
            lowest, highest = min(lowest, packet_id), max(highest, packet_id)
            client.poll()
            self.assertEqual(client.acked.pop(), packet_id)
            client.broker.take()
            client.broker.buffers.clear()
        self.assertEqual((lowest, highest), (1, 65_535))

    def test_ids_outlive_a_connection_and_a_retry_has_the_same_id_and_dup(self):
        client = connected()
        first, second = client.publish_qos1(b"t", b"1"), client.publish_qos1(b"t", b"2")
        client.close()
        client.connect()
        client.broker.take()
        self.assertEqual(client.subscribe(b"d"), 3)
        client.pid = 0
        self.assertEqual(client.publish_qos1(b"t", b"1", first), 1)
        self.assertEqual(client.broker.take()[1], b"\x3a\x06\x00\x01t\x00\x011")
        self.assertEqual(client.publish_qos1(b"t", b"3"), 4)  # 2 and 3 are still taken
        client.broker.inbox = b"\x90\x03\x00\x03\x01" + puback(second) + puback(first)
        client.tick()
        self.assertEqual(client.acked, [first])  # 2 was not sent on this connection, so
        client.pid = 1  # its owner has given it up
        self.assertEqual(client.publish_qos1(b"t", b"4"), 2)

    def test_a_write_that_goes_in_parts_goes_whole(self):
        client = connected()
        client.broker.takes = 5
        client.publish_qos1(b"t", b"hello")
        self.assertEqual(b"".join(client.broker.take()), b"\x32\x0a\x00\x01t\x00\x01hello")

    def test_a_write_that_stops_has_a_deadline(self):
        client = connected(answer_ms=3000)
        client.broker.takes = 0
        self.raises_within(3000, client, lambda: client.publish_qos1(b"t", b"hello"))
        self.assertEqual(set(client.broker.waits), {"out"})
        with self.assertRaises(LinkError):
            client.publish_qos1(b"t", b"hello")

    # what comes in

    def test_packets_split_at_every_byte(self):
        long_topic = b"t" * 130
        stream = (
            b"\x30\x04\x00\x01ta"
            + puback(1)
            + b"\x32\x08\x00\x03a/b\x12\x34b"
            + b"\xd0\x00"
            + b"\x3b\x86\x01\x00\x82"  # a retained duplicate
            + long_topic
            + b"\x00\x07"
            + b"\x90\x03\x00\x02\x01"
        )
        before = b"\x30\xaf\x02\x00\x01t" + b"\xff" * 300  # what an older packet leaves behind
        heard = [(b"t", b"\xff" * 300), (b"t", b"a"), (b"a/b", b"b"), (long_topic, b"")]
        for cut in range(len(stream) + 1):
            client = connected()
            client.publish_qos1(UP, b"x")
            client.subscribe(DOWN)
            client.broker.take()
            client.broker.inbox = before
            client.poll()
            client.broker.inbox = stream[:cut]
            client.poll()
            client.broker.inbox += stream[cut:]
            client.poll()
            self.assertEqual(client.heard, heard)
            self.assertEqual(client.acked, [1])
            self.assertEqual(client.broker.take(), [b"\x40\x02\x12\x34", b"\x40\x02\x00\x07"])
        client = connected()
        client.broker.inbox = before + stream
        client.broker.at_once = 1
        while client.poll():
            pass
        self.assertEqual(client.heard, heard)

    def test_a_packet_may_fill_the_buffer_and_not_be_longer(self):
        client = connected(receive_size=64)
        fits = b"\x30\x3e\x00\x01t" + b"x" * 59
        client.broker.inbox = fits + fits
        client.poll()
        self.assertEqual(len(client.heard), 2)
        client.broker.inbox = b"\x30\x12\x00\x01t" + b"x" * 15
        client.broker.inbox += client.broker.inbox * 7  # 64 bytes end in the fourth
        client.poll()
        self.assertEqual(len(client.heard), 10)
        client.broker.inbox = b"\x30\x3f\x00\x01t" + b"x" * 60
        client.poll()
        self.assertEqual((len(client.heard), client.oversized), (10, 1))

    def test_a_message_that_is_too_long_is_thrown_away_and_acknowledged(self):
        """Or the broker would send it again with each connection, for ever."""
        for size, length in ((100, b"\x69"), (5000, b"\x8d\x27"), (70_000, b"\xf5\xa2\x04")):
            long = b"\x32" + length + b"\x00\x03a/b\x12\x34" + b"x" * (size - 2)
            for at_once in (1, 7, 10_000):
                client = connected(receive_size=64)
                client.broker.at_once = at_once
                client.broker.inbox = b"\x30\x04\x00\x01ta" + long + b"\x30\x04\x00\x01tb"
                while client.poll():
                    if at_once == 1 and size > 5000:
                        break  # the fake's inbox is copied for each byte
                if client.broker.inbox:
                    continue
                self.assertEqual(client.heard, [(b"t", b"a"), (b"t", b"b")])
                self.assertEqual(client.broker.take(), [b"\x40\x02\x12\x34"])
                self.assertEqual(client.oversized, 1)

    def test_it_is_acknowledged_before_its_end_has_come(self):
        client = connected(receive_size=64)
        client.broker.inbox = b"\x32\xff\xff\xff\x7f\x00\x03a/b\x12\x34"  # 256 MiB
        client.poll()
        self.assertEqual(client.broker.take(), [])
        client.broker.inbox = b"x" * 60  # as much as the buffer can hold has come
        client.poll()
        self.assertEqual(client.broker.take(), [b"\x40\x02\x12\x34"])
        client.broker.inbox = b"x" * 300
        client.poll()
        client.close()
        client.hello = CONNACK + b"\x30\x04\x00\x01tm"
        client.connect()  # what was to come of it does not, now
        self.assertEqual(client.heard, [(b"t", b"m")])

    def test_what_is_too_long_and_no_message_for_us_ends_the_connection(self):
        for packet in (
            b"\x40\xff\xff\x7f",  # a PUBACK of 2 MiB
            b"\x90\xff\x01",
            b"\x30\xff\xff\x03\x00\x7f",  # a topic that we cannot have asked for
            b"\x32\x7f\x00\x03a/b\x00\x00",  # packet id 0
            b"\x34\x7f\x00\x03a/b\x00\x01",  # QoS 2
            b"\x32\x7f\xff\xff",  # a topic that is longer than its packet
        ):
            client = connected(receive_size=64)
            client.broker.inbox = packet + bytes(64)
            self.raises_within(0, client, client.poll)
            self.assertEqual(client.oversized, 0)
        client = Client(receive_size=64)
        client.hello = b"\x32\x7f\x00\x03a/b\x00\x01" + bytes(64)  # before CONNACK
        self.raises_within(0, client, client.connect)

    def test_what_is_malformed_ends_the_connection(self):
        for packet in (
            b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
            b"\x00\x00",  # types and flags that no broker may send
            b"\x10\x00",
            b"\x41\x02\x00\x01",
            b"\x82\x02\x00\x01",
            b"\xc0\x00",
            b"\xf0\x00",
            CONNACK,  # a second one
            b"\x40\x03\x00\x01\x00",
            b"\x40\x00",
            b"\x50\x02\x00\x01",  # QoS 2, which we never use
            b"\x34\x05\x00\x01t\x00\x01",
            b"\x36\x05\x00\x01t\x00\x01",
            b"\x30\x00",  # a topic that does not fit its packet
            b"\x30\x01\x00",
            b"\x30\x03\x00\x02t",
            b"\x32\x04\x00\x01t\x00",
            b"\x32\x05\x00\x01t\x00\x00",  # packet id 0
            b"\xd0\x01\x00",
            b"\x90\x02\x00\x01",
        ):
            client = connected()
            client.subscribe(DOWN)
            client.broker.inbox = packet
            self.raises_within(0, client, client.poll)
            self.assertEqual(client.heard, [])

    def test_a_refused_subscription_ends_the_connection(self):
        client = connected()
        client.broker.inbox = b"\x90\x03\x00\x09\x80"  # not ours
        client.poll()
        packet_id = client.subscribe(DOWN)
        client.broker.inbox = b"\x90\x03\x00" + bytes([packet_id]) + b"\x80"
        self.raises_within(0, client, client.poll)

    def test_subscribe_and_unsubscribe_take_long_topics(self):
        client = connected()
        topic = "t" * 130
        client.subscribe(topic, 0)
        client.unsubscribe(topic)
        self.assertEqual(
            client.broker.take(),
            [
                b"\x82\x87\x01\x00\x01\x00\x82" + topic.encode() + b"\x00",
                b"\xa2\x86\x01\x00\x02\x00\x82" + topic.encode(),
            ],
        )
        client.broker.inbox = b"\x90\x03\x00\x01\x00\xb0\x02\x00\x02"
        client.poll()
        client.clock.now_ms += 20_000
        client.tick()
        self.assertTrue(client.connected)
        client.subscribe(topic)
        client.connect()  # what was asked for before is no longer waited for
        client.clock.now_ms += 20_000
        client.tick()

    def test_the_end_of_the_stream_and_its_errors_are_link_errors(self):
        client = connected()
        client.broker.ended = True
        self.raises_within(0, client, client.poll)
        for error, args in ((OSError(104), ("network", 104)), (ValueError("x"), ("certificate",))):
            for verb in (lambda c: c.poll(), lambda c: c.publish_qos1(b"t", b"x")):
                client = connected()
                client.broker.error = error
                try:
                    verb(client)
                    raised = None
                except LinkError as err:
                    raised = err.args
                self.assertEqual(raised, args)
                self.assertTrue(client.broker.closed)

    def test_a_callback_may_publish_poll_and_close(self):
        client = connected()
        message = b"\x32\x06\x00\x01t\x00\x05m"

        def hear(topic, body):
            client.heard.append(body)
            client.publish_qos1(b"up", body)
            client.poll()

        client.set_callback(hear)
        client.broker.inbox = message + message + puback(1) + message[:4]
        client.poll()
        client.broker.inbox += message[4:]
        client.poll()
        self.assertEqual(client.heard, [b"m"] * 3)
        self.assertEqual(client.acked, [1])
        self.assertEqual(client.broker.take().count(b"\x40\x02\x00\x05"), 3)
        client.set_callback(lambda topic, body: client.close())
        client.broker.inbox = message + message
        client.poll()
        self.assertTrue(client.broker.closed)
        self.assertEqual(client.broker.take(), [])

    # deadlines: a broker that falls silent after each step

    def test_silence_after_connect(self):
        for hello in (b"", CONNACK[:3]):
            client = Client(connect_ms=7000)
            client.hello = hello
            self.raises_within(7000, client, client.connect)

    def test_a_handshake_that_stops_has_the_deadline_of_connect(self):
        client = Client(connect_ms=7000)
        opened = client._open

        def open_silent(limit_ms):
            opened(limit_ms)
            client.broker.takes, client.broker.inbox = 0, b""

        client._open = open_silent
        self.raises_within(7000, client, client.connect)
        self.assertEqual(set(client.broker.waits), {"in"})

    def test_silence_after_publish_subscribe_and_ping(self):
        for verb in (
            lambda client: client.publish_qos1(UP, b"x"),
            lambda client: client.subscribe(DOWN),
            lambda client: client.unsubscribe(DOWN),
            lambda client: client.ping(),
        ):
            client = connected(answer_ms=5000)
            verb(client)
            client.clock.now_ms += 5000
            client.tick()
            client.clock.now_ms += 1
            self.raises_within(0, client, client.tick)

    def test_an_answer_that_came_in_while_the_node_slept_is_in_time(self):
        client = connected(answer_ms=5000)
        packet_id = client.publish_qos1(UP, b"x")
        client.clock.now_ms += 60_000
        client.broker.inbox = puback(packet_id)
        client.tick()
        self.assertEqual(client.acked, [packet_id])

    def test_silence_in_the_middle_of_a_packet(self):
        client = connected(answer_ms=5000)
        client.publish_qos1(UP, b"x")
        client.broker.inbox = puback(1)[:3]
        client.poll(2000)
        self.assertFalse(client.poll(6000))
        self.raises_within(0, client, client.tick)

    def test_one_byte_a_second_for_ever(self):
        """With the deadlines that a node has: each call ends within 30 s, whatever drips in."""
        drips = (
            b"\x20",  # never a whole CONNACK
            CONNACK + b"\x30\x86\x01\x00\x01t",  # a message that fits
            CONNACK + b"\x32\xff\xff\xff\x7f\x00\x01t\x00\x07",  # and one of 256 MiB
        )
        for drip in drips:
            client = Client()
            client.hello = b""
            opened = client._open

            def open_drip(deadline_ms, client=client, opened=opened, drip=drip):
                opened(deadline_ms)
                client.broker.at_once = 1
                client.broker.drip = drip

            client._open = open_drip
            failed = 0
            for call in (
                client.connect,
                lambda client=client: client.subscribe(DOWN),
                lambda client=client: client.publish(UP, b"x", qos=1),
                client.connect,
                client.wait_msg,
                lambda client=client: client.poll(5000),
                client.tick,
                client.ping,
            ):
                began_ms = client.clock.now_ms
                try:
                    call()
                except LinkError:
                    failed += 1
                self.assertTrue(client.clock.now_ms - began_ms <= 30_000)
            self.assertTrue(failed)
            client = Client()
            client.hello = CONNACK
            client.connect()
            client.broker.drip = drip[4:] or b"\x30\x7f"
            client.publish_qos1(UP, b"x")
            with self.assertRaises(LinkError):
                while client.clock.now_ms < 60_000:
                    client.poll(1000)
                    client.tick()
            self.assertTrue(client.clock.now_ms <= 30_000)

    def test_poll_waits_no_longer_than_it_may(self):
        client = connected()
        self.assertFalse(client.poll(250))
        self.assertEqual(client.clock.now_ms, 250)
        self.assertFalse(client.poll(0))
        self.assertEqual(client.clock.now_ms, 250)

    def test_a_broker_that_never_pauses_does_not_hold_the_node(self):
        client = connected()
        client.broker.at_once = 2
        client.broker.inbox = b"\xd0\x00" * 100
        self.assertTrue(client.poll())
        self.assertTrue(len(client.broker.inbox) >= 100)

    def test_an_idle_connection_is_kept_alive(self):
        client = connected(keepalive_s=100)
        client.broker.answer = lambda packet: b"\xd0\x00" if packet == b"\xc0\x00" else b""
        for _ in range(40):
            client.clock.now_ms += 10_000
            client.tick()
        self.assertEqual(client.broker.take(), [b"\xc0\x00"] * 8)
        client = connected(keepalive_s=0)
        client.clock.now_ms += 1_000_000
        client.tick()
        self.assertEqual(client.broker.take(), [])

    def test_nothing_can_be_done_without_a_connection(self):
        client = Client()
        for call in (client.poll, client.tick, client.ping, lambda: client.publish(b"t", b"x")):
            with self.assertRaises(LinkError):
                call()
        client.disconnect()
        client.close()

    def test_disconnect_says_so(self):
        client = connected()
        client.disconnect()
        self.assertEqual(client.broker.take(), [b"\xe0\x00"])
        self.assertTrue(client.broker.closed)
        self.assertFalse(client.connected)

    # umqtt's own verbs

    def test_publish_at_qos_0_and_1(self):
        client = connected(answer_ms=5000)
        client.publish("t", "é", True)
        self.assertEqual(client.broker.take(), [b"\x31\x05\x00\x01t\xc3\xa9"])
        client.broker.answer = lambda packet: puback(77) + puback(1)
        client.publish(b"t", b"m", True, 1)
        self.assertEqual(client.broker.take(), [b"\x33\x06\x00\x01t\x00\x01m"])
        client.broker.answer = None
        self.raises_within(5000, client, lambda: client.publish(b"t", b"m", qos=1))
        with self.assertRaises(ValueError):
            client.publish(b"t", b"m", qos=2)

    def test_wait_msg_and_check_msg(self):
        client = connected(answer_ms=5000)
        client.broker.inbox = b"\x30\x04\x00\x01tm"
        self.assertEqual(client.wait_msg(), 0x30)
        self.assertEqual(client.wait_msg(), None)
        self.assertEqual(client.clock.now_ms, 5000)
        client.broker.inbox = b"\x30\x04\x00\x01tn"
        client.check_msg()
        self.assertEqual(client.heard, [(b"t", b"m"), (b"t", b"n")])


if __name__ == "__main__":
    unittest.main()
