# SPDX-License-Identifier: MIT
"""Seals a receipt, [time, log, upto, [[from, to], …]]. It states facts: a replay is harmless."""

import os

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from node.pipeline import envelope

RANGES_MAX = 16  # a node takes packets up to 1 KiB, and counts on little heap


def seal_receipt(
    key: bytes, node_id: str, now_s: int, log: bytes, upto: int, ranges: list
) -> bytes:
    """The message for lp/<node>/down: all numbers ≤ upto are settled, and those in `ranges`."""
    plaintext = cbor2.dumps([now_s, log, upto, ranges], canonical=True)
    aad = envelope.enc_structure(envelope.aad(node_id, "receipt", None))
    iv = os.urandom(envelope.NONCE_LENGTH)
    ciphertext = AESCCM(key, envelope.TAG_LENGTH).encrypt(iv, plaintext, aad)
    return envelope.pack_down(b"r", iv, ciphertext)
