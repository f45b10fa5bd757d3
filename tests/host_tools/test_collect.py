# SPDX-License-Identifier: MIT
"""`lamppost collect`: what it says at the end, and what it says when it cannot start."""

import contextlib
import signal
import socket
import sqlite3

import pytest

from host_tools.cli import run
from host_tools.collector import tls_probe
from host_tools.collector.account import Account
from host_tools.collector.keyring import Keyring
from host_tools.collector.mqtt_worker import MqttWorker
from host_tools.collector.store import Store
from host_tools.errors import ToolError
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.ticket import make_ticket
from simulator.world import broker_embedded
from simulator.world.broker_embedded import EmbeddedBroker
from simulator.world.broker_mosquitto import MosquittoBroker, mosquitto_path
from tests.host_tools.reference_policy import policy, stream, with_version
from tests.host_tools.reliable_nodes import (
    DAY0,
    IDS,
    POLICY,
    ROOT,
    START_S,
    TERMS,
    WINDOW_S,
    ReliableNode,
    Worker,
    all_receipted,
    make_keyring,
    ref,
)
from tests.host_tools.reliable_nodes import run as run_nodes

WITHIN_S = 20
COLLECTOR = "collector-1"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.create()
    authority.save(folder, "ca")
    authority.issue("broker", "broker", ["broker.test", "127.0.0.1"]).save(folder, "broker")
    authority.issue(COLLECTOR, "collector").save(folder, COLLECTOR)
    authority.issue("collector-2", "collector").save(folder, "borrowed")
    for node_id in IDS:
        authority.issue(node_id, "node").save(folder, node_id)
    return folder


@pytest.fixture
def embedded(tls):
    broker = EmbeddedBroker(tls / "ca.pem", tls / "broker.pem", tls / "broker.key")
    broker.address = broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def complaint(tls, tmp_path, capsys):
    """Runs collect with some options changed (None leaves one out); (exit code, stderr)."""
    keyring = make_keyring(tmp_path)

    def call(**changes):
        options = {
            "store": tmp_path / "a.sqlite", "keyring": keyring, "broker": "127.0.0.1:1",
            "tls-dir": tls, "name": COLLECTOR, **changes,
        }  # fmt: skip
        given = {name: value for name, value in options.items() if value is not None}
        words = [str(word) for name, value in given.items() for word in (f"--{name}", value)]
        code = run(["collect", *words])
        out, err = capsys.readouterr()
        lines = err.splitlines()
        assert out == "" and len(lines) == 2, (out, err)
        assert lines[0].startswith("error: ") and lines[1].startswith("hint: ")
        return code, err

    return call


def test_help(capsys):
    assert run(["collect", "--help"]) == 0
    out = capsys.readouterr().out
    assert "lamppost collect --store city.sqlite" in out and "--share" in out
    assert run(["--help"]) == 0
    assert "collect" in capsys.readouterr().out


def test_bad_usage(complaint):
    for option in ("store", "keyring", "broker", "tls-dir", "name"):
        code, said = complaint(**{option: None})
        assert code == 2 and f"--{option}" in said and "lamppost collect --help" in said
    code, said = complaint(broker="127.0.0.1")
    assert code == 2 and "is not HOST:PORT" in said and "embedded" not in said
    code, said = complaint(share="a/b")
    assert code == 2 and "is not the name of a group" in said


def test_files_that_are_not_there(complaint, tls, tmp_path):
    for change, words in (
        ({"keyring": tmp_path / "no.json"}, "there is no such keyring"),
        ({"tls-dir": tmp_path}, "ca.pem: there is no such file"),
        ({"name": "collector-9"}, "collector-9.pem: there is no such file"),
        ({"name": "borrowed"}, "is the certificate of collector-2"),
        ({"name": IDS[0]}, "is not a collector's"),
        ({"store": tls / "ca.pem"}, "is not a store"),
    ):
        code, said = complaint(**change)
        assert code == 1 and words in said, said
    assert "give --name collector-2" in complaint(name="borrowed")[1]


def test_no_broker(complaint):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        code, said = complaint(broker="127.0.0.1:{}".format(*free.getsockname()[1:]))
    assert code == 1 and "cannot be reached" in said and "start the broker" in said


def test_a_broker_that_refuses_to_share(complaint, embedded):
    code, said = complaint(broker=f"127.0.0.1:{embedded.address[1]}", share="collectors")
    assert code == 1 and "refuses $share/collectors/" in said and "leave --share out" in said


