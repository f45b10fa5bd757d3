# SPDX-License-Identifier: MIT
"""`lamppost sum`: from a store of masked values, over a request, to a sum that a token opens; in
files and over HTTPS, by the tokens of reference_masks.py."""

import contextlib
import csv
import http.server
import io
import json
import ssl
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host_tools.cli import run
from host_tools.collector.keyring import Keyring
from host_tools.collector.store import Store
from host_tools.controller.documents import Request
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.controller_key import (
    ControllerKey,
    new_sealing_secret,
    sealing_public,
)
from host_tools.provisioning.ticket import make_ticket
from host_tools.times import iso
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_masks import Masks, give_token
from tests.host_tools.reference_policy import PURPOSE, masked, policy, stream

ROOT = bytes(range(32))
DAY0, DAY_S, HOUR_S = 20_500, 86_400, 3600
START_S = DAY0 * DAY_S
HOURS = 6
NODES = [f"000000000{letter}" for letter in "abcde"]
LATE, WITHOUT = NODES[3:]  # one of a gap in the third hour, one with a policy that masks nothing
LINES = (
    masked(7, "energy_mwh", HOUR_S, ["count", "sum"], 1000, 0, 10**6, k=3),
    masked(9, "vehicles", HOUR_S, ["count", "histogram"], 1, 0, 100, k=3, bins=[2, 5]),
)
POLICY, TERMS = policy(*LINES)
BARE, BARE_TERMS = policy(stream(1, "co2_ppm", HOUR_S, ["mean"], 10, 350, 5000), id="bare")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
ELEMENTS = {7: 2, 9: 4}


def masks_of(number):
    return {node: Masks(ROOT, node, number, DAY0, ELEMENTS[number]) for node in NODES[:4]}


