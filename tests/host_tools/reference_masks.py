# SPDX-License-Identifier: MIT
"""What a node and a controller do with masks, written a second time from
host_tools/controller/README.md, with `cryptography` alone: the tree, a masked record, a token.

The blocks of a seed are the key stream of AES-CCM (RFC 3610) with a nonce of 13 zeros: what it
makes of zeros, without the tag."""

import functools

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools.controller.documents import Request, Token
from host_tools.provisioning.ticket import mask_root

LEVELS = 24
MODULUS = 1 << 64


@functools.lru_cache(maxsize=100_000)
def blocks(seed: bytes, count: int) -> bytes:
    """Key stream blocks 0001 to `count`."""
    sealed = AESCCM(seed, 16).encrypt(bytes(13), bytes(16 * count), None)
    return sealed[: 16 * count]


def leaf(root: bytes, index: int) -> bytes:
    seed = root
    for level in reversed(range(LEVELS)):
        child = index >> level & 1
        seed = blocks(seed, 2)[16 * child : 16 * child + 16]
    return seed


class Masks:
    """F of one node's stream. root: of the node; day0: the UTC day that its leaves begin with."""

    def __init__(self, root: bytes, node_id: str, stream: int, day0: int, elements: int):
        self._root = mask_root(root, node_id, stream)
        self._start_s = day0 * 86_400
        self._elements = elements

    def at(self, time_s: int) -> list[int]:
        """F of the leaf of this minute, of each element."""
        index, rest = divmod(time_s - self._start_s, 60)
        assert rest == 0 and 0 <= index < 1 << LEVELS
        stream = blocks(leaf(self._root, index), self._elements)
        return [_folded(stream[16 * j : 16 * j + 16]) for j in range(self._elements)]

    def mask(self, numbers: list[int], from_s: int, end_s: int) -> bytes:
        """c of what was measured from from_s to end_s."""
        first, after = self.at(from_s), self.at(end_s)
        masked = zip(numbers, first, after, strict=True)
        return b"".join(((m + a - b) % MODULUS).to_bytes(8, "big") for m, a, b in masked)


def _folded(block: bytes) -> int:
    return int.from_bytes(block[:8], "big") ^ int.from_bytes(block[8:], "big")


def give_token(
    request: Request, masks: dict, key: Ed25519PrivateKey, *, noise=0, scales=None, at_s=0
) -> bytes:
    """The signed token of a controller that grants everything. masks: {node: Masks}; noise: what
    is added to each element of each range."""
    pads = []
    for from_s, to_s in request.ranges:
        rows = [(masks[node].at(to_s), masks[node].at(from_s)) for node in request.nodes]
        sums = [sum(b[j] - a[j] for b, a in rows) for j in range(len(rows[0][0]))]
        pads.append(tuple((pad + noise) % MODULUS for pad in sums))
    scales = tuple(scales or [None] * len(pads[0]))
    token = Token(
        request.digest(), "office", at_s, len(request.nodes), tuple(pads), scales, 1, bytes(32)
    )
    return token.sign(key)
