# SPDX-License-Identifier: MIT
"""ST VL53L1X: people who go through a door, in and out, since the sample before.

Bus: I2C at 0x29, 16-bit registers. It hangs above the middle of a doorway and looks down; two
halves of its field of view (8 x 16 SPADs around 167 and 231) are measured in turn, 33 ms each.
Somebody who is first seen in one half only, then in both, and last in the other one only, has gone
through: by way of 231 first is in, by 167 first is out; `invert` = 1 for the other way round.
Somebody is who is nearer than `max_mm` (0: `max_permille` of the way to the floor, which is learnt
from the empty doorway at the start) and not nearer than `min_mm`. Ranges stay in here.

Two who walk closer than half a step count as one. It is polled every 60 ms, every 36 ms while
somebody is there: nobody is seen while the node is busy for longer, as in a TLS set-up. Sunlight
blinds it: indoors, 2 to 3 m up. Errors: OSError; SensorFault CHIP_ID, SILENT (it does not
measure), FROZEN (the same answer 32 times: ranges have noise), RANGE (for 6 s nothing to be used:
sunlight, no floor; or a defect).
Source: UM2510 (default configuration), UM2356 (range status), UM2555 (regions), DS12385
(33 ms: shortest budget of the long distance mode).

Wiring: VIN 3.3 V; GND; SCL scl; SDA sda; XSHUT 3.3 V. With: 2 × resistor 4.7 kΩ (SCL and SDA to
3.3 V).

    door = VL53L1X(i2c)
    wait_ms = door.poll()  # again and again
    ...
    going_in, going_out = door.read() or (0, 0)
"""

from micropython import const

from node.errors import CHIP_ID, FROZEN, RANGE, SILENT, SensorFault

# From register 0x2D on, its address first: as ST publishes it, but for the words at 0x5E and 0x61
# (a budget of 33 ms) and the region at 0x7F and 0x80.
_CONFIGURATION = (
    b"\x00\x2d\x00\x00\x00\x01\x02\x00\x02\x08\x00\x08\x10\x01\x01\x00\x00\x00\x00\xff\x00\x0f"
    b"\x00\x00\x00\x00\x00\x20\x0b\x00\x00\x02\x0a\x21\x00\x00\x05\x00\x00\x00\x00\xc8\x00\x00"
    b"\x38\xff\x01\x00\x08\x00\x00\x00\x60\x0f\x00\x6e\x0d\x01\x68\x00\x80\x08\xb8\x00\x00\x00"
    b"\x00\x0f\x89\x00\x00\x00\x00\x00\x00\x00\x01\x0f\x0d\x0e\x0e\x00\x00\x02\xa7\xf7\x9b\x00"
    b"\x00\x00\x01\x00\x00"
)
_READY = const(0x0030)  # its polarity (bit 4) and, in the next register, whether it is (bit 0)
_RESULT = const(0x0089)
_MODEL = const(0x010F)
_STOP = b"\x00\x86\x01\x00"  # the interrupt is cleared, ranging stopped
_START = b"\x00\x87\x40"
_CENTRES = (b"\x00\x7f\xa7", b"\x00\x7f\xe7")  # 167, 231
_WARM = (b"\x00\x08\x09", b"\x00\x0b\x00")  # the voltage search starts where it ended

_MEASURE_MS = const(36)
_IDLE_MS = const(60)  # nobody is in one half alone for less than two of them
_AGAIN_MS = const(3)
_MISSES = const(64)  # about 200 ms
# What the device says (low 5 bits of the result's first byte), and what ST's table makes of it.
_HARDWARE = (1, 2, 3)
_NOTHING = (4, 5, 7)  # too little signal, out of bounds, wrapped around: nobody near
_VALID = (9, 19)
_CALIBRATION = const(16)
_STEADY_MM = const(60)
_BLIND = const(100)  # about 6 s
_FROZEN = const(32)
_DEEPER = const(32)  # the floor is further away than was learnt: somebody stood there
_STANDING = const(800)  # a minute: what stands there is furniture


class _Zone:
    """One half of the doorway."""

    def __init__(self):
        self.floor_mm = 0  # 0: not learnt yet
        self._first = self._sum = self._count = 0
        self._odd = 0  # measurements in a row that do not fit the floor

    def learn(self, mm: int):
        if abs(mm - self._first) > _STEADY_MM:
            self._first, self._sum, self._count = mm, 0, 0
        self._sum += mm
        self._count += 1
        if self._count == _CALIBRATION:
            self.floor_mm = self._sum // _CALIBRATION

    def fits(self, mm: int, someone: bool) -> bool:
        """Whether the floor that was learnt can be one."""
        if not someone and mm <= self.floor_mm + self.floor_mm // 8:
            self._odd = 0
        else:
            self._odd += 1
        return self._odd <= (_STANDING if someone else _DEEPER)


