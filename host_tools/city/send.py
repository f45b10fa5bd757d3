# SPDX-License-Identifier: MIT
"""Gives commands to the broker, which keeps them for each node until it is there."""

import contextlib
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collector.mqtt_worker import name_of
from host_tools.collector.tls_probe import explain, mutual_tls
from host_tools.errors import ToolError

_WITHIN_S = 10
_LEFT = "send the file again: a node takes each command once"


def send(messages: list[tuple[str, bytes]], broker: tuple[str, int], ca: Path, certificate: Path,
         key: Path, server_name: str = "", within_s: float = _WITHIN_S):  # fmt: skip
    """Publishes [(node, message)] in their order, and waits until the broker has each. The
    certificate's OU must be vault. ToolError when that takes longer than within_s for the next."""
    context = mutual_tls(ca, certificate, key, server_name or broker[0])
    name = name_of(certificate, "vault")
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=True)
    client.tls_set_context(context)
    answered, refused = threading.Event(), []

    def on_connect(client, userdata, flags, reason, properties):
        if reason.is_failure:
            refused.append(str(reason))
        answered.set()

    client.on_connect = on_connect
    where = "{}:{}".format(*broker)
    try:
        client.connect(*broker)
    except OSError as err:
        raise explain(*broker, context) or ToolError(f"{where}: {err}", _LEFT) from err
    client.loop_start()
    try:
        if not answered.wait(within_s) or refused:
            why = refused[0] if refused else "silence"
            hint = "its rules must let in the OU vault, with the CN as client id"
            raise explain(*broker, context) or ToolError(f"{where}: refused: {why}", hint)
        topics = [(f"lp/{node_id}/down", message) for node_id, message in messages]
        infos = [client.publish(topic, message, qos=1) for topic, message in topics]
        for count, info in enumerate(infos):
            with contextlib.suppress(ValueError, RuntimeError):  # not connected any more
                info.wait_for_publish(within_s)
            if not info.is_published():
                raise ToolError(f"{where}: took {count} commands and no more", _LEFT)
    finally:
        client.disconnect()
        client.loop_stop()
