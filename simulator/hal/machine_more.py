# SPDX-License-Identifier: MIT
"""The part of `machine` that is loaded only when it is used: see machine.py."""

from simulator.hal.bench import bench
from simulator.hal.machine import I2C


def SoftI2C(scl, sda, *, freq=400_000, timeout=50_000):
    """The same on any two pins; the bench knows it by its SCL pin."""
    return I2C(scl.id, scl=scl, sda=sda, freq=freq)


class ADC:
    """An analogue input; the bench says its voltage."""

    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = 0, 1, 2, 3
    _FULL_SCALE_UV = (950_000, 1_250_000, 1_750_000, 2_450_000)

    def __init__(self, pin, *, atten=0):
        self._pin = pin if isinstance(pin, int) else pin.id  # Pin may be loaded twice
        self._atten = atten

    def atten(self, atten):
        self._atten = atten

    def read_uv(self) -> int:
        chip = bench.wired.get(("adc", self._pin))
        if chip is not None:
            at_pin_uv = chip.pin_uv(bench.now_ms) if chip.plugged else 0
        else:
            at_pin_uv = bench.analog_uv.get(self._pin, 0)
        return min(at_pin_uv, self._FULL_SCALE_UV[self._atten])

    def read_u16(self) -> int:
        return self.read_uv() * 65_535 // self._FULL_SCALE_UV[self._atten]


def __getattr__(name):
    if name == "I2S":
        from simulator.hal.i2s import I2S

        return I2S
    raise AttributeError(name)


def unique_id() -> bytes:
    return b"\x24\x0a\xc4\x00\x00\x01"


def freq(hz=None):
    return 160_000_000 if hz is None else None


def idle():
    pass


def lightsleep(time_ms=0):
    bench.sleep_ms(time_ms)


def deepsleep(time_ms=0):
    bench.reset("deepsleep", time_ms)
