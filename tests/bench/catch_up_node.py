# SPDX-License-Identifier: MIT
"""What the catch-up benchmark runs under MicroPython:

    catch_up_node.py MODE NODE HOST PORT FOLDER

MODE: `fill` puts FOLDER/envelopes (each behind its length in 2 bytes) into the outbox on the
LittleFS image FOLDER/data.img; `ours` sends it as a node does, until each has its receipt; `stock`
sends the same with umqtt.simple, until each has its PUBACK. FOLDER also holds ca.der, node.der,
node.key.der and receipt.key. Prints one JSON object.
"""

import gc
import json
import sys
import time

import vfs
from umqtt.simple import MQTTClient as StockClient

from node.device import flash_file
from node.device.clock import Clock
from node.link.mqtt import MQTTClient
from node.link.tls_context import make_context
from node.pipeline.down import CommandOpener, ReceiptOpener
from node.pipeline.outbox import Outbox
from node.pipeline.publish import Publisher

BLOCK_BYTES = 4096
LOG = b"LOG0"  # the outbox's name, which the envelopes were sealed with
OUTBOX_BYTES = 512 * 1024  # the kits' default
GIVE_UP_MS = 120_000


class Image:
    """A block device in a file."""

    def __init__(self, path):
        self._file = open(path, "r+b")  # noqa: SIM115
        self._blocks = self._file.seek(0, 2) // BLOCK_BYTES

    def readblocks(self, block, buf, offset=0):
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.readinto(buf)

    def writeblocks(self, block, buf, offset=0):
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.write(buf)

    def ioctl(self, operation, argument):
        if operation == 6:  # erase
            self.writeblocks(argument, b"\xff" * BLOCK_BYTES)
        return {4: self._blocks, 5: BLOCK_BYTES}.get(operation, 0)


class _Ussl:
    """The module that umqtt.simple 1.3.4 imports and MicroPython no longer has."""

    def __init__(self, context, host):
        self._context = context
        self._host = host

    def wrap_socket(self, sock):
        return self._context.wrap_socket(sock, server_hostname=self._host)


def fill(outbox, file):
    while True:
        head = file.read(2)
        if not head:
            return {"waiting": outbox.waiting()}
        outbox.append(file.read(int.from_bytes(head, "big")))


def stock(outbox, node, host, port, context):
    sys.modules["ussl"] = _Ussl(context, host)
    client = StockClient(node, host, port, keepalive=60, ssl=True)
    client.connect()
    topic = ("lp/" + node + "/up").encode()
    began_ms = time.ticks_ms()
    for number in range(outbox.floor, outbox.next_number):
        client.publish(topic, outbox.read(number), qos=1)
    took_ms = time.ticks_diff(time.ticks_ms(), began_ms)
    client.disconnect()
    return {"sent": outbox.next_number - outbox.floor, "took_ms": took_ms}


def ours(outbox, node, host, port, context, receipt_key):
    clock = Clock(0)
    link = MQTTClient(node, host, port, context, clock)
    publisher = Publisher(
        node, outbox, link, ReceiptOpener(receipt_key, node), lambda utc_s, age_ms: None,
        CommandOpener(None, node), None, None, clock.uptime_ms,
    )  # fmt: skip
    taken, waiting = 0, outbox.waiting()

    def on_puback(packet_id):
        nonlocal taken
        taken += 1
        publisher.on_puback(packet_id)

    link.set_callback(publisher.on_message)
    link.on_puback = on_puback
    link.connect()
    began_ms = clock.uptime_ms()
    publisher.on_connect()
    puback_ms = None
    while outbox.waiting():  # as Node.step() and Node.rest() go on while an answer is expected
        link.poll(0)
        now_ms = clock.uptime_ms()
        if now_ms - began_ms > GIVE_UP_MS:
            raise SystemExit("no receipt for " + str(outbox.waiting()))
        publisher.step(now_ms)
        link.tick()
        if puback_ms is None and taken >= waiting:
            puback_ms = now_ms - began_ms
        link.poll(100)
    took_ms = clock.uptime_ms() - began_ms
    link.disconnect()
    return {"sent": taken, "took_ms": took_ms, "puback_ms": puback_ms or took_ms,
            "receipts": publisher.receipts}  # fmt: skip


def main(mode, node, host, port, folder):
    files = []
    for name in ("ca.der", "node.der", "node.key.der", "receipt.key"):
        with open(folder + "/" + name, "rb") as file:
            files.append(file.read())
    image = Image(folder + "/data.img")
    source = open(folder + "/envelopes", "rb")  # noqa: SIM115
    vfs.mount(vfs.VfsLfs2(image, readsize=32, progsize=32, lookahead=32), "/data")
    if mode == "fill":
        flash_file.make_folder("/data/outbox")
        flash_file.replace("/data/outbox/log", LOG)
    outbox = Outbox(OUTBOX_BYTES)
    if mode == "fill":
        result = fill(outbox, source)
    elif mode == "stock":
        result = stock(outbox, node, host, int(port), make_context(*files[:3]))
    else:
        result = ours(outbox, node, host, int(port), make_context(*files[:3]), files[3])
    gc.collect()
    result["heap_used"] = gc.mem_alloc()
    vfs.umount("/data")
    print(json.dumps(result))


main(*sys.argv[1:])
