# SPDX-License-Identifier: MIT
"""Telegrams as they were before DSMR 4.0, loaded when a meter is that old."""

from simulator.chips.obis import decimal


def old_lines(meter, now_ms: int, net_mw: int, energies):
    told_ms, gas = meter.gas(now_ms)
    yield "/ISk5\\2MT382-1004"
    yield ""
    yield "0-0:96.1.1(00000000000000)"
    yield from meter.energies(energies, 9)
    yield "0-0:96.14.0(%04d)" % (meter.tariff(now_ms) + 1)
    yield "1-0:1.7.0(%s*kW)" % decimal(max(0, net_mw) // 1000, 2, 7)
    yield "1-0:2.7.0(%s*kW)" % decimal(max(0, -net_mw) // 1000, 2, 7)
    yield "0-0:17.0.0(0999.00*kW)"
    yield "0-0:96.3.10(1)"
    yield "0-0:96.13.1(3031203631203831)"
    yield "0-0:96.13.0(303132333435363738)"
    yield "0-1:24.1.0(3)"
    yield "0-1:96.1.0(000000000000)"
    yield "0-1:24.3.0(%s)(00)(60)(1)(0-1:24.2.1)(m3)" % meter.clock(told_ms)
    yield "(%s)" % gas
    yield "0-1:24.4.0(1)"
    yield "!"
