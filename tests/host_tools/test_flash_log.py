# SPDX-License-Identifier: MIT
"""host_tools/flashing/flash_log: what it tells, and what it never does."""

import base64
import json
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.errors import ToolError
from host_tools.flashing import flash_log
from host_tools.flashing.flash_log import FlashLog, redact


@pytest.fixture(autouse=True)
def state(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "lamppost" / "flash.jsonl"


def entries(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(("text", "left"), [
    ("MAC: 24:58:7c:0a:0b:0c", "MAC: 0a:0b:0c"),
    ("MAC 60:55:F9:FF:FE:F7:2C:A2.", "MAC F7:2C:A2."),
    ("nodes/0123456789.parts: its key is damaged", "<file>: its key is damaged"),
    ("/media/usb stick/anna.key: No such file", "<file> <file>: No such file"),
    ("'/media/usb stick/anna.key' is none", "<file> is none"),
    ("C:\\Users\\anna\\x.tickets is used up", "<file> is used up"),
    ("~/keys, ../x and anna.technician", "<file>, <file> and <file>"),
    ("the board is node 0a1b2c3d4e, with other", "the board is node <id>, with other"),
    ("node: 0a1b2c3d4e, kit air: its certificate", "node <id>, kit air: its certificate"),
    ("k7x2m9qw4t was lost", "<id> was lost"),
    ("nodes k7x2m9qw4t, 0a1b2c3d4e.", "nodes <id>, <id>."),
    ("usb-JTAG_24:58:7C:0A:0B:0C-if00", "usb-JTAG_0A:0B:0C-if00"),
    ("/dev/serial/by-id/usb-Espressif_24:58:7C:0A:0B:0C-if00: gone",
     "/dev/serial/by-id/usb-Espressif_0A:0B:0C-if00: gone"),
    ("the network Kiosk 9", "the network <hidden>"),
    ("seal 00112233445566778899aabbccddeeff", "seal <hidden>"),
    ("MII" + "Bx/+" * 10 + "==", "<hidden>"),
])  # fmt: skip
def test_what_is_hidden(text, left):
    assert redact(text, ("Kiosk 9",)) == left


@pytest.mark.parametrize("text", [
    "A fatal error occurred: Failed to connect to ESP32: No serial data received.",
    "Could not open /dev/ttyUSB0, the port is busy or doesn't exist.",
    "rfc2217://127.0.0.1:4000: the board went away: cable or supply",
    "File '/dev/fd/9' (length 1048576) at offset 0x00300000 will not fit in 2097152 bytes.",
    "Writing at 0x00010000... (5 %)",
    "/dev/serial/by-id/usb-Silicon_Labs_CP2102_USB_to_UART_0001-if00-port0: gone",
])  # fmt: skip
def test_what_helps_is_left(text):
    assert redact(text) == text


@given(st.binary(min_size=32, max_size=48), st.sampled_from(["{}", "({})", "'{}'", "x={} y"]),
       st.sampled_from([bytes.hex, lambda one: base64.b64encode(one).decode()]))  # fmt: skip
def test_no_key_gets_in_however_it_is_written(key, around, form):
    assert form(key).strip("=") not in redact(around.format(form(key)))


def test_a_long_text_takes_no_longer_than_a_short_one():
    """The patterns take the square of it; what is far beyond what is kept is not searched."""

    def took_s(text: str) -> float:
        begun_s = time.process_time()
        assert len(redact(text)) <= 2000
        return time.process_time() - begun_s

    for piece in ("a/", ". .", "..", "a b/"):
        short_s = max(took_s("'" + piece * 1000 + "x"), 0.002)
        assert took_s("'" + piece * 50_000 + "x") < 50 * short_s, piece
    assert redact("nobody " + "and so on " * 1000 + "the end").endswith("and so on the end")


def test_what_is_no_utf_8_is_noted_all_the_same(state):
    told = []
    with pytest.raises(ToolError), FlashLog("flash", told.append, board="b\udcff"):
        raise ToolError("no board b\udcff", "see boards")
    (entry,) = entries(state)
    assert (entry["board"], entry["error"]) == ("b?", "no board b?") and told == [f"log: {state}"]


def test_it_is_for_its_owner_and_tells_where_it_is(state):
    told = []
    with FlashLog("flash", told.append, board="esp32-devkitc") as log:
        log.secrets = ("city wifi", "correct horse 7")
        log.add(port="/dev/ttyUSB0", mac="24:58:7c:0a:0b:0c", result="failed",
                esptool="password correct horse 7", found=["city wifi: gone"])  # fmt: skip
    (entry,) = entries(state)
    assert entry.pop("time").endswith("Z")
    assert entry == {
        "command": "flash", "board": "esp32-devkitc", "port": "/dev/ttyUSB0", "mac": "0a:0b:0c",
        "result": "failed", "esptool": "password <hidden>", "found": ["<hidden>: gone"],
    }  # fmt: skip
    assert state.stat().st_mode & 0o777 == 0o600 and told == [f"log: {state}"]
    state.chmod(0o644)
    with FlashLog("doctor", told.append) as log:
        log.add(result="ok")
    assert state.stat().st_mode & 0o777 == 0o600 and len(entries(state)) == 2


def test_what_goes_wrong_before_there_is_a_board_is_noted(state):
    with pytest.raises(ToolError), FlashLog("flash", lambda text: None):
        raise ToolError("/home/anna/mp.bin is truncated or damaged", "again")
    with pytest.raises(KeyboardInterrupt), FlashLog("flash", lambda text: None):
        raise KeyboardInterrupt
    first, second = entries(state)
    assert (first["error"], first["result"]) == ("<file> is truncated or damaged", "failed")
    assert second["result"] == "interrupted"


def test_it_does_not_grow_without_end_and_mends_a_cut_line(state, monkeypatch):
    monkeypatch.setattr(flash_log, "LIMIT_BYTES", 5000)
    for number in range(200):
        with FlashLog("flash", lambda text: None) as log:
            log.add(port=f"p{number}", esptool="x " * 50)
        assert state.stat().st_size <= 5000
    kept = [entry["port"] for entry in entries(state)]
    assert len(kept) > 10 and kept == [f"p{number}" for number in range(200 - len(kept), 200)]
    with state.open("ab") as file:
        file.write(b'{"time": "20')
    with FlashLog("flash", lambda text: None) as log:
        log.add(port="after")
    assert json.loads(state.read_text().splitlines()[-1])["port"] == "after"


def test_two_at_once_lose_nothing(state):
    code = (
        "import sys\nfrom host_tools.flashing.flash_log import FlashLog\n"
        "for n in range(100):\n"
        "    with FlashLog('flash', lambda text: None) as log: log.add(port=sys.argv[1] + str(n))"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"]
    assert [run.wait() for run in runs] == [0, 0]
    assert sorted(entry["port"] for entry in entries(state)) == sorted(
        f"{name}{number}" for name in "ab" for number in range(100)
    )


def test_no_log_is_no_failure(state, tmp_path):
    told = []
    state.parent.mkdir(parents=True)
    state.symlink_to(tmp_path / "of somebody else")
    with FlashLog("flash", told.append) as log:
        log.add(result="done")
    assert not (tmp_path / "of somebody else").exists() and told[0].startswith("no log: ")
