# SPDX-License-Identifier: MIT
"""A ticket's keys on the firmware's own side, from the vault through the mix: node and home store
go on with the same seals, and what lies on the technician's laptop opens nothing any more."""

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.handover.command_file import read_commands
from host_tools.provisioning.nvs_image import nvs_image
from node.device import keys
from tests.host_tools import reference_sealer as ref
from tests.host_tools.city_place import City
from tests.host_tools.vault_place import remember_argon2id
from tests.simulated_node.nvs_cuts import board, flash_of


def test_node_and_store_go_on_and_the_laptop_does_not(tmp_path, monkeypatch):
    remember_argon2id(monkeypatch)
    city = City(tmp_path / "city")
    city.folder.mkdir()
    city.fill()
    city.issue(1)
    (parts,) = city.install("24:0a:c4:11:22:33")
    ticket, path = parts.ticket, city.folder / "a.commands"
    flash = flash_of(nvs_image(ticket, 0x6000))
    monkeypatch.setattr(keys, "esp32", board(flash))
    node = keys.Keys()
    assert (node.missing(), node.seal, node.command) == ([], ticket.seal, ticket.command)
    city.take_back()
    city.ok("keyring", "take", city.home, city.keys)
    city.vault("commands", "-o", path)
    ((_, message),) = read_commands(path)
    number, verb, epoch, a = ref.open_down(node.command, ticket.node_id, "command", message)
    assert verb == "mix"
    node.take("mix", number, [epoch, a])
    store = Keyring(city.home)
    for day in range(1, epoch + 3):
        node.step_to(day)
        assert node.seal == store.node(ticket.node_id).seal_at(day)
        assert (node.seal == ref.seal_at(ticket.seal, day)) == (day < epoch)
        store.forget_before({ticket.node_id: day})
    # the technician is revoked after that: a second mix, which the store has, too
    city.vault("revoke", "technician", "anna")
    city.vault("update", "--to", "home", "-o", city.keys)
    with pytest.raises(keys.CommandError):  # the first once more: its number is not higher
        node.take("mix", number, [epoch, a])
    city.ok("keyring", "take", city.home, city.keys)
    city.vault("commands", "-o", path)
    *_, (_, message) = read_commands(path)
    number, _, later, b = ref.open_down(node.command, ticket.node_id, "command", message)
    assert later == epoch + 1
    with pytest.raises(keys.CommandError):  # it is past that epoch, and says so
        node.take("mix", number, [later, b])
    assert node.mix_refused == 2  # firmware/node/device/mixes.py: its epoch has begun
