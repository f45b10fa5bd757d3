# SPDX-License-Identifier: MIT
"""minimalmodbus, unmodified, reads our PZEM-004T."""

from node.drivers.pzem004t import PZEM004T
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.pzem004t import PZEM004T as Chip
from tests.second_opinion.modbus_masters import minimalmodbus_instrument
from tests.second_opinion.serial_port import Clock

LEVELS = (
    (230_000, 1_000_000, 950, 50_000),
    (80_000, 0, 1000, 45_000),
    (260_000, 22_999_900, 1000, 65_000),
    (123_200, 3_711_600, 330, 60_000),
)
LOW_WORD_FIRST = 3  # minimalmodbus.BYTEORDER_LITTLE_SWAP


def test_minimalmodbus_agrees(monkeypatch):
    clock = Clock()
    signals = Signals()
    chip = Chip(signals, address=5)
    chip._energy_mwms = 138_730 * 3_600_000_000
    line = UartLine(lambda: clock.now_ms, chip, 9600, PZEM004T.RXBUF)
    instrument = minimalmodbus_instrument(monkeypatch, line, clock, 5, 9600)
    for voltage, power, factor, frequency in LEVELS:
        levels = {"voltage_mv": voltage, "power_mw": power}
        levels.update({"power_factor_permille": factor, "frequency_mhz": frequency})
        clock.now_ms += 60_000
        points = {name: [[clock.now_ms, levels[name]]] for name in levels}
        # Until now only, so that the energy stands still while both read it.
        signals.extend(clock.now_ms, points, {})
        words = instrument.read_registers(0, 10, functioncode=4)
        driver = PZEM004T(line, address=5)
        clock.now_ms += driver.start()
        volts, milliamperes, milliwatts, mwh, millihertz, permille = driver.read()

        def long(register):
            return instrument.read_long(register, functioncode=4, byteorder=LOW_WORD_FIRST)

        assert volts == words[0] * 100 == (voltage + 50) // 100 * 100
        assert milliamperes == long(1) == words[1] | words[2] << 16
        assert milliwatts == long(3) * 100 == (power + 50) // 100 * 100
        assert mwh == long(5) * 1000 >= 138_730_000
        assert millihertz == instrument.read_register(7, 1, functioncode=4) * 1000
        assert permille == instrument.read_register(8, 2, functioncode=4) * 1000
