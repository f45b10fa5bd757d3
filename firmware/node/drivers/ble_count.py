# SPDX-License-Identifier: MIT
"""Bluetooth LE: how many devices called out since the sample before, and nothing of who they are.

Bus: the ESP32's own radio, which listens only (passive scan, a quarter of the time; Wi-Fi has the
rest). Of an advertisement nothing is looked at but its address, the kind of its address and its
strength (`min_rssi_dbm`); devices with a public address, which are not phones, count with
`public` = 1. An address is hashed at once with a random key into one of 4096 bits, and forgotten.
Key and bits are of one period: at each sample they are overwritten, and never leave this object.

What is counted are addresses: a phone changes its own about every 15 min, so one that stays for
an hour counts four or five times, and one may change while it passes. The estimate is the sum,
over the bits that are set, of 4096 / bits free at that time; standard error 1.6 % of 100 devices,
1.2 % of 2000, 1.7 % of 10000 (4 % of 2000 addresses that follow each other). One address more or
less sets at most one bit, which changes the result by less than 2 up to a result of 2838.

A thief of the running node can ask for any address whether it was heard in this period, and not
for one before: the key was replaced by a one-way function of itself and fresh random bytes, in
place. What the generator returned are immutable bytes, which stay in the heap until it is reused.
Nobody in reach cannot be told from a deaf antenna. Errors: OSError; SensorFault SILENT (the radio
is off, or has stopped to listen), RANGE (over 10000). The first sample opens the first period.
Source: MicroPython, library/bluetooth (gap_scan, _IRQ_SCAN_RESULT); linear counting: Whang,
Vander-Zanden, Taylor, ACM TODS 15 (1990); twisted tabulation: Patrascu, Thorup, SODA 2013.

Wiring: antenna the board's own.

    radio = BleCount(ble)  # bluetooth.BLE, active
    radio.start()
    ...
    (devices,) = radio.read() or (0,)
"""

from os import urandom

from cryptolib import aes
from micropython import const

from node.errors import RANGE, SILENT, SensorFault

_SCAN_RESULT, _SCAN_DONE = const(5), const(6)
_INTERVAL_US, _WINDOW_US = const(320_000), const(80_000)
_BITS = const(4096)
_KEY_BYTES = const(384)  # a table: 12 half bytes of an address, 16 values each, 2 bytes
_STEP = const(2048)  # parts of a device that the sum is kept in
_MOST = const(10_000)
_ECB = const(1)


class BleCount:
    BUS = "ble"
    INTERVAL_S = (60, 3600)
    QUANTITIES = ("ble_devices",)
    SETTLE_MS = 0

    def __init__(self, ble, min_rssi_dbm: int = -127, public: int = 0):
        self._ble = ble
        self._min_rssi_dbm = min_rssi_dbm
        self._public = public
        self._bits = bytearray(_BITS // 8)
        self._key = bytearray(_KEY_BYTES)
        self._free = 0  # bits that are not set; 0: it does not listen
        self._sum = 0
        self._is_open = False
        for at in range(0, _KEY_BYTES, 16):
            self._key[at : at + 16] = urandom(16)
        self._renew()
        if not ble.active():
            ble.active(True)
        ble.gap_scan(None)  # one that is under way could not be started
        ble.irq(self._heard)
        ble.gap_scan(0, _INTERVAL_US, _WINDOW_US, False)
        self._stopped = False

    def start(self) -> int:
        return 0

    def read(self):
        """Closes a period and opens the next; None when there was none open."""
        found = (self._sum + _STEP // 2) // _STEP
        self._renew()
        if self._stopped or not self._ble.active():
            self._close(SILENT)
        if found > _MOST:
            self._close(RANGE)
        if not self._is_open:
            self._is_open = True
            return None
        return (found,)

    def _renew(self):
        """Forgets all that was heard, and the key that it was heard with."""
        self._free = 0
        bits, key = self._bits, self._key
        # The key becomes E(key) xor key, by a cipher with a key of its own (Davies-Meyer).
        work = memoryview(bits)[:_KEY_BYTES]
        aes(urandom(16), _ECB).encrypt(key, work)
        for i in range(_KEY_BYTES):
            key[i] ^= work[i]
        for i in range(len(bits)):
            bits[i] = 0
        self._sum = 0
        self._free = _BITS

    def _close(self, reason: str):
        """Leaves nothing behind: a driver that failed is thrown away."""
        self._free = 0
        self._ble.irq(None)
        for i in range(_KEY_BYTES):
            self._key[i] = 0
        raise SensorFault(reason)

    def _heard(self, event, data):
        """Called by the radio at any moment, also within read(); makes no new objects."""
        if event == _SCAN_DONE:
            self._stopped = True
        if event != _SCAN_RESULT or not self._free or data[3] < self._min_rssi_dbm:
            return
        if not (data[0] & 1 or self._public):
            return
        address, key = data[1], self._key
        at = mixed = 0
        for i in range(6):
            byte = address[i]
            cell = at + ((byte >> 4 ^ mixed & 15) << 1)
            mixed ^= key[cell] << 8 | key[cell + 1]
            cell = at + 32 + (((byte ^ mixed) & 15) << 1)
            mixed ^= key[cell] << 8 | key[cell + 1]
            at += 64
        place = mixed >> 4
        mask = 1 << (place & 7)
        bits, place = self._bits, place >> 3
        if not bits[place] & mask:
            bits[place] |= mask
            self._sum += _BITS * _STEP // self._free
            self._free -= 1
