# SPDX-License-Identifier: MIT
"""What the tests of all drivers share: how a call fails, chance that is the same on each
interpreter, and answers that are no longer what a part said; and a UART of
which a test says the bytes."""

from node.errors import SensorFault


def failure(call, *args):
    """The number or the reason with which `call` fails."""
    try:
        call(*args)
    except (OSError, SensorFault) as err:
        return err.args[0]


class Random:
    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return (self.state >> 8) % limit

    def bytes(self, size):
        return bytes([self.below(256) for _ in range(size)])


class Waiting:
    """A UART's reading side: what is `waiting` to be read."""

    def __init__(self):
        self.waiting = b""

    def any(self):
        return len(self.waiting)

    def read(self, size=None):
        data = self.waiting if size is None else self.waiting[:size]
        self.waiting = self.waiting[len(data) :]
        return data or None

    def readinto(self, buf):
        data = self.read(len(buf))
        if data is None:
            return None
        buf[: len(data)] = data
        return len(data)


def mutated(random, good: bytes) -> bytes:
    """`good` with a byte or a bit changed, cut, doubled or with bytes around it; bytes by chance;
    or as it was."""
    kind = random.below(7)
    at = random.below(len(good))
    if kind == 0:
        return random.bytes(random.below(2 * len(good)))
    if kind == 1:
        return good[:at] + random.bytes(1) + good[at + 1 :]
    if kind == 2:
        return good[:at] + bytes((good[at] ^ 1 << random.below(8),)) + good[at + 1 :]
    if kind == 3:
        return (good[:at], good[at:])[random.below(2)]
    if kind == 4:
        return good[:at] + good
    if kind == 5:
        return random.bytes(random.below(9)) + good + random.bytes(random.below(9))
    return good
