# SPDX-License-Identifier: MIT
"""What a node does to /data, step by step, and what must be there after a power cut at any moment.

The model knows each envelope, and the layout of a segment, by itself: it does not ask the outbox.
"""

import binascii
import random
import struct
from pathlib import Path
from typing import NamedTuple

import boards
from host_tools.policy.compile_policy import compile_policy
from node.device import flash_file, storage
from node.device.clock import DAY_S, Clock
from node.pipeline import envelope
from node.pipeline.outbox import Outbox
from node.policy.rules import Policy
from simulator.hal.bench import Bench, bench
from simulator.hal.on_cpython import vfs
from simulator.world.flash import Flash
from tests.soak.cut_flash import ImageFlash

BUILD_S = 20_000 * DAY_S
BLOCKS = 256
SEGMENT_FULL, SEGMENT_MAX = 7168, 7168 + 1536
_FOLDER = "/data/outbox"


def envelope_sizes(kit: str = "air") -> tuple[int, ...]:
    """Bytes of the envelopes of a kit's policy: of most windows, each quarter, each hour."""
    policy = Policy(compile_policy(Path(boards.__path__[0]) / "kits" / kit / "policy.toml").rules)
    empty = envelope.pack(bytes(14), 0, b"")
    head = len(empty) + 1  # a length of 24 and more takes one byte more
    return tuple(head + policy.padded_length(at) + envelope.TAG_LENGTH for at in (300, 900, 3600))


class Held(NamedTuple):
    """What holds at one moment: steps done; the number that comes next; how many are being
    appended; the highest number ever settled; floor; whether the outbox was made; its log; the
    clock's floor on flash, and the one being written."""

    step: int = 0
    next_number: int = 1
    pending: int = 0
    settled: int = 0
    floor: int = 1
    log: bytes | None = None
    kept_s: int = 0
    keeping_s: int = 0


def blank() -> bytes:
    """The image of an empty data partition."""
    flash = ImageFlash(b"\xff" * BLOCKS * 4096)
    insert(flash)
    storage.format()
    return flash.image()


def insert(flash: Flash):
    """Lays a flash on the bench, with nothing mounted."""
    vfs.mounted.pop("/data", None)
    bench.partitions["lpdata"] = flash


def reset_bench():
    vars(bench).update(vars(Bench()))
    bench.until_ms = 1 << 60


class DataRun:
    """Plays steps on what is mounted. `held` is right at every flash operation."""

    def __init__(self, steps: list, limit: int, seed: int = 1):
        self.steps = steps
        self.limit = limit
        self.held = Held()
        self.given = {}  # number: envelope, also of those being appended
        self._random = random.Random(seed)

    def open(self):
        """Powers up: mounts, and opens what the node opens."""
        storage.mount()
        self.clock = Clock(BUILD_S)
        self.outbox = Outbox(self.limit)
        self._note(log=self.outbox.log)

    def _note(self, **changes):
        self.held = self.held._replace(**changes)

    def play(self):
        while self.held.step < len(self.steps):
            verb, *arguments = self.steps[self.held.step]
            getattr(self, "_" + verb)(*arguments)
            self._note(step=self.held.step + 1)

    def _append(self, *sizes):
        self.outbox.make_room()
        self._note(floor=self.outbox.floor)
        first = self.outbox.next_number
        batch = [self._random.randbytes(size) for size in sizes]
        self.given.update(enumerate(batch, first))
        self._note(pending=len(batch))
        self.outbox.append(*batch)
        self._note(next_number=first + len(batch), pending=0, floor=self.outbox.floor)

    def _settle(self, below_newest: int, *ranges):
        """All up to so many below the newest, and ranges, also counted down from the newest."""
        newest = self.outbox.next_number - 1
        upto = max(0, newest - below_newest)
        pairs = [[max(1, newest - a), newest - b] for a, b in ranges if newest > b]
        self._note(settled=max(self.held.settled, upto, *[last for _, last in pairs], 0))
        self.outbox.settle(upto, pairs)

    def _resend(self, below_newest: int):
        self.outbox.resend(max(1, self.outbox.next_number - below_newest))

    def _day(self, day: int):
        utc_s = BUILD_S + day * DAY_S
        self._note(keeping_s=utc_s)
        self.clock.confirm(utc_s)
        self._note(kept_s=utc_s)

    # after a power cut

    def after_cut(self, flash: Flash, held: Held, seed: int, newest: int = 0) -> "DataRun":
        """The same node, powered up again on what is left; what is wrong raises AssertionError.
        newest: how many segments to look into; 0: all."""
        insert(flash)
        again = DataRun(self.steps, self.limit, seed)
        try:
            again.open()
        except OSError as err:
            raise AssertionError(f"it does not open: {err.args}") from None
        self._check(again, held, newest)
        next_number = again.outbox.next_number
        again.given = {n: data for n, data in self.given.items() if n < next_number}
        done = held.pending and next_number == held.next_number + held.pending
        again.held = held._replace(
            step=held.step + bool(done), next_number=next_number, pending=0,
            floor=again.outbox.floor, log=again.outbox.log, kept_s=again.clock.floor_s,
        )  # fmt: skip
        return again

    def _check(self, again: "DataRun", held: Held, newest: int):
        box = again.outbox
        assert held.log in (None, box.log), "the log has another name"
        assert held.next_number <= box.next_number <= held.next_number + held.pending, (
            f"next is {box.next_number}, and {held.next_number} was given"
        )
        self.check_content(box, newest)
        assert held.floor <= box.floor, "what was given up is back"
        assert box.floor == 1 or box.floor == held.floor or self._was_full(), "given up too early"
        assert box.settled_upto <= max(held.settled, box.floor - 1), "settled what was not"
        assert box.waiting() == box.next_number - 1 - box.settled_upto
        clock_s = max(again.clock.floor_s, BUILD_S)
        assert clock_s in (max(BUILD_S, held.kept_s), held.keeping_s), "the clock's floor"

    def _was_full(self) -> bool:
        names = flash_file.names(_FOLDER)
        sizes = [len(flash_file.read(_FOLDER + "/" + name)) for name in names if len(name) == 8]
        return len([1 for size in sizes if size >= SEGMENT_FULL]) >= self.limit // SEGMENT_MAX - 1

    def check_content(self, box: Outbox, newest: int):
        """Each number from the floor on is in its segment, byte for byte and in order."""
        firsts = [int(n, 16) for n in flash_file.names(_FOLDER) if len(n) == 8]
        assert box.floor == (firsts[0] if firsts else box.next_number)
        segments = list(zip(firsts, [*firsts, box.next_number][1:], strict=True))
        for first, after in segments[-newest:]:
            data = flash_file.read(_FOLDER + f"/{first:08x}")
            wanted = b"".join(entry(self.given[n]) for n in range(first, after))
            assert data[8:] == wanted, f"the segment of {first} holds something else"
            assert not wanted or data[4:8] == struct.pack(">I", binascii.crc32(data[:4]))
        last = box.next_number - 1
        for number in {box.floor, (box.floor + last) // 2, last - 1, last}:
            if box.floor <= number <= last:
                assert box.read(number) == self.given[number], f"{number} reads otherwise"

    def goes_on(self):
        """Appends three more, and powers up once more: all is right still."""
        for _ in range(3):
            self._append(132)
        held, flash = self.held, bench.partitions["lpdata"]
        self.after_cut(flash, held, 0, newest=3)


def entry(data: bytes) -> bytes:
    return struct.pack(">HI", len(data), binascii.crc32(data)) + data
