# SPDX-License-Identifier: MIT
"""node/pipeline/outbox.py on a real LittleFS."""

import unittest

from flash_fixture import flash_open, fresh_flash

from node.device import flash_file
from node.errors import OutboxError
from node.pipeline import outbox as outbox_module
from node.pipeline.outbox import Outbox


def envelope(number):
    return b"envelope %d " % number + bytes(range(150))

def filled(count, limit=64 * 1024):
    fresh_flash()
    outbox = Outbox(limit)
    for number in range(1, count + 1):
        outbox.make_room()
        outbox.append(envelope(number))
    return outbox

class fails_after_close:
    """A file whose content is on flash although its close() fails."""

    def __init__(self, path, mode):
        self.file = flash_open(path, mode)

    def __enter__(self):
        return self.file

    def __exit__(self, *exc):
        self.file.close()
        raise OSError(5)


class TestOutbox(unittest.TestCase):
    def test_numbers_have_no_gaps_and_survive_a_restart(self):
        log = filled(120).log
        outbox = Outbox(64 * 1024)
        self.assertEqual(outbox.log, log)
        self.assertEqual(outbox.next_number, 121)
        self.assertEqual(outbox.floor, 1)
        for number in (1, 2, 60, 119, 120):
            self.assertEqual(outbox.read(number), envelope(number))

    def test_receipts_settle_and_ranges_merge(self):
        outbox = filled(20)
        self.assertEqual(outbox.waiting(), 20)
        outbox.settle(3, [[5, 6], [9, 10]])
        self.assertEqual(outbox.waiting(), 13)
        self.assertEqual(outbox.waiting_from(0), 4)
        self.assertEqual(outbox.waiting_from(5), 7)
        outbox.settle(0, [[4, 4]])  # an older receipt takes nothing back
        self.assertEqual(outbox.settled_upto, 6)
        outbox.settle(0, [[7, 8], [11, 20]])
        self.assertEqual(outbox.waiting(), 0)
        self.assertIsNone(outbox.waiting_from(0))

    def test_a_receipt_for_a_number_never_given_is_refused(self):
        outbox = filled(5)
        for upto, ranges in ((6, []), (0, [[3, 6]])):
            with self.assertRaises(OutboxError):
                outbox.settle(upto, ranges)
        self.assertEqual(outbox.waiting(), 5)

    def test_what_is_settled_stays_until_space_is_needed(self):
        outbox = filled(20)
        outbox.settle(20, [])
        self.assertEqual(outbox.floor, 1)
        self.assertEqual(outbox.read(1), envelope(1))

    def test_when_full_the_oldest_go_and_floor_says_so(self):
        outbox = filled(400, limit=32 * 1024)
        self.assertTrue(outbox.floor > 1)
        self.assertEqual(outbox.next_number, 401)
        self.assertEqual(outbox.read(outbox.floor), envelope(outbox.floor))
        self.assertEqual(outbox.waiting(), 401 - outbox.floor)
        with self.assertRaises(OutboxError):
            outbox.read(outbox.floor - 1)
        again = Outbox(32 * 1024)
        self.assertEqual((again.floor, again.next_number), (outbox.floor, 401))

    def test_a_torn_last_entry_is_not_an_envelope(self):
        outbox = filled(3)
        whole = flash_file.read("outbox/00000001")

        flash_file.replace("outbox/00000001", whole[:-5])

        outbox = Outbox(64 * 1024)
        self.assertEqual(outbox.next_number, 3)
        self.assertEqual(outbox.read(2), envelope(2))
        outbox.append(envelope(3))
        outbox.append(envelope(4))
        outbox = Outbox(64 * 1024)
        self.assertEqual(outbox.next_number, 5)
        self.assertEqual(outbox.read(3), envelope(3))

    def test_a_segment_of_which_nothing_is_whole(self):
        filled(1)
        flash_file.replace("outbox/00000001", b"\0\0\0\0\0\x99")
        outbox = Outbox(64 * 1024)
        self.assertEqual((outbox.floor, outbox.next_number), (1, 1))
        outbox.append(envelope(1))
        self.assertEqual(Outbox(64 * 1024).read(1), envelope(1))

    def test_on_a_full_flash_the_oldest_go_and_nothing_is_torn(self):
        outbox = filled(120)
        try:
            for number in range(100):
                flash_file.replace("filler%d" % number, bytes(4096))
        except OSError as err:
            self.assertEqual(err.args[0], 28)
        for number in range(121, 181):
            outbox.make_room()
            outbox.append(envelope(number))
        self.assertTrue(outbox.floor > 1)
        again = Outbox(64 * 1024)
        self.assertEqual((again.floor, again.next_number), (outbox.floor, 181))
        for number in (again.floor, 121, 150, 180):
            self.assertEqual(again.read(number), envelope(number))

    def test_a_write_that_failed_but_is_there_shifts_no_number(self):
        outbox = filled(3)
        outbox_module.open = fails_after_close
        try:
            with self.assertRaises(OSError):
                outbox.append(envelope(4))
        finally:
            del outbox_module.open
        outbox.append(envelope(4))
        outbox.append(envelope(5))
        again = Outbox(64 * 1024)
        self.assertEqual(again.next_number, 6)
        for number in (1, 3, 4, 5):
            self.assertEqual(again.read(number), envelope(number))

    def test_the_limit_holds(self):
        for limit in (20_000, 50_000):
            filled(500, limit)
            used = sum([len(flash_file.read("outbox/" + n)) for n in flash_file.names("outbox")])
            self.assertTrue(used <= limit)

if __name__ == "__main__":
    unittest.main()
