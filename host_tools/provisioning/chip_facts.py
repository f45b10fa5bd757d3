# SPDX-License-Identifier: MIT
"""What the chips of our boards have, as far as a kit's wiring depends on it.

Sources: ESP32 datasheet v4 (sections 2.2 and 2.4, and the modules' use of GPIO 6–11), ESP32-S3
datasheet v2 (2.3, 2.6), ESP32-C3 datasheet v2 (2.3, 2.6), ESP32-C6 datasheet v1.3 (2.3, 2.6), and
the ESP32 port of MicroPython: ADC2 is not usable beside Wi-Fi, the C3 has no pulse counter.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Chip:
    """gpio: pins that a module brings out and its flash does not need; input_only: those without
    an output and a pull-up; strapping: those whose level at reset decides how the chip starts;
    console: UART0's, where the serial port and the REPL are; adc: those of ADC1; units: {kind of
    bus: peripheral numbers that there are}; native: mpy-cross' name of its machine code."""

    gpio: frozenset
    input_only: frozenset
    strapping: frozenset
    console: frozenset
    adc: frozenset
    units: dict
    native: str
    heap_kib: int  # free for the node while a TLS session is up


def _pins(*spans) -> frozenset:
    pins = set()
    for span in spans:
        pins |= set(range(span[0], span[1] + 1)) if isinstance(span, tuple) else {span}
    return frozenset(pins)


CHIPS = {
    "esp32": Chip(
        gpio=_pins((0, 5), (12, 19), (21, 23), (25, 27), (32, 36), 39),
        input_only=_pins((34, 36), 39),
        strapping=_pins(0, 2, 5, 12, 15),
        console=_pins(1, 3),
        adc=_pins((32, 36), 39),
        units={"uart": (1, 2), "i2c": (0, 1), "i2s": (0, 1), "counter": tuple(range(8))},
        native="xtensawin",
        heap_kib=110,
    ),
    "esp32s3": Chip(
        gpio=_pins((0, 18), 21, (38, 48)),  # 19, 20: USB; 26–37: flash and PSRAM
        input_only=frozenset(),
        strapping=_pins(0, 3, 45, 46),
        console=_pins(43, 44),
        adc=_pins((1, 10)),
        units={"uart": (1, 2), "i2c": (0, 1), "i2s": (0, 1), "counter": tuple(range(4))},
        native="xtensawin",
        heap_kib=110,
    ),
    "esp32c3": Chip(
        gpio=_pins((0, 10), (18, 21)),
        input_only=frozenset(),
        strapping=_pins(2, 8, 9),
        console=_pins(20, 21),
        adc=_pins((0, 4)),
        units={"uart": (1,), "i2c": (0,), "i2s": (0,), "counter": ()},
        native="rv32imc",
        heap_kib=110,
    ),
    "esp32c6": Chip(
        gpio=_pins((0, 11), 15, (16, 23)),  # 12, 13: USB
        input_only=frozenset(),
        strapping=_pins(4, 5, 8, 9, 15),
        console=_pins(16, 17),
        adc=_pins((0, 6)),
        units={"uart": (1,), "i2c": (0,), "i2s": (0,), "counter": tuple(range(4))},
        native="rv32imc",
        heap_kib=110,
    ),
}
