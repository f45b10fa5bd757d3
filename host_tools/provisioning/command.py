# SPDX-License-Identifier: MIT
"""Seals a command of the vault for one node, [number, verb, argument, …].

A node notes the number before it acts, and refuses what is not higher than the last: a command
works once. Numbers are given by the vault, which alone holds the key. A policy and a certificate
come in parts that have no number: each states a fact, and may come again.
"""

import hashlib
import os

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools.provisioning.seal_chain import EPOCH_MAX, MIX_BYTES
from node.pipeline import envelope

NUMBER_END = 1 << 32
_PART_BYTES = 320  # a node takes packets of 512 bytes
SERIAL_END = 1 << 16  # of a certificate, as a node takes them
CERTIFICATE_BYTES = 1394  # with its key: firmware/node/link/identity.py


def seal_command(key: bytes, node_id: str, number: int, verb: str, *arguments) -> bytes:
    """The message for lp/<node>/down. key: the node's command key; number: 1 to 2^32 - 1."""
    if not 0 < number < NUMBER_END:
        raise ValueError(f"{number} is not the number of a command")
    return _sealed(key, node_id, [number, verb, *arguments])


def _sealed(key: bytes, node_id: str, fields: list) -> bytes:
    plaintext = cbor2.dumps(fields, canonical=True)
    aad = envelope.enc_structure(envelope.aad(node_id, "command", None))
    iv = os.urandom(envelope.NONCE_LENGTH)
    ciphertext = AESCCM(key, envelope.TAG_LENGTH).encrypt(iv, plaintext, aad)
    return envelope.pack_down(b"c", iv, ciphertext)


def resend(key: bytes, node_id: str, number: int, log: bytes, first: int) -> bytes:
    """Has the node send again what its outbox `log` still holds from envelope `first` on, for a
    store that was restored from a backup."""
    if len(log) != 4 or not 0 <= first < NUMBER_END:
        raise ValueError("not an outbox, or not the number of an envelope")
    return seal_command(key, node_id, number, "resend", log, first)


def mask(key: bytes, node_id: str, number: int, stream: int, root: bytes) -> bytes:
    """Gives the node the root (16 bytes, see ticket.py) of a stream's tree, which a policy to come
    masks: a node refuses one for whose masks it has no tree."""
    if not 0 < stream < 256 or len(root) != 16:
        raise ValueError("not the number of a stream, or not a root")
    return seal_command(key, node_id, number, "mask", stream, root)


def mix(key: bytes, node_id: str, number: int, epoch: int, a: bytes) -> bytes:
    """Has the node mix `a` (32 random bytes) into the seal of `epoch`, which is to come. Before,
    add_mix() of each keyring that is to open what comes from then on."""
    if not 0 < epoch <= EPOCH_MAX or len(a) != MIX_BYTES:
        raise ValueError("not an epoch to come, or not 32 bytes")
    return seal_command(key, node_id, number, "mix", epoch, a)


def policy_parts(key: bytes, node_id: str, signed: bytes) -> list[bytes]:
    """The messages that bring a node a signed policy (rules and signature), in their order. All of
    them may be sent again at any time: the node passes over what it has."""
    return _parts(key, node_id, ["policy"], signed)


def certificate_parts(key: bytes, node_id: str, serial: int, content: bytes) -> list[bytes]:
    """The messages that bring a node a new certificate; content: CBOR [certificate, its private
    key], both DER. serial: above that of each one before, or the node passes over it."""
    if not 0 < serial < SERIAL_END or len(content) > CERTIFICATE_BYTES:
        raise ValueError("not the serial of a certificate to come, or too long for a node")
    return _parts(key, node_id, ["certificate", serial], content)


def _parts(key: bytes, node_id: str, begin: list, content: bytes) -> list[bytes]:
    head = [0, *begin, hashlib.sha256(content).digest()[:8], len(content)]
    return [
        _sealed(key, node_id, [*head, at, content[at : at + _PART_BYTES]])
        for at in range(0, len(content), _PART_BYTES)
    ]
