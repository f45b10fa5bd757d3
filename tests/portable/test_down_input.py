# SPDX-License-Identifier: MIT
"""Anything may arrive on `down`: documented errors only, bounded heap, no hang. A corpus of what
is known to be nasty, and some thousand cases by chance; `python -m tests.soak down` plays more."""

import gc
import unittest

from down_fuzz import ENVELOPES, Finding, Fuzzer, packet, seal

from node import cbor

CASES = 3000
SEED = 20_260_101


def ranges(*pairs):
    return [list(pair) for pair in pairs]


class TestDownInput(unittest.TestCase):
    def setUp(self):
        self.fuzzer = Fuzzer(SEED)
        self.log = self.fuzzer.outbox.log

    def settled(self):
        return ENVELOPES - self.fuzzer.outbox.waiting()

    def test_messages_that_are_refused_and_change_nothing(self):
        log = self.log
        sealed = [
            (word, cbor.encode(fields))
            for word, fields in (
                ("receipt", [1, log, 1 << 32, []]),
                ("receipt", [1, log, (1 << 64) - 1, []]),
                ("receipt", [1, log, 0, ranges((5, 4))]),
                ("receipt", [1, log, 0, ranges((0, 4))]),
                ("receipt", [1, log, 0, ranges((-1, 4))]),
                ("receipt", [1, log, 0, [[1]]]),
                ("receipt", [1, log, 0, [[1, 2, 3]]]),
                ("receipt", [1, log, 0, [1, 2]]),
                ("receipt", [1, log, 0, ["ab"]]),
                ("receipt", [1, log, 0, [b"ab"]]),
                ("receipt", [1, log, 0, [[None, None]]]),
                ("receipt", [1, log, 0, [[True, True]]]),
                ("receipt", [1, log, 0, "ab"]),
                ("receipt", [1, log, 0, None]),
                ("receipt", [1, log, "5", []]),
                ("receipt", [1, log, True, []]),
                ("receipt", [None, log, 5, []]),
                ("receipt", [-1, log, 5, []]),
                ("receipt", [1, b"else", 5, []]),  # of another outbox
                ("receipt", [1, None, 5, []]),
                ("receipt", [1, [log], 5, []]),
                ("receipt", [1, log, 5]),
                ("receipt", [1, log, 5, [], 0]),
                ("receipt", []),
                ("receipt", 5),
                ("receipt", log),
                ("command", [1, "resend", log, 1 << 32]),
                ("command", [1, "resend", log, -1]),
                ("command", [1, "resend", log, None]),
                ("command", [1, "resend", log]),
                ("command", [1, "resend", b"else", 1]),
                ("command", [1, "resend"]),
                ("command", [1, "erase", log, 1]),
                ("command", [1 << 32, "resend", log, 1]),
                ("command", ["1", "resend", log, 1]),
                ("command", [1, b"resend", log, 1]),
                ("command", [1]),
                ("command", []),
                ("command", "resend"),
            )
        ]
        sealed += [
            ("receipt", body)
            for body in (
                b"",
                b"\x81" * 900 + b"\x00",  # deep
                b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",  # long
                b"\x9a\x7f\xff\xff\xff",
                b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
                b"\x7a\xff\xff\xff\xff",
                b"\x99\x03\x00" + bytes(0x300),  # 768 numbers
                b"\xbf\xff",
                b"\xc0\x00",
                b"\xfb" + bytes(8),
                b"\x62\xff\xff",
            )
        ]
        messages = [seal(body, word) for word, body in sealed]
        good = seal(cbor.encode([1, log, 5, []]))
        messages += [
            b"",
            b"\xd0",
            b"r",
            bytes(1000),
            good[:-1],
            good + b"\x00",
            good[:-1] + bytes([good[-1] ^ 1]),
            seal(cbor.encode([1, log, 5, []]), node="abcdefghjk"),  # another node's
            seal(cbor.encode([1, log, 5, []]), "command"),
        ]
        for message in messages:
            self.fuzzer.message(message)
            self.fuzzer.wire(packet(message))
            self.assertTrue(self.fuzzer.client.connected)
        self.assertEqual(self.settled(), 0)

    def test_receipts_that_are_odd_and_true(self):
        def take(upto, *pairs):
            self.fuzzer.message(seal(cbor.encode([1, self.log, upto, ranges(*pairs)])))

        take(0, (20, 20), (3, 5), (4, 8), (4, 4))  # unsorted, overlapping, doubled
        self.assertEqual(self.settled(), 7)
        self.assertEqual(self.fuzzer.outbox._beyond, [[3, 8], [20, 20]])
        take(0, *[(2, 2)] * 100)
        self.assertEqual(self.settled(), 8)
        take(1)
        self.assertEqual((self.fuzzer.outbox.settled_upto, self.settled()), (8, 9))
        take(0)
        self.assertEqual(self.settled(), 9)
        for number in range(9, ENVELOPES + 1, 2):
            take(0, (number, number))
        self.assertEqual(self.settled(), 9 + 8)
        take(ENVELOPES)
        self.assertEqual((self.settled(), self.fuzzer.outbox._beyond), (ENVELOPES, []))

    def test_a_message_over_the_buffer_is_survived_and_does_not_come_again(self):
        fuzzer, good = self.fuzzer, seal(cbor.encode([1, self.log, 5, []]))
        for size in (1025, 5000, 17_000):
            fuzzer.wire(packet(bytes(size)) + packet(good, packet_id=9))
            self.assertTrue(fuzzer.client.connected)
        self.assertEqual((fuzzer.client.oversized, self.settled()), (3, 5))

    def test_by_chance(self):
        fuzzer = self.fuzzer
        for _ in range(200):
            fuzzer.case()
        used = self.heap_used()
        for number in range(CASES):
            try:
                fuzzer.case()
            except Exception:
                print("case", number, "of seed", SEED)
                raise
        self.assertTrue(self.heap_used() - used < 8192)
        # each way of going on was seen
        self.assertTrue(fuzzer.settled > 20 and fuzzer.lost > 50 and fuzzer.begun_anew > 5)
        self.assertTrue(fuzzer.client.oversized > 5 and len(fuzzer.said) > 8)

    def heap_used(self):
        gc.collect()
        return gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0

    def test_a_finding_is_found(self):
        """The checks can fail: an outbox that believes in a number never given."""
        self.fuzzer.outbox.settle = lambda upto, ranges: self.fuzzer.outbox._settle_below(1001)
        with self.assertRaises(Finding):
            self.fuzzer.message(seal(cbor.encode([1, self.log, 5, []])))


if __name__ == "__main__":
    unittest.main()
