# SPDX-License-Identifier: MIT
"""`lamppost doctor`: each trouble is found, and has its mend."""

import datetime
import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from host_tools import cli
from host_tools.flashing import doctor
from host_tools.flashing.doctor import BAD, OK, WARN, examine
from tests.host_tools.prepared_fixture import prepare
from tests.host_tools.test_flash_errors import usb

PORTS = "serial.tools.list_ports.comports"


def one(findings, what):
    (finding,) = [found for found in findings if found.what == what]
    return finding


@pytest.fixture
def no_usb(monkeypatch, tmp_path):
    monkeypatch.setattr(PORTS, lambda: [])
    monkeypatch.setattr(doctor, "_USB", tmp_path / "usb")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "usb"


def test_this_machine_can_run_esptool_and_knows_the_time(no_usb):
    found = examine((), None)
    assert one(found, "esptool").state == one(found, "clock").state == OK


@pytest.mark.parametrize(("said", "code"), [("6.0.1", 0), ("4.8", 0), ("", 1), ("odd", 0)])
def test_an_esptool_that_is_not_known(monkeypatch, said, code):
    done = subprocess.CompletedProcess([], code, f"esptool v{said}\n{said}\n", "")
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: done)
    finding = doctor._esptool()
    assert finding.state == BAD and "pip install" in finding.mend


def test_a_clock_of_the_past():
    assert doctor._clock(time.time()).state == OK
    finding = doctor._clock(946_684_800)
    assert finding.state == BAD and "2000-01-01" in finding.words and "set-ntp" in finding.mend


def test_no_port_may_be_a_cable_or_a_driver(no_usb):
    finding = one(examine((), None), "port")
    assert finding.state == BAD and "charging" in finding.mend
    for name, vendor in (("1-2", "1a86"), ("1-3", "1d6b"), ("1-4", "10c4")):
        folder = no_usb / name
        folder.mkdir(parents=True)
        (folder / "idVendor").write_text(vendor + "\n")
    (no_usb / "1-4" / "1-4:1.0" / "ttyUSB0").mkdir(parents=True)
    finding = one(examine((), None), "port")
    assert "CH340 at USB 1-2 is plugged in without a driver" in finding.words
    assert "modprobe -a" in finding.mend and "brltty" in finding.mend


def test_ports_are_listed_with_what_is_wrong(monkeypatch):
    monkeypatch.setattr(PORTS, lambda: [usb("/dev/full"), usb("/dev/lamppost-no-port")])
    found = [finding for finding in examine((), None) if finding.what == "port"]
    assert [finding.state for finding in found] == [OK, BAD]
    assert found[0].words == "/dev/full (CP210x)"


def test_a_modem_manager_is_named(no_usb, tmp_path):
    assert not [found for found in examine((), None) if found.what == "ModemManager"]
    program = tmp_path / "ModemManager"
    program.write_bytes(Path(shutil.which("sleep")).resolve().read_bytes())
    program.chmod(0o755)
    child = subprocess.Popen(["sleep", "60"], executable=program)
    try:
        finding = one(examine((), None), "ModemManager")
    finally:
        child.kill()
        child.wait()
    assert finding.state == WARN and "systemctl stop ModemManager" in finding.mend


def test_with_a_named_port_none_has_to_be_found(no_usb):
    assert "port" not in [finding.what for finding in examine(("rfc2217:/none",), None)]


def test_a_board_that_does_not_answer(no_usb):
    finding = one(examine(("/dev/lamppost-no-port",), None), "board")
    assert finding.state == BAD and "no such port" in finding.words and finding.mend


def test_prepared_nodes(tmp_path):
    folder = tmp_path / "nodes"
    (parts, _) = prepare(folder, "air", "energy")
    end = parts.identity.certificate.not_valid_after_utc
    day = datetime.timedelta(days=1)
    for now, state in (
        (end - 100 * day, OK), (end - 59 * day, WARN), (end + day, BAD),
        (parts.identity.certificate.not_valid_before_utc - day, BAD),
    ):  # fmt: skip
        found = doctor._nodes(folder, now)
        assert [finding.state for finding in found] == [state] * 2
        assert bool(found[0].mend) == (state != OK)
    (folder / "0000000000.parts").chmod(0o644)
    (folder / "0000000001.parts").write_bytes(b"cut off")
    found = doctor._nodes(folder, end - 100 * day)
    assert [finding.state for finding in found] == [BAD, BAD]
    assert "chmod 600" in found[0].mend
    assert doctor._nodes(tmp_path, end)[0].state == BAD


def test_the_command(no_usb, capsys):
    assert cli.run(["doctor", "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {"esptool", "clock", "port"} <= {finding["what"] for finding in findings}
    assert cli.run(["doctor"]) == 1
    assert "no board is plugged in" in " ".join(capsys.readouterr().out.split())
