# SPDX-License-Identifier: MIT
"""What a vault sends to a node of a simulated city: over the city's broker, by mutual TLS."""

import threading

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.collector.tls_probe import mutual_tls
from host_tools.provisioning.certificates import Authority

WITHIN_S = 60


def vault_sends(city, node_id: str, messages: list[bytes]):
    """Sends the messages on the node's `down`; all are with the broker when it returns."""
    tls = city.plan.folder / "tls"
    Authority.load(tls).issue("vault-1", "vault").save(tls, "vault-1")
    files = tls / "ca.pem", tls / "vault-1.pem", tls / "vault-1.key"
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "vault-1")
    client.tls_set_context(mutual_tls(*files, city.services.broker.host_name))
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect(*city.services.broker_at)
    client.loop_start()
    try:
        assert connected.wait(WITHIN_S)
        for message in messages:
            info = client.publish(f"lp/{node_id}/down", message, qos=1)
            info.wait_for_publish(WITHIN_S)
            assert info.is_published()
    finally:
        client.disconnect()
        client.loop_stop()
