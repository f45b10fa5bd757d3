# SPDX-License-Identifier: MIT
"""The chain of seals, one per epoch (a UTC day), and the keys of one series under a seal.

    seal_{e+1} = HMAC-SHA-256(seal_e, "lp1 next")
    seal_{e+1} = HMAC-SHA-256(seal_e, "lp1 mix" ‖ a), where the vault mixes 32 random bytes a in
    key (32) ‖ base IV (13) = HKDF-Expand(seal_e, "lp1 up" ‖ series, 45)

The chain runs one way: who steals today's seal cannot open yesterday's envelopes; and who has it
and not `a` opens nothing from the epoch on into which `a` is mixed. A series is
drawn at each power-up, so no two runs of a node, nor two boards with one ticket, share a key.

With a dead random source, which gives the same bytes at each power-up, the boot count (in NVS)
and the newest number (in data) still part the series through power cuts, and when data alone is
made anew or restored. When NVS alone is erased or restored, a pair can come again only after an
envelope that was sealed and never became durable, so never left the node. Runs do share a key, and
repeat its nonces, when both counts and the epoch come again: when both partitions are restored or
made anew, and on two boards with one ticket. There only the random bytes help.
"""

import hashlib

from node.crypto.hkdf import expand
from node.crypto.hmac_sha256 import hmac_sha256


def next_seal(seal: bytes) -> bytes:
    """The seal of the following epoch (32 bytes)."""
    return hmac_sha256(seal, b"lp1 next")


def mixed_seal(seal: bytes, a: bytes) -> bytes:
    """The seal of the following epoch (32 bytes), into which `a` (32 bytes) is mixed."""
    return hmac_sha256(seal, b"lp1 mix" + a)


def seal_at(seal: bytes, epoch: int, wanted: int, mixes=()) -> bytes:
    """The seal of epoch `wanted` ≥ `epoch`; ValueError for an earlier one, which is gone.
    mixes: {epoch: what is mixed into its seal}."""
    if wanted < epoch:
        raise ValueError("the seal of an earlier epoch is gone")
    while epoch < wanted:
        epoch += 1
        seal = mixed_seal(seal, mixes[epoch]) if epoch in mixes else next_seal(seal)
    return seal


def draw_series(random_32: bytes, boots: int, newest_number: int) -> bytes:
    """8 bytes that name this power-up; the counters help where the random source is weak."""
    counters = boots.to_bytes(4, "big") + newest_number.to_bytes(8, "big")
    return hashlib.sha256(b"lp1 series" + random_32 + counters).digest()[:8]


def series_keys(seal: bytes, series: bytes):
    """(key of 32 bytes, base IV of 13 bytes)."""
    material = expand(seal, b"lp1 up" + series, 45)
    return material[:32], material[32:]
