# SPDX-License-Identifier: MIT
"""A node that masks, on flash and NVS as they are, with a sensor and a clock but no network; and
somebody who holds the roots, opens each envelope it made durable, and takes each mask off.

Nothing that takes off a mask is the firmware's: leaves come from `cryptography`.
"""

import contextlib
import io
import itertools
import types

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools.provisioning.nvs_image import nvs_image
from host_tools.provisioning.ticket import make_ticket
from node import app
from node.cycle import Node
from node.device import storage
from node.device.boots import Boots
from node.device.clock import DAY_S
from node.device.keys import Keys
from node.pipeline.health import HEALTH
from node.pipeline.masked import Masker
from node.pipeline.minimise import Minimiser
from node.pipeline.outbox import Outbox
from node.pipeline.seal import Sealer
from node.policy.rules import Policy
from simulator.hal.bench import bench
from simulator.world.nvs import NvsPartition
from tests.host_tools import reference_sealer as ref
from tests.soak.cut_flash import ImageFlash
from tests.soak.data_run import insert

NODE, DAY0, TERMS = "0123456789", 20_000, bytes(32)
TICKET = make_ticket(bytes(range(32)), NODE, DAY0, (1, 2, 250))
BEGIN_S = DAY0 * DAY_S + 22 * 3600
EACH_S = 60  # the sensor's interval
LIMIT = 8 * 8704
_DATA_BLOCKS, NVS_BYTES = 24, 0x6000
BLANK_DATA = b"\xff" * 4096 * _DATA_BLOCKS


def rules(version: int = 1, window_s: int = 300, masked: tuple = (1, 2)) -> bytes:
    """Stream 1 and a longer one are masked, the third is not."""
    ends = [["count", "sum"], 10, -1000, 3000, 0, None]
    streams = [
        [1, "co2_ppm", window_s, *ends, []],
        [2, "co2_ppm", 2 * window_s, ["count", "histogram"], 1, -1000, 3000, 0, None, [0, 1500]],
        [3, "co2_ppm", window_s, *ends],
    ]
    streams = [s for s in streams if s[0] == 3 or s[0] in masked]
    return ref.dumps(["lp1 policy", "m", version, "air", 0, 40_000, streams, TERMS])


def reading(at_s: int) -> int:
    """What the sensor tells at a time: also below 0, and beyond the range."""
    return at_s // EACH_S * 7919 % 4400 - 1200


def true_values(policy: bytes, stream: int, slot: int) -> list:
    """What a stream adds up in a slot that is watched whole."""
    fields = next(s for s in cbor2.loads(policy)[5 + 1] if s[0] == stream)
    _, _, window_s, statistics, resolution, low, high, _, _, bins = fields
    first = slot * window_s + EACH_S
    readings = [reading(t) for t in range(first, first + window_s, EACH_S)]
    clamped = [min(max(value, low), high) for value in readings]
    steps = [ref.rounded(value, resolution) for value in clamped]
    found = {"count": [len(steps)], "sum": [sum(steps)]}
    edges = [low, *bins, high + 1]
    pairs = itertools.pairwise(edges)
    found["histogram"] = [sum(a <= v < b for v in clamped) for a, b in pairs]
    return [value for statistic in statistics for value in found[statistic]]


def _blocks(seed: bytes, count: int) -> list[bytes]:
    text = AESCCM(seed, 16).encrypt(bytes(13), bytes(16 * count), None)
    return [text[at : at + 16] for at in range(0, 16 * count, 16)]


def pads(stream: int, time_s: int, count: int, ticket=TICKET) -> list[int]:
    seed = ticket.masks[stream]
    for bit in f"{(time_s - ticket.day0 * DAY_S) // 60:024b}":
        seed = _blocks(seed, 2)[int(bit)]
    return pads_of(seed, count)


def pads_of(leaf: bytes, count: int) -> list[int]:
    halves = [(block[:8], block[8:]) for block in _blocks(leaf, count)]
    return [int.from_bytes(a, "big") ^ int.from_bytes(b, "big") for a, b in halves]


def unmasked(stream: int, window_s: int, record: list, ticket=TICKET) -> list[int]:
    """m of [stream, slot, from, c], as signed numbers."""
    _, slot, first, c = record
    numbers = [int.from_bytes(c[i : i + 8], "big") for i in range(0, len(c), 8)]
    plus = pads(stream, first * window_s, len(numbers), ticket)
    minus = pads(stream, (slot + 1) * window_s, len(numbers), ticket)
    whole = [(c - a + b) % 2**64 for c, a, b in zip(numbers, plus, minus, strict=True)]
    return [m - 2**64 if m >> 63 else m for m in whole]


def opened(sealed: bytes, policies: list, ticket=TICKET) -> tuple[bytes, list]:
    """(the policy, [log, number, floor, records]) of an envelope."""
    message = cbor2.loads(sealed).value
    headers, ciphertext = message[1], message[2]
    kid, partial_iv = headers[4], int.from_bytes(headers[6], "big")
    policy = next(p for p in policies if Policy(p).digest[:4] == kid[10:])
    seal = ref.seal_at(ticket.seal, int.from_bytes(kid[:2], "big"))
    key, base_iv = ref.series_keys(seal, kid[2:10])
    aad = ref.enc_structure("lp1", ticket.node_id, "up", Policy(policy).digest)
    plaintext = AESCCM(key, 16).decrypt(ref.nonce(base_iv, partial_iv), ciphertext, aad)
    return policy, cbor2.load(io.BytesIO(plaintext))


