# SPDX-License-Identifier: MIT
"""The controller over HTTPS, with real certificates and sockets."""

import asyncio
import contextlib
import http.client
import json
import ssl
import threading

import pytest
from controller_fixture import STREAM, Office, ask_for, masked_sum, opened

from host_tools.controller.ask import Tls, ask, get
from host_tools.controller.documents import Token
from host_tools.controller.service import serve, server_context
from host_tools.errors import ToolError
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.controller_key import decode


class Running:
    """A controller that serves on a free port of this machine, until close()."""

    def __init__(self, office: Office, context, revoked=None):
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.trouble = []
        work = serve(office.open(), office.ledger.path, context, "127.0.0.1", 0, self._listens,
                     self.trouble.append, revoked)  # fmt: skip
        self._task = self._loop.create_task(work)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    def _listens(self, port: int):
        self.port = port
        self.url = f"https://127.0.0.1:{port}"
        self._ready.set()

    def _run(self):
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)

    def close(self):
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(30)


class City:
    """Certificates of all who play a part, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority.create()
        self.authority.save(folder, "ca")
        self.issue("controller", "controller", ["127.0.0.1"])
        self.issue("energy-office", "requester")

    def issue(self, name, role, hosts=(), authority=None, **fields):
        shown = fields.pop("name_shown", name)
        (authority or self.authority).issue(shown, role, hosts, **fields).save(self.folder, name)

    def tls(self, name="energy-office", ca="ca") -> Tls:
        return Tls(*(self.folder / f for f in (f"{ca}.pem", f"{name}.pem", f"{name}.key")))

    def context(self, name="controller"):
        names = "ca.pem", f"{name}.pem", f"{name}.key"
        return server_context(*((self.folder / file).read_bytes() for file in names))


@pytest.fixture
def city(tmp_path):
    return City(tmp_path / "tls")


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path)


@pytest.fixture
def running(office, city):
    served = Running(office, city.context())
    yield served
    served.close()


def test_a_token_by_https(running, office, city):
    policy = office.allow(noise=None)
    nodes = office.nodes(5, policy)
    request = ask_for(nodes, [policy], (0, 4))
    signed = ask(running.url, request, city.tls())
    key = decode(get(running.url, "/key", city.tls()))
    assert key == office.keys.public()
    token = Token.verify(signed, key.verifier(), request)
    truth = {node.node_id: [60, 7] for node in nodes}
    summed = masked_sum(nodes, request.ranges[0], STREAM, truth)
    assert opened(summed, token.pads[0]) == [300, 35]


def test_a_refusal_names_its_rule_and_is_in_the_log(running, office, city):
    policy = office.allow()
    nodes = office.nodes(4, policy)
    with pytest.raises(ToolError, match=r"refuses \(population\)") as caught:
        ask(running.url, ask_for(nodes, [policy], (0, 4)), city.tls())
    assert caught.value.hint
    told = json.loads(get(running.url, "/log", city.tls()))
    assert told["verified"]
    entry = told["entries"][-1]
    assert (entry["verb"], entry["by"], entry["rule"]) == (
        "refused", "energy-office", "population",
    )  # fmt: skip


def test_the_name_in_the_log_is_that_of_the_certificate(running, office, city):
    policy = office.allow()
    nodes = office.nodes(5, policy)
    city.issue("transport-office", "requester")
    ask(running.url, ask_for(nodes, [policy], (0, 4)), city.tls("transport-office"))
    told = json.loads(get(running.url, "/log", city.tls()))
    assert told["entries"][-1]["by"] == "transport-office"


def test_a_name_that_would_steer_a_terminal_is_nobodys(running, office, city):
    city.issue("steers", "requester", name_shown="a\x1b[31mb")
    with pytest.raises(ToolError, match="no name and role"):
        get(running.url, "/key", city.tls("steers"))


@pytest.mark.parametrize("role", ["node", "vault", "broker", "controller", "collector"])
def test_another_role_is_refused_everywhere(running, office, city, role):
    policy = office.allow()
    nodes = office.nodes(5, policy)
    city.issue("somebody", role)
    tls = city.tls("somebody")
    for work in (
        lambda: ask(running.url, ask_for(nodes, [policy], (0, 4)), tls),
        lambda: get(running.url, "/key", tls),
        lambda: get(running.url, "/log", tls),
    ):
        with pytest.raises(ToolError, match=r"refuses \(role\)"):
            work()
    with office.ledger.reading() as db:
        assert db.execute("SELECT count(*) FROM answered").fetchone() == (0,)


def test_no_certificate_no_word(running, city):
    context = ssl.create_default_context(cafile=city.folder / "ca.pem")
    connection = http.client.HTTPSConnection("127.0.0.1", running.port, context=context)
    with pytest.raises(OSError):
        connection.request("GET", "/key")
        connection.getresponse()


def test_a_certificate_of_another_authority(running, city):
    other = Authority.create()
    city.issue("stranger", "requester", authority=other)
    with pytest.raises(ToolError, match=r"does not take the certificate|does not answer"):
        get(running.url, "/key", city.tls("stranger"))


def test_its_own_trouble_is_told_to_its_office_alone(running, office, city):
    policy = office.allow()
    nodes = office.nodes(5, policy)
    office.ledger.path.write_bytes(b"no database" * 1000)
    with pytest.raises(ToolError, match="something is wrong here"):
        ask(running.url, ask_for(nodes, [policy], (0, 4)), city.tls())
    assert str(office.ledger.path) in running.trouble[0].message


def test_old_tls_is_refused(running, city):
    context = ssl.create_default_context(cafile=city.folder / "ca.pem")
    tls = city.tls()
    context.load_cert_chain(tls.certificate, tls.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    connection = http.client.HTTPSConnection("127.0.0.1", running.port, context=context)
    with pytest.raises(ssl.SSLError):
        connection.connect()


def test_a_controller_of_another_authority_is_not_believed(office, city):
    other = City(city.folder / "other")
    served = Running(office, other.context())
    try:
        with pytest.raises(ToolError, match="does not hold"):
            get(served.url, "/key", city.tls())
    finally:
        served.close()


def test_a_controller_under_another_name_is_not_believed(running, city):
    with pytest.raises(ToolError, match="does not hold"):
        get(f"https://localhost:{running.port}", "/key", city.tls())


def test_a_certificate_that_is_over(office, city):
    city.issue("controller", "controller", ["127.0.0.1"], days=0)
    served = Running(office, city.context())
    try:
        with pytest.raises(ToolError, match="does not hold"):
            get(served.url, "/key", city.tls())
    finally:
        served.close()


def test_who_is_down(running, city):
    running.close()
    with pytest.raises(ToolError, match="does not answer"):
        get(running.url, "/key", city.tls())


@pytest.mark.parametrize("url", ["http://a:1", "a:1", "https://", "https://a/b", "https://a:x"])
def test_what_is_no_address(city, url):
    with pytest.raises(ToolError, match="not the address") as caught:
        get(url, "/key", city.tls())
    assert caught.value.exit_code == 2


def test_a_locked_or_missing_key_asks_nobody(running, city):
    with pytest.raises(ToolError, match="no such file"):
        get(running.url, "/key", city.tls("nobody"))
    tls = city.tls()
    wrong = Tls(tls.authority, tls.certificate, city.folder / "controller.key")
    with pytest.raises(ToolError, match="no pair"):
        get(running.url, "/key", wrong)


def raw(running, city, method: str, path: str, body=None, kind="application/cbor"):
    tls = city.tls()
    context = ssl.create_default_context(cafile=tls.authority)
    context.load_cert_chain(tls.certificate, tls.key)
    connection = http.client.HTTPSConnection("127.0.0.1", running.port, context=context)
    connection.request(method, path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_what_else_may_come(running, city):
    assert raw(running, city, "POST", "/sum", bytes(2 << 20))[0] == 413
    status, body = raw(running, city, "POST", "/sum", b"\xff" * 100)
    assert (status, json.loads(body)["rule"]) == (400, "form")
    assert raw(running, city, "GET", "/")[0] == 404
    assert raw(running, city, "GET", "/sum")[0] == 405
    assert raw(running, city, "GET", "/key")[0] == 200  # and it still answers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_no_page_asks_in_the_name_of_who_looks_at_it(running, office, city, kind):
    """A browser sends these, with the certificate, for a page of anybody."""
    policy = office.allow(noise=None)
    asked = ask_for(office.nodes(6, policy), [policy], (0, 4)).encode()
    status, body = raw(running, city, "POST", "/sum", asked, kind)
    assert (status, json.loads(body)["rule"]) == (400, "form")
    assert office.open().status()["entries"] == 1  # the policy
    assert raw(running, city, "OPTIONS", "/sum")[0] == 405
    assert raw(running, city, "POST", "/sum", asked)[0] == 200


def test_two_at_once_cannot_both_have_what_is_left(running, office, city):
    """Each alone would be answered; together they cut out one node."""
    policy = office.allow(noise=None)
    nodes = office.nodes(6, policy)
    for round_ in range(4):
        span = round_ * 4, round_ * 4 + 4
        asked = [ask_for(nodes[:5], [policy], span), ask_for(nodes, [policy], span)]
        found, together = [], threading.Barrier(2)

        def work(request, found=found, together=together):
            together.wait()
            try:
                ask(running.url, request, city.tls())
                found.append("answered")
            except ToolError as err:
                found.append("differencing" if "(differencing)" in err.message else err.message)

        threads = [threading.Thread(target=work, args=(request,)) for request in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == ["answered", "differencing"]