def test_a_broker_that_grants_a_share_and_delivers_nothing(embedded, tls, tmp_path, monkeypatch):
    may_read = broker_embedded.may_read
    monkeypatch.setattr(
        broker_embedded, "may_read",
        lambda name, role, topic: may_read(name, role, topic.removeprefix("$share/collectors/")),
    )  # fmt: skip
    files = tls / "ca.pem", tls / f"{COLLECTOR}.pem", tls / f"{COLLECTOR}.key"
    with Store(tmp_path / "a.sqlite", Keyring(make_keyring(tmp_path))) as store:
        worker = MqttWorker(store, embedded.address, *files, group="collectors")
        with pytest.raises(ToolError) as caught:
            worker.start(within_s=2)
    assert "grants $share/collectors/lp/collector-1/down and delivers nothing" in str(caught.value)
    assert "leave --share out" in caught.value.hint


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_its_account(embedded, tls, tmp_path, signum):
    make_keyring(tmp_path)
    node = ReliableNode(tls, embedded.address, IDS[0], tmp_path / "a.sqlite")
    worker = Worker(tmp_path, tls, embedded.address)
    try:
        worker.listens()
        node.seal(3)
        assert run_nodes([node], lambda: all_receipted([node]))
        account = worker.stop(signum)
    finally:
        node.leave()
        worker.end()
    assert account.pop("wall_s") > 0
    assert account.pop("receipts") == account.pop("batches") - 1 > 0
    broker = "{}:{}".format(*embedded.address)
    counts = {"opened": 3, "duplicates": 0, "refused": 0, "kept_sealed": 0}
    assert account == {
        "store": str(tmp_path / "a.sqlite"), "broker": broker, "name": COLLECTOR, "share": "",
        "connected": True, "trouble": None, "received": 3, **counts,
        "nodes": [{"node": IDS[0], **counts, "settled": 3}],
    }  # fmt: skip
    assert worker.said == [f"{COLLECTOR} listens at {broker}\n"]


def test_a_store_that_is_replaced_ends_it(embedded, tls, tmp_path):
    make_keyring(tmp_path)
    path = tmp_path / "a.sqlite"
    node = ReliableNode(tls, embedded.address, IDS[0], path)
    worker = Worker(tmp_path, tls, embedded.address)
    try:
        worker.listens()
        node.seal(1)
        assert run_nodes([node], lambda: all_receipted([node]))
        with sqlite3.connect(path) as db, sqlite3.connect(tmp_path / "backup") as backup:
            db.backup(backup)
        (tmp_path / "backup").replace(path)
        node.seal(1)
        node.step()
        assert worker.wait() == 1
        assert node.waiting() == 1, "it was receipted in vain"
    finally:
        node.leave()
        worker.end()
    assert "was replaced while it was in use" in worker.said[-2]
    assert worker.said[-1].startswith("hint: ")


def test_the_table(embedded, tls, tmp_path):
    from rich.console import Console

    files = tls / "ca.pem", tls / f"{COLLECTOR}.pem", tls / f"{COLLECTOR}.key"
    sender = ref.ReferenceNode(ROOT, IDS[0], DAY0, POLICY)
    with Store(tmp_path / "a.sqlite", Keyring(make_keyring(tmp_path))) as store:
        instants = [START_S + 300 * n for n in (1, 2)]
        batch = [(sender.topic, sender.seal(sender.due(i, 400), i)) for i in instants]
        store.take_batch(batch, instants[-1])
        worker = MqttWorker(store, embedded.address, *files)
        account = Account(worker, "a.sqlite", "broker:8883", "")
        with worker:
            assert worker.wait_for(lambda: worker.batches > 0, WITHIN_S)
            assert worker.wait_for(lambda: worker.settled == {IDS[0]: 2}, WITHIN_S)
            console = Console(width=100, no_color=True)
            with console.capture() as shown:
                console.print(account.table())
    assert "collector-1 listens at broker:8883" in shown.get()
    cells = [line.replace("│", " ").split() for line in shown.get().splitlines()]
    assert [IDS[0], "0", "0", "0", "0", "2"] in cells
    assert "0 stored, 0 came again" in account.closing_words()


