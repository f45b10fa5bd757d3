# SPDX-License-Identifier: MIT
"""SLIP (RFC 1055), in which the ROM loader frames its packets."""

import re

_END, _ESC = b"\xc0", b"\xdb"
_NO_ESCAPE = re.compile(b"\xdb(?![\xdc\xdd])")
LONGEST_BYTES = 0x10000  # escaped; the longest packet of esptool's is 16 KiB of data and its head


def encode(packet: bytes) -> bytes:
    """The packet between two END bytes."""
    return _END + packet.replace(_ESC, b"\xdb\xdd").replace(_END, b"\xdb\xdc") + _END


class SlipReader:
    """Takes a stream in pieces of any size, and gives its packets. What lies between packets, and
    a packet with an escape that is none, or longer than LONGEST_BYTES, is dropped."""

    def __init__(self):
        self._packet: bytearray | None = None  # escaped; None: between packets

    def feed(self, data: bytes):
        """Yields each packet that ends within `data`."""
        first, *others = data.split(_END)
        self._add(first)
        for part in others:
            packet, self._packet = self._packet, None
            if not packet:  # this END begins one
                self._packet = bytearray()
            elif len(packet) <= LONGEST_BYTES and not _NO_ESCAPE.search(packet):
                yield bytes(packet.replace(b"\xdb\xdc", _END).replace(b"\xdb\xdd", _ESC))
            self._add(part)

    def _add(self, part: bytes):
        if self._packet is not None and len(self._packet) <= LONGEST_BYTES:
            self._packet += part
