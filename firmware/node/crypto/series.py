# SPDX-License-Identifier: MIT
"""The series of a power-up, from which its keys are derived (pipeline/seal.py): no two runs of a
node, nor two boards with one ticket, share a key.

With a dead random source, which gives the same bytes at each power-up, the boot count (in NVS)
and the newest number (in data) still part the series through power cuts, and when data alone is
made anew or restored. When NVS alone is erased or restored, a pair can come again only after an
envelope that was sealed and never became durable, so never left the node. Runs do share a key, and
repeat its nonces, when both counts and the epoch come again: when both partitions are restored or
made anew, and on two boards with one ticket. There only the random bytes help.
"""

import hashlib


def draw_series(random_32: bytes, boots: int, newest_number: int) -> bytes:
    """8 bytes that name this power-up; the counters help where the random source is weak."""
    counters = boots.to_bytes(4, "big") + newest_number.to_bytes(8, "big")
    return hashlib.sha256(b"lp1 series" + random_32 + counters).digest()[:8]
