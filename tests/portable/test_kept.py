# SPDX-License-Identifier: MIT
"""node/device/kept.py, where an operation of NVS fails. Power cuts: tests/simulated_node."""

import unittest

from node.device.kept import Kept

OLD, NEW = b"\x00\x00\x00\x01", b"\x00\x00\x00\x02"


class FailingNvs:
    """fails: which of its operations that write do, counted from 0. is_at_once: what is set is
    there before the commit, as ESP-IDF does it; else only with it."""

    def __init__(self, is_at_once: bool, blobs: dict):
        self.is_at_once, self.blobs = is_at_once, blobs
        self.fails, self._count, self._pending = (), 0, []

    def get_blob(self, name, buffer):
        if name not in self.blobs:
            raise OSError(-0x1102)
        buffer[: len(self.blobs[name])] = self.blobs[name]
        return len(self.blobs[name])

    def set_blob(self, name, value):
        self._work(lambda: self.blobs.update({name: bytes(value)}))

    def erase_key(self, name):
        if name not in self.blobs:
            raise OSError(-0x1102)
        self._work(lambda: self.blobs.pop(name, None))

    def commit(self):
        self._may_fail()
        for one in self._pending:
            one()
        self._pending = []

    def _work(self, one):
        self._may_fail()
        if self.is_at_once:
            one()
        else:
            self._pending.append(one)

    def _may_fail(self):
        self._count += 1
        if self._count - 1 in self.fails:
            self._pending = []
            raise OSError(-0x1105)


def kept(nvs):
    return Kept(nvs, "count", 4)


class TestKept(unittest.TestCase):
    def each(self, left: dict):
        """(is_at_once, place, nvs, the one that keeps) of every single operation that fails."""
        for is_at_once in (True, False):
            for place in range(7):
                nvs = FailingNvs(is_at_once, dict({"count": OLD}))
                keeps = kept(nvs)
                nvs.blobs.update(left)
                nvs._count, nvs.fails = 0, (place,)
                yield is_at_once, place, nvs, keeps

    def test_after_one_failure_the_old_value_counts_or_the_new_one(self):
        for left in ({}, {"count2": b"\x00\x00\x00\x00"}):
            found = []
            for is_at_once, place, nvs, keeps in self.each(left):
                try:
                    keeps.keep(NEW)
                    expected = NEW
                except OSError:
                    expected = OLD
                where = (is_at_once, place, left)
                self.assertEqual(keeps.value, expected, where)
                nvs.fails = ()
                self.assertEqual(kept(nvs).value, expected, where)
                found.append(expected)
            self.assertEqual(sorted(set(found)), [OLD, NEW])

    def test_it_goes_on_with_the_same_value_and_with_the_next(self):
        for is_at_once, place, nvs, keeps in self.each({}):
            last = b"\x00\x00\x00\x03"
            for value in (NEW, NEW, last, last):
                before = keeps.value
                try:
                    keeps.keep(value)
                except OSError:
                    self.assertEqual(keeps.value, before)
            for both in (keeps, kept(nvs)):
                self.assertEqual(both.value, last, (is_at_once, place))
            self.assertEqual(list(nvs.blobs.values()), [last])

    def test_an_old_value_that_cannot_be_erased_makes_no_error(self):
        nvs = FailingNvs(True, dict({"count": OLD}))
        keeps = kept(nvs)
        nvs._count, nvs.fails = 0, range(2, 99)  # all after the new value
        keeps.keep(NEW)
        self.assertEqual(sorted(nvs.blobs.values()), [OLD, NEW])
        nvs.fails = ()
        self.assertEqual(kept(nvs).value, NEW)
        self.assertEqual(list(nvs.blobs.values()), [NEW])


if __name__ == "__main__":
    unittest.main()
