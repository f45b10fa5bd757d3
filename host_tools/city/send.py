# SPDX-License-Identifier: MIT
"""Gives commands to the broker, which keeps them for each node until it is there.

In MQTT 5, as only its PUBACK says whether there is a session that a message waits in: the broker
keeps nothing for a node that was never connected, and drops what is sent to it.
"""

import contextlib
import dataclasses
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collector.mqtt_worker import name_of
from host_tools.collector.tls_probe import explain, mutual_tls
from host_tools.errors import ToolError

_WITHIN_S = 10
_LEFT = "send the file again: a node takes each command once"
_NO_SESSION, _NOT_AUTHORIZED = 0x10, 0x87  # MQTT 5, 3.4.2.1
_WORDS = {
    _NO_SESSION: "the broker keeps nothing for it: it was never connected, or its session is lost",
    _NOT_AUTHORIZED: "the broker's rules do not let us write to it",
}


@dataclasses.dataclass(frozen=True)
class Sent:
    """count: of the messages that the broker keeps; not_kept: {node: why not}."""

    count: int
    not_kept: dict[str, str]


def send(messages: list[tuple[str, bytes]], broker: tuple[str, int], ca: Path, certificate: Path,
         key: Path, server_name: str = "", within_s: float = _WITHIN_S) -> Sent:  # fmt: skip
    """Publishes [(node, message)] in their order, and waits until the broker has answered each.
    The certificate's OU must be vault. ToolError when that takes longer than within_s for the
    next."""
    context = mutual_tls(ca, certificate, key, server_name or broker[0])
    name = name_of(certificate, "vault")
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
    client.tls_set_context(context)
    answered, refused, reasons = threading.Event(), [], {}

    def on_connect(client, userdata, flags, reason, properties):
        if reason.is_failure:
            refused.append(str(reason))
        answered.set()

    client.on_connect = on_connect
    client.on_publish = lambda c, u, mid, reason, properties: reasons.update({mid: reason})
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
        topics = [(f"lp/{node_id}/down", message) for node_id, message in messages]
        infos = [client.publish(topic, message, qos=1) for topic, message in topics]
        for count, info in enumerate(infos):
            with contextlib.suppress(ValueError, RuntimeError):  # not connected any more
                info.wait_for_publish(within_s)
            if not info.is_published():
                raise ToolError(f"{where}: answered {count} commands and no more", _LEFT)
    finally:
        client.disconnect()
        client.loop_stop()
    return _told(messages, [reasons[info.mid] for info in infos])


def _told(messages: list[tuple[str, bytes]], reasons: list) -> Sent:
    not_kept, count = {}, 0
    for (node_id, _), reason in zip(messages, reasons, strict=True):
        if reason.value == 0:
            count += 1
        else:
            not_kept[node_id] = _WORDS.get(reason.value, f"the broker refuses it: {reason}")
    return Sent(count, not_kept)
