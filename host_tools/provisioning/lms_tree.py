# SPDX-License-Identifier: MIT
"""The 1,024 one-time keys of an LMS key pair and the tree above them (RFC 8554).

LMS_SHA256_M32_H10 with LMOTS_SHA256_N32_W4, as the only level of HSS; node.crypto.lms has the byte
layout. One-time keys come from a seed by appendix A. Nothing here keeps count of what was used:
that is lms_signer.py.
"""

from hashlib import sha256

LEAVES = 1024
_CHAINS = 67
_LAST = 15
_LMS_TYPE = (6).to_bytes(4)
_LMOTS_TYPE = (3).to_bytes(4)
_STEPS = [bytes([step]) for step in range(_LAST)]


class LmsTree:
    """public_key: 60 bytes; leaves: the public keys of the leaves, 32 bytes each, no secret."""

    def __init__(self, seed: bytes, identifier: bytes, leaves: bytes | None = None):
        """seed: 32 random bytes, secret; identifier: 16 random bytes, in the public key.

        leaves: what an earlier tree of the same seed had, which saves a second of work. Whether
        they are right shows in the public key.
        """
        if len(seed) != 32 or len(identifier) != 16:
            raise ValueError("a seed has 32 bytes, an identifier 16")
        self._seed = seed
        self._identifier = identifier
        if leaves is None:
            leaves = b"".join(self._leaf(leaf) for leaf in range(LEAVES))
        if len(leaves) != LEAVES * 32:
            raise ValueError("a tree has 1,024 leaves of 32 bytes")
        self.leaves = leaves
        self._nodes = self._tree()
        head = (1).to_bytes(4) + _LMS_TYPE + _LMOTS_TYPE
        self.public_key = head + identifier + self._nodes[1]

    def __repr__(self):
        return f"<LMS key {self._identifier.hex()}>"

    def sign(self, leaf: int, message: bytes, randomizer: bytes) -> bytes:
        """The signature (2,512 bytes) by a leaf. Who signs two messages with one leaf gives the
        key away. randomizer: 32 bytes, random."""
        if not 0 <= leaf < LEAVES or len(randomizer) != 32:
            raise ValueError("no such leaf, or a randomizer of another length")
        place = self._identifier + leaf.to_bytes(4)
        digits = _digits(sha256(place + b"\x81\x81" + randomizer + message).digest())
        values = [
            _walk(place + chain.to_bytes(2), start, 0, digit)
            for (chain, start), digit in zip(self._starts(leaf), digits, strict=True)
        ]
        path, number = [], LEAVES + leaf
        while number > 1:
            path.append(self._nodes[number ^ 1])
            number >>= 1
        one_time = _LMOTS_TYPE + randomizer + b"".join(values)
        return bytes(4) + leaf.to_bytes(4) + one_time + _LMS_TYPE + b"".join(path)

    def is_leaf_right(self, leaf: int) -> bool:
        """Whether the leaf that was given is the one that the seed makes."""
        return self.leaves[leaf * 32 :][:32] == self._leaf(leaf)

    def _starts(self, leaf: int):
        """(number, first value) of each chain of a leaf: what is secret (appendix A)."""
        place = self._identifier + leaf.to_bytes(4)
        for chain in range(_CHAINS):
            yield chain, sha256(place + chain.to_bytes(2) + b"\xff" + self._seed).digest()

    def _leaf(self, leaf: int) -> bytes:
        place = self._identifier + leaf.to_bytes(4)
        key = sha256(place + b"\x80\x80")
        for chain, start in self._starts(leaf):
            key.update(_walk(place + chain.to_bytes(2), start, 0, _LAST))
        return key.digest()

    def _tree(self) -> list[bytes]:
        """The nodes by their number: 1 is the root, 1024 the first leaf; there is no 0."""
        nodes = [b""] * (2 * LEAVES)
        for number in range(2 * LEAVES - 1, 0, -1):
            if number >= LEAVES:
                at = (number - LEAVES) * 32
                content = b"\x82\x82" + self.leaves[at : at + 32]
            else:
                content = b"\x83\x83" + nodes[2 * number] + nodes[2 * number + 1]
            nodes[number] = sha256(self._identifier + number.to_bytes(4) + content).digest()
        return nodes


def _walk(prefix: bytes, value: bytes, begin: int, end: int) -> bytes:
    for step in _STEPS[begin:end]:
        value = sha256(prefix + step + value).digest()
    return value


def _digits(digest: bytes) -> list[int]:
    """The 4-bit digits of a message's hash and of its checksum."""
    digits = [digit for byte in digest for digit in (byte >> 4, byte & _LAST)]
    total = sum(_LAST - digit for digit in digits)
    return [*digits, total >> 8 & _LAST, total >> 4 & _LAST, total & _LAST]
