# SPDX-License-Identifier: MIT
"""What others send to a controller, and to who asks it, to break the one or to fool the other."""

import dataclasses
import http.client
import socket
import ssl

import pytest
from controller_fixture import START, WINDOW, Office, ask_for
from test_controller_service import City, Running

from host_tools.commands.controller.log import _show
from host_tools.controller import log_report, service
from host_tools.controller.documents import TIME_END_S, Request, Token
from host_tools.controller.rules import Refusal
from host_tools.errors import ToolError


@pytest.fixture
def office(tmp_path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def asked(office) -> Request:
    policy = office.allow(noise=None)
    return ask_for(office.nodes(5, policy), [policy], (0, 4))


def changed(request: Request, **fields) -> bytes:
    """Encoded as who checks nothing would."""
    other = object.__new__(Request)
    for name, value in {**vars(request), **fields}.items():
        object.__setattr__(other, name, value)
    return other.encode()


FAR = 1 << 40


@pytest.mark.parametrize(
    "fields",
    [
        {"ranges": ((FAR - FAR % WINDOW - WINDOW, FAR - FAR % WINDOW),)},
        {"ranges": ((FAR - 10, FAR),), "nodes": ("0000000000",)},
        {"ranges": ((START, TIME_END_S),)},
        {"purpose": "dpv:\x1b]0;title\x07"},
        {"purpose": "\u202ecilbuP:vpd"},
        {"purpose": ""},
    ],
)
def test_the_log_can_be_shown_whatever_was_asked(office, asked, fields, capsys, monkeypatch):
    with pytest.raises(Refusal) as caught:
        office.open().answer(changed(asked, **fields), "energy office")
    assert caught.value.rule == "form"
    monkeypatch.setenv("COLUMNS", "200")
    report = log_report.read(office.ledger)
    assert report.page("Data protection").count(b"something that is no request") == 1
    _show(report)
    assert "no request" in capsys.readouterr().out


def test_the_latest_time_of_a_request_can_be_shown(office, asked):
    end = TIME_END_S - 1
    with pytest.raises(Refusal) as caught:
        office.open().answer(changed(asked, ranges=((end - 60, end),)), "energy office")
    assert caught.value.rule == "window"
    assert b"6325" in log_report.read(office.ledger).page("Data protection")


@pytest.mark.parametrize("name", ["", "a\x1b[2Jb", "a\nb", "\udcff", "\u202eb", "a" * 201, None])
def test_who_has_no_name_that_can_be_shown_is_refused(office, asked, name):
    with pytest.raises(Refusal) as caught:
        office.open().answer(asked.encode(), name)
    assert caught.value.rule == "role"
    assert office.open().status()["entries"] == 1  # the policy


def test_a_refusal_takes_little_room(office, asked):
    ranges = tuple((START + 2 * n * WINDOW, START + (2 * n + 1) * WINDOW) for n in range(3000))
    long = dataclasses.replace(asked, ranges=ranges, nodes=asked.nodes[:4])
    assert office.refuses(long) == "population"
    many = tuple(bytes([n]) * 32 for n in range(201))
    with pytest.raises(Refusal, match="more than 200 policies"):
        office.open().answer(changed(asked, policies=many), "energy office")
    assert office.refuses(dataclasses.replace(asked, policies=many[:200])) == "policy"
    report = log_report.read(office.ledger)
    assert all(len(str(entry.detail)) < 20_000 for entry in report.entries)
    told = report.entries[1].detail["ranges"]
    assert told == [[*ranges[0], WINDOW], [*ranges[-1], WINDOW]]


@pytest.mark.parametrize("name", ["[/bold]", "[link=https://a.example]office[/link]", ":smile:"])
def test_a_name_is_shown_as_it_is(office, asked, name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    office.token(asked, by=name)
    _show(log_report.read(office.ledger))
    assert name in capsys.readouterr().out


def test_the_page_runs_nothing_that_a_name_or_purpose_holds(office, asked):
    script = "<script>alert(1)</script>"
    office.token(asked, by=script + "'\"")
    office.refuses(dataclasses.replace(asked, purpose=script))
    page = log_report.read(office.ledger).page(script)
    assert b"<script" not in page and page.count(b"&lt;script&gt;") >= 4


@pytest.mark.parametrize(
    "fields",
    [
        {"scales": ((0, 1), None)},
        {"scales": ((1, 0), None)},
        {"scales": ((1, -1), None)},
        {"scales": ((1 << 2000, 1), None)},
        {"by": 7},
        {"by": "a\x1b[2Jb"},
        {"at_s": FAR},
        {"at_s": "now"},
        {"entry": None},
        {"head": "0"},
    ],
)
def test_a_controller_that_errs_is_found(office, asked, fields):
    token = dataclasses.replace(office.token(asked), **fields)
    key = office.keys.public().verifier()
    with pytest.raises(ToolError, match="cannot be read"):
        Token.verify(token.sign(office.keys.signing), key, asked)


def test_the_widest_noise_is_no_error(office, asked):
    token = dataclasses.replace(office.token(asked), scales=(((1 << 77) - 1, 1_000_000), None))
    key = office.keys.public().verifier()
    assert Token.verify(token.sign(office.keys.signing), key, asked) == token


def test_a_body_that_never_ends_is_not_waited_for(office, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "_BODY_S", 0.1)
    city = City(tmp_path)
    running = Running(office, city.context())
    tls = city.tls()
    context = ssl.create_default_context(cafile=tls.authority)
    context.load_cert_chain(tls.certificate, tls.key)
    try:
        plain = socket.create_connection(("127.0.0.1", running.port), timeout=30)
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as link:
            head = b"POST /sum HTTP/1.1\r\nHost: a\r\nContent-Type: application/cbor\r\n"
            link.sendall(head + b"Content-Length: 900\r\n\r\nabc")
            answer = http.client.HTTPResponse(link)
            answer.begin()
            assert answer.status == 400 and b"its end" in answer.read()
    finally:
        running.close()
