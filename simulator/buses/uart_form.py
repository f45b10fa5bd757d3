# SPDX-License-Identifier: MIT
"""Frames on a UART that are not those of the peer, loaded where a kit has such a line.

machine.UART.init() on the ESP32 port changes what it is given and keeps the rest, and drops what
was received before (ports/esp32/machine_uart.c). Old versions of it kept what was received, and
took away an inversion that was not given again: a driver gives it each time.
"""

_UPRIGHT_8N1 = (8, None, 0)
_OPTIONS = (
    "tx", "rx", "rts", "cts", "txbuf", "rxbuf", "timeout", "timeout_char", "invert", "flow",
)  # fmt: skip


def init(line, baudrate: int, bits: int, parity, options: dict):
    """baudrate 0, bits 0, parity -1: as it was."""
    for name in options:
        if name not in _OPTIONS:
            raise TypeError("extra keyword arguments given")
    if bits not in (0, 5, 6, 7, 8):
        raise ValueError("invalid data bits")
    if line._talks():  # what came until now came in the form of before, and is dropped
        line._chip.transmit(line._now_ms())
    line._rx = b""
    line._baudrate = baudrate or line._baudrate
    line._limit = max(options.get("rxbuf", line._limit), 128)
    had = line.form or _UPRIGHT_8N1
    if parity is not None:
        parity = had[1] if parity == -1 else parity & 1
    form = (bits or had[0], parity, options.get("invert", had[2]))
    line.form = None if form == _UPRIGHT_8N1 else form


def garbled(line, chip, data: bytes, is_sent: bool) -> bytes:
    """What the listener makes of what the speaker says."""
    here, there = line.form or _UPRIGHT_8N1, getattr(chip, "FORM", None) or _UPRIGHT_8N1
    speaks, hears = (here, there) if is_sent else (there, here)
    if line._baudrate != chip.BAUD:
        return _changed(data, 0x55)
    if (here[2] ^ there[2]) & (line.INV_TX if is_sent else line.INV_RX):
        return _changed(data, 0xFF)
    if speaks[0] + (speaks[1] is not None) != hears[0] + (hears[1] is not None):
        return _changed(data, 0x2A)  # frames of another length
    if speaks[:2] == hears[:2]:
        return data
    # The same length, as 7E1 and 8N1: a parity bit is taken for a data bit, or the reverse.
    heard = bytearray(data)
    for i in range(len(heard)):
        heard[i] = _with_parity(heard[i], speaks[0], speaks[1]) & (1 << hears[0]) - 1
    return bytes(heard)


def _changed(data: bytes, by: int) -> bytes:
    changed = bytearray(data)
    for i in range(len(changed)):
        changed[i] ^= by
    return bytes(changed)


def _with_parity(byte: int, bits: int, parity) -> int:
    byte &= (1 << bits) - 1
    if parity is None:
        return byte
    ones = parity
    for i in range(bits):
        ones += byte >> i & 1
    return byte | (ones & 1) << bits
