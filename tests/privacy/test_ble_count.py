# SPDX-License-Identifier: MIT
"""Attack on node/drivers/ble_count.py: a thief reads all that the driver holds in RAM.

After a period has been closed he cannot tell, better than by guessing, whether an address that he
has heard himself was in it, and cannot link two periods. During a period he can ask for that
period: the same attacks succeed then, so that they are known to be able to.
"""

import gc
import random

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from node.drivers.ble_count import BleCount

PEOPLE = 200
TRIALS = 400
HEARD = 5


class Radio:
    def active(self):
        return True

    def irq(self, handler):
        self.handler = handler

    def gap_scan(self, *args):
        pass

    def say(self, addresses):
        for address in addresses:
            self.handler(HEARD, (1, address, 0, -60, b"\x02\x01\x1a"))


def some_address(rng) -> bytes:
    return bytes([rng.randrange(64, 128), *rng.randbytes(5)])


def opened():
    radio = Radio()
    driver = BleCount(radio)
    assert driver.read() is None
    return radio, driver


def ram(driver) -> dict:
    """Every buffer and number that can be reached from the driver but through its radio."""
    found = {}
    for name, value in vars(driver).items():
        if isinstance(value, (bytearray, bytes, memoryview)):
            found[name] = bytes(value)
        elif isinstance(value, (int, list, tuple, dict, set, str)):
            found[name] = value
    return found


def place(key: bytes, address: bytes) -> int:
    """Where an address belongs under a key: an own reading of the driver's description. A table
    for each of 12 half bytes, with 16 values of 2 bytes; what was mixed so far twists the next
    half byte."""
    table = np.frombuffer(key, ">u2").reshape(12, 16)
    mixed = 0
    for row, half in zip(table, bytes.fromhex("0" + "0".join(address.hex())), strict=True):
        mixed ^= int(row[half ^ mixed % 16])
    return mixed // 16


def is_set(bits: bytes, at: int) -> bool:
    return bool(bits[at >> 3] >> (at & 7) & 1)


def says_member(seen: dict, address: bytes) -> bool:
    return is_set(seen["_bits"], place(seen["_key"], address))


def attacked(rng, closed: bool):
    """One period in which the target was, or was not; what the thief then sees."""
    radio, driver = opened()
    target = some_address(rng)
    was_there = rng.random() < 0.5
    crowd = [some_address(rng) for _ in range(PEOPLE - was_there)] + [target] * was_there
    rng.shuffle(crowd)
    radio.say(crowd)
    if closed:
        driver.read()
    return ram(driver), target, was_there


def test_the_thief_sees_all_there_is():
    _, driver = opened()
    seen = ram(driver)
    assert set(vars(driver)) - set(seen) == {"_ble"}
    assert len(seen["_bits"]) == 512 and len(seen["_key"]) == 384
    reachable = [o for o in gc.get_referents(driver, vars(driver)) if isinstance(o, bytearray)]
    assert len({id(o) for o in reachable}) == 2


def test_membership_of_the_period_that_is_open():
    """The attack works where it must: that is the risk that remains, of an hour at most."""
    rng = random.Random(1)
    cases = [attacked(rng, closed=False) for _ in range(100)]
    right = sum(says_member(seen, target) == was for seen, target, was in cases)
    assert right >= 90


def test_membership_of_a_closed_period_by_key_and_bits():
    rng = random.Random(2)
    cases = [attacked(rng, closed=True) for _ in range(TRIALS)]
    right = sum(says_member(seen, target) == was for seen, target, was in cases)
    assert binomtest(right, TRIALS).pvalue > 0.001
    # All bits are the same whoever was there, and so is every number.
    rest = {repr({k: v for k, v in seen.items() if k != "_key"}) for seen, _, _ in cases}
    assert len(rest) == 1


def test_membership_of_a_closed_period_by_learning():
    """A classifier that sees the key, the place of the target under it, and the target."""
    rng = random.Random(3)
    rows, truth = [], []
    for _ in range(2 * TRIALS):
        seen, target, was = attacked(rng, closed=True)
        at = place(seen["_key"], target)
        looked = [seen["_key"][i] for i in range(384)] + [*target, at & 255, at >> 8]
        rows.append(np.unpackbits(np.array(looked, np.uint8)))
        truth.append(was)
    rows, truth = np.array(rows), np.array(truth)
    model = LogisticRegression(max_iter=500, C=0.01).fit(rows[:TRIALS], truth[:TRIALS])
    right = int((model.predict(rows[TRIALS:]) == truth[TRIALS:]).sum())
    assert binomtest(right, TRIALS).pvalue > 0.001


def overlap(a: bytes, b: bytes) -> int:
    return int(np.unpackbits(np.frombuffer(a, np.uint8) & np.frombuffer(b, np.uint8)).sum())


@pytest.mark.parametrize("same_key", [True, False])
def test_two_periods_cannot_be_linked(same_key):
    """The thief takes the bits of two periods while each is open. Of the same people they overlap
    no more than of others, unless the key stays."""
    rng = random.Random(4)
    overlaps = {True: [], False: []}
    for turn in range(200):
        same = turn % 2 == 0
        radio, driver = opened()
        crowd = [some_address(rng) for _ in range(PEOPLE)]
        radio.say(crowd)
        first, key = bytes(driver._bits), bytes(driver._key)
        driver.read()
        if same_key:
            driver._key[:] = key
        radio.say(crowd if same else [some_address(rng) for _ in range(PEOPLE)])
        overlaps[same].append(overlap(first, bytes(driver._bits)))
    linked, other = (np.array(overlaps[same]) for same in (True, False))
    if same_key:
        assert linked.min() > other.max()
        return
    error = np.sqrt(linked.var() / len(linked) + other.var() / len(other))
    assert abs(linked.mean() - other.mean()) < 4 * error


def test_the_generator_alone_does_not_give_the_key(monkeypatch):
    """Who has what the generator returned for the last key still needs the key before: with the
    same random bytes each time, each key is another, and none is the one before, undone."""
    keys = []
    _, driver = opened()
    monkeypatch.setitem(BleCount.__init__.__globals__, "urandom", lambda n: bytes(range(n)))
    for _ in range(20):
        keys.append(bytes(driver._key))
        driver.read()
    assert len(set(keys)) == 20
    ones = [np.unpackbits(np.frombuffer(key, np.uint8)).mean() for key in keys]
    assert all(0.45 < share < 0.55 for share in ones)


def test_the_count_alone_leaves():
    radio, driver = opened()
    radio.say([bytes(range(64, 70))] * 30)
    values = driver.read()
    assert values == (1,) and type(values[0]) is int
