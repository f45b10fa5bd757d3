# SPDX-License-Identifier: MIT
"""A whole node whose access point fails in each way: it says which, comes back by itself, and
nothing is lost. Its watchdog never bites, neither then nor when the broker falls silent."""

import threading

import pytest

from simulator.city_folder import PASSWORD, SSID
from simulator.city_run import CityRun, Plan, choose_kits

MINUTE_MS = 60_000


def play(folder, hours, changes, interpreter="cpython"):
    """Runs one air node; changes: {ms: function(access point, node id)}. Its log and account."""
    plan = Plan(
        kits=choose_kits(("air",), None), for_s=int(hours * 3600), folder=folder,
        interpreter=interpreter,
    )  # fmt: skip
    pending = dict(changes)
    with CityRun(plan) as city:
        city.start()
        node = city.nodes[0]

        def change():
            for at_ms in sorted(pending):
                if at_ms <= city.conductor.now_ms:
                    pending.pop(at_ms)(city.services.access_point, node.node_id)

        assert city.run(change), (city.trouble(), list(node.log))
        assert not pending
        account = city.account()
        assert city.complete(account)
        assert node.resets == 0
        return list(node.log), account


def set_to(**fields):
    def change(access_point, node_id):
        for name, value in fields.items():
            assert hasattr(access_point, name)
            setattr(access_point, name, value)

    return change


def ordered(log, *lines):
    """Whether `lines` are in the log, in this order."""
    at = iter(log)
    return all(line in at for line in lines)


@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
def test_each_fault_of_the_access_point(tmp_path, interpreter):
    log, _ = play(tmp_path / "city", 1.5, {
        10 * MINUTE_MS: set_to(up=False),
        20 * MINUTE_MS: set_to(up=True),
        30 * MINUTE_MS: set_to(password="another"),
        40 * MINUTE_MS: set_to(password=PASSWORD),
        50 * MINUTE_MS: set_to(dhcp=False, channel=11),
        60 * MINUTE_MS: set_to(dhcp=True),
        70 * MINUTE_MS: set_to(drop_s=60),
        80 * MINUTE_MS: set_to(drop_s=None),
    }, interpreter)  # fmt: skip
    assert ordered(
        log, "wifi: joined", "wifi: no access point", "wifi: joined", "wifi: wrong password",
        "wifi: joined", "wifi: no address", "wifi: joined",
    )  # fmt: skip
    text = "\n".join(log)
    assert text.count("wifi: no access point") == 1
    assert PASSWORD not in text and SSID not in text


def test_a_broker_that_falls_silent(tmp_path):
    """TCP stands, and nothing gets through, for 40 s of real time, which a waiting node's clock
    follows: it notices, tries again, and all arrives."""
    timers = []

    def stall(access_point, node_id):
        access_point.stall(node_id)
        timers.append(threading.Timer(40, access_point.stall, (node_id, False)))
        timers[0].start()

    try:
        log, _ = play(tmp_path / "city", 1, {20 * MINUTE_MS: stall})
    finally:
        for timer in timers:
            timer.cancel()
            timer.join()
    assert ordered(log, "link: connected", "link: puback", "link: tls", "link: connected")
