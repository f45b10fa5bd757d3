# SPDX-License-Identifier: MIT
"""Boards with one identity, to which everything happens that could make a node use a key and
nonce twice.

Each envelope that a board seals is noted under its key and nonce. These are worked out from the
envelope's own key id and partial IV and from the ticket's seal, with the standard library and
`cryptography`: not from anything the firmware remembers.
"""

import contextlib
import hashlib
import hmac
import random
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

import boards
from host_tools.policy.compile_policy import compile_policy
from host_tools.provisioning.ticket import make_ticket
from node.crypto.series import draw_series
from node.device import storage
from node.device.boots import Boots
from node.device.clock import DAY_S, Clock
from node.device.keys import Keys
from node.device.nvs_scrub import NvsScrub
from node.errors import KeyMissing
from node.pipeline import envelope
from node.pipeline.outbox import Outbox
from node.pipeline.seal import Sealer
from node.policy.rules import Policy
from simulator.hal.bench import bench
from simulator.hal.on_cpython import os as flash_os
from simulator.world.flash import TORN, PowerCut
from simulator.world.nvs import NvsPartition
from tests.soak.cut_flash import ImageFlash
from tests.soak.data_run import BUILD_S, insert

NODE = "0123456789"
DAY0 = BUILD_S // DAY_S
LIMIT = 2 * 8704
_DATA_BLOCKS, _NVS_BLOCKS = 32, 6
_BLANK_DATA, _BLANK_NVS = (b"\xff" * 4096 * blocks for blocks in (_DATA_BLOCKS, _NVS_BLOCKS))
_ENVELOPE = 134


def _good(source: random.Random):
    return source.randbytes


def _constant(source: random.Random):
    return bytes


def _repeating(source: random.Random):
    """The same bytes after each power-up."""
    return random.Random(5).randbytes


SOURCES = {"good": _good, "constant": _constant, "repeating": _repeating}


class Board:
    def __init__(self, data: bytes, nvs: bytes):
        self.data, self.nvs = ImageFlash(data), ImageFlash(nvs)
        self.is_on = False

    def images(self) -> tuple[bytes, bytes]:
        return self.data.image(), self.nvs.image()


