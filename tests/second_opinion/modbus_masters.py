# SPDX-License-Identifier: MIT
"""Two other Modbus masters over our simulated line: minimalmodbus, and pymodbus through
sdm_modbus."""

import pytest

from tests.second_opinion.serial_port import Clock, SerialPort


def minimalmodbus_instrument(monkeypatch, line, clock: Clock, address: int, baud: int):
    library = pytest.importorskip("minimalmodbus", reason="extra second-opinion")
    monkeypatch.setattr(library, "time", clock)
    monkeypatch.setattr(library, "_latest_read_times", {})
    return library.Instrument(SerialPort(line, clock, baud), address)


def sdm_modbus_meter(monkeypatch, name: str, line, clock: Clock, address: int):
    """The class `name` of sdm_modbus, whose pymodbus opens our line."""
    library = pytest.importorskip("sdm_modbus", reason="extra second-opinion")
    client = pytest.importorskip("pymodbus.client.serial", reason="extra second-opinion")
    transaction = pytest.importorskip("pymodbus.transaction", reason="extra second-opinion")
    framer = pytest.importorskip("pymodbus.framer.rtu_framer", reason="extra second-opinion")
    for module in (client, transaction, framer):
        monkeypatch.setattr(module, "time", clock)

    class Serial:
        @staticmethod
        def serial_for_url(_url, *, baudrate, timeout, **_more):
            return SerialPort(line, clock, baudrate, timeout)

    monkeypatch.setattr(client, "serial", Serial)
    return getattr(library, name)(device="simulated", unit=address)
