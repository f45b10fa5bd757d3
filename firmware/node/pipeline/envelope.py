# SPDX-License-Identifier: MIT
"""Byte layout of a sealed message: COSE_Encrypt0 (RFC 9052 §5.2), in the one form Lamppost uses.

Host and node share this file. Up: AES-CCM-16-128-256 (COSE algorithm 31) with kid and partial IV,

    d0 83 44 a1 01 18 1f a2 04 4e <kid, 14 bytes> 06 <partial IV, 1..5 bytes> <ciphertext>

Down, the same with the full IV in header 5 and kid "r" (receipt) or "c" (command). Every other
form is refused, also one that COSE would allow: one message, one sequence of bytes.
"""

from node import cbor
from node.errors import FormatError

PROTECTED = b"\xa1\x01\x18\x1f"  # {1: 31}
_HEAD = b"\xd0\x83\x44" + PROTECTED + b"\xa2\x04"
_UP_KID_AT = len(_HEAD) + 1
_UP_IV_AT = _UP_KID_AT + 14 + 1
NONCE_LENGTH = 13
TAG_LENGTH = 16


def kid(epoch: int, series: bytes, digest: bytes) -> bytes:
    """Key id: epoch (0..65535) in 2 bytes, series (8 bytes), the policy digest's first 4."""
    if not 0 <= epoch <= 0xFFFF or len(series) != 8:
        raise FormatError("epoch or series out of range")
    return epoch.to_bytes(2, "big") + series + digest[:4]


def pack(kid: bytes, counter: int, ciphertext: bytes) -> bytes:
    """An envelope; the counter (below 2^40) is the partial IV, in as few bytes as it needs."""
    size = 1
    while counter >> (8 * size):
        size += 1
    partial_iv = cbor.encode(counter.to_bytes(size, "big"))
    if size > 5 or len(kid) != 14:
        raise FormatError("counter or key id out of range")
    return _HEAD + b"\x4e" + kid + b"\x06" + partial_iv + cbor.encode(ciphertext)


def unpack(envelope: bytes):
    """(kid, epoch, series, digest[:4], counter, ciphertext); FormatError if it is not ours."""
    if envelope[: len(_HEAD)] != _HEAD or envelope[len(_HEAD) : _UP_KID_AT] != b"\x4e":
        raise FormatError("not an envelope")
    if envelope[_UP_IV_AT - 1 : _UP_IV_AT] != b"\x06":
        raise FormatError("not an envelope")
    partial_iv, used = cbor.decode_first(envelope[_UP_IV_AT:])
    ciphertext = cbor.decode(envelope[_UP_IV_AT + used :])
    if not isinstance(partial_iv, bytes) or not isinstance(ciphertext, bytes):
        raise FormatError("not an envelope")
    size = len(partial_iv)
    if not 1 <= size <= 5 or (size > 1 and partial_iv[0] == 0):
        raise FormatError("partial IV is not the shortest form")
    if len(ciphertext) < TAG_LENGTH:
        raise FormatError("ciphertext is too short")
    key_id = envelope[_UP_KID_AT : _UP_KID_AT + 14]
    epoch = int.from_bytes(key_id[:2], "big")
    counter = int.from_bytes(partial_iv, "big")
    return key_id, epoch, key_id[2:10], key_id[10:], counter, ciphertext


def pack_down(kid: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """A receipt (kid b"r") or command (kid b"c") with its 13-byte IV."""
    return _HEAD + cbor.encode(kid) + b"\x05" + cbor.encode(iv) + cbor.encode(ciphertext)


def unpack_down(message: bytes):
    """(kid, iv, ciphertext) of a receipt or command; FormatError if not ours."""
    at = len(_HEAD)
    if message[:at] != _HEAD or message[at : at + 1] != b"\x41" or len(message) < at + 17:
        raise FormatError("not a message for a node")
    kid = message[at + 1 : at + 2]
    if message[at + 2 : at + 4] != b"\x05\x4d":
        raise FormatError("not a message for a node")
    iv = message[at + 4 : at + 17]
    ciphertext = cbor.decode(message[at + 17 :])
    if not isinstance(ciphertext, bytes) or len(ciphertext) < TAG_LENGTH:
        raise FormatError("not a message for a node")
    return kid, iv, ciphertext


def nonce(base_iv: bytes, counter: int) -> bytes:
    """The 13-byte nonce: base IV XOR the counter, left-padded (RFC 9052 §3.1)."""
    mixed = int.from_bytes(base_iv, "big") ^ counter
    return mixed.to_bytes(NONCE_LENGTH, "big")


def aad(node_id: str, direction: str, digest) -> bytes:
    """External AAD: ["lp1", node, "up", policy digest] or ["lp1", node, "receipt"|"command"]."""
    items = ["lp1", node_id, direction]
    return cbor.encode(items if digest is None else items + [digest])


def enc_structure(external_aad: bytes) -> bytes:
    """The AAD that the cipher takes: Enc_structure of RFC 9052 §5.3."""
    return cbor.encode(["Encrypt0", PROTECTED, external_aad])