class Clock:
    """Set from outside; it has no doubt."""

    confirmed_s, steps = 0, 1

    def __init__(self, now_s: int):
        self.now_s = now_s

    def uptime_ms(self):
        return self.now_s * 1000

    utc_ms = uptime_ms

    def offset_ms(self):
        return 1 if self.now_s else 0  # uptime is Unix time, but for a millisecond

    def is_held(self):
        return True

    def kept_s(self):
        return 0


class Sensor:
    part = "co2"
    samples = faults = 0

    def __init__(self, clock):
        self._clock, self._due_s = clock, None

    def next_ms(self):
        return 0

    def shift(self, by_ms):
        self._due_s = None

    def step(self, now_ms):
        now_s = now_ms // 1000
        if self._due_s is None:
            self._due_s = now_s + -now_s % EACH_S
        if now_s < self._due_s:
            return []
        due_s, self._due_s = self._due_s, now_s - now_s % EACH_S + EACH_S
        return [("co2_ppm", reading(due_s))]


class Renewal:
    """Another policy at a midnight."""

    refused = 0

    def __init__(self):
        self.at_s = self.policy = None

    def is_due(self, now_s):
        return self.at_s is not None and now_s >= self.at_s

    is_late = is_due

    def take_next(self, now_s):
        self.at_s = None
        return Policy(self.policy)

    def needs_start(self):
        return False


class Board:
    """data, nvs: its flash. Starts as app.py does; what cuts the power raises PowerCut."""

    def __init__(self, data: ImageFlash, nvs: ImageFlash, policy: bytes, now_s: int):
        self.data, self.nvs = data, nvs
        self.clock = Clock(now_s)
        insert(data)
        bench.nvs, bench.partitions["nvs"] = NvsPartition(nvs), nvs
        try:
            storage.mount()
        except OSError:
            storage.format()
        self.keys = Keys()
        Boots().count()
        self.outbox = Outbox(LIMIT)
        self._start(policy)

    def _start(self, policy: bytes):
        nothing = types.SimpleNamespace
        series = Boots().boots.to_bytes(8, "big")
        sealer = Sealer(self.keys, NODE, Policy(policy), series)
        released = app._read_released(self.outbox, sealer)
        self.minimiser = Minimiser(Policy(policy), {"co2_ppm": EACH_S}, released)
        self.renewal = Renewal()
        self.masker = Masker(self.keys, sealer, self.outbox, Policy(policy), DAY0)
        self.node = Node(
            clock=self.clock, wifi=nothing(step=lambda now_ms: False, wait_ms=1000),
            time_sync=nothing(step=lambda now_ms: None, waiting=lambda: False),
            link=nothing(connected=False), sensors=[Sensor(self.clock)],
            minimiser=self.minimiser, sealer=self.masker, outbox=self.outbox,
            append=self.masker.append,
            publisher=nothing(receipts=0), watchdog=nothing(feed=lambda: None), keys=self.keys,
            make_scrub=app._make_scrub, boots=Boots(), renewal=self.renewal,
            quantities=["co2_ppm", *HEALTH], random_below=lambda limit: 0,
            identity=None,  # it has no link
        )  # fmt: skip

    def run_to(self, until_s: int, each_s: int = EACH_S):
        """Steps at each multiple of `each_s` up to `until_s`."""
        with contextlib.redirect_stdout(io.StringIO()):
            while self.clock.now_s < until_s:
                self.clock.now_s += each_s - self.clock.now_s % each_s
                self.node.step()

    def receipt(self):
        """As app.py's confirm()."""
        day = self.clock.now_s // DAY_S - DAY0
        if day > self.keys.epoch:
            self.minimiser.keep_released()
        self.keys.step_to(day)
        self.masker.step()

    def scrub(self):
        """Until no old seal or tree can be found."""
        scrub = app._make_scrub()
        for _ in range(200):
            if not scrub.step(self.keys.epoch):
                break
        return scrub.stale


def fresh_nvs() -> ImageFlash:
    return ImageFlash(nvs_image(TICKET, NVS_BYTES))


def masked_records(outbox, policies: list) -> dict:
    """{stream: [(policy, record), …] in the outbox's order}; of streams that are masked."""
    found = {}
    for number in range(outbox.floor, outbox.next_number):
        policy, (_, told, _, records) = opened(outbox.read(number), policies)
        assert told == number
        masked = {s[0] for s in cbor2.loads(policy)[6] if len(s) > 9}
        for record in records:
            if record[0] in masked:
                found.setdefault(record[0], []).append((policy, record))
    return found


def look(outbox, policies: list, holes: bool = False) -> dict:
    """Checks the chains of all that is durable: each slot once, no overlap, without a hole unless
    `holes`, and each m either what was measured or nothing. {stream: [m, …]}."""
    found = {}
    for stream, chain in masked_records(outbox, policies).items():
        end_s, seen = None, set()
        for policy, record in chain:
            fields = next(s for s in cbor2.loads(policy)[6] if s[0] == stream)
            window_s, (_, slot, first, c) = fields[2], record
            if c is None:
                assert first is None
                continue
            assert (slot, window_s) not in seen, "a slot twice"
            seen.add((slot, window_s))
            from_s = first * window_s
            assert end_s is None or from_s >= end_s, "two masks overlap"
            assert holes or end_s is None or from_s == end_s, "a hole in the chain"
            end_s = (slot + 1) * window_s
            m = unmasked(stream, window_s, record)
            true = true_values(policy, stream, slot)
            assert m in (true, [0] * len(true)), "not what was measured"
            found.setdefault(stream, []).append(m)
    return found
