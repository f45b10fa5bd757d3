# SPDX-License-Identifier: MIT
"""What the node writes on /data, with power cuts at flash operations and calls that fail.

The whole, at every operation, is `python -m tests.soak.cuts`; here is a sample of it.
"""

import pytest

from simulator.hal.bench import bench
from simulator.hal.on_cpython import os as flash_os
from simulator.hal.on_cpython import vfs
from simulator.world.flash import BLOCK_BYTES, Flash, PowerCut
from simulator.world.nvs import NvsPartition
from tests.simulated_node.own_bench import a_bench  # noqa: F401
from tests.soak import cuts
from tests.soak.cut_flash import ImageFlash
from tests.soak.cut_flash import cuts as cuts_of
from tests.soak.data_run import BUILD_S, DataRun, blank, insert

LIMIT = 2 * 8704
STEPS = [("append", 132), ("append", 132, 142, 206), ("settle", 1), ("day", 1),
         ("append", *[1400] * 4), ("append", 1400, 1400), ("settle", 4), ("append", *[1400] * 4),
         ("day", 2), ("append", *[1400] * 4), ("append", 132)]  # fmt: skip


class TestCuts:
    @pytest.mark.parametrize(("name", "each"), [
        ("512 KiB, nothing given up", 331), ("40 KiB, segments given up", 149),
    ])  # fmt: skip
    def test_a_thousand_rounds(self, name, each):
        flash, run = cuts.record(cuts.history(), cuts.LIMITS[name], blank())
        assert (run.outbox.floor > 1) == ("given up" in name and "nothing" not in name)
        assert len(flash.noted) > 10_000
        looked, wrong = cuts.examine(flash, run, range(5, len(flash.noted) + 1, each))
        assert looked > 100
        assert not wrong

    @pytest.mark.parametrize("name", ["first hours", "outbox full"])
    def test_pairs(self, name):
        flash, run = cuts.record_pairs(name)
        assert 50 <= len(flash.noted) <= 60
        looked, wrong = cuts.examine_pairs(flash, run, range(0, len(flash.noted) + 1, 5), 5)
        assert looked > 200
        assert not wrong

    def test_the_look_finds_what_is_lost(self):
        """An envelope that was said to be durable too early is missed, and so is a changed bit."""
        flash, run = cuts.record(cuts.history(30), LIMIT, blank())
        *_, (_, _, left, held) = cuts_of(flash, range(len(flash.noted) - 30, len(flash.noted)))
        early = held._replace(next_number=held.next_number + 1 + held.pending)
        with pytest.raises(AssertionError, match="was given"):
            run.after_cut(ImageFlash(left.image()), early, 0)
        newest = run.given[held.next_number - 1]
        run.given[held.next_number - 1] = newest[:-1] + bytes([newest[-1] ^ 1])
        with pytest.raises(AssertionError, match="something else"):
            run.after_cut(left, held, 0)


class Failing:
    """A mounted file system whose `at`-th call fails with `code`, before or after it is done."""

    def __init__(self, inner, at: int, code: int, after: bool):
        self.fs, self.context = inner.fs, inner.context
        self._inner, self._left, self._code, self._after = inner, at, code, after
        self.failed = False

    def over(self) -> bool:
        """No call fails from now on; whether one did."""
        self._left = 0
        return self.failed

    def call(self, function, *args, **options):
        self._left -= 1
        if self._left:
            return self._inner.call(function, *args, **options)
        self.failed = True
        if self._after or function.__name__ == "close":  # it closes, though it fails
            self._inner.call(function, *args, **options)
        raise OSError(self._code)


