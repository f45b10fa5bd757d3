# SPDX-License-Identifier: MIT
"""host_tools/provisioning/nvs_image.py: what NVS reads in it, and that it stays in memory."""

import builtins
import os

import pytest

from host_tools.errors import ToolError
from host_tools.provisioning.nvs_image import nvs_image
from host_tools.provisioning.ticket import make_ticket
from simulator.world.flash import Flash
from simulator.world.nvs import NvsPartition

TICKET = make_ticket(bytes(range(32)), "0123456789", 20_000)


@pytest.mark.parametrize("size", [0x3000, 0x4000, 0x6000, 0x10000])
def test_nvs_reads_what_the_ticket_says(size):
    image = nvs_image(TICKET, size)
    assert len(image) == size
    flash = Flash(blocks=size // 4096)
    for block in range(flash.blocks):
        flash.program(block * 4096, image[block * 4096 :][:4096])
    programs = flash.operations
    nvs = NvsPartition(flash)
    assert nvs.keys("lamppost") == ["command", "receipt", "seal"]
    assert nvs.get("lamppost", "seal", "blob") == bytes(8) + TICKET.seal
    assert nvs.get("lamppost", "receipt", "blob") == TICKET.receipt
    assert nvs.get("lamppost", "command", "blob") == TICKET.command
    assert (flash.operations, nvs.was_erased) == (programs, False)


@pytest.mark.parametrize("size", [0, 0x1000, 0x2000, 0x3001, 0x6800])
def test_a_size_that_nvs_cannot_have(size):
    with pytest.raises(ToolError, match=f"{size:#x}"):
        nvs_image(TICKET, size)


def test_no_key_comes_near_a_file_or_the_terminal(monkeypatch, capfd):
    def refuse(*args, **kwargs):
        raise AssertionError("a file was opened")

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", refuse)
        patch.setattr("esp_idf_nvs_partition_gen.nvs_partition_gen.open", refuse)
        patch.setattr(os, "open", refuse)
        nvs_image(TICKET, 0x6000)
    assert capfd.readouterr() == ("", "")


def test_the_trees_of_masked_streams_stand_beside():
    ticket = make_ticket(bytes(range(32)), "0123456789", 20_000, (3, 255))
    image = nvs_image(ticket, 0x6000)
    flash = Flash(blocks=6)
    for at in range(0, len(image), 4096):
        flash.program(at, image[at : at + 4096])
    nvs = NvsPartition(flash)
    assert nvs.keys("lamppost") == ["command", "mask003", "mask255", "receipt", "seal", "trees"]
    assert int.from_bytes(nvs.get("lamppost", "trees", "blob"), "big") == 1 << 3 | 1 << 255
    for number in (3, 255):
        blob = nvs.get("lamppost", f"mask{number:03}", "blob")
        assert blob == bytes(8) + ticket.masks[number] + bytes(23 * 16)


def test_too_many_masked_streams_are_told():
    ticket = make_ticket(bytes(range(32)), "0123456789", 20_000, range(1, 256))
    with pytest.raises(ToolError, match="no room for 255 masked streams") as caught:
        nvs_image(ticket, 0x6000)
    assert caught.value.hint