def steps(node, hour):
    return [4, 100 * NODES.index(node) + hour]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A store of six hours of five nodes."""
    folder = tmp_path_factory.mktemp("sums")
    keyring = Keyring(folder / "keyring.json")
    masks = {number: masks_of(number) for number in ELEMENTS}
    batch = []
    for name in NODES:
        rules, terms = (BARE, BARE_TERMS) if name == WITHOUT else (POLICY, TERMS)
        keyring.add_node(make_ticket(ROOT, name, DAY0, ELEMENTS), rules, terms)
        node = ref.ReferenceNode(ROOT, name, DAY0, rules)
        for hour in range(HOURS):
            a = START_S + hour * HOUR_S
            span, slot = (a, a + HOUR_S), a // HOUR_S
            records = [[1, slot, 50]]
            if name != WITHOUT:
                numbers = {7: steps(name, hour), 9: [4, 1, 2, 1]}
                records = [[n, slot, slot, masks[n][name].mask(numbers[n], *span)] for n in (7, 9)]
            message = node.seal(records, span[1])
            if (name, hour) != (LATE, 2):
                batch.append((node.topic, message))
    with Store(folder / "a.sqlite", keyring) as store:
        store.take_batch(batch, START_S + HOURS * HOUR_S)
    return folder / "a.sqlite"


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def key_file(tmp_path):
    signing = KEY.public_key().public_bytes_raw()
    path = tmp_path / "controller.public"
    path.write_bytes(
        ControllerKey("office", signing, sealing_public(new_sealing_secret())).encode()
    )
    return path


@pytest.fixture
def lamppost(capsys, path):
    def call(*words, store=path):
        code = run(["sum", "--store", str(store), *(str(word) for word in words)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def hour(number):
    return iso(START_S + number * HOUR_S)


def asked(first=0, after=HOURS, number=7):
    return "--stream", number, "--from", hour(first), "--to", hour(after)


@pytest.fixture
def opened(lamppost, tmp_path, key_file):
    """Writes a request, has a token made, and opens it: what the last command gave."""

    def call(*question, form=(), **options):
        request_path, token_path = tmp_path / "r.request", tmp_path / "t.token"
        code, _, err = lamppost(*question, "--request", request_path)
        assert code == 0, err
        request = Request.decode(request_path.read_bytes())
        token_path.write_bytes(give_token(request, masks_of(request.stream), KEY, **options))
        files = "--request", request_path, "--token", token_path, "--controller-key", key_file
        return lamppost(*files, *form)

    return call


def refused(result, code, *words):
    """Exit code, nothing on stdout, and two lines on stderr with these words."""
    assert (result[0], result[1]) == (code, ""), result
    lines = result[2].splitlines()
    assert lines[-2].startswith("error: ") and lines[-1].startswith("hint: "), lines
    for word in words:
        assert word in result[2], result[2]


# files


def test_a_request_says_who_is_in_it_and_what_to_do_next(lamppost, tmp_path, path):
    target = tmp_path / "r.request"
    code, out, err = lamppost(*asked(), "--request", target)
    text = " ".join(out.split())
    assert (code, err) == (0, "")
    assert "a request for 1 sum of 3 nodes (at least 3)" in text
    gap = f"from {hour(2)[:16].replace('T', ' ')} to {hour(3)[:16].replace('T', ' ')}"
    assert f"left out: {LATE}: nothing came, {gap}" in text
    assert f"lamppost sum --store {path} --request {target} --token FILE" in text
    request = Request.decode(target.read_bytes())
    assert (request.nodes, request.purpose) == (tuple(NODES[:3]), PURPOSE)
    assert request.ranges == ((START_S, START_S + HOURS * HOUR_S),)
    _, out, _ = lamppost(*asked(), "--request", target, "--json")
    content = json.loads(out)
    assert content["digest"] == request.digest().hex()
    assert content["left_out"] == [
        {"node": LATE, "reason": "nothing came", "from": hour(2), "to": hour(3)}
    ]
    _, out, _ = lamppost(*asked(), "--request", target, "--csv")
    assert next(csv.DictReader(io.StringIO(out)))["node"] == LATE


def test_a_sum_is_opened(opened):
    code, out, err = opened(*asked(3, 6), form=["--json"], scales=[None, (100, 1)], at_s=START_S)
    assert code == 0, err
    content = json.loads(out)
    assert (content["population"], content["nodes"]) == (4, NODES[:4])
    assert (content["quantity"], content["purpose"]) == ("energy_mwh", PURPOSE)
    assert content["token"]["by"] == "office" and content["token"]["given"] == iso(START_S)
    (one,) = content["sums"]
    figures = {figure["statistic"]: figure for figure in one["figures"]}
    total = sum(steps(node, h)[1] for node in NODES[:4] for h in (3, 4, 5))
    assert (one["from"], one["to"]) == (hour(3), hour(6))
    assert (figures["sum"]["unit"], figures["sum"]["value"]) == ("Wh", total)
    assert figures["sum"]["noise"] == 300  # 100 · ln 20, in whole steps
    assert figures["count"] == {
        "statistic": "count", "unit": "samples", "value": 48, "noise": None, "low": None,
        "high": None,
    }  # fmt: skip
    assert figures["mean"]["value"] == pytest.approx(total / 48, abs=1e-3)


def test_a_curve_as_a_table_and_as_csv(opened):
    question = *asked(0, 6), "--nodes", ",".join(NODES[:3]), "--every", "1h"
    code, out, err = opened(*question, scales=[None, (100, 1)])
    assert code == 0, err
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == f"energy_mwh of 3 nodes, for {PURPOSE}"
    assert lines[2].startswith(hour(0)[:16].replace("T", " ")) and "300 ± 300" in lines[2]
    assert len([line for line in lines if "±" in line]) == 7
    assert "token 1 of office, given 1970-01-01 00:00 UTC" in lines
    assert lines[-1] == "±: the noise is within it in 19 of 20 cases"
    _, out, _ = opened(*question, form=["--csv"])
    rows = [row for row in csv.DictReader(io.StringIO(out)) if row["statistic"] == "sum"]
    expected = [sum(steps(node, h)[1] for node in NODES[:3]) for h in range(6)]
    assert [int(row["value"]) for row in rows] == expected
    assert [row["from"] for row in rows] == [hour(h) for h in range(6)]


def test_a_histogram(opened):
    code, out, _ = opened(*asked(3, 5, 9))
    assert code == 0 and "p50" in out and "2 to 5" in out and "bin_" not in out
    _, out, _ = opened(*asked(3, 5, 9), form=["--json"])
    figures = {f["statistic"]: f for f in json.loads(out)["sums"][0]["figures"]}
    assert [figures[f"bin_{n}"]["value"] for n in range(3)] == [8, 16, 8]
    assert (figures["p50"]["low"], figures["p50"]["high"]) == (2, 5)


def test_a_list_of_nodes_in_a_file(opened, tmp_path):
    (tmp_path / "nodes").write_text("\n".join(NODES[1:4]) + "\n")
    _, out, _ = opened(*asked(3, 4), "--nodes", f"@{tmp_path / 'nodes'}", form=["--json"])
    assert json.loads(out)["nodes"] == NODES[1:4]


def test_a_quantity_names_the_stream(lamppost, tmp_path):
    target = tmp_path / "r.request"
    words = "--from", hour(0), "--to", hour(6), "--request", target
    code, _, err = lamppost("--quantity", "vehicles", *words)
    assert code == 0, err
    assert Request.decode(target.read_bytes()).stream == 9
    refused(lamppost(*words), 1, "more than one stream", "7 (energy_mwh, 1 hour)")
    refused(lamppost("--stream", 8, *words), 1, "no such masked stream")
    refused(lamppost("--stream", 7, "--quantity", "vehicles", *words), 1, "no such masked stream")


def test_another_purpose_is_in_the_request(lamppost, tmp_path):
    target = tmp_path / "r.request"
    lamppost(*asked(), "--request", target, "--purpose", "dpv:Verification")
    assert Request.decode(target.read_bytes()).purpose == "dpv:Verification"


# what cannot be


def test_too_few_nodes_and_nothing_is_written(lamppost, tmp_path):
    target = tmp_path / "r.request"
    result = lamppost(*asked(), "--nodes", ",".join(NODES[2:]), "--request", target)
    refused(result, 1, "covered by 1 node, and the policy asks for 3", LATE)
    assert not target.exists()


def test_wrong_words(lamppost, tmp_path, key_file):
    target = tmp_path / "r.request"
    ask = "--request", target
    opening = "--request", target, "--token", target
    for words, phrase in (
        ((*asked(), "--nodes", "street", *ask), "'street' is not a node"),
        ((*asked(), "--nodes", f"@{tmp_path / 'none'}", *ask), "No such file"),
        ((*asked(), "--every", "soon", *ask), "'soon' is not a time"),
        ((*asked(), "--every", "4h", *ask), "not a multiple of --every 4 hours"),
        ((*asked(3, 3), *ask), "is not after"),
        ((*asked(4, 3), *ask), "is not after"),
        (("--stream", 7, "--from", "now", "--to", hour(1), *ask), "'now' is not a time"),
        (("--stream", 7, "--from", hour(0)[:14] + "30", "--to", hour(1), *ask), "no window"),
        (("--stream", 7, "--from", hour(0), *ask), "give --from and --to"),
        (asked(), "give --controller URL, or --request FILE"),
        ((*asked(), *ask, "--controller", "https://x"), "give --controller URL, or --request"),
        ((*asked(), "--controller", "https://x"), "give --controller-key"),
        (opening, "give --controller-key"),
        (("--token", target, "--controller-key", key_file), "name both"),
        ((*opening, "--controller-key", key_file, "--every", "1h"), "leave out --every"),
        ((*opening, "--controller-key", key_file, "--from", "1"), "leave out --from"),
        ((*opening, "--controller-key", key_file, "--controller", "u"), "leave out --controller"),
        ((*asked(), "--controller", "https://x", "--controller-key", key_file),
         "give --tls-dir and --name"),
    ):  # fmt: skip
        code = 1 if "No such file" in phrase else 2
        refused(lamppost(*words), code, phrase)
    assert not target.exists()


def test_a_token_that_does_not_fit(lamppost, tmp_path, key_file):
    files = {}
    for name, question in (("one", asked(3, 6)), ("two", asked(3, 5))):
        files[name] = tmp_path / f"{name}.request"
        assert lamppost(*question, "--request", files[name])[0] == 0
    token = tmp_path / "t.token"
    request = Request.decode(files["one"].read_bytes())
    good = give_token(request, masks_of(7), KEY)
    opening = "--request", files["one"], "--token", token, "--controller-key", key_file

    def tried(content, *words):
        token.write_bytes(content)
        return lamppost(*(words or opening))

    assert tried(good)[0] == 0
    refused(tried(good, "--request", files["two"], *opening[2:]), 1, "is for another request")
    stranger = give_token(request, masks_of(7), Ed25519PrivateKey.generate())
    refused(tried(stranger), 1, "not signed by this controller")
    refused(tried(good[:-1]), 1, "not signed by this controller")
    refused(tried(b""), 1, "not signed by this controller")
    refused(tried(good, *opening[:4], "--controller-key", token), 1, "not the public key")
    refused(tried(good, "--request", token, *opening[2:]), 1, "t.token: the request")
    token.unlink()
    refused(lamppost(*opening), 1, "No such file", "give the file of the token")


def test_stores_without_masked_streams(lamppost, tmp_path):
    keyring = Keyring(tmp_path / "keyring.json")
    Store(tmp_path / "new.sqlite", keyring).close()
    words = *asked(), "--request", tmp_path / "r"
    refused(lamppost(*words, store=tmp_path / "new.sqlite"), 1, "there is no masked stream")
    refused(lamppost(*words, store=tmp_path / "none.sqlite"), 1, "there is no such store")


# over HTTPS


class Counter(http.server.BaseHTTPRequestHandler):
    """Answers as a controller's service does: tokens for stream 7, refusals for others."""

    def do_GET(self):
        self._answer(200 if self.path == "/key" else 404, self.server.key)

    def do_POST(self):
        request = Request.decode(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, request, self.connection.getpeercert()))
        if request.stream == 7:
            status, body = 200, give_token(request, masks_of(7), self.server.signs)
        else:
            refusal = {"rule": "budget", "message": "the day is spent", "hint": "ask less"}
            status, body = 403, json.dumps(refusal).encode()
        self._answer(status, body)

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def office(tmp_path, key_file):
    """(its server, its URL, the folder of certificates)"""
    tls = tmp_path / "tls"
    tls.mkdir()
    authority = Authority.create()
    authority.save(tls, "ca")
    authority.issue("office.test", "controller", ["127.0.0.1"]).save(tls, "office")
    authority.issue("energy", "requester").save(tls, "energy")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tls / "office.pem", tls / "office.key")
    server = http.server.HTTPServer(("127.0.0.1", 0), Counter)
    server.asked, server.signs, server.key = [], KEY, key_file.read_bytes()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with contextlib.closing(server.socket):
        yield server, f"https://127.0.0.1:{server.server_port}", tls
        server.shutdown()
        thread.join()


