# SPDX-License-Identifier: MIT
"""Takes a new certificate that a command of the vault brings, in parts, and connects with it.

    [0, "certificate", serial, tag, length, at, bytes]   a part of CBOR [certificate, key]

tag: the first 8 bytes of the SHA-256 of all `length` bytes. Parts state a fact: they come in any
order, and may come again; a restart forgets them. A serial that is not higher than what is there
is passed over, so that no recording brings back an old certificate.

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
_TAG_BYTES = 8
_POINT_BYTES = 64  # the public key, at the end of the private one (RFC 5915)

# Why one is refused: firmware/README.md.
_FORM, _CHANGED, _OTHER, _UNFIT = 1, 2, 3, 4


def take(nvs, link, arguments: list):
    """Takes a part: [serial, tag, length, at, bytes]. With the last one the link ends, to connect
    again with the new certificate. CommandError(code, why), OSError, MemoryError: the one in use
    goes on, and the same may come again."""
    head, at, part = _checked(arguments)
    kept = identity.kept(nvs)
    if head[0] <= max([0] + [identity.serial(blob) for _, blob in kept]):
        return
    content = _whole(link, head, at, part)
    if content is None:
        return
    certificate, key = _pair(content)
    try:
        context = identity.context(certificate, key)
    except LinkError:
        raise CommandError(_UNFIT, "the certificate or its key cannot be read")
    blob = head[0].to_bytes(identity.SERIAL_BYTES, "big")
    blob += len(certificate).to_bytes(_LENGTH_BYTES, "big") + certificate + key
    _keep(nvs, kept, link.serial, blob)
    say("certificate", head[0])
    identity.use(link, context, head[0], 2)
    link.close()  # its last part comes again, as it has no acknowledgement, and is passed over


def _checked(arguments: list):
    """((serial, tag, length), at, part)"""
    if [type(argument) for argument in arguments] != [int, bytes, int, int, bytes]:
        raise CommandError(_FORM, "not a part of a certificate")
    serial, tag, length, at, part = arguments
    is_whole = 0 < serial < 1 << 8 * identity.SERIAL_BYTES and len(tag) == _TAG_BYTES
    longest = identity.BYTES_MAX - identity.HEAD_BYTES
    if not (is_whole and at >= 0 and part and at + len(part) <= length <= longest):
        raise CommandError(_FORM, "not a part of a certificate")
    return (serial, tag, length), at, part


def _whole(link, head: tuple, at: int, part: bytes):
    """What the parts make, once all have come; None before. The link holds them meanwhile."""
    arriving = getattr(link, "arriving", None)
    if arriving is None or arriving[0] != head:
        if arriving is not None and arriving[0][0] > head[0]:
            return None  # a later one is arriving
        arriving = link.arriving = head, bytearray(head[2]), {}
    _, content, lengths = arriving
    content[at : at + len(part)] = part
    lengths[at] = len(part)
    if sum(lengths.values()) < head[2]:
        return None
    link.arriving = None  # whatever is wrong, it may come again
    content = bytes(content)
    if hashlib.sha256(content).digest()[:_TAG_BYTES] != head[1]:
        raise CommandError(_CHANGED, "not the certificate that was announced")
    return content


def _pair(content: bytes):
    """(certificate, key) of this node. By which authority, the broker will say."""
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


def _keep(nvs, kept: list, used: int, blob: bytes):
    """Durable when it returns. OSError: the one in use is still there."""
    taken = [name for name, _ in kept]
    free = [name for name in identity.NAMES if name not in taken]
    if not free:
        older = min([(identity.serial(one), name) for name, one in kept
                     if identity.serial(one) != used])  # fmt: skip
        free = [older[1]]
        nvs.erase_key(free[0])
        nvs.commit()
    nvs.set_blob(free[0], blob)
    nvs.commit()
