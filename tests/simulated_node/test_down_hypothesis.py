# SPDX-License-Identifier: MIT
"""Anything on `down`, as hypothesis thinks it up: see tests/portable/down_fuzz.py for what must
hold, and tests/portable/test_down_input.py for the corpus and for cases by chance."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("test_mqtt")  # which skips without umqtt.simple

from down_fuzz import DOWN, Fuzzer, packet, seal

from node import cbor

NUMBERS = st.integers(-(1 << 64), (1 << 64) - 1)
VALUES = st.recursive(
    NUMBERS | st.binary(max_size=20) | st.text(max_size=8) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=25,
)
FIELDS = st.tuples(NUMBERS, st.just("LOG") | VALUES, NUMBERS | VALUES, VALUES) | st.tuples(
    st.integers(0, 99), st.just("LOG"), st.integers(0, 30),
    st.lists(st.tuples(st.integers(-2, 30), st.integers(-2, 30)), max_size=40),
)  # fmt: skip
EACH = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def fuzzer(monkeypatch):
    from node.link import mqtt
    from node.pipeline import publish

    monkeypatch.setattr(mqtt, "say", mqtt.say)  # the fuzzer's own: taken back behind the test
    monkeypatch.setattr(publish, "say", publish.say)
    return Fuzzer(1)


@EACH
@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"\x30", b"\x32\xff\xff\x7f\x00\x12"])),
       st.integers(1, 80))  # fmt: skip
def test_bytes_of_a_broker(fuzzer, parts, at_once):
    fuzzer.wire(b"".join(parts), at_once)


@EACH
@given(st.integers(0, 255), st.binary(max_size=40), st.none() | st.integers(0, 1 << 35),
       st.integers(0, 65_535), st.binary(max_size=1100))  # fmt: skip
def test_a_publish_with_a_length_that_is_not_true(fuzzer, head, topic, size, packet_id, message):
    fuzzer.wire(packet(message, head, topic, packet_id, size))
    fuzzer.wire(packet(message, 0x32, DOWN, packet_id, size))


@EACH
@given(st.binary(max_size=1000), st.sampled_from(["receipt", "command"]))
def test_a_sealed_message_of_any_bytes(fuzzer, body, word):
    fuzzer.message(body)
    fuzzer.message(seal(body, word))


@EACH
@given(FIELDS | VALUES, st.sampled_from(["receipt", "command"]))
def test_a_sealed_message_of_any_fields(fuzzer, fields, word):
    if isinstance(fields, tuple):
        fields = [fuzzer.outbox.log if field == "LOG" else field for field in fields]
        if word == "command":
            fields[1:1] = ["resend"]
    fuzzer.message(seal(cbor.encode(fields), word))
    fuzzer.wire(packet(seal(cbor.encode(fields), word)))