def test_over_https(lamppost, office, key_file):
    server, url, tls = office
    way = "--controller", url, "--tls-dir", tls, "--name", "energy", "--controller-key", key_file
    code, out, err = lamppost(*asked(), *way, "--json")
    assert code == 0, err
    assert f"asking {url} for the sum of 3 nodes; left out: 1 node" in err
    content = json.loads(out)
    total = sum(steps(node, h)[1] for node in NODES[:3] for h in range(HOURS))
    assert content["sums"][0]["figures"][1]["value"] == total
    assert [one["node"] for one in content["left_out"]] == [LATE]
    ((where, request, certificate),) = server.asked
    assert where == "/sum" and request.nodes == tuple(NODES[:3])
    assert (("commonName", "energy"),) in certificate["subject"]
    refused(lamppost(*asked(number=9), *way), 1, "budget", "the day is spent", "ask less")
    server.signs = Ed25519PrivateKey.generate()
    refused(lamppost(*asked(), *way), 1, "not signed by this controller")


def test_nobody_is_asked_when_the_answer_could_not_be_used(lamppost, office, tmp_path, key_file):
    server, url, tls = office
    way = "--controller", url, "--tls-dir", tls, "--name", "energy", "--controller-key"
    refused(lamppost(*asked(), *way, tmp_path / "none"), 1, "No such file")
    few = "--nodes", LATE
    refused(lamppost(*asked(), *few, *way, key_file), 1, "covered by 0 nodes")
    refused(lamppost(*asked(), *way[:-3], "--name", "x", way[-1], key_file), 1, "x.pem")
    assert server.asked == []


def test_a_controller_of_another_key_is_not_asked_for_what_costs(lamppost, office, tmp_path):
    server, url, tls = office
    for signing in (KEY, Ed25519PrivateKey.generate()):  # one that would even check its tokens
        key = ControllerKey("office", signing.public_key().public_bytes_raw(),
                            sealing_public(new_sealing_secret()))  # fmt: skip
        other = tmp_path / "other.public"
        other.write_bytes(key.encode())
        result = lamppost(*asked(), "--controller", url, "--tls-dir", tls, "--name", "energy",
                          "--controller-key", other)  # fmt: skip
        refused(result, 1, f"{url} is not the controller office", key.fingerprint(), "nothing was")
    assert server.asked == []


def test_a_controller_that_is_down(lamppost, office, key_file):
    server, url, tls = office
    server.shutdown()
    server.socket.close()
    way = "--controller", url, "--tls-dir", tls, "--name", "energy", "--controller-key", key_file
    refused(lamppost(*asked(), *way), 1, url, "does not answer")
    refused(lamppost(*asked(), "--controller", "http://x", *way[2:]), 2, "give https://")
