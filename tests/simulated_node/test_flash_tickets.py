# SPDX-License-Identifier: MIT
"""`lamppost flash --ticket` at boards of the simulator, with the unmodified esptool: from the
vault to boards whose receipts the vault takes."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.provisioning.nvs_image import nvs_image
from tests.bench.mqtt import ROOT
from tests.host_tools.city_place import City, lamppost
from tests.host_tools.vault_place import remember_argon2id
from tests.simulated_node.test_flash_board import (
    IMAGE,
    LAYOUT,
    Bench,
    CutLine,
    impatient,  # noqa: F401
    part,
)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        remember_argon2id(patch)
        city = City(tmp_path_factory.mktemp("city")).fill()
        city.issue(2)
        (city.folder / "mp.bin").write_bytes(IMAGE)
        yield city


@pytest.fixture
def benches(tmp_path):
    made = [Bench(tmp_path / name) for name in "abc"]
    for number, bench in enumerate(made, 1):
        registers = {**bench.chip.registers, 0x3FF5_A004: 0x5000_0010 + number}  # its MAC
        bench.chip = dataclasses.replace(bench.chip, registers=registers)
    yield made
    for bench in made:
        bench.close()


def flash(city, *ports, technician=None) -> tuple[int, list[dict], str]:
    words = ["--board", "esp32-devkitc", "--ticket", city.tickets, "--technician",
             technician or city.anna, *city.opening(), "--firmware", city.folder / "mp.bin",
             "--manual", "--wait", "0", "--json"]  # fmt: skip
    for port in ports:
        words += [port] if port.startswith("--") else ["--port", port]
    environ = {**os.environ, "LAMPPOST_WIFI_SSID": "city", "LAMPPOST_WIFI_PASSWORD": "a password",
               "XDG_STATE_HOME": str(city.folder / "state")}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "host_tools.cli", "flash", *map(str, words)],
        cwd=ROOT, env=environ, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)["boards"] if done.stdout else [], done.stderr


def test_from_the_vault_to_boards_and_back(city, benches):
    first, second, third = benches
    code, (cut,), _ = flash(city, first.plug_in(line=CutLine(8)))
    assert code == 1 and cut["state"] == "failed" and "went away" in cut["error"], cut
    code, (one,), err = flash(city, first.plug_in())  # the same ticket: none is lost
    assert code == 0 and one["state"] == "written", err
    assert one["node"] == cut["node"]
    code, (two,), err = flash(city, second.plug_in())
    assert code == 0 and two["node"] != one["node"], err
    code, (none,), err = flash(city, third.plug_in())
    assert code == 1 and "no ticket left: 2 used" in none["error"]
    assert third.content().count(0xFF) == len(third.content())  # nothing was written
    told = city.take_back()
    assert sorted(told["nodes"]) == sorted([one["node"], two["node"]])
    city.ok("keyring", "take", city.home, city.keys)
    for bench, told in ((first, one), (second, two)):
        parts = bound(city, told["mac"])
        assert parts.ticket.node_id == told["node"]
        nvs = part(bench.content(), LAYOUT.nvs)
        assert nvs == nvs_image(parts.ticket, LAYOUT.nvs.size)
        keys = Keyring(city.home).node(told["node"])
        assert keys.seal_at(0) == parts.ticket.seal and keys.seal in nvs


def bound(city, mac):
    (parts,) = city.install(mac)
    return parts


def test_what_is_refused_writes_nothing(city, benches):
    code, _, err = flash(city, benches[0].plug_in(), technician=city.bob)
    assert code == 1 and "is for anna" in err
    assert benches[0].content().count(0xFF) == len(benches[0].content())


@pytest.fixture
def another(tmp_path):
    """A city of its own, with tickets of its own."""
    with pytest.MonkeyPatch.context() as patch:
        remember_argon2id(patch)
        city = City(tmp_path / "city")
        city.folder.mkdir()
        city.fill()
        city.issue(3)
        (city.folder / "mp.bin").write_bytes(IMAGE)
        yield city


def test_a_board_that_says_anothers_mac_gets_none_of_its_keys(another, benches):
    city, (real, _, other) = another, benches
    other.chip = real.chip
    _, (one,), err = flash(city, real.plug_in())
    assert one["state"] == "written", err
    code, (two,), err = flash(city, other.plug_in())
    assert code == 1 and "was written whole" in two["error"] and "--yes" in two["hint"]
    assert other.content().count(0xFF) == len(other.content())  # nothing was written
    assert city.take_back()["nodes"] == [one["node"]]
    code, (three,), err = flash(city, other.plug_in(), "--yes")
    assert code == 0 and three["node"] == one["node"], err
    city.ok("technician", "receipts", city.anna, *city.opening(), "-o", city.receipts)
    code, out, _ = lamppost("vault", "accept", city.path, city.receipts, "-o", city.keys,
                            *city.opening(), "--json")  # fmt: skip
    assert code == 1 and "used twice" in next(iter(json.loads(out)["refused"].values()))


def test_two_boards_that_say_the_same_mac_are_refused(another, benches):
    city, (first, second, _) = another, benches
    second.chip = first.chip
    code, results, err = flash(city, first.plug_in(), second.plug_in())
    assert code == 1, err
    told = [result["error"] for result in results if "error" in result]
    assert told and all("say the same MAC" in error for error in told), results
    for result in results:
        assert result["port"] in told[0]
    blank = [len(set(bench.content())) == 1 for bench in (first, second)]
    assert any(blank), "both were written to"