class TestCallsThatFail:
    """Each call to the flash once fails: nothing that was acknowledged is lost, and no number is
    given twice, in this run and after the next power-up."""

    def play(self, at: int, code: int, after: bool, limit: int) -> bool:
        run = DataRun(STEPS, limit)
        flash = ImageFlash(self.begin)
        insert(flash)
        run.open()
        run.outbox.log = self.log
        vfs.mounted["/data"] = failing = Failing(vfs.mounted["/data"], at, code, after)
        kept = {}
        for verb, *arguments in STEPS:
            first = run.outbox.next_number
            try:
                getattr(run, "_" + verb)(*arguments)
            except OSError as err:
                assert err.args[0] == code and failing.failed
            kept.update({n: run.given[n] for n in range(first, run.outbox.next_number)})
        assert len(kept) >= len(self.sizes) - 4  # one batch at most was refused
        failed = failing.over()
        # on a full flash, the oldest go for the newest: one segment, and no more
        floor = 1 if limit > LIMIT and code != 28 else run.outbox.next_number - 4
        self.look(run.outbox, kept, floor)
        insert(ImageFlash(flash.image()))
        again = DataRun([], limit)
        again.open()
        assert again.outbox.next_number >= run.outbox.next_number
        for box in (again.outbox, run.outbox):
            self.look(again.outbox, kept, floor)
            again.outbox.append(b"x" * 100)
            assert again.outbox.read(again.outbox.next_number - 1) == b"x" * 100
            assert box.log == self.log
        return failed

    def look(self, box, kept: dict, floor: int):
        assert box.floor <= floor
        for number in range(box.floor, max(kept) + 1):
            assert box.read(number) == kept[number]

    @pytest.mark.parametrize("code", [5, 28, 84])
    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("limit", [LIMIT, 8 * 8704])
    def test_each_call(self, code, after, limit):
        insert(ImageFlash(blank()))
        first = DataRun([], LIMIT)
        first.open()
        self.begin, self.log = bench.partitions["lpdata"].image(), first.outbox.log
        at = 1
        self.sizes = [size for verb, *sizes in STEPS if verb == "append" for size in sizes]
        while self.play(at, code, after, limit):
            at += 1
        assert at > 45

    @pytest.mark.parametrize("code", [5, 28, 84])
    def test_each_call_of_a_start(self, code, monkeypatch):
        """A start that failed is tried again, and finds all."""
        flash, run = cuts.record(STEPS, LIMIT, blank())
        at, failed, mount = 1, True, vfs.mount
        while failed:
            insert(ImageFlash(flash.image()))
            starting = DataRun([], LIMIT)
            monkeypatch.setattr(
                vfs, "mount", lambda fs, path, at=at: mount(Failing(fs, at, code, False), path)
            )
            try:
                starting.open()
            except OSError as err:
                assert err.args[0] == code
            failed = vfs.mounted["/data"].failed
            monkeypatch.undo()
            insert(ImageFlash(bench.partitions["lpdata"].image()))
            run.after_cut(bench.partitions["lpdata"], run.held, 0).goes_on()
            at += 1
        assert at > 5


def a_full_run() -> tuple[DataRun, bytes]:
    flash, run = cuts.record(STEPS, LIMIT, blank())
    return run, flash.image()


