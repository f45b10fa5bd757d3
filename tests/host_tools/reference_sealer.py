# SPDX-License-Identifier: MIT
"""What a node does with its keys, written a second time from the specifications alone, with
`cryptography` and `cbor2`: RFC 5869 (HKDF), RFC 3610 (CCM), RFC 8949 §4.2 (CBOR), RFC 9052 (COSE).

Nothing of the firmware or the host tools is used, so tests that compare them compare two.
"""

import hashlib
import hmac

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

PROTECTED = bytes.fromhex("a101181f")
COUNT_MAX = 65_535


def dumps(value) -> bytes:
    return cbor2.dumps(value, canonical=True)


def derive(root: bytes, label: str, node_id: str) -> bytes:
    """One of a node's keys: label is "lp1 seal", "lp1 receipt" or "lp1 command"."""
    return HKDF(SHA256(), 32, b"", (label + node_id).encode()).derive(root)


def seal_at(seal_0: bytes, epoch: int, mixes=()) -> bytes:
    """mixes: [(epoch, what is mixed into its seal)]"""
    messages = [b"lp1 next"] * epoch
    for mixed, a in mixes:
        if mixed <= epoch:
            messages[mixed - 1] = b"lp1 mix" + a
    for message in messages:
        seal_0 = hmac.digest(seal_0, message, hashlib.sha256)
    return seal_0


def series_keys(seal: bytes, series: bytes) -> tuple[bytes, bytes]:
    """(key, base IV)"""
    material = HKDFExpand(SHA256(), 45, b"lp1 up" + series).derive(seal)
    return material[:32], material[32:]


def series_of(random_32: bytes, boots: int, newest_number: int) -> bytes:
    counters = boots.to_bytes(4, "big") + newest_number.to_bytes(8, "big")
    return hashlib.sha256(b"lp1 series" + random_32 + counters).digest()[:8]


def enc_structure(*aad) -> bytes:
    return dumps(["Encrypt0", PROTECTED, dumps(list(aad))])


def nonce(base_iv: bytes, counter: int) -> bytes:
    padded = counter.to_bytes(13, "big")
    return bytes(a ^ b for a, b in zip(base_iv, padded, strict=True))


def padded_length(policy: bytes, instant_s: int | None) -> int:
    """Bytes of each plaintext that leaves at `instant_s`."""
    length = 1 + 5 + 5 + 5 + 3  # array, log, number, floor, array of up to 255 records
    for line in dumps_back(policy)[6]:
        number, _, window_s, statistics, resolution, low, high, *_ = line
        if instant_s is None or instant_s % window_s:
            continue
        length += 1 + len(dumps(number)) + 5
        if is_masked(line):
            length += 5 + len(dumps(bytes(8 * elements(line))))
            continue
        for statistic in statistics:
            limits = (0, COUNT_MAX) if statistic == "count" else (low, high)
            step = 1 if statistic == "count" else resolution
            length += max(len(dumps(rounded(limit, step))) for limit in limits)
    return length


def is_masked(line: list) -> bool:
    """Whether a stream of a compiled policy is masked: then it has a tenth field, its bins."""
    return len(line) > 9


def elements(line: list) -> int:
    """How many numbers a record of a masked stream has."""
    return sum(len(line[9]) + 1 if name == "histogram" else 1 for name in line[3])


def rounded(value: int, step: int) -> int:
    """value / step, half up."""
    return (2 * value + step) // (2 * step)


def dumps_back(data: bytes):
    return cbor2.loads(data)


def padded(policy: bytes, log: bytes, number: int, floor: int, records: list, instant_s) -> bytes:
    plaintext = dumps([log, number, floor, records])
    return plaintext.ljust(padded_length(policy, instant_s), b"\0")


def envelope(
    node_id: str, policy: bytes, seal: bytes, epoch: int, series: bytes, counter: int,
    plaintext: bytes,
) -> bytes:  # fmt: skip
    """The envelope of a padded plaintext, under the seal of `epoch`."""
    digest = hashlib.sha256(policy).digest()
    key, base_iv = series_keys(seal, series)
    aad = enc_structure("lp1", node_id, "up", digest)
    ciphertext = AESCCM(key, 16).encrypt(nonce(base_iv, counter), plaintext, aad)
    kid = epoch.to_bytes(2, "big") + series + digest[:4]
    partial_iv = counter.to_bytes(max(1, (counter.bit_length() + 7) // 8), "big")
    return dumps(cbor2.CBORTag(16, [PROTECTED, {4: kid, 6: partial_iv}, ciphertext]))


def down(kid: bytes, key: bytes, node_id: str, direction: str, iv: bytes, fields: list) -> bytes:
    """A receipt (kid b"r", direction "receipt") or a command."""
    aad = enc_structure("lp1", node_id, direction)
    ciphertext = AESCCM(key, 16).encrypt(iv, dumps(fields), aad)
    return dumps(cbor2.CBORTag(16, [PROTECTED, {4: kid, 5: iv}, ciphertext]))


def open_down(key: bytes, node_id: str, direction: str, message: bytes) -> list:
    """The fields of a receipt or command."""
    protected, unprotected, ciphertext = cbor2.loads(message).value
    assert protected == PROTECTED
    aad = enc_structure("lp1", node_id, direction)
    return cbor2.loads(AESCCM(key, 16).decrypt(unprotected[5], ciphertext, aad))


class ReferenceNode:
    """A node that makes envelopes: numbers from 1, counters from 0 with each series and epoch."""

    def __init__(self, root: bytes, node_id: str, day0: int, policy: bytes, log=b"LOG0", mixes=()):
        self.root, self.node_id, self.day0 = root, node_id, day0
        self.policy, self.log, self.mixes = policy, log, mixes
        self.series = b"serieses"
        self.epoch = 0
        self.counter = 0
        self.number = 0
        self.floor = 1

    @property
    def topic(self) -> str:
        return f"lp/{self.node_id}/up"

    def seal(self, records: list, instant_s) -> bytes:
        self.number += 1
        plaintext = padded(self.policy, self.log, self.number, self.floor, records, instant_s)
        return self.seal_plaintext(plaintext)

    def seal_plaintext(self, plaintext: bytes) -> bytes:
        seal = seal_at(derive(self.root, "lp1 seal", self.node_id), self.epoch, self.mixes)
        sealed = envelope(
            self.node_id, self.policy, seal, self.epoch, self.series, self.counter, plaintext
        )
        self.counter += 1
        return sealed

    def due(self, instant_s: int, step=None) -> list:
        """The records that are due at `instant_s`, all values null or `step`; of masked streams
        null."""
        return [
            [line[0], instant_s // line[2] - 1]
            + ([None] * 2 if is_masked(line) else [step] * len(line[3]))
            for line in dumps_back(self.policy)[6]
            if instant_s % line[2] == 0
        ]
