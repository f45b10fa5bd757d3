# SPDX-License-Identifier: MIT
"""host_tools/flashing/self_test: what a node says becomes a report; and the firmware says it."""

import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.errors import ToolError
from host_tools.flashing import serial_lines
from host_tools.flashing.self_test import SelfTest
from host_tools.provisioning.kit import kit_names, load_kit
from node.errors import LinkError
from node.pipeline.sample import Sensor

KIT = {"sensors": [
    {"part": "bme280", "interval_s": 30}, {"part": "bme280", "interval_s": 30},
    {"part": "pms5003", "interval_s": 300},
]}  # fmt: skip
GOOD = [
    "wifi: joined", "bme280: found", "pms5003: found", "link: connected", "bme280: found",
    "status envelopes=0 faults=0 online=0 waiting=0",
]  # fmt: skip


def after(*lines, waited_s: int = 150) -> SelfTest:
    test = SelfTest(KIT)
    for line in lines:
        test.feed(line + "\r")
    test.close(waited_s)
    return test


def test_a_node_that_works():
    test = after(*GOOD)
    assert test.is_over() and not test.failed()
    assert {state for state, _ in test.states.values()} == {"ok"}
    json.dumps(test.as_object())


@pytest.mark.parametrize("missing", range(1, 5))
def test_nothing_that_is_missing_passes(missing):
    test = after(*GOOD[:missing], *GOOD[missing + 1 :])
    assert not test.is_over()


@pytest.mark.parametrize(("line", "name", "words"), [
    ("wifi: wrong password", "wifi", "the one that was given"),
    ("wifi: no access point", "wifi", "5 GHz"),
    ("wifi: refused 4", "wifi", "refused 4"),
    ("pms5003: silent", "pms5003", "swap TX and RX"),
    ("bme280: 19", "bme280", "SDA and SCL"),
    ("bme280: chip id", "bme280", "another part"),
    ("pms5003: <class 'KeyError'>", "pms5003", "KeyError"),
    (f"link: {LinkError('certificate', 'expired')}", "tls", "renew it"),
    (f"link: {LinkError('certificate', 'future')}", "tls", "SNTP server"),
    (f"link: {LinkError('tls', -10496)}", "tls", "subjectAltName"),
    (f"link: {LinkError('tls', -30592)}", "tls", "city's authority"),
    (f"link: {LinkError('network', 113)}", "tls", "firewall"),
    (f"link: {LinkError('refused')}", "tls", "list of certificates"),
])  # fmt: skip
def test_what_a_node_complains_of_has_a_mend(line, name, words):
    test = after(*GOOD, line)
    state, hint = test.states[name]
    assert state == "failed" and words in hint and test.failed()


@pytest.mark.parametrize("line", [
    f"link: {LinkError('tls', -30592)}", f"link: {LinkError('odd', 5)}", "bme280: 19",
])  # fmt: skip
def test_no_code_of_micropython_is_told(line):
    test = after(*GOOD, line)
    words = "".join(words for _, words in test.states.values())
    assert words and "(" not in words and "30592" not in words and "19" not in words


def test_while_it_is_waited_for_what_is_bad_is_told():
    test = SelfTest(KIT)
    test.feed("wifi: joined")
    test.feed(f"link: {LinkError('tls', -30592)}")
    assert test.waiting_for().startswith("tls: the broker ends the handshake")
    assert test.waiting_for().endswith("; waits for bme280, pms5003")


def test_a_dead_node_has_a_next_step():
    assert "micropython.org/download" in after("Traceback (most recent call last):").dead_hint()
    damaged = after("policy: (3, 'signature')")
    assert damaged.dead == "policy: 3 signature" and "--anew" in damaged.dead_hint()


def test_what_was_missed_is_told_by_what_comes_later():
    sensors = ["bme280: found", "bme280: found", "pms5003: found"]
    assert after(*sensors, "link: connected").is_over()
    status = "status faults=0 old_seals=0 online={} records=0 waiting=1"
    assert after(*sensors, status.format(1)).is_over()
    assert not after(*sensors, status.format(0)).is_over()
    assert not after(*sensors, "x" + status.format(1)).is_over()


def test_a_mend_that_worked_is_seen():
    test = after("bme280: 19", "wifi: wrong password", *GOOD)
    assert not test.failed() and test.is_over()


def test_no_time_is_not_called_tls():
    test = after("wifi: joined", "bme280: found", "bme280: found", "pms5003: found")
    assert "SNTP" in test.states["time"][1] and test.failed()
    assert test.states["tls"] == ("waiting", "comes after the time")


def test_a_sensor_that_is_asked_seldom_may_be_waited_for():
    test = after("wifi: joined", "bme280: found", "bme280: found", "link: connected")
    assert not test.failed() and not test.is_over()
    assert "each 300 s" in test.states["pms5003"][1]
    test.close(2 * 300 + 90)
    assert test.failed() and "says nothing" in test.states["pms5003"][1]


@pytest.mark.parametrize("line", [
    "app: cannot go on: MemoryError", "Brownout detector was triggered",
    "E (52) boot: No bootable app partitions in the partition table",
    "keys: missing, so it must be provisioned again: seal", "policy: (3, 'signature')",
    "storage: /data is damaged, and made anew", "Traceback (most recent call last):",
    "main: ImportError: no module named 'node.app'",
])  # fmt: skip
def test_a_node_that_does_not_run_ends_the_wait(line):
    test = after(line)
    assert test.is_over() and test.failed() and test.dead


@given(st.lists(st.text(max_size=60) | st.sampled_from(GOOD), max_size=30))
def test_noise_on_the_line_does_no_harm(lines):
    test = after(*lines, waited_s=10_000)
    assert test.failed() or {*GOOD[1:5]} <= set(lines)  # a link tells that there is Wi-Fi


@pytest.mark.parametrize("name", kit_names())
def test_every_kit_is_waited_for(name):
    assert 90 < SelfTest(load_kit(name).data).wait_s() <= 300


class Part:
    QUANTITIES, SETTLE_MS = ("co2_ppm",), 0

    def start(self):
        return 0

    def read(self):
        return (400,)


def test_the_firmware_says_once_that_it_found_a_sensor(capsys):
    entry = {"part": "scd41", "interval_s": 30, "ranges": {"co2_ppm": (0, 9000)}}
    sensor = Sensor(entry, Part)
    for now_ms in (0, 30_000, 60_000):
        sensor.step(now_ms)
    assert sensor.samples == 3
    assert capsys.readouterr().out == "scd41: found\n"


# the serial port


def test_lines_are_read_as_they_come():
    ours, theirs = os.openpty()
    try:
        lines = serial_lines.read_lines(os.ttyname(theirs), 20, False)
        timer = threading.Timer(0.3, os.write, (ours, b"rst\xff:1\r\nwifi: jo"))
        timer.start()
        heard = []
        for line in lines:
            if line.strip():
                heard.append(line.strip())
                os.write(ours, b"ined\r\n")
            if len(heard) == 2:
                break
        assert heard == ["rst�:1", "wifi: joined"]
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_port_that_is_gone_is_told(monkeypatch):
    monkeypatch.setattr(serial_lines, "_REOPEN_S", 0.3)
    with pytest.raises(ToolError, match="cannot be opened again"):
        list(serial_lines.read_lines("/dev/lamppost-has-no-such-port", 5, True))
