# SPDX-License-Identifier: MIT
"""Readings go in, and what an observer could get of them comes out: records from the firmware's
own Minimiser, envelopes from its own Sealer. No stage is written a second time here.

Import nothing of the package `node` before load_firmware() has been called.
"""

import copy
import random
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cbor2

NODE_ID = "0123456789"
_NVS_BLOCKS, _DAY_S = 6, 86_400
_AGES = (20_000, 4_000_000)  # days: for as many windows as an attack may want
_FIELDS = (
    "number", "quantity", "window_s", "statistics", "resolution", "low", "high", "k", "noise"
)  # fmt: skip


class Release(NamedTuple):
    """What one instant (Unix s) lets out. records: as in an envelope; envelope: sealed, or None
    when nobody asked for it."""

    instant_s: int
    records: list
    envelope: bytes | None = None


class _Keys:
    """What a Sealer asks of the node's keys."""

    def __init__(self, seal: bytes, epoch: int):
        self.seal, self.epoch = seal, epoch


def node_keys(ticket):
    """The node's Keys, read from NVS as it is flashed. Those of the node before can be used no
    more: there is one NVS."""
    from host_tools.provisioning.nvs_image import nvs_image
    from node.device.keys import Keys
    from simulator.hal.bench import bench
    from simulator.world.flash import BLOCK_BYTES, Flash
    from simulator.world.nvs import NvsPartition

    flash = Flash(blocks=_NVS_BLOCKS)
    flash.program(0, nvs_image(ticket, _NVS_BLOCKS * BLOCK_BYTES))
    bench.nvs = NvsPartition(flash)
    return Keys()


class Unsealed:
    """In place of a Sealer: envelopes are the records as they would have been sealed."""

    def seal(self, log: bytes, number: int, floor: int, records: list, instant_s: int) -> list:
        return records


class _Outbox:
    """What a Masker asks of the outbox, of one that keeps everything."""

    log = b"LOG0"

    def __init__(self, next_number: int):
        self.next_number = next_number

    def append(self, envelope):
        self.next_number += 1


def load_firmware():
    """Makes the package `node` what the simulator runs, with AES in place of the board's."""
    from host_tools.provisioning.firmware import firmware_root
    from simulator.hal.on_cpython import loader

    if "node" not in sys.modules:  # else a test or a simulator has done it
        loader.install(firmware_root())


def sealer_of(policy, chance: random.Random):
    """A node's Sealer, with keys and a series of this run alone."""
    from node.pipeline.seal import Sealer

    keys = _Keys(chance.randbytes(32), chance.randrange(1 << 16))
    return Sealer(keys, NODE_ID, policy, chance.randbytes(8))


def _masker(policy, masked: list, sealer, number: int, masks, chance: random.Random):
    """What masks these streams before it seals, from the envelope `number` on."""
    from host_tools.provisioning.ticket import make_ticket
    from node.pipeline.masked import Masker

    if masks is None:
        day0 = policy.from_s // _DAY_S
        masks = node_keys(make_ticket(chance.randbytes(32), NODE_ID, day0, masked)), day0
    keys, day0 = masks
    masker = Masker(keys, sealer, _Outbox(number), policy, day0)
    masker._note = lambda first: None  # here no power fails
    return masker


def watch(policy, intervals_s: dict, readings: Iterable, from_s: int, until_s: int, seed: bytes,
          sealer=None, chance=None, masks=None) -> Iterator[Release]:  # fmt: skip
    """Releases of a node that watches from `from_s` to `until_s` (Unix s; from a window's end on).

    readings: (Unix s, quantity, value), by rising time; one at `from_s` itself is of the window
    before. intervals_s: how often each quantity should be read. seed: of the noise. masks: of
    masked streams the node's keys, and the UTC day with which its trees begin; by default of this
    run alone. Records are those before they are masked.
    """
    from node.pipeline.minimise import Minimiser

    minimiser = Minimiser(policy, intervals_s, seed=seed)
    minimiser.follow(from_s - 1, 1)
    number = chance.randrange(1, 1 << 20) if chance else 1
    masked = [stream.number for stream in policy.streams if stream.bins is not None]
    if sealer is not None and masked:
        sealer = _masker(policy, masked, sealer, number, masks, chance)
    readings = iter(readings)
    reading = next(readings, None)
    while minimiser.next_instant_s <= until_s:
        instant_s = minimiser.next_instant_s
        while reading is not None and reading[0] <= instant_s:
            minimiser.add(reading[1], reading[2])
            reading = next(readings, None)
        records = minimiser.close()
        if records is None:
            continue
        envelope = None
        if sealer is not None:
            floor = max(1, number - chance.randrange(1000))
            envelope = sealer.seal(chance.randbytes(4), number, floor, records, instant_s)
            if masked:
                sealer.append(envelope)
        yield Release(instant_s, records, envelope)
        number += 1


def readable(policy):
    """The Policy without its masked streams: of those, nothing can be read without a token."""
    shown = copy.copy(policy)
    shown.streams = [stream for stream in policy.streams if stream.bins is None]
    shown.windows_s = sorted({stream.window_s for stream in shown.streams})
    return shown


def alone(stream, **changes):
    """The Policy of one stream only, for ages, with other fields where `changes` says so: k,
    noise, window_s, statistics, resolution, low or high."""
    from node.policy.rules import Policy

    fields = {name: changes.get(name, getattr(stream, name)) for name in _FIELDS}
    fields["statistics"] = list(fields["statistics"])
    fields["noise"] = list(fields["noise"]) if fields["noise"] else None
    rules = ["lp1 policy", "attacked", 1, "any", *_AGES, [list(fields.values())], bytes(32)]
    return Policy(cbor2.dumps(rules, canonical=True))


def sums(policy, totals: Iterable[int], seed: bytes) -> Iterator[int | None]:
    """What a node tells of windows with these totals, one after the other, in steps of the
    policy's only stream; None where it is withheld. Each window is a release of its own."""
    from node.pipeline.minimise import Minimiser

    (stream,) = policy.streams
    at = 2 + stream.statistics.index("sum")
    minimiser = Minimiser(policy, {stream.quantity: stream.window_s}, seed=seed)
    minimiser.follow(policy.from_s - 1, 1)
    minimiser.close()
    for total in totals:
        minimiser.add(stream.quantity, total)
        yield minimiser.close()[0][at]