class VL53L1X:
    BUS = "i2c"
    ADDRESSES = (0x29,)
    INTERVAL_S = (5, 300)
    QUANTITIES = ("people_in", "people_out")
    SETTLE_MS = 0

    def __init__(self, i2c, address: int = 0x29, min_mm: int = 0, max_mm: int = 0,
                 max_permille: int = 850, invert: int = 0):  # fmt: skip
        self._i2c = i2c
        self._address = address
        self._min_mm = min_mm
        self._max_mm = max_mm
        self._max_permille = max_permille
        self._outward = 2 if invert else 1  # the half where somebody who goes out is seen first
        self._flag = bytearray(2)
        self._result = bytearray(17)
        self._told = memoryview(self._result)[3:]
        self._before = (bytearray(14), bytearray(14))  # what each zone's last result told
        self._zones = [_Zone(), _Zone()]
        self._zone = 0  # which is being measured
        self._misses = self._blind = self._same = 0
        self._is_set_up = self._counting = False
        self._here = 0  # bit of each zone that somebody is in
        self._first = self._last = 0  # the single zones of this passage
        self._counts = [0, 0]
        model = bytearray(2)
        i2c.readfrom_mem_into(address, _MODEL, model, addrsize=16)
        if model != b"\xea\xcc":
            raise SensorFault(CHIP_ID)
        for message in (_STOP, _CONFIGURATION, _START):
            i2c.writeto(address, message)

    def start(self) -> int:
        return 0

    def read(self):
        """None until the floor has been learnt."""
        if not self._counting:
            return None
        counts, self._counts = self._counts, [0, 0]
        return tuple(counts)

    def poll(self) -> int:
        """Takes a measurement that is ready and starts the next one; ms until the next look."""
        i2c, address, result = self._i2c, self._address, self._result
        i2c.readfrom_mem_into(address, _READY, self._flag, addrsize=16)
        if self._flag[0] & 0x10:  # not what was configured: its power was gone for a moment
            raise SensorFault(SILENT)
        if not self._flag[1] & 1:
            self._misses += 1
            if self._misses > _MISSES:
                raise SensorFault(SILENT)
            return _AGAIN_MS
        self._misses = 0
        i2c.readfrom_mem_into(address, _RESULT, result, addrsize=16)
        i2c.writeto(address, _STOP)
        zone = self._zone
        if self._is_set_up:
            self._zone = 1 - zone
        else:  # the first one is for its own calibration
            for message in _WARM:
                i2c.writeto(address, message)
        i2c.writeto(address, _CENTRES[self._zone])
        i2c.writeto(address, _START)
        if self._is_set_up:
            self._take(zone, result[0] & 0x1F, result[13] << 8 | result[14])
        self._is_set_up = True
        return _MEASURE_MS if self._here else _IDLE_MS

    def _take(self, number: int, status: int, mm: int):
        if status in _HARDWARE:
            raise SensorFault(RANGE)
        self._look_frozen(number)
        zone = self._zones[number]
        learns = not (self._max_mm or zone.floor_mm)
        if status not in _VALID and (learns or status not in _NOTHING):
            self._blind += 1
            if self._blind > _BLIND:
                raise SensorFault(RANGE)
            return
        self._blind = 0
        if learns:
            zone.learn(mm)
            self._counting = self._counting or bool(
                self._zones[0].floor_mm and self._zones[1].floor_mm
            )
            return
        self._counting = self._counting or self._max_mm > 0
        nearest = self._max_mm or zone.floor_mm * self._max_permille // 1000
        someone = status in _VALID and self._min_mm <= mm < nearest
        if not self._max_mm and status in _VALID and not zone.fits(mm, someone):
            self._zones = [_Zone(), _Zone()]  # learnt anew; whoever is on the way is forgotten
            self._here = self._first = self._last = 0
            return
        self._follow(self._here & ~(1 << number) | someone << number)

    def _look_frozen(self, number: int):
        before = self._before[number]
        self._same = self._same + 1 if self._told == before else 0
        before[:] = self._told
        if self._same >= _FROZEN:
            raise SensorFault(FROZEN)

    def _follow(self, here: int):
        """The path through the zones: 0-1-3-2-0 is out, 0-2-3-1-0 is in."""
        if here == self._here:
            return
        self._here = here
        if here in (1, 2):
            self._first = self._first or here
            self._last = here
        elif not here:
            if self._first != self._last:  # a half at a time: both were on the way
                self._counts[self._first == self._outward] += 1
            self._first = self._last = 0