def erase_segment_block(run: DataRun, image: bytes, number: int) -> bytes:
    """The image with each block erased that holds this envelope."""
    damaged, piece = bytearray(image), run.given[number][40:100]
    at = image.find(piece)
    assert at >= 0
    while at >= 0:
        block = at // BLOCK_BYTES * BLOCK_BYTES
        damaged[block : block + BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
        at = image.find(piece, at + 1)
    return bytes(damaged)


class TestDamage:
    @pytest.mark.parametrize("place", ["first", "middle", "newest"])
    def test_a_block_that_lost_its_content(self, place):
        """What lies in other segments is kept, and new envelopes find a place."""
        steps = [("append", *[300] * 4)] * 40
        flash, run = cuts.record(steps, 8 * 8704, blank())
        firsts = list(run.outbox._firsts)[: run.outbox._count]
        assert len(firsts) >= 5
        at = {"first": 0, "middle": 2, "newest": len(firsts) - 1}[place]
        ends = [*firsts[1:], run.outbox.next_number]
        for number in (firsts[at], ends[at] - 1):
            insert(ImageFlash(erase_segment_block(run, flash.image(), number)))
            again = DataRun([], 8 * 8704)
            again.open()
            box = again.outbox
            assert box.next_number >= run.outbox.next_number
            for first, end in zip(firsts, ends, strict=True):
                if first != firsts[at]:
                    for n in range(first, end):
                        assert box.read(n) == run.given[n]
            new = box.next_number
            for n in range(100):
                box.make_room()
                box.append(bytes([n]) * 300)
            for n in range(max(box.floor, new), new + 100):
                assert box.read(n) == bytes([n - new]) * 300

    def test_what_is_no_segment_is_left_alone(self):
        run, image = a_full_run()
        insert(ImageFlash(image))
        again = DataRun([], LIMIT)
        again.open()
        for name in ("0x000001", "-0000001", "fffffffff", "FFFFFFFF", "00000000", "notes.tx"):
            with flash_os.open("/data/outbox/" + name, "wb") as file:
                file.write(bytes(300))
        again.open()
        assert again.outbox.next_number == run.outbox.next_number
        assert again.outbox.floor == run.outbox.floor


class Board:
    """Starts as boot.py and app.py do, up to what is read from /data."""

    def __init__(self, image: bytes):
        self.flash = ImageFlash(image)
        self.nvs = Flash(blocks=6)
        nvs = NvsPartition(self.nvs)
        for name in ("receipt", "command"):
            nvs.set("lamppost", name, "blob", bytes(32))
        nvs.set("lamppost", "seal", "blob", bytes(40))

    def start(self):
        """The clock and the outbox; OSError, PowerCut."""
        app = pytest.importorskip("node.app")
        from node.device.boots import Boots
        from node.device.clock import Clock
        from node.device.keys import Keys
        from node.pipeline.outbox import Outbox

        bench.nvs = NvsPartition(self.nvs)
        bench.partitions["nvs"] = self.nvs
        insert(self.flash)
        Boots().count()
        self.boots = Boots()
        make = lambda: (Clock(BUILD_S), Outbox(LIMIT))  # noqa: E731
        return app._open_data(Keys(), self.boots, make)

    def cut_flash(self, after: int, torn: str):
        self.flash.cut(after, torn)

    def power(self):
        self.flash = ImageFlash(self.flash.image())


class TestWholeStart:
    def damaged(self) -> tuple[DataRun, bytes]:
        """Its folder cannot be read: both blocks of its records are spoilt."""
        run, image = a_full_run()
        spoilt = bytearray(image)
        for block in range(len(image) // BLOCK_BYTES):
            at = block * BLOCK_BYTES
            if b"00000001" in image[at : at + BLOCK_BYTES] or b"log" in image[at : at + 512]:
                spoilt[at : at + 64] = bytes(64)
        return run, bytes(spoilt)

    def test_what_is_damaged_is_made_anew_by_the_second_start(self):
        board = Board(self.damaged()[1])
        with pytest.raises(OSError):
            board.start()
        _, outbox = board.start()
        assert outbox.next_number == 1
        assert board.boots.formats == 1
        outbox.append(b"x" * 100)
        board.power()
        assert board.start()[1].next_number == 2

    def test_trouble_that_passes_costs_nothing(self):
        """Also after many starts without a receipt, as when the store is down for days."""
        run, image = a_full_run()
        for failing in range(1, 9):
            board = Board(image)
            for _ in range(4):
                board.start()
                board.power()
            mount = vfs.mount
            left = [1]

            def once(fs, path, mount=mount, left=left, failing=failing):
                left[0] -= 1
                mount(fs if left[0] < 0 else Failing(fs, failing, 5, False), path)

            try:
                vfs.mount = once
                outbox = board.start()[1]
            finally:
                vfs.mount = mount
            assert board.boots.formats == 0
            assert (outbox.log, outbox.next_number) == (run.outbox.log, run.outbox.next_number)

    @pytest.mark.parametrize("torn", ["none", "half", "all"])
    def test_a_cut_while_it_is_made_anew(self, torn):
        """The next starts make it anew: no cut leaves a node that cannot start."""
        _, image = self.damaged()
        after, cut = 1, True
        while cut:
            board = Board(image)
            with pytest.raises(OSError):
                board.start()
            board.power()
            board.cut_flash(after, torn)
            cut = False
            try:
                board.start()
            except PowerCut:
                cut = True
            for _ in range(3):
                board.power()
                try:
                    outbox = board.start()[1]
                    break
                except OSError:
                    continue
            given = outbox.next_number
            outbox.append(b"x" * 100)
            board.power()
            assert board.start()[1].read(given) == b"x" * 100
            after += 1
        assert after > 5

    @pytest.mark.parametrize("torn", ["none", "half", "all"])
    def test_a_cut_at_any_operation_of_a_start(self, torn):
        """Of the very first on a blank partition, and of one that finds all."""
        run, image = a_full_run()
        for begin, wanted in ((b"\xff" * len(image), 1), (image, run.outbox.next_number)):
            after, cut = 1, True
            while cut:
                board = Board(begin)
                cut, outbox = False, None
                for _ in range(2):
                    board.cut_flash(after, torn)
                    try:
                        outbox = board.start()[1]
                    except PowerCut:
                        cut = True
                    except OSError:
                        pass
                    board.power()
                while outbox is None or cut:
                    try:
                        outbox = board.start()[1]
                        break
                    except OSError:
                        board.power()
                assert outbox.next_number == wanted
                after += 1


def test_an_nvs_without_keys_keeps_what_is_damaged():
    """Nothing is made anew by a node that could not fill it."""
    board = Board(TestWholeStart().damaged()[1])
    nvs = NvsPartition(board.nvs)
    nvs.erase_key("lamppost", "seal")
    before = board.flash.image()
    for _ in range(4):
        with pytest.raises(OSError):
            board.start()
        board.power()
    assert board.flash.image() == before


def test_notes_are_what_was_done():
    """The noted operations, done again, give the same image."""
    flash, _ = cuts.record(STEPS, LIMIT, blank())
    again = ImageFlash(flash.begin)
    for method, place, data, _ in flash.noted:
        again.program(place, data) if method == "program" else again.erase(place)
    assert again.image() == flash.image()