class World:
    """source: a name of SOURCES. `repeated`: pairs used for two envelopes; `sent`: those of them
    where both were durable, so that both may have left the board."""

    def __init__(self, seed: int, source: str):
        self.random = random.Random(seed)
        self.ticket = make_ticket(self.random.randbytes(32), NODE, DAY0)
        compiled = compile_policy(Path(boards.__path__[0]) / "kits/air/policy.toml").rules
        self.policy = Policy(compiled)
        self._source = SOURCES[source]
        self._seals = [self.ticket.seal]
        self._pairs = {}  # (key, nonce): {digest of an envelope: whether it was durable}
        self.sealed = self.cuts = self.starts = self.day = self.keys_lost = 0
        self.board = Board(_BLANK_DATA, _BLANK_NVS)
        self.boards = [self.board]
        self.saved = []
        self.provision()

    # what the attacker of the nonces sees

    def _note(self, sealed: bytes) -> tuple:
        _, epoch, series, _, counter, _ = envelope.unpack(sealed)
        while len(self._seals) <= epoch:
            self._seals.append(hmac.digest(self._seals[-1], b"lp1 next", "sha256"))
        expand = HKDFExpand(SHA256(), 45, b"lp1 up" + series)
        material = expand.derive(self._seals[epoch])
        base = int.from_bytes(material[32:], "big")
        pair = material[:32], (base ^ counter).to_bytes(13, "big")
        self._pairs.setdefault(pair, {}).setdefault(hashlib.sha256(sealed).digest(), False)
        self.sealed += 1
        return pair, hashlib.sha256(sealed).digest()

    @property
    def repeated(self) -> int:
        return len([1 for used in self._pairs.values() if len(used) > 1])

    @property
    def sent(self) -> int:
        return len([1 for used in self._pairs.values() if sum(used.values()) > 1])

    # what happens

    def power_up(self):
        """As boot.py and app.py start a node; a cut in it is followed by another start."""
        board = self.board
        if board.is_on:
            return
        while True:
            board.data, board.nvs = ImageFlash(board.data.image()), ImageFlash(board.nvs.image())
            self._lay_cut()
            try:
                self._start()
            except PowerCut:
                self.cuts += 1
                continue
            if not board.keys.missing():
                break
            self.keys_lost += 1  # it says so, and waits for provisioning
            self.provision()
        board.is_on = True

    def _lay_cut(self):
        """Now and then the power will fail within the start itself."""
        if self.random.randrange(4) == 0:
            self.cut_later(self.random.randrange(1, 30), self.random.choice(("data", "nvs")))

    def _start(self):
        board = self.board
        self.starts += 1
        self._insert()
        bench.nvs = NvsPartition(board.nvs)
        flash_os.urandom = random_bytes = self._source(self.random)
        with contextlib.suppress(OSError):  # boot.py never raises
            Boots().count()
        board.keys, boots = Keys(), Boots()
        try:
            storage.mount()
        except OSError:
            storage.format()
        board.clock, board.outbox = Clock(BUILD_S), Outbox(LIMIT)
        board.keys.note_policy(self.policy.version)
        series = draw_series(random_bytes(32), boots.boots, board.outbox.next_number - 1)
        board.sealer = Sealer(board.keys, NODE, self.policy, series)
        board.scrub = NvsScrub()
        board.ran_nvs, board.ran_mount = bench.nvs, None

    def _insert(self):
        board = self.board
        insert(board.data)
        bench.partitions["nvs"] = board.nvs
        if board.is_on:
            bench.nvs = board.ran_nvs
            storage.mount()

    def cut_later(self, after: int, which: str):
        """The power will fail at the `after`-th operation of one flash."""
        getattr(self.board, which).cut(after, self.random.choice(TORN))

    def power_off(self):
        self.board.is_on = False

    def _do(self, action):
        """What the running board does; a cut that was laid may end it."""
        self.power_up()
        try:
            action(self.board)
        except PowerCut:
            self.cuts += 1
            self.board.is_on = False

    def seal(self, count: int = 1):
        """Seals some windows' envelopes, and makes them durable together."""
        self._do(lambda board: self._seal(board, count))

    def _seal(self, board: Board, count: int):
        batch, noted = [], []
        outbox = board.outbox
        outbox.make_room()
        for _ in range(count):
            records = [[1, self.random.randrange(1 << 31), 1, self.random.randrange(5000)]]
            number = outbox.next_number + len(batch)
            try:
                sealed = board.sealer.seal(outbox.log, number, outbox.floor, records, 300)
            except KeyMissing:
                return
            noted.append(self._note(sealed))
            batch.append(sealed)
        outbox.append(*batch)
        for pair, digest in noted:
            self._pairs[pair][digest] = True

    def receipt(self, days: int = 0):
        """All is settled; the store's clock may tell another day, and the epoch steps."""
        self.day += days

        def take(board: Board):
            board.outbox.settle(board.outbox.next_number - 1, [])
            board.clock.confirm(BUILD_S + self.day * DAY_S)
            board.keys.step_to(self.day)

        self._do(take)

    def clock_step(self, by_s: int):
        def step(board: Board):
            utc_ms = board.clock.utc_ms() or (BUILD_S + self.day * DAY_S) * 1000
            board.clock.set_utc_ms(utc_ms + by_s * 1000)
            bench.now_ms += 1000

        self._do(step)

    def scrub(self):
        def run(board: Board):
            for _ in range(6):
                if not board.scrub.step(board.keys.epoch):
                    break

        self._do(run)

    def erase_nvs(self):
        """As ESP-IDF does at start-up when it finds no free page; until it is provisioned
        anew it seals nothing."""
        self.power_off()
        self.board.nvs = ImageFlash(_BLANK_NVS)

    def provision(self):
        """Writes what the ticket holds: the same keys, at the first epoch."""
        self.power_off()
        nvs = NvsPartition(ImageFlash(self.board.nvs.image()))
        for name in nvs.keys("lamppost"):
            if name.startswith("seal"):
                nvs.erase_key("lamppost", name)
        nvs.set("lamppost", "seal", "blob", bytes(8) + self.ticket.seal)
        nvs.set("lamppost", "receipt", "blob", self.ticket.receipt)
        nvs.set("lamppost", "command", "blob", self.ticket.command)
        self.board.nvs = nvs.flash

    def save(self):
        """Somebody takes an image of the flash."""
        self.power_off()
        self.saved.append(self.board.images())
        del self.saved[:-8]

    def restore(self, data: bool, nvs: bool):
        """An image from before is written back: the whole, or one partition."""
        if not self.saved:
            return
        self.power_off()
        old_data, old_nvs = self.random.choice(self.saved)
        self.board.data = ImageFlash(old_data) if data else self.board.data
        self.board.nvs = ImageFlash(old_nvs) if nvs else self.board.nvs

    def damage_data(self):
        """The data filesystem is lost: it is made anew, with another outbox."""
        self.power_off()
        self.board.data = ImageFlash(_BLANK_DATA)

    def twin(self, copied: bool):
        """Goes on with another board: a new one with the same ticket, or a copy of this one."""
        self.power_off()
        if len(self.boards) < 3:
            images = self.board.images() if copied else (_BLANK_DATA, _BLANK_NVS)
            self.board = Board(*images)
            self.boards.append(self.board)
            if not copied:
                self.provision()
        else:
            self.board = self.random.choice(self.boards)
