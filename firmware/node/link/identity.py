# SPDX-License-Identifier: MIT
"""A node's certificates, each with its private key: the one that was provisioned, in /lp, and up
to two that commands of the vault brought later, in NVS (new_identity.py). A serial that rises
tells them apart; the provisioned one has 0. The newest is used first; where the broker refuses it,
the one before has its turn, and behind the provisioned one the newest again. So no new one that
does not serve, and no old one that is revoked, locks a node out.

In NVS: serial (4 bytes) ‖ length of the certificate (2) ‖ certificate ‖ key, both DER.

On the link stand `context`, its `serial`, the `newest` there is, and whose `turn` it is: None with
one certificate only, NEW once another has come whole.

Seldom needed: MQTTClient.rarely() imports it, and forgets it.
"""

from node import forget
from node.device import flash_file
from node.device.kept import read_blob
from node.device.log import say
from node.errors import CommandError, LinkError
from node.link.tls_context import make_context

NEW = -1
BYTES_MAX = 1400  # of one, in NVS; a node's has about 600
NAMES = ("identity", "identity2")
SERIAL_BYTES, HEAD_BYTES = 4, 6
_NO_NAME = -0x2900  # what the node itself objects to: tls_check.py
_CLOSED = (32, 104)  # EPIPE, ECONNRESET


def run(link, err):
    """At the start (err: None), and after the link has ended by `err`, so that its memory is free:
    gives it the certificate whose turn it is now. The newest's when it was up, so that what looked
    like a refusal does no harm; or one that has come. LinkError when none can be read."""
    try:
        if err is None:
            _use(link, 0)
        else:
            _dropped(link, err)
    finally:
        forget("link", "new_identity")
        forget("link", "tls_context")


def _dropped(link, err):
    turn = link.turn
    if turn == NEW:
        link.turn = turn = 0  # whatever fails now
        _keep(link)
    elif is_refusal(err):
        turn += 1
    elif link.session is not None:
        turn = 0
    if turn != link.turn or (turn == 0 and link.serial != link.newest):
        _use(link, turn)


def is_refusal(err) -> bool:
    """Whether it may be the broker's word on the node's certificate: an alert, or a closed
    connection, in the handshake; or a refused CONNECT or SUBSCRIBE. Not a network that is away,
    nor what the node objects to in the broker's certificate."""
    if err.args[0] != "tls":
        return err.args[0] in ("refused", "subscribe")
    number = err.args[1] if len(err.args) > 1 else 0
    return number in _CLOSED or (number < 0 and number != _NO_NAME)


def context(certificate, key):
    """LinkError when they cannot be read."""
    return make_context(flash_file.read(flash_file.CONFIG + "ca.der"), certificate, key)


def kept(nvs) -> list:
    """[(name, blob), …] of those in NVS."""
    found = [(name, read_blob(nvs, name, HEAD_BYTES, 1, BYTES_MAX - HEAD_BYTES)) for name in NAMES]
    return [(name, blob) for name, blob in found if blob is not None]


def serial(blob: bytes) -> int:
    return int.from_bytes(blob[:SERIAL_BYTES], "big")


def _use(link, turn: int):
    """0 is the newest's turn. One that cannot be read is passed over."""
    blobs = sorted([blob for _, blob in kept(link.nvs)])
    count = 1 + len(blobs)
    link.newest = serial(blobs[-1]) if blobs else 0
    link.context, link.serial = _loaded(blobs, count - 1 - turn % count)
    link.turn = turn if blobs else None


def _loaded(blobs: list, place: int):
    """(context, its serial) of the identity at this place, 0 the provisioned one's."""
    for left in range(place, 0, -1):
        blob = blobs[left - 1]
        end = HEAD_BYTES + int.from_bytes(blob[SERIAL_BYTES:HEAD_BYTES], "big")
        try:
            return context(blob[HEAD_BYTES:end], blob[end:]), serial(blob)
        except LinkError:
            continue
    names = ("node.der", "node.key.der")
    return context(*[flash_file.read(flash_file.CONFIG + name) for name in names]), 0


def _keep(link):
    from node.link import new_identity  # rarer still

    try:
        new_identity.keep(link)
    except CommandError as err:
        say("certificate", err)
