# SPDX-License-Identifier: MIT
"""Gives commands to the broker, which keeps them for each node until it is there.

In MQTT 5, as only its PUBACK says whether there is a session that a message waits in: the broker
keeps nothing for a node that was never connected, and drops what is sent to it.

A node refuses a command that comes behind one with a higher number, for good. So each node gets
its next only when the broker keeps the one before, and none behind one that it has dropped.
"""

import collections
import dataclasses
import queue
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collector.mqtt_worker import name_of
from host_tools.collector.tls_probe import explain, mutual_tls
from host_tools.errors import ToolError

_WITHIN_S = 10
_NODES_AT_ONCE = 500
_LEFT = "send the file again: a node takes each command once"
_NO_SESSION, _NOT_AUTHORIZED = 0x10, 0x87  # MQTT 5, 3.4.2.1
_WORDS = {
    _NO_SESSION: "the broker keeps nothing for it: it was never connected, or its session is lost",
    _NOT_AUTHORIZED: "the broker's rules do not let us write to it",
}


@dataclasses.dataclass(frozen=True)
class Sent:
    """count: of the messages that the broker keeps; not_kept: {node: why not}, and nothing that
    was behind it in the file."""

    count: int
    not_kept: dict[str, str]


def send(messages: list[tuple[str, bytes]], broker: tuple[str, int], ca: Path, certificate: Path,
         key: Path, server_name: str = "", within_s: float = _WITHIN_S) -> Sent:  # fmt: skip
    """Publishes [(node, message)], each node's in their order. The certificate's OU must be vault.
    ToolError when the broker answers none for within_s."""
    context = mutual_tls(ca, certificate, key, server_name or broker[0])
    name = name_of(certificate, "vault")
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
    client.tls_set_context(context)
    client.max_inflight_messages_set(_NODES_AT_ONCE)
    answered, refused, answers = threading.Event(), [], queue.SimpleQueue()

    def on_connect(client, userdata, flags, reason, properties):
        if reason.is_failure:
            refused.append(str(reason))
        answered.set()

    client.on_connect = on_connect
    client.on_publish = lambda c, u, mid, reason, properties: answers.put((mid, reason))
    where = "{}:{}".format(*broker)
    try:
        client.connect(*broker, clean_start=True)
    except OSError as err:
        raise explain(*broker, context) or ToolError(f"{where}: {err}", _LEFT) from err
    client.loop_start()
    try:
        if not answered.wait(within_s) or refused:
            why = refused[0] if refused else "silence"
            hint = "it must speak MQTT 5, and let in the OU vault with the CN as client id"
            raise explain(*broker, context) or ToolError(f"{where}: refused: {why}", hint)
        return _publish(client, answers, messages, where, within_s)
    finally:
        client.disconnect()
        client.loop_stop()


def _publish(client, answers, messages: list, where: str, within_s: float) -> Sent:
    """answers: a queue of (message id, reason code) of each PUBACK."""
    waiting = collections.defaultdict(collections.deque)
    for node_id, message in messages:
        waiting[node_id].append(message)
    nodes, under_way, not_kept, count = collections.deque(waiting), {}, {}, 0
    while nodes or under_way:
        while nodes and len(under_way) < _NODES_AT_ONCE:
            node_id = nodes.popleft()
            message = waiting[node_id].popleft()
            mid = client.publish(f"lp/{node_id}/down", message, qos=1).mid
            if mid in under_way:  # ids come round after 65,535
                raise ToolError(f"{where}: left a command without an answer", _LEFT)
            under_way[mid] = node_id
        try:
            mid, reason = answers.get(timeout=within_s)
        except queue.Empty:
            raise ToolError(f"{where}: answered {count} commands and no more", _LEFT) from None
        node_id = under_way.pop(mid)
        if reason.value != 0:
            not_kept[node_id] = _WORDS.get(reason.value, f"the broker refuses it: {reason}")
            continue
        count += 1
        if waiting[node_id]:
            nodes.append(node_id)
    return Sent(count, not_kept)
