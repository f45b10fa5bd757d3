# SPDX-License-Identifier: MIT
"""A new certificate that has come whole (identity_parts.py) is checked, and kept in NVS.

It is kept under one of two names, never that of the one in use: so a power cut at any operation
leaves one that serves. Nothing is replaced (device/kept.py says why).
"""

import hashlib

from node import cbor
from node.device import flash_file
from node.device.log import say
from node.errors import CommandError, FormatError, LinkError
from node.link import identity

_LENGTH_BYTES = identity.HEAD_BYTES - identity.SERIAL_BYTES
_POINT_BYTES = 64  # the public key, at the end of the private one (RFC 5915)

# Why one is refused: firmware/README.md.
_FORM, _CHANGED, _OTHER, _UNFIT, _NOT_KEPT = 1, 2, 3, 4, 5


def keep(link):
    """Takes what has arrived on the link: durable when it returns. CommandError(code, why): the
    one in use goes on, and the same may come again."""
    (serial, tag, length), content, lengths = link.arriving
    if sum(lengths.values()) < length:
        return  # a later one has taken its place, and arrives
    link.arriving = None
    certificate, key = _pair(bytes(content), tag)
    try:
        identity.context(certificate, key)
    except LinkError:
        raise CommandError(_UNFIT, "the certificate or its key cannot be read")
    blob = serial.to_bytes(identity.SERIAL_BYTES, "big")
    blob += len(certificate).to_bytes(_LENGTH_BYTES, "big") + certificate + key
    try:
        _write(link.nvs, link.serial, blob)
    except OSError:
        raise CommandError(_NOT_KEPT, "the flash does not take it")
    link.newest = serial
    say("certificate", serial)


def _pair(content: bytes, tag: bytes):
    """(certificate, key) of this node. By which authority, the broker will say."""
    if hashlib.sha256(content).digest()[: len(tag)] != tag:
        raise CommandError(_CHANGED, "not the certificate that was announced")
    try:
        certificate, key = cbor.decode(content)
        is_pair = isinstance(certificate, bytes) and isinstance(key, bytes)
    except (FormatError, TypeError, ValueError):
        is_pair = False
    if not is_pair:
        raise CommandError(_FORM, "not a certificate and its key")
    node_id = flash_file.read_json(flash_file.CONFIG + "config.json")["node"]
    if node_id.encode() not in certificate:
        raise CommandError(_OTHER, "a certificate of another node")
    if len(key) < _POINT_BYTES or key[-_POINT_BYTES:] not in certificate:  # mbedTLS does not look
        raise CommandError(_UNFIT, "the key is not that of the certificate")
    return certificate, key


def _write(nvs, used: int, blob: bytes):
    """used: the serial of the one in use."""
    serials = {name: identity.serial(one) for name, one in identity.kept(nvs)}
    free = [name for name in identity.NAMES if name not in serials]
    if not free:
        free = [min([(serials[name], name) for name in serials if serials[name] != used])[1]]
        nvs.erase_key(free[0])
        nvs.commit()
    nvs.set_blob(free[0], blob)
    nvs.commit()
