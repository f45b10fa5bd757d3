# SPDX-License-Identifier: MIT
"""node/pipeline/outbox.py on a real LittleFS."""

import unittest

from flash_fixture import flash_open, fresh_flash, mount_again

from node.device import flash_file
from node.errors import OutboxError
from node.pipeline import outbox as outbox_module
from node.pipeline.outbox import Outbox
from simulator.world.flash import PowerCut


def envelope(number):
    return b"envelope %d " % number + bytes(range(150))

def filled(count, limit=64 * 1024):
    fresh_flash()
    outbox = Outbox(limit)
    for number in range(1, count + 1):
        outbox.make_room()
        outbox.append(envelope(number))
    return outbox

def play_until_cut(flash, after, halves):
    """Appends and settles until the power fails; returns (log, how many were acknowledged, how
    many were settled, whether it was cut)."""
    outbox = filled(40, limit=20_000)
    flash.cut(after, halves)
    done, settled = 40, 0
    try:
        for count in (1, 4, 1, 30, 2, 1, 30, 3):
            numbers = range(done + 1, done + count + 1)
            outbox.make_room()
            outbox.append(*[envelope(number) for number in numbers])
            done += count
            settled = done - 3
            outbox.settle(settled, [])
    except PowerCut:
        return outbox.log, done, settled, True
    return outbox.log, done, settled, False

