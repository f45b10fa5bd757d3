# SPDX-License-Identifier: MIT
"""node/pipeline/publish.py: what is sent, sent again, and freed; the link is scripted here."""

import unittest

from flash_fixture import fresh_flash

from node import cbor
from node.crypto import ccm
from node.device import flash_file
from node.errors import CommandError
from node.pipeline import envelope
from node.pipeline.down import CommandOpener, ReceiptOpener
from node.pipeline.outbox import Outbox
from node.pipeline.publish import Publisher

NODE = "abcdefghjk"
KEY = bytes(range(32))
COMMAND_KEY = bytes(range(1, 33))


class Link:
    """Notes what is published; PUBACKs are given by the test."""

    def __init__(self):
        self.sent = []  # (packet id, body, retry)
        self.subscribed = []
        self.room = 3
        self._id = 0

    def subscribe(self, topic):
        self.subscribed.append(topic)

    def can_publish(self):
        return self.room > 0

    def publish_qos1(self, topic, payload, dup_id=None):
        if dup_id is None:
            self._id += 1
            self.room -= 1
        packet_id = self._id if dup_id is None else dup_id
        self.sent.append((packet_id, bytes(payload), dup_id is not None))
        return packet_id

    def take(self):
        sent, self.sent = self.sent, []
        return sent


def receipt(fields, key=KEY, direction="receipt", kid=b"r"):
    iv = bytes(13)
    aad = envelope.enc_structure(envelope.aad(NODE, direction, None))
    return envelope.pack_down(kid, iv, ccm.encrypt(key, iv, cbor.encode(fields), aad))


