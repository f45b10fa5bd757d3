# SPDX-License-Identifier: MIT
"""A whole node through outages of days: it loses nothing that fits on its flash, and says what
does not."""

import pytest

from simulator.world.broker_mosquitto import mosquitto_path
from tests.soak import outage
from tests.soak.month import Month
from tests.soak.watched_city import START_S, WatchedCity, undisturbed

HOUR_S = 3600
OUTAGE_S = 72 * HOUR_S
BLOCKED_S = 0.02

needs_mosquitto = pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")


def assert_complete(city, until_s):
    """All is delivered, and the store holds what it holds of an undisturbed node."""
    account = city.drain()
    assert account["complete"], city.run.trouble()
    expected = undisturbed(until_s)
    values = city.values()
    due = [key for key in expected if key[1] < START_S + until_s - HOUR_S]
    assert [key for key in due if key not in values] == []
    assert city.query("SELECT count(*) FROM envelope") == [(city.node.status["newest"],)]
    assert set(city.events()) <= {"new outbox"}
    return account


def test_broker_down_for_72_hours(tmp_path):
    end_s = OUTAGE_S + 5 * HOUR_S
    with WatchedCity(tmp_path, end_s) as city:
        city.start()
        city.until(2 * HOUR_S)
        before = len(city.published)
        city.services.stop_broker(kill=True)
        city.until(2 * HOUR_S + OUTAGE_S, patience_s=BLOCKED_S)
        city.services.start_broker()
        city.until(end_s)
        assert_complete(city, end_s)
        numbers = [envelope.number for envelope in city.opened()]
    assert before > 20
    assert numbers == list(range(1, len(numbers) + 1))  # in order, and none twice


@pytest.mark.parametrize(
    ("broker", "queue_limit"),
    [("embedded", 100_000), pytest.param("mosquitto", 100, marks=needs_mosquitto)],
)
def test_collector_down_for_72_hours(tmp_path, broker, queue_limit):
    """The broker takes all and keeps what it can: what it dropped, the node sends again."""
    end_s = OUTAGE_S + 5 * HOUR_S
    with WatchedCity(tmp_path, end_s, broker=broker, queue_limit=queue_limit) as city:
        city.start()
        city.until(2 * HOUR_S)
        city.services.stop_collector()
        city.until(2 * HOUR_S + OUTAGE_S, patience_s=BLOCKED_S)
        assert city.node.status["waiting"] >= OUTAGE_S // 300
        city.services.start_collector()
        city.until(end_s)
        account = assert_complete(city, end_s)
        numbers = [number for (number,) in city.query("SELECT number FROM envelope")]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert account["nodes"][0]["duplicates"] > 0  # each stored once all the same


@needs_mosquitto
def test_a_broker_killed_again_and_again_after_it_acknowledged(tmp_path):
    """It forgets what it acknowledged: the collector was away, and the queue is in memory."""
    rounds, end_s = 6, 8 * HOUR_S
    with WatchedCity(tmp_path, end_s, broker="mosquitto") as city:
        city.start()
        city.until(HOUR_S)
        for hour in range(1, rounds + 1):
            city.services.stop_collector()
            waiting = city.node.status["waiting"]
            city.until(hour * HOUR_S + HOUR_S // 2, patience_s=BLOCKED_S)
            assert city.node.status["waiting"] > waiting
            city.services.stop_broker(kill=True)
            city.services.start_broker()
            if hour % 2:  # else the next broker dies as well before a collector has seen it
                city.services.start_collector()
            city.until((hour + 1) * HOUR_S, patience_s=2.0 if hour % 2 else BLOCKED_S)
        city.services.stop_collector()
        city.services.start_collector()
        city.until(end_s)
        assert_complete(city, end_s)


def test_eight_days_without_a_receipt(tmp_path):
    """Windows go on closing, also past the 7 days that a time without receipt is trusted; the
    flash is full in the end, and the store says exactly which envelopes are gone: the oldest."""
    outcome = outage.play(tmp_path, "nothing")
    assert outcome.lost and outcome.is_good(), outcome
    assert len(outcome.stored) >= OUTAGE_S // 300


def test_a_day_with_many_cuts_in_a_small_heap():
    """A sample of `python -m tests.soak month`, with more faults."""
    month = Month(1, cut_percent=100, restarts_a_day=4)
    account = month.run()
    assert account["complete"], account["trouble"]
    assert month.cuts >= 20 and month.restarts == 4
    assert month.memory_errors == 0
    early = [heap for at_ms, heap in month.heaps if at_ms < 4 * HOUR_S * 1000]
    late = [heap for at_ms, heap in month.heaps if at_ms > 20 * HOUR_S * 1000]
    assert max(late) <= max(early) * 1.02