def test_a_collector_that_comes_back_after_a_week(embedded, tls, tmp_path):
    """Every node gets a receipt for what the store holds, though none sends anything new, and
    what was kept sealed is tried again with the policy that has come meanwhile."""
    keyring = Keyring(make_keyring(tmp_path))
    later = with_version(POLICY, 2)
    path = tmp_path / "a.sqlite"
    nodes = [ReliableNode(tls, embedded.address, i, path, again_s=3600) for i in IDS]
    with Store(path, keyring) as store:
        for node in nodes:
            node.seal(4)
            node._sealer.policy = later
            node.seal(1)
            batch = [(node._sealer.topic, message) for message in node._waiting.values()]
            result = store.take_batch(batch, START_S + 5 * 300)
            assert (result.opened, result.kept) == ({node.node_id: 4}, {node.node_id: 1})
    for node_id in IDS:
        keyring.add_policy(node_id, later, TERMS)
    week_later_s = START_S + 7 * 86_400
    files = tls / "ca.pem", tls / f"{COLLECTOR}.pem", tls / f"{COLLECTOR}.key"
    with (
        Store(path, Keyring(keyring.path)) as store,
        MqttWorker(store, embedded.address, *files, clock=lambda: week_later_s) as worker,
    ):
        assert worker.wait_for(lambda: worker.receipts >= len(IDS), WITHIN_S)
        assert run_nodes([], lambda: all_receipted(nodes), WITHIN_S)
        assert worker.received == 0 and worker.counts["opened"] == dict.fromkeys(IDS, 1)
    for node in nodes:
        node.leave()
        assert node.beyond == []


def test_it_deletes_what_is_too_old(embedded, tls, tmp_path):
    day0 = DAY0 - 10
    rules, terms = policy(stream(1, "co2_ppm", WINDOW_S, ["mean"], 1, 350, 5000), keep_days=5)
    keyring = Keyring(tmp_path / "keyring.json")
    keyring.add_node(make_ticket(ROOT, IDS[0], day0), rules, terms)
    sender = ref.ReferenceNode(ROOT, IDS[0], day0, rules)
    with Store(tmp_path / "a.sqlite", keyring) as store:
        for instant_s in (day0 * 86_400 + WINDOW_S, START_S + WINDOW_S):
            message = sender.seal(sender.due(instant_s, 400), instant_s)
            store.take_batch([(sender.topic, message)], instant_s)
    worker = Worker(tmp_path, tls, embedded.address).listens()
    with contextlib.closing(sqlite3.connect(tmp_path / "a.sqlite")) as db:
        query = "SELECT detail FROM event WHERE kind = 'deleted'"
        assert run_nodes([], lambda: db.execute(query).fetchall(), WITHIN_S)
        assert db.execute("SELECT slot_start_s FROM value").fetchall() == [(START_S,)]
        assert db.execute(query).fetchone()[0].endswith(" 1 1")
    worker.stop()


def test_sharing_needs_no_more_than_the_rules_allow(tls, tmp_path):
    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    files = tls / "ca.pem", tls / f"{COLLECTOR}.pem", tls / f"{COLLECTOR}.key"
    own = tls / "ca.pem", tls / "broker.pem", tls / "broker.key"
    with (
        MosquittoBroker(tmp_path / "broker", *own, {COLLECTOR: "collector"}) as broker,
        Store(tmp_path / "a.sqlite", Keyring(make_keyring(tmp_path))) as store,
    ):
        config = (tmp_path / "broker" / "mosquitto.conf").read_text()
        address = "127.0.0.1", int(config.split()[1])
        with MqttWorker(store, address, *files, group="collectors") as worker:
            assert worker.connected and worker.trouble is None
        # rules of somebody else's broker, which do not let it hear itself
        acl = tmp_path / "broker" / "mosquitto.acl"
        rules = acl.read_text().splitlines()
        acl.write_text("\n".join(
            rule for rule in rules if rule != f"topic read lp/{COLLECTOR}/down"
        ).replace(f"topic deny lp/{COLLECTOR}/up", f"topic deny lp/{COLLECTOR}/down"))  # fmt: skip
        broker._process.send_signal(signal.SIGHUP)
        worker = MqttWorker(store, address, *files, group="collectors")
        with pytest.raises(ToolError, match="delivers nothing") as caught:
            worker.start(within_s=2)
        assert f"must let us read lp/{COLLECTOR}/down" in caught.value.hint


@pytest.mark.parametrize(("alert", "hint"), [
    ("CERTIFICATE_REVOKED", "lamppost vault certificate"),
    ("CERTIFICATE_EXPIRED", "lamppost vault certificate"),
    ("UNKNOWN_CA", "trust the authority"),
])  # fmt: skip
def test_what_a_broker_has_against_a_certificate_has_its_mend(alert, hint):
    assert hint in tls_probe._alert("h:1", f"SSLV3_ALERT_{alert}").hint
