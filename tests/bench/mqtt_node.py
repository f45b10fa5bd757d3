# SPDX-License-Identifier: MIT
"""What the MQTT benchmark and the broker tests run under MicroPython:

    mqtt_node.py MODE HOST PORT FOLDER COUNT IN_FLIGHT

MODE: `stock` or `ours`. FOLDER: ca.der, node.der, node.key.der. Prints one JSON object.
"""

import gc
import json
import sys
import time

from umqtt.simple import MQTTClient as StockClient

from node.device.clock import Clock
from node.link.mqtt import MQTTClient
from node.link.tls_context import make_context

NODE = "0123456789"
TOPIC = b"lp/0123456789/up"
BODY = bytes(range(180))


class _Ussl:
    """The module that umqtt.simple 1.3.4 imports and MicroPython no longer has."""

    def __init__(self, context, host):
        self._context = context
        self._host = host

    def wrap_socket(self, sock):
        return self._context.wrap_socket(sock, server_hostname=self._host)


def stock(host, port, context, count, in_flight):
    sys.modules["ussl"] = _Ussl(context, host)
    client = StockClient(NODE, host, port, keepalive=60, ssl=True)
    client.connect()
    began_us = time.ticks_us()
    for _ in range(count):
        client.publish(TOPIC, BODY, qos=1)
    took_us = time.ticks_diff(time.ticks_us(), began_us)
    client.disconnect()
    return {"taken": count, "took_us": took_us}


def ours(host, port, context, count, in_flight):
    taken = 0

    def on_puback(packet_id):
        nonlocal taken
        taken += 1

    client = MQTTClient(NODE, host, port, context, Clock(0), max_in_flight=in_flight)
    client.on_puback = on_puback
    client.connect(clean_session=True)
    publish, poll, can_publish = client.publish_qos1, client.poll, client.can_publish
    took_us = longest_us = 0
    sent = 0
    part_us = time.ticks_us()
    while taken < count:
        while sent < count and can_publish():
            publish(TOPIC, BODY)
            sent += 1
        if not poll(10_000):
            raise SystemExit("a stall")  # by then the node would have given up
        now_us = time.ticks_us()
        round_us = time.ticks_diff(now_us, part_us)
        took_us += round_us
        longest_us = max(longest_us, round_us)
        part_us = now_us
    client.tick()
    client.disconnect()
    return {"taken": taken, "took_us": took_us, "longest_us": longest_us, "last_id": client.pid}


def main(mode, host, port, folder, count, in_flight):
    parts = []
    for name in ("ca.der", "node.der", "node.key.der"):
        with open(folder + "/" + name, "rb") as file:
            parts.append(file.read())
    run = stock if mode == "stock" else ours
    result = run(host, int(port), make_context(*parts), int(count), int(in_flight))
    gc.collect()
    result["heap_used"] = gc.mem_alloc()
    print(json.dumps(result))


main(*sys.argv[1:])
