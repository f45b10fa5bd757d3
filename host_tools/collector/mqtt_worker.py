# SPDX-License-Identifier: MIT
"""Listens to all nodes: a batch is committed, then acknowledged, then receipted.

What arrives while a batch is being written is the next batch, so a lone message waits for nothing
and a flood is written many at a time. What was not acknowledged comes again after a reconnect.

Several workers fill one store, each with a certificate of its own. Without a group each gets all.
With one the broker deals out, and the session is a clean one: a broker goes on dealing to a
session whose worker has gone, where the messages would wait. What is lost with a clean session
has no receipt, and its node sends it again.
"""

import collections
import queue
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from cryptography import x509
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collector.receipt import seal_receipt
from host_tools.collector.share_probe import ShareProbe
from host_tools.collector.store import BatchResult, LogState, Store
from host_tools.collector.tls_probe import explain, mutual_tls
from host_tools.errors import ToolError

_TOPIC = "lp/+/up"
_BATCH_MAX = 500
_IDLE_S = 1.0
_RETRY_SEALED_S = 600  # another worker may have kept what this one can open
_EXPIRY_S = (60, 3600)  # to the next look for what is too old: when bytes are left, and else
_KEEPALIVE_S = 60
_RECONNECT_S = (1, 60)  # the wait doubles from the first to the second
_RECEIPTS_IN_FLIGHT = 1000
LISTENERS = ("collector", "reader")  # roles that may read what nodes send
_COUNTS = ("opened", "duplicates", "refused", "kept")


