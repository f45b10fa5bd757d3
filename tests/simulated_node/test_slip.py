# SPDX-License-Identifier: MIT
"""SLIP: what is framed comes out, however the stream is cut; what is broken does not."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from simulator.serial_board.slip import LONGEST_BYTES, SlipReader, encode

SPECIAL = st.binary(min_size=1, max_size=60) | st.lists(
    st.sampled_from([0xC0, 0xDB, 0xDC, 0xDD, 0]), min_size=1, max_size=30
).map(bytes)


def read(*pieces: bytes) -> list[bytes]:
    reader = SlipReader()
    return [packet for piece in pieces for packet in reader.feed(piece)]


def test_rfc_1055():
    assert encode(b"\xc0A\xdb") == b"\xc0\xdb\xdcA\xdb\xdd\xc0"


@given(st.lists(SPECIAL, max_size=6), st.lists(st.integers(0, 400), max_size=12))
def test_any_packets_come_through_however_the_stream_is_cut(packets, cuts):
    stream = b"".join(encode(packet) for packet in packets)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert read(*pieces) == packets


def test_what_lies_between_packets_is_dropped():
    assert read(b"noise", encode(b"one"), b"more", encode(b"two")) == [b"one", b"two"]


def test_an_escape_that_is_none_costs_its_packet_only():
    assert read(b"\xc0a\xdbb\xc0", encode(b"next")) == [b"next"]
    assert read(b"\xc0a\xdb\xc0", encode(b"next")) == [b"next"]


def test_a_packet_that_never_ends_takes_no_memory():
    reader = SlipReader()
    assert not list(reader.feed(b"\xc0"))
    for _ in range(100):
        assert not list(reader.feed(bytes(4096)))
    assert len(reader._packet) <= LONGEST_BYTES + 4096
    assert list(reader.feed(b"\xc0" + encode(b"next"))) == [b"next"]
