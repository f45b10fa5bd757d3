# SPDX-License-Identifier: MIT
"""omnipresense, unmodified, commands our OPS243-A and reads its lines; our driver counts from the
same lines what it sees pass. It takes "+" in a field `direction` for nearer, which the lines of
this radar do not have: so it is asked for speed and magnitude only."""

import pytest

from node.drivers.ops243 import OPS243
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.ops243 import OPS243 as Chip
from tests.second_opinion.serial_port import Clock, SerialPort

VEHICLES = [[12_000, 1, 13_400], [20_000, -1, 9000]]


@pytest.fixture
def bench(monkeypatch):
    library = pytest.importorskip("omnipresense")
    clock = Clock(9800)
    signals = Signals()
    signals.extend(60_000, {}, {"vehicles": VEHICLES}, known_ms=60_001)
    chip = Chip(signals)
    line = UartLine(lambda: clock.now_ms, chip, 19_200, 4096)
    port = SerialPort(line, clock, 19_200, timeout=0.1)
    monkeypatch.setattr(library.radar.serial, "Serial", lambda *args, **options: port)
    monkeypatch.setattr(library.radar, "time", clock)
    radar = library.create_radar("OPS243-A", "simulated", baudrate=19_200)
    return library, radar, clock, line, signals


def test_its_commands_are_obeyed_and_its_lines_agree(bench):
    library, radar, clock, line, _ = bench
    radar.open()  # somebody comes, so there are lines
    radar.set_units(library.Units.METERS_PER_SECOND)
    radar.set_data_precision(2)
    radar.enable_json_output()
    radar.enable_magnitude_output()
    line.read()
    speeds, magnitudes, data = [], [], b""
    while clock.now_ms < 26_000:
        clock.now_ms += 100
        text = line.read() or b""
        data += text
        for one in text.splitlines():
            reading = radar._parse_radar_data(one.decode().strip())
            speeds.append(reading.speed)
            magnitudes.append(reading.magnitude)
    assert len(speeds) > 30
    assert {round(speed) for speed in speeds} <= {13, 14, 9}
    assert max(magnitudes) > 60 and min(magnitudes) < 3

    class Wire:
        """What the library read."""

        waiting = None

        def read(self, size=None):
            waiting, self.waiting = self.waiting, None
            return waiting

        def write(self, _):
            self.waiting = b'{"Units":"m-per-sec"}\r\n'

    wire = Wire()
    driver = OPS243(wire)
    driver.start()
    assert driver.read() is None
    wire.waiting = data + b'{"speed" : 0.00}\r\n' * 9
    assert driver.read()[:2] == (1, 1)


@pytest.mark.parametrize(("unit", "factor"), [
    ("METERS_PER_SECOND", 1), ("KILOMETERS_PER_HOUR", 3.6), ("MILES_PER_HOUR", 2.236936),
    ("FEET_PER_SECOND", 3.28084), ("CENTIMETERS_PER_SECOND", 100),
])  # fmt: skip
def test_units(bench, unit, factor):
    library, radar, clock, line, _ = bench
    radar.open()
    radar.enable_json_output()
    radar.set_data_precision(2)
    radar.set_units(library.Units[unit])
    line.read()
    clock.now_ms += 100
    reading = radar._parse_radar_data(line.read().decode().strip())
    assert abs(reading.speed - 13.4 * factor) <= 0.04 * factor
