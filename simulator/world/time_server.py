# SPDX-License-Identifier: MIT
"""The SNTP server that the access point's network has, and the lies that it may tell.

In the firmware's dialect: tests/portable use it on both interpreters.
"""

from binascii import unhexlify

_TO_1900_S = 2_208_988_800


class TimeServer:
    """Answers requests. What it does is told with each, as AccessPoint.sntp says it:

    True or False: whether it answers; or a lie: {"offset_ms": n} is off by n milliseconds,
    {"unix_ms": n} stands still, {"forge": [[at, hex], …]} has other bytes there, {"size": n} is of
    another length, and these can be joined. A list of such is played in turn.
    """

    def __init__(self):
        self._asked = 0

    def answer(self, sntp, request: bytes, utc_ms: int) -> bytes:
        """What comes back at `utc_ms` (Unix time); empty when nothing does."""
        if isinstance(sntp, list):
            sntp = sntp[self._asked % len(sntp)]
            self._asked += 1
        if not sntp or len(request) < 48:
            return b""
        lie = sntp if isinstance(sntp, dict) else {}
        told_ms = lie.get("unix_ms", utc_ms) + lie.get("offset_ms", 0)
        seconds = told_ms // 1000 + _TO_1900_S
        fraction = (told_ms % 1000 << 32) // 1000 + 1
        stamp = (seconds & 0xFFFFFFFF).to_bytes(4, "big") + fraction.to_bytes(4, "big")
        head = b"\x24\x02\x06\xec" + bytes(8) + b"SIM\x00"
        answer = bytearray(head + stamp + request[40:48] + stamp + stamp)
        for at, digits in lie.get("forge", ()):
            forged = unhexlify(digits)
            answer[at : at + len(forged)] = forged
        size = lie.get("size", len(answer))
        return bytes(answer[:size]) + bytes(max(0, size - len(answer)))