class TestPublisher(unittest.TestCase):
    def setUp(self):
        fresh_flash()
        self.outbox = Outbox(64 * 1024)
        for number in range(1, 6):
            self.outbox.append(b"envelope %d" % number)
        self.link = Link()
        self.taken = []  # parts of policies
        self.times = []
        self.commanded, self.now_ms = [], 0
        self.publisher = self.make()
        self.publisher.on_connect()
        self.down = ("lp/" + NODE + "/down").encode()

    def make(self, key=KEY):
        return Publisher(
            NODE, self.outbox, self.link,
            ReceiptOpener(key, NODE), lambda utc_s, age_ms: self.times.append((utc_s, age_ms)),
            CommandOpener(COMMAND_KEY, NODE), self.use_command, self.taken.append,
            lambda: self.now_ms,
        )  # fmt: skip

    def use_command(self, number):
        if number in self.commanded:
            raise CommandError("came before")
        self.commanded.append(number)

    def command(self, *fields):
        message = receipt(list(fields), COMMAND_KEY, "command", b"c")
        self.publisher.on_message(self.down, message)

    def ack(self, *packet_ids):
        for packet_id in packet_ids:
            self.publisher.on_puback(packet_id)
            self.link.room += 1

    def receive(self, *fields, **options):
        self.publisher.on_message(self.down, receipt(list(fields), **options))

    def test_as_many_as_may_be_in_flight_in_order(self):
        self.publisher.step(0)
        self.assertEqual([body for _, body, _ in self.link.take()],
                         [b"envelope 1", b"envelope 2", b"envelope 3"])  # fmt: skip
        self.publisher.step(1)
        self.assertEqual(self.link.take(), [])
        self.ack(2, 1)
        self.publisher.step(2)
        self.assertEqual(self.link.take(), [(4, b"envelope 4", False), (5, b"envelope 5", False)])

    def test_a_puback_frees_nothing_a_receipt_does(self):
        self.publisher.step(0)
        self.ack(1, 2, 3)
        self.publisher.step(1)
        self.ack(4, 5)
        self.assertEqual(self.outbox.waiting(), 5)
        self.receive(1_800_000_000, self.outbox.log, 4, [[5, 5]])
        self.assertEqual(self.outbox.waiting(), 0)
        self.assertEqual(self.times, [(1_800_000_000, None)])

    def test_after_ten_minutes_without_receipt_the_same_bytes_again(self):
        self.link.room = 10
        self.publisher.step(0)
        self.ack(1, 2, 3, 4, 5)
        self.receive(1, self.outbox.log, 2, [[4, 4]])
        self.link.take()
        self.publisher.step(1000)
        self.publisher.step(600_999)
        self.assertEqual(self.link.take(), [])
        self.publisher.step(601_000)
        self.assertEqual([body for _, body, _ in self.link.take()], [b"envelope 3", b"envelope 5"])

    def test_on_reconnect_what_was_in_flight_keeps_its_packet_id(self):
        self.publisher.step(0)
        self.link.take()
        self.ack(1)
        self.publisher.on_connect()
        self.assertEqual(self.link.take(), [(2, b"envelope 2", True), (3, b"envelope 3", True)])
        self.assertEqual(self.link.subscribed, [self.down, self.down])
        self.link.room = 10
        self.publisher.step(1)
        self.assertEqual([body for _, body, _ in self.link.take()],
                         [b"envelope 1", b"envelope 4", b"envelope 5"])  # fmt: skip

    def test_forged_and_foreign_receipts_settle_nothing(self):
        log = self.outbox.log
        self.receive(1, log, 5, [], key=bytes(32))
        self.receive(1, log, 5, [], direction="command")
        self.receive(1, log, 5, [], kid=b"c")
        self.receive(1, log, 0, [[4, 2]])
        self.receive(1, log)
        for fields in (
            (1, log, None, []), (1, log, -1, []), (1, log, 0, 5), (None, log, 5, []),
            (1, log, 0, [[1]]), (1, log, 0, [[True, 2]]), (1, log, "5", []),
        ):  # fmt: skip
            self.receive(*fields)
        self.publisher.on_message(self.down, b"not COSE")
        self.publisher.on_message(b"lp/another/down", receipt([1, log, 5, []]))
        self.assertEqual(self.outbox.waiting(), 5)
        self.receive(1 << 32, log, 5, [])
        self.assertEqual(self.times, [])
        # these are authentic, so their time counts
        self.receive(1, b"\x00\x01\x02\x03", 5, [])  # of an earlier outbox
        self.assertEqual(self.outbox.waiting(), 5)
        self.assertEqual(self.times, [(1, None)])

    def test_a_flash_that_was_set_back_begins_a_new_outbox(self):
        """The store names numbers that were never given: those that come next are taken."""
        log, given_up = self.outbox.log, []
        self.publisher.on_new_outbox = given_up.append
        self.outbox.append(b"under a number that is taken")
        self.publisher.step(0)
        self.receive(1, log, 3, [[6, 9]])  # 4 and 5 are from before, and nowhere else
        self.assertEqual((self.outbox.log, self.outbox.waiting_from(0)), (log, 4))
        for number in range(7, 12):
            self.outbox.append(b"envelope %d" % number)
        self.receive(2, log, 5, [[6, 9]])  # 10 and 11 are free: they shall be delivered first
        self.assertEqual((self.outbox.log, self.outbox.waiting_from(10)), (log, 10))
        self.assertEqual(given_up, [])
        self.receive(2, log, 11, [])
        self.assertEqual(given_up, [6])
        self.assertTrue(self.outbox.log != log)
        self.assertEqual((self.outbox.next_number, self.outbox.waiting()), (1, 0))
        self.assertEqual(Outbox(64 * 1024).log, self.outbox.log)
        self.outbox.append(b"the first")
        self.link.room = 3
        self.link.take()
        self.publisher.on_connect()
        self.publisher.step(0)
        self.assertEqual([body for _, body, _ in self.link.take()], [b"the first"])
        self.receive(3, self.outbox.log, 1, [])
        self.assertEqual(self.outbox.waiting(), 0)
        self.receive(4, log, 12, [])  # for the outbox before: nothing to us
        self.assertEqual(self.outbox.next_number, 2)

    def test_what_was_not_sent_is_not_settled_by_numbers_of_another_life(self):
        """The outage after it was set back is longer than what the store had got before."""
        log = self.outbox.log
        for number in range(6, 21):
            self.outbox.append(b"envelope %d" % number)
        self.publisher.step(0)  # three are under way
        self.receive(1, log, 9, [])
        self.assertEqual(self.outbox.log, log)
        self.assertEqual(self.outbox.waiting_from(0), 6)

    def test_an_envelope_that_is_too_long_does_not_hold_up_those_behind_it(self):
        def publish(topic, payload, dup_id=None):
            if payload == b"envelope 2":
                raise ValueError("too long")
            return Link.publish_qos1(self.link, topic, payload, dup_id)

        self.link.publish_qos1, self.link.room = publish, 9
        self.publisher.step(0)
        self.publisher.on_connect()
        self.assertEqual({body for _, body, _ in self.link.take()},
                         {b"envelope 1", b"envelope 3", b"envelope 4", b"envelope 5"})  # fmt: skip

    def test_a_message_for_which_there_is_no_memory_is_refused_like_any_other(self):
        def no_memory(message):
            raise MemoryError

        self.publisher._receipts.open = no_memory
        self.receive(1, self.outbox.log, 5, [])
        self.assertEqual(self.outbox.waiting(), 5)

    def test_a_damaged_envelope_does_not_hold_up_those_behind_it(self):
        name = "/data/outbox/00000001"
        data = flash_file.read(name)
        at = data.find(b"envelope 2")
        flash_file.replace(name, data[:at] + b"E" + data[at + 1 :])
        self.outbox = Outbox(64 * 1024)
        self.assertEqual((self.outbox.next_number, self.outbox.waiting()), (6, 5))
        self.link.room = 10
        self.make().step(0)
        self.assertEqual([body for _, body, _ in self.link.take()],
                         [b"envelope 1", b"envelope 3", b"envelope 4", b"envelope 5"])  # fmt: skip

    def test_a_receipt_for_an_envelope_of_this_power_up_has_a_greatest_age(self):
        self.link.room = 10
        self.publisher.step(1000)  # all five were there before
        self.now_ms = 2000
        self.receive(7, self.outbox.log, 5, [])
        self.outbox.append(b"envelope 6")
        self.publisher.step(5000)
        self.outbox.append(b"envelope 7")
        self.now_ms = 6000
        self.receive(8, self.outbox.log, 5, [])
        self.receive(9, self.outbox.log, 6, [])
        self.publisher.step(6500)  # the next one to be measured by is 7
        self.now_ms = 9000
        self.receive(9, self.outbox.log, 6, [])
        self.receive(9, self.outbox.log, 6, [[7, 7]])
        self.assertEqual(self.times, [(7, None), (8, None), (9, 1000), (9, None), (9, 2500)])

    def test_a_command_sends_again_what_is_settled(self):
        self.link.room = 10
        self.publisher.step(0)
        self.ack(1, 2, 3, 4, 5)
        self.receive(1, self.outbox.log, 5, [])
        self.link.take()
        self.command(1, "resend", self.outbox.log, 4)
        self.assertEqual(self.outbox.waiting(), 2)
        self.publisher.step(1)
        self.assertEqual([body for _, body, _ in self.link.take()], [b"envelope 4", b"envelope 5"])
        self.receive(1, self.outbox.log, 5, [])
        self.command(1, "resend", self.outbox.log, 1)  # it came before
        self.assertEqual(self.outbox.waiting(), 0)
        self.command(2, "resend", self.outbox.log, 0)
        self.assertEqual(self.outbox.waiting(), 5)

    def test_a_command_that_brings_a_key_comes_with_its_number(self):
        given = []
        self.publisher.take_key = lambda *what: given.append(what)
        self.command(1, "mask", 7, bytes(16))
        self.command(2, "mix", 30, bytes(32))
        self.assertEqual(given, [("mask", 1, [7, bytes(16)]), ("mix", 2, [30, bytes(32)])])
        self.assertEqual(self.commanded, [])

    def test_a_part_of_a_certificate_comes_without_a_number(self):
        given = []
        self.link.rarely = lambda *what: given.append(what)
        self.command(0, "certificate", 1, bytes(8), 20, 0, b"part")
        self.assertEqual(given, [("identity_parts", [1, bytes(8), 20, 0, b"part"])])
        self.assertEqual(self.commanded, [])

    def test_forged_and_senseless_commands_do_nothing_and_use_no_number(self):
        log = self.outbox.log
        self.receive(1, log, 5, [])
        self.publisher.on_message(self.down, receipt([1, "resend", log, 1], KEY, "command", b"c"))
        for fields in (
            (1, "resend", log), (1, "resend", log, True), (1, "resend", log, -1),
            (1, "resend", b"\x00\x01\x02\x03", 1), (1, "erase"), (1,), (True, "resend", log, 1),
            (-1, "resend", log, 1), (1, b"resend", log, 1), (1 << 32, "resend", log, 1),
        ):  # fmt: skip
            self.command(*fields)
        self.assertEqual((self.outbox.waiting(), self.commanded), (0, []))

    def test_without_its_receipt_key_it_sends_once_a_connection(self):
        self.publisher = self.make(key=None)
        self.link.room = 10
        self.publisher.step(0)
        self.ack(1, 2, 3, 4, 5)
        self.assertEqual(len(self.link.take()), 5)
        self.receive(1, self.outbox.log, 5, [])
        self.publisher.step(3_600_000)
        self.publisher.step(7_200_000)
        self.assertEqual((self.link.take(), self.outbox.waiting()), ([], 5))
        self.publisher.on_connect()
        self.publisher.step(7_200_001)
        self.assertEqual(len(self.link.take()), 5)

    def test_what_has_no_receipt_is_sent_again_ever_more_rarely_until_one_comes(self):
        self.link.room = 1000
        self.publisher.step(0)
        times = []

        def watch(from_min, to_min):
            self.link.take()
            for minute in range(from_min, to_min):
                self.publisher.step(minute * 60_000)
                if self.link.take():
                    times.append(minute)
                self.ack(*range(1, 1000))

        watch(0, 2400)
        self.assertEqual(times, [10, 30, 70, 150, 310, 630, 990, 1350, 1710, 2070])
        self.receive(1_800_000_000, self.outbox.log, 2, [])
        del times[:]
        watch(2400, 2440)
        self.assertEqual(times, [2410, 2430])

    def test_an_answer_is_awaited_ever_shorter_when_none_comes(self):
        self.link.room = 1000
        waits = []
        for at_ms in range(0, 6_000_000, 600_000):
            self.outbox.append(b"one more")
            self.publisher.step(at_ms)
            waits.append(self.publisher.expects_ms(at_ms))
        self.assertEqual(waits[:4], [2000, 1000, 500, 250])
        self.assertTrue(waits[-1] < 10)
        self.receive(1_800_000_000, self.outbox.log, 2, [])
        self.outbox.append(b"one more")
        self.publisher.step(6_000_000)
        self.assertEqual(self.publisher.expects_ms(6_000_000), 2000)

    def test_an_answer_is_awaited_for_two_seconds(self):
        self.assertEqual(self.publisher.expects_ms(0), 0)
        self.publisher.step(1000)
        self.assertEqual(self.publisher.expects_ms(1500), 1500)
        self.assertEqual(self.publisher.expects_ms(3500), 0)


if __name__ == "__main__":
    unittest.main()
