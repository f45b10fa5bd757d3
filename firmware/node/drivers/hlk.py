# SPDX-License-Identifier: MIT
"""The commands of Hi-Link's radars (HLK-LD2450, HLK-LD2451): head, length of what follows, command
word and value, tail. They are acknowledged with the word | 0x0100, and a status (0 for success) in
front of the value. "Enable" (0xFF) comes before any other. Nothing has a checksum.

Source: serial protocols V1.03 of both, sections 2.1 and 2.2 (LD2450), 1.1 and 1.2 (LD2451).
"""


def command(body: bytes) -> bytes:
    """The frame of a command, or of its acknowledgement: word (little-endian) and value."""
    return b"\xfd\xfc\xfb\xfa" + bytes((len(body), 0)) + body + b"\x04\x03\x02\x01"