def fails_once(function, at):
    """The same function, whose `at`-th call fails."""
    left = [at]

    def call(path):
        left[0] -= 1
        if not left[0]:
            raise OSError(5)
        function(path)

    return call

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
        whole = flash_file.read("/data/outbox/00000001")

        flash_file.replace("/data/outbox/00000001", whole[:-5])

        outbox = Outbox(64 * 1024)
        given = outbox.next_number
        self.assertTrue(given > 3)  # 3 may have been given
        self.assertEqual(outbox.read(2), envelope(2))
        with self.assertRaises(OutboxError):
            outbox.read(3)
        outbox.append(envelope(3))
        outbox.append(envelope(4))
        outbox = Outbox(64 * 1024)
        self.assertEqual(outbox.next_number, given + 2)
        self.assertEqual(outbox.read(given), envelope(3))

    def test_one_damaged_bit_repeats_no_number_and_loses_one_envelope_at_most_or_says_so(self):
        filled(8)
        whole = flash_file.read("/data/outbox/00000001")
        for at in range(8, len(whole), 7):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << at % 8
            flash_file.replace("/data/outbox/00000001", bytes(damaged))
            outbox = Outbox(64 * 1024)
            self.assertTrue(outbox.next_number >= 9)
            for number in range(1, outbox.next_number):
                try:
                    self.assertEqual(outbox.read(number), envelope(number))
                except OutboxError:
                    pass
            outbox.append(envelope(99))
            again = Outbox(64 * 1024)
            self.assertEqual(again.read(again.next_number - 1), envelope(99))
            flash_file.remove("/data/outbox/%08x" % (again.next_number - 1))

    def test_a_segment_that_was_only_begun(self):
        outbox = filled(45)
        first = outbox._firsts[outbox._count - 1]
        flash_file.replace("/data/outbox/%08x" % 46, bytes(8))
        outbox = Outbox(64 * 1024)
        self.assertEqual((outbox.floor, outbox.next_number), (1, 46))
        outbox.append(envelope(46))
        again = Outbox(64 * 1024)
        self.assertEqual(again.read(46), envelope(46))
        self.assertEqual(again.read(first), envelope(first))

    def test_a_power_cut_at_any_moment_loses_nothing_and_repeats_no_number(self):
        flash = fresh_flash()
        for halves in (0, 1, 2):
            after, cut = 1 + halves, True
            while cut:
                log, done, settled, cut = play_until_cut(flash, after, halves)
                mount_again()
                outbox = Outbox(20_000)
                self.assertEqual(outbox.log, log)
                self.assertTrue(done < outbox.next_number <= done + 1 + 30)
                self.assertTrue(outbox.floor == 1 or done > 60)
                self.assertTrue(outbox.settled_upto <= max(settled, outbox.floor - 1))
                for number in range(outbox.floor, outbox.next_number):
                    self.assertEqual(outbox.read(number), envelope(number))
                given = outbox.next_number
                outbox.append(b"another" * 20)
                mount_again()
                outbox = Outbox(20_000)
                self.assertEqual(outbox.next_number, given + 1)
                self.assertEqual(outbox.read(given), b"another" * 20)
                self.assertEqual(outbox.read(given - 1), envelope(given - 1))
                after += 13
            self.assertTrue(after > 100)

    def test_the_last_segment_that_knows_the_numbers_is_never_given_up(self):
        outbox = filled(60)
        self.assertEqual(outbox._count, 2)
        outbox.settle(60, [])

        def fails(path, mode):
            raise OSError(28)

        outbox_module.open = fails
        try:
            for _ in range(5):
                with self.assertRaises(OSError):
                    outbox.append(envelope(61))
        finally:
            del outbox_module.open
        again = Outbox(64 * 1024)
        self.assertEqual((again.log, again.next_number), (outbox.log, 61))
        self.assertEqual(again.read(60), envelope(60))

    def test_a_damaged_head_settles_nothing(self):
        for at in range(8):
            outbox = filled(60)
            outbox.settle(40, [])
            for number in range(61, 100):
                outbox.append(envelope(number))
            name = "/data/outbox/%08x" % outbox._firsts[outbox._count - 1]
            damaged = bytearray(flash_file.read(name))
            damaged[at] ^= 64
            flash_file.replace(name, bytes(damaged))
            again = Outbox(64 * 1024)
            self.assertTrue(again.settled_upto <= 40)
            self.assertEqual(again.next_number, 100)
            self.assertEqual(again.read(99), envelope(99))

    def test_a_read_that_failed_is_begun_anew(self):
        outbox = filled(30)
        self.assertEqual(outbox.read(3), envelope(3))
        file, left = outbox._reader._file, [1]

        class FailsOnce:
            def close(self):
                file.close()

            def seek(self, *place):
                return file.seek(*place)

            def read(self, size):
                left[0] -= 1
                if left[0] < 0:
                    raise OSError(5)
                return file.read(size)

        outbox._reader._file = FailsOnce()
        with self.assertRaises(OSError):
            outbox.read(9)
        for number in (4, 9, 5):
            self.assertEqual(outbox.read(number), envelope(number))

    def test_writes_that_keep_failing_give_up_no_envelope(self):
        outbox = filled(200)
        floor, count = outbox.floor, outbox._count
        for code in (5, 28):

            def fails(path, mode, code=code):
                raise OSError(code)

            outbox_module.open = fails
            try:
                for _ in range(40):
                    with self.assertRaises(OSError):
                        outbox.make_room()
                        outbox.append(envelope(201))
            finally:
                del outbox_module.open
        self.assertTrue(outbox._count >= count - 1)  # one was given up for the full flash
        outbox.append(envelope(201))
        self.assertTrue(floor <= outbox.floor <= outbox._firsts[1])
        again = Outbox(64 * 1024)
        for number in (again.floor, 150, 200, 201):
            self.assertEqual(again.read(number), envelope(number))

    def test_on_a_full_flash_the_oldest_go_and_nothing_is_torn(self):
        outbox = filled(120)
        try:
            for number in range(100):
                flash_file.replace("/data/filler%d" % number, bytes(4096))
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

    def test_together_is_the_same_as_one_by_one_and_one_write(self):
        writes = []

        def counted(path, mode):
            if mode != "rb":
                writes.append(path)
            return flash_open(path, mode)

        outbox = filled(5)
        outbox_module.open = counted
        try:
            outbox.append(*[envelope(number) for number in range(6, 16)])
            self.assertEqual(len(writes), 1)
            outbox.append(*[envelope(number) for number in range(16, 216)])
        finally:
            del outbox_module.open
        self.assertTrue(len(writes) <= 1 + 200 // 35)
        for box in (outbox, Outbox(64 * 1024)):
            self.assertEqual(box.next_number, 216)
            for number in (1, 6, 15, 16, 100, 215):
                self.assertEqual(box.read(number), envelope(number))

    def test_what_is_durable_of_those_together_has_its_number_when_a_write_fails(self):
        outbox = filled(1)
        left = [2]

        def fails(path, mode):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(5)
            return flash_open(path, mode)

        outbox_module.open = fails
        try:
            with self.assertRaises(OSError):
                outbox.append(*[envelope(number) for number in range(2, 200)])
        finally:
            del outbox_module.open
        given = outbox.next_number
        self.assertTrue(60 < given < 100)
        outbox.append(envelope(given))
        for box in (outbox, Outbox(64 * 1024)):
            self.assertEqual(box.next_number, given + 1)
            for number in range(1, given + 1):
                self.assertEqual(box.read(number), envelope(number))

    def test_beginning_anew_is_whole_or_ended_at_the_next_start(self):
        for fails_at in range(1, 12):
            outbox = filled(120)
            log = outbox.log
            kept, flash_file.remove = flash_file.remove, fails_once(flash_file.remove, fails_at)
            try:
                outbox.begin_anew()
            except OSError:
                self.assertTrue(outbox.is_broken)
                with self.assertRaises(OutboxError):
                    outbox.append(envelope(1))
                outbox = None
            finally:
                flash_file.remove = kept
            again = Outbox(64 * 1024)
            self.assertTrue(again.log != log and (outbox is None or again.log == outbox.log))
            self.assertEqual((again.next_number, again.waiting(), again.floor), (1, 0, 1))
            again.append(envelope(1))
            self.assertEqual(Outbox(64 * 1024).read(1), envelope(1))
            if outbox is not None:
                break
        self.assertTrue(fails_at > 2)

    def test_what_is_settled_beyond_has_a_bound(self):
        outbox = filled(300)
        outbox.settle(0, [[number, number] for number in range(2, 300, 2)])
        self.assertEqual(len(outbox._beyond), 32)
        self.assertEqual((outbox.waiting(), outbox.waiting_from(0)), (300 - 32, 1))
        outbox.settle(300, [])
        self.assertEqual(outbox.waiting(), 0)

    def test_reading_in_any_order_while_more_comes(self):
        outbox = filled(100)
        order = [1, 2, 3, 50, 4, 5, 99, 6, 7, 7, 8, 40, 41, 42, 41, 100, 98, 99, 100, 1]
        for at, number in enumerate(order):
            self.assertEqual(outbox.read(number), envelope(number))
            if at % 5 == 4:
                outbox.append(envelope(outbox.next_number))
        for number in range(1, outbox.next_number):
            self.assertEqual(outbox.read(number), envelope(number))
        with self.assertRaises(OutboxError):
            outbox.read(outbox.next_number)

    def test_what_is_settled_can_be_asked_for_again(self):
        outbox = filled(400, limit=32 * 1024)
        outbox.settle(380, [[385, 390], [395, 400]])
        outbox.resend(388)
        self.assertEqual(outbox.waiting_from(0), 381)
        self.assertEqual(outbox.waiting_from(385), 388)
        self.assertEqual(outbox.waiting(), 4 + 13)
        outbox.resend(1)
        self.assertEqual(outbox.waiting_from(0), outbox.floor)
        self.assertEqual(outbox.waiting(), 401 - outbox.floor)
        outbox.resend(10_000)  # of what is not there yet, nothing is forgotten
        outbox.settle(400, [])
        outbox.resend(10_000)
        self.assertEqual(outbox.waiting(), 0)

    def test_the_limit_holds(self):
        for limit in (20_000, 50_000):
            filled(500, limit)
            names = flash_file.names("/data/outbox")
            used = sum([len(flash_file.read("/data/outbox/" + name)) for name in names])
            self.assertTrue(used <= limit)

if __name__ == "__main__":
    unittest.main()
