# SPDX-License-Identifier: MIT
"""Listens at the broker beside the collectors, and opens what nodes send with the collector's own
code. It stores nothing and sends no receipt: so a technician proves the whole way before the
office knows the node, and the node keeps what it sent for the home store."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collector.keyring import NodeKeys
from host_tools.collector.mqtt_worker import LISTENERS, name_of
from host_tools.collector.open_envelope import Opened, open_envelope
from host_tools.collector.tls_probe import explain, mutual_tls
from host_tools.errors import ToolError
from host_tools.policy.signed import rules_of
from host_tools.provisioning.node_parts import NodeParts
from host_tools.verifying import reasons
from host_tools.verifying.first_record import FirstRecord, of_envelope
from node.policy.rules import Policy

_WITHIN_S = 10


class PartsKeys:
    """What opens envelopes, of nodes whose parts are at hand. As a Keyring: node(), refresh()."""

    def __init__(self):
        self._nodes: dict[str, NodeKeys] = {}

    def add(self, parts: NodeParts):
        ticket, policy = parts.ticket, policy_of(parts)
        self._nodes[ticket.node_id] = NodeKeys(ticket.day0, 0, ticket.seal, b"", [policy])

    def node(self, node_id: str) -> NodeKeys | None:
        return self._nodes.get(node_id)

    def refresh(self) -> bool:
        return False


def policy_of(parts: NodeParts) -> Policy:
    return Policy(rules_of(parts.policy))


class BrokerWatch:
    """keys: a Keyring, or PartsKeys; ca, certificate, key: PEM files, the certificate's OU is
    reader or collector; server_name: in the broker's certificate, if it is not the host. A context
    manager that connects; ToolError says why it cannot."""

    def __init__(
        self, keys, broker: tuple[str, int], ca: Path, certificate: Path, key: Path,
        server_name: str = "", clock: Callable[[], float] = time.time,
    ):  # fmt: skip
        self._keys, self._broker, self._clock = keys, broker, clock
        self._context = mutual_tls(ca, certificate, key, server_name or broker[0])
        self._name = name_of(certificate, *LISTENERS)
        self._lock = threading.Lock()
        self._since_s: dict[str, float] = {}  # of each node that is listened to
        self._found: dict[str, FirstRecord] = {}
        self._why: dict[str, ToolError] = {}
        self._unopened: dict[str, bytes] = {}  # the last of each node, for when a key comes
        self._answered, self._trouble, self._is_denied = threading.Event(), "", False
        # A session that ends with its connection: nothing is kept for who listens once.
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, self._name, clean_session=True)
        self._client.tls_set_context(self._context)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self):
        try:
            self._client.connect(*self._broker)
        except OSError as err:
            raise explain(*self._broker, self._context) or self._refused(str(err)) from err
        self._client.loop_start()
        if not self._answered.wait(_WITHIN_S) or self._trouble:
            self.__exit__()
            trouble = self._trouble or "silence"
            raise explain(*self._broker, self._context) or self._refused(trouble)
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()

    def _refused(self, reason: str) -> ToolError:
        hint = "its rules must let in the OU reader, with the CN as client id"
        where = "{}:{}".format(*self._broker)
        return ToolError(f"{where}: the broker refuses {self._name}: {reason}", hint)

    def policy(self, node_id: str) -> Policy | None:
        """Under which its records come, as far as is known."""
        keys = self._keys.node(node_id)
        return keys and keys.policies[-1]

    def add(self, node_id: str, since_s: float = 0):
        """Listens to this node from now on. since_s: only a record counts whose window ended then
        or later (Unix time)."""
        with self._lock:
            self._since_s[node_id] = since_s
        self._client.subscribe(_topic(node_id), qos=1)

    def look(self, node_id: str) -> FirstRecord | None:
        """What was opened first; also what came before its key did. ToolError when nothing can
        come."""
        if self._is_denied:
            raise self._refused("it may not read what nodes send")
        if self._keys.refresh():
            with self._lock:
                left = list(self._unopened.items())
            for other, message in left:
                self._take(other, message)
        with self._lock:
            return self._found.get(node_id)

    def why(self, node_id: str, limit_s: float) -> ToolError:
        """What is known of a node of which nothing was opened."""
        with self._lock:
            if self._trouble:
                return self._refused(self._trouble)
            where = f"node {node_id}"
            return self._why.get(node_id) or reasons.nothing(where, limit_s)

    # paho's thread

    def _on_connect(self, client, _data, _flags, reason, _properties):
        self._trouble = str(reason) if reason.is_failure else ""
        with self._lock:
            nodes = list(self._since_s)
        for node_id in nodes if not reason.is_failure else ():
            client.subscribe(_topic(node_id), qos=1)
        self._answered.set()

    def _on_disconnect(self, _client, _data, _flags, reason, _properties):
        if reason.is_failure:
            self._trouble = f"connection lost: {reason}"
            self._answered.set()

    def _on_subscribe(self, _client, _data, _mid, codes, _properties):
        self._is_denied = self._is_denied or any(code.is_failure for code in codes)

    def _on_message(self, _client, _data, message):
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        with self._lock:
            left = self._since_s.keys() - self._found.keys()
        known = {_topic(node_id): node_id for node_id in left}
        if topic in known:
            self._take(known[topic], message.payload)

    def _take(self, node_id: str, message: bytes):
        now_s, where = int(self._clock()), f"node {node_id}"
        opened, record, why = open_envelope(self._keys, node_id, message, now_s), None, None
        if isinstance(opened, Opened):
            record = of_envelope(node_id, opened, now_s)
            if record is None or record.start_s + record.window_s < self._since_s[node_id]:
                record, why = None, reasons.no_records(where)
        elif opened.keep:
            why = reasons.unopened(where, opened.reason)
        else:
            why = reasons.refused(where, opened.reason)
        with self._lock:
            self._unopened.pop(node_id, None)
            if record is not None:
                self._found.setdefault(node_id, record)
                return
            self._why[node_id] = why
            if not isinstance(opened, Opened) and opened.keep:
                self._unopened[node_id] = message


def _topic(node_id: str) -> str:
    return f"lp/{node_id}/up"