class MqttWorker:
    """Fills `store` from a broker. ca, certificate, key: PEM files; the certificate's CN is the
    client's id, its OU collector, or reader, which the broker lets send no receipt: ToolError when
    the keyring has keys of receipts. server_name: in the broker's certificate, if it is not the
    host. clock: Unix time. on_batch: called with each BatchResult, from the worker's thread.
    group: shares the work with the other workers of this group; "" takes everything. group_tag: as
    share_tag() gives it, so that no other store's workers can join the group.
    """

    def __init__(
        self, store: Store, broker: tuple[str, int], ca: Path, certificate: Path, key: Path,
        server_name: str = "", clock: Callable[[], float] = time.time,
        on_batch: Callable[[BatchResult], None] | None = None, group: str = "",
        group_tag: str = "",
    ):  # fmt: skip
        self.changed = threading.Condition()  # notified whenever something below changes
        self.connected = False
        self.trouble: str | None = None  # why it is not connected, or cannot write
        self.failure: Exception | None = None  # why it has ended by itself
        self.received = 0  # messages that have come
        self.batches = 0
        self.receipts = 0  # receipts that were given to the broker
        self.counts = {name: collections.Counter() for name in _COUNTS}  # each per node
        self.settled: dict[str, int] = {}  # per node: numbers of its newest outbox
        self._store = store
        self._broker = broker
        self._clock = clock
        self._on_batch = on_batch
        self._context = mutual_tls(ca, certificate, key, server_name or broker[0])
        self.name = name_of(certificate, *LISTENERS)
        self._is_reader = role_of(certificate) == "reader"
        self._check_receipts(certificate)
        self._probe = ShareProbe(group, self.name, group_tag) if group else None
        self._subscription = self._probe.shared(_TOPIC) if group else _TOPIC
        self._queue = queue.SimpleQueue()
        self._connection = 0  # which one a message came on: an old one is not acknowledged
        self._granted: bool | None = None  # whether the broker granted what the probe asked for
        self._answered = threading.Event()
        self._stopping = threading.Event()
        self._expiry_s = 0  # when it is looked again for what may no longer be kept
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)
        self._client = self._make_client()

    def _check_receipts(self, certificate: Path):
        """Nodes would send for ever what a home store takes and does not say so."""
        ring = self._store.keyring
        if self._is_reader and any(ring.node(node_id).receipt for node_id in ring.node_ids()):
            message = f"{certificate} is a reader's, and the keyring is a home store's"
            raise ToolError(message, "have one made: lamppost vault certificate --role collector")

    def _make_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            self.name,
            clean_session=self._probe is not None,
            manual_ack=True,
        )
        client.tls_set_context(self._context)
        client.reconnect_delay_set(*_RECONNECT_S)
        client.max_inflight_messages_set(_RECEIPTS_IN_FLIGHT)
        client.on_socket_open = _send_at_once
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def start(self, within_s: float = 10):
        """Connects and listens; ToolError says why it cannot. Reconnects by itself after that."""
        try:
            self._client.connect(*self._broker, keepalive=_KEEPALIVE_S)
        except OSError as err:
            raise explain(*self._broker, self._context) or self._wrong(str(err)) from err
        self._client.loop_start()
        if not self._answered.wait(within_s) or self.trouble:
            self._end_client()
            raise explain(*self._broker, self._context) or self._wrong(self.trouble or "silence")
        self._thread.start()

    def _wrong(self, reason: str) -> ToolError:
        where = "{}:{}".format(*self._broker)
        if self._granted is not None and not self._probe.done:
            return self._probe.silent(where) if self._granted else self._probe.refused(where)
        role = "reader" if self._is_reader else "collector"
        hint = f"its rules must let in the OU {role}, with the CN as client id"
        return ToolError(f"{where}: the broker refuses {self.name}: {reason}", hint)

    def stop(self):
        """Writes what has come, acknowledges it, and ends the connection; the session stays."""
        self._stopping.set()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._end_client()

    def _end_client(self):
        self._stopping.set()
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_for(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Waits until condition() holds, asked at each change; whether it does."""
        with self.changed:
            return self.changed.wait_for(condition, within_s)

    # paho's thread

    def _on_connect(self, client, _data, _flags, reason, _properties):
        if reason.is_failure:
            self._tell(connected=False, trouble=str(reason))
            self._answered.set()
            return
        self._connection += 1
        if self._probe is None or self._probe.done:
            client.subscribe(self._subscription, qos=1)
        else:
            self._probe.ask(client)

    def _on_subscribe(self, client, _data, _mid, reasons, _properties):
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if self._probe is not None and not self._probe.done:
            self._granted = not refused
            if self._granted:
                self._probe.send(client)
                return
        trouble = f"may not read {self._subscription}" if refused else None
        self._tell(connected=not refused, trouble=trouble)
        self._answered.set()

    def _on_disconnect(self, _client, _data, _flags, reason, _properties):
        if not self._stopping.is_set():
            self._tell(connected=False, trouble=str(reason))
            self._answered.set()

    def _on_message(self, client, _data, message):
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "?"
        if self._probe is not None and topic == self._probe.topic:
            client.ack(message.mid, message.qos)
            if self._probe.take(client, message.payload):
                client.subscribe(self._subscription, qos=1)
            return
        self.received += 1
        self._queue.put((topic, message.payload, message.mid, message.qos, self._connection))

    def _tell(self, **changes):
        with self.changed:
            for name, value in changes.items():
                setattr(self, name, value)
            self.changed.notify_all()

    # the worker's thread

    def _run(self):
        try:
            self._work()
        except Exception as err:
            trouble = f"the collector has failed: {type(err).__name__}"
            self._tell(connected=False, trouble=trouble, failure=err)
            if not isinstance(err, ToolError):
                raise

    def _work(self):
        now_s = int(self._clock())
        self._finish(self._write(self._store.retry_sealed, now_s), now_s)
        self._receipt(self._store.logs(), now_s)
        self._tell()
        self._delete_expired()
        looked = retried = time.monotonic()
        while True:
            if time.monotonic() - looked >= _IDLE_S:  # also while messages never cease
                again = time.monotonic() - retried >= _RETRY_SEALED_S
                self._look_for_keys(again)
                self._delete_expired()
                looked = time.monotonic()
                retried = looked if again else retried
            try:
                first = self._queue.get(timeout=_IDLE_S)
            except queue.Empty:
                continue
            if first is None:
                return
            batch = [first]
            while len(batch) < _BATCH_MAX and not self._queue.empty():
                batch.append(self._queue.get())
            ends = None in batch
            self._take([message for message in batch if message is not None])
            if ends:
                return

    def _take(self, batch: list):
        now_s = int(self._clock())
        messages = [(topic, payload) for topic, payload, *_ in batch]
        result = self._write(self._store.take_batch, messages, now_s)
        if result is None:
            return
        for _, _, mid, qos, connection in batch:
            if connection == self._connection:
                self._client.ack(mid, qos)
        self._finish(result, now_s)
        if self._store.keyring.is_changed:  # what was kept sealed may open now
            self._look_for_keys(again=False)

    def _write(self, function: Callable, *args) -> BatchResult | bool | None:
        """Calls a function of the store until it succeeds: a full disk may be made free."""
        while True:
            try:
                return function(*args)
            except (sqlite3.Error, OSError) as err:
                self._tell(trouble=f"the store cannot write: {err}")
            if self._stopping.wait(_IDLE_S):
                return None  # not acknowledged: it comes again

    def _finish(self, result: BatchResult | None, now_s: int):
        if result is None:
            return
        self._receipt(result.logs, now_s)
        trouble = None if self.connected else self.trouble
        try:
            self._store.keyring.forget_before(result.oldest_epochs)
        except (OSError, ToolError) as err:
            trouble = f"the keyring cannot be written: {err}"
        with self.changed:
            self.batches += 1
            self.trouble = trouble
            for name in _COUNTS:
                self.counts[name].update(getattr(result, name))
            self.changed.notify_all()
        if self._on_batch is not None:
            self._on_batch(result)

    def _receipt(self, logs: list[LogState], now_s: int):
        for state in logs:
            keys = self._store.keyring.node(state.node_id)
            if keys is None or not keys.receipt or self._is_reader:  # who may only read sends none
                continue
            message = seal_receipt(
                keys.receipt, state.node_id, now_s, state.log, state.upto, state.ranges
            )
            self._client.publish(f"lp/{state.node_id}/down", message, qos=1)
            self.settled[state.node_id] = state.settled
            self.receipts += 1

    def _look_for_keys(self, again: bool):
        """Provisioning may have added a node or a policy; again: try what is sealed anyhow."""
        now_s = int(self._clock())
        try:
            fresh = self._store.keyring.refresh()
        except (OSError, ToolError) as err:
            self._tell(trouble=str(err))
            return
        if fresh or again:
            self._finish(self._write(self._store.retry_sealed, now_s), now_s)

    def _delete_expired(self):
        """At the start and each hour of the clock; also when the clock was set back."""
        now_s = int(self._clock())
        if self._expiry_s - _EXPIRY_S[1] <= now_s < self._expiry_s:
            return
        gone = self._write(self._store.delete_expired, now_s)
        self._expiry_s = now_s + _EXPIRY_S[1 if gone else 0]
        self._tell(trouble=None if self.connected else self.trouble)


def _send_at_once(_client, _data, sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def name_of(certificate: Path, *roles: str) -> str:
    """The CN of a certificate of one of these roles. A broker that gives no other roles a hearing
    may grant them the subscription, and then say nothing: so the role is checked here."""
    names = _subject(certificate, NameOID.COMMON_NAME)
    if len(names) != 1 or role_of(certificate) not in roles:
        whose = "'s or a ".join(roles)
        message = f"{certificate} is not a {whose}'s"
        raise ToolError(message, f"its OU must be {' or '.join(roles)}")
    return names[0]


def role_of(certificate: Path) -> str | None:
    """The OU of a certificate; None unless it has one."""
    roles = _subject(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME)
    return roles[0] if len(roles) == 1 else None


def _subject(certificate: Path, field) -> list[str]:
    subject = x509.load_pem_x509_certificate(Path(certificate).read_bytes()).subject
    return [one.value for one in subject.get_attributes_for_oid(field)]
