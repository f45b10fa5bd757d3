# SPDX-License-Identifier: MIT
"""bluetooth-data-tools (of Home Assistant's Bluetooth stack), unmodified, reads what our model of
the air calls out: its advertisements, and its addresses, which resolve with their own key only."""

import pytest

from simulator.buses.signals import Signals
from simulator.chips.ble_count import BleCount, resolvable_address

tools = pytest.importorskip("bluetooth_data_tools", reason="bluetooth-data-tools")


@pytest.fixture
def heard():
    signals = Signals()
    chip = BleCount(signals)
    people = [[1000 * i, 1, 1200, 2000 + i] for i in range(1, 50)]
    signals.extend(120_000, {}, {"people": people})
    return chip.advertisements(0, 120_000)


def test_advertisements(heard):
    assert len(heard) > 500
    for _, _, address, _, _, payload in heard:
        assert len(payload) <= 31
        told = tools.parse_advertisement_data_bytes(payload)
        name, services, service_data, manufacturers, power = told
        assert (name, services, service_data, power) == (None, [], {}, None)
        assert manufacturers == {0xFFFF: b"\x10\x05" + address[:1]}


def text(address: bytes) -> str:
    return ":".join(f"{byte:02X}" for byte in address)


def test_addresses_resolve_with_their_key_only():
    keys = [bytes([i]) * 16 for i in range(20)]
    ciphers = [tools.get_cipher_for_irk(key) for key in keys]
    for i, key in enumerate(keys):
        address = resolvable_address(key, 0x123456 * (i + 1))
        assert tools.int_to_bluetooth_address(int.from_bytes(address)) == text(address)
        resolved = [tools.resolve_private_address(cipher, text(address)) for cipher in ciphers]
        assert resolved == [j == i for j in range(20)]


def test_kinds_of_addresses(heard):
    """Core Specification, volume 6, part B, section 1.3: the top bits of a random address."""
    kinds = {(kind, address[0] >> 6) for _, kind, address, *_ in heard}
    assert kinds == {(0, 0), (1, 0b11), (1, 0b01)}
