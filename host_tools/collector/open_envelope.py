# SPDX-License-Identifier: MIT
"""Opens an envelope and believes none of it before it is checked: form, key, policy, length, and
each record against the streams that were due, and against what its node had to withhold."""

import contextlib
import dataclasses

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from host_tools.collector.kept_policy import KeptPolicy
from host_tools.collector.keyring import Keyring, NodeKeys
from node import cbor
from node.errors import FormatError
from node.pipeline import envelope
from node.policy.rules import DAY_S, Policy, Stream

FORGOTTEN = "epoch is forgotten"
NOT_MIXED = "sealed without what was to be mixed in"
NO_LONGER_OPENS = "does not open since something was to be mixed in"
_NUMBER_END = 1 << 32
_AHEAD_S = 7 * DAY_S  # as far as a node may believe a clock that nobody vouches for
_MESSAGE_MAX = 65_535  # what CCM with a 13-byte nonce can carry


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """records: [[stream, slot, value, …]], of a masked stream [stream, slot, from, c]; instant_s:
    when they were released, None without."""

    policy: KeptPolicy
    epoch: int
    log: bytes
    number: int
    floor: int
    records: list
    instant_s: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """keep: a key or policy may yet come; epoch: as the envelope says, where that matters."""

    reason: str
    keep: bool = False
    epoch: int = 0


def open_envelope(keyring: Keyring, node_id: str, message: bytes, now_s: int) -> Opened | Refusal:
    """The envelope that came on the topic of `node_id` at `now_s` (Unix time)."""
    if len(message) > _MESSAGE_MAX:
        return Refusal("too long")
    try:
        _, epoch, _, digest, _, _ = envelope.unpack(message)
    except FormatError:
        return Refusal("not an envelope")
    keys = keyring.node(node_id)
    if keys is None:
        return Refusal("unknown node", True, epoch)
    if epoch > now_s // DAY_S - keys.day0 + 1:
        return Refusal("epoch in the future")
    if epoch < keys.epoch:
        return Refusal(FORGOTTEN, epoch=epoch)
    policies = [policy for policy in keys.policies if policy.digest[:4] == digest]
    if not policies:
        return Refusal("unknown policy", True, epoch)
    found = _decrypted(keys.seal_at(epoch), node_id, policies, message)
    if found is not None:
        return _checked(found[0], keys.day0, epoch, found[1], now_s)
    return _not_opened(keys, epoch, node_id, policies, message)


def _decrypted(seal: bytes, node_id: str, policies: list, message: bytes):
    """(policy, plaintext); None when it does not open under this seal and any of the policies."""
    _, _, series, _, counter, ciphertext = envelope.unpack(message)
    key, base_iv = _series_keys(seal, series)
    nonce = envelope.nonce(base_iv, counter)
    for policy in policies:
        aad = envelope.enc_structure(envelope.aad(node_id, "up", policy.digest))
        with contextlib.suppress(InvalidTag):
            return policy, AESCCM(key, envelope.TAG_LENGTH).decrypt(nonce, ciphertext, aad)
    return None


def _not_opened(keys: NodeKeys, epoch: int, node_id: str, policies: list, message: bytes):
    """Why. Where the node was to mix something in and may not have, it is kept: the vault has to
    say whether it is let in, since who was shut out by the mix could have made it."""
    if not keys.is_mixed_by(epoch):
        return Refusal("does not open")
    if _decrypted(keys.seal_at(epoch, False), node_id, policies, message) is None:
        return Refusal(NO_LONGER_OPENS, True, epoch)
    return Refusal(NOT_MIXED, True, epoch)


def _series_keys(seal: bytes, series: bytes) -> tuple[bytes, bytes]:
    expand = HKDFExpand(SHA256(), 32 + envelope.NONCE_LENGTH, b"lp1 up" + series)
    material = expand.derive(seal)
    return material[:32], material[32:]


def _checked(
    policy: KeptPolicy, day0: int, epoch: int, plaintext: bytes, now_s: int
) -> Opened | Refusal:
    try:
        fields, used = cbor.decode_first(plaintext)  # takes deterministic CBOR only
        log, number, floor, records = fields
    except (FormatError, TypeError, ValueError):
        return Refusal("plaintext")
    if not (isinstance(log, bytes) and len(log) == 4 and _is_int(number) and _is_int(floor)):
        return Refusal("plaintext")
    if not (1 <= floor <= number < _NUMBER_END and isinstance(records, list)):
        return Refusal("plaintext")
    try:
        instant_s = _instant_s(policy, day0, records)
    except ValueError:
        return Refusal("records")
    if len(plaintext) != policy.padded_length(instant_s) or any(plaintext[used:]):
        return Refusal("padding")
    if instant_s is not None and instant_s > now_s + _AHEAD_S:
        return Refusal("slot in the future")
    if instant_s is not None and not policy.permits(instant_s):
        return Refusal("outside the days of its policy")
    return Opened(policy, epoch, log, number, floor, records, instant_s)


def _instant_s(policy: Policy, day0: int, records: list) -> int | None:
    """When the records were released; ValueError unless they are exactly what was due then."""
    if not records:
        return None
    streams = {stream.number: stream for stream in policy.streams}
    number, slot = _head(records[0])
    if number not in streams:
        raise ValueError
    instant_s = (slot + 1) * streams[number].window_s
    for stream, record in zip(policy.closing(instant_s), records, strict=True):
        if _head(record) != (stream.number, instant_s // stream.window_s - 1):
            raise ValueError
        if stream.bins is None:
            _check_values(stream, record[2:])
        else:
            _check_masked(stream, day0, *record[1:])
    return instant_s


def _head(record) -> tuple[int, int]:
    if not isinstance(record, list) or len(record) < 2 or not all(map(_is_int, record[:2])):
        raise ValueError
    if not 0 <= record[1] < _NUMBER_END:
        raise ValueError
    return record[0], record[1]


def _check_values(stream: Stream, values: list):
    """ValueError unless the node may tell them. A record with a sum below k, or without one, is
    withheld whole; rounding keeps order, so what k was compared with shows in the sum."""
    if len(values) != len(stream.statistics):
        raise ValueError
    for statistic, value in zip(stream.statistics, values, strict=True):
        low, high = stream.limits(statistic)
        if value is not None and not (_is_int(value) and low <= value <= high):
            raise ValueError
    if stream.k and any(value is not None for value in values):
        total = values[stream.statistics.index("sum")]
        if total is None or total < stream.steps("sum", stream.k):
            raise ValueError


def _check_masked(stream: Stream, day0: int, slot: int, first=None, masked=b"", *more):
    """ValueError unless it is a masked record, or two nulls: nothing told. What is in it nobody
    here can see. The masks begin with the node's first day."""
    if more or (first is None) != (masked is None):
        raise ValueError
    if first is None:
        return
    if not (_is_int(first) and day0 * DAY_S <= first * stream.window_s and first <= slot):
        raise ValueError
    if not isinstance(masked, bytes) or len(masked) != 8 * stream.elements():
        raise ValueError


def _is_int(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
