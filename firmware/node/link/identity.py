# SPDX-License-Identifier: MIT
"""A node's certificates, each with its private key: the one that was provisioned, in /lp, and up
to two that commands of the vault brought later, in NVS (new_identity.py). A serial that rises
tells them apart; the provisioned one has 0. The newest is used first; where the broker refuses it,
the one before has its turn, and behind the provisioned one the newest again. So no new one that
does not serve, and no old one that is revoked, locks a node out.

In NVS: serial (4 bytes) ‖ length of the certificate (2) ‖ certificate ‖ key, both DER.

Needed at the start, and seldom later: app.py imports it for it, and forgets it.
"""

from node.device import flash_file
from node.device.kept import read_blob
from node.errors import LinkError
from node.link.tls_context import make_context

BYTES_MAX = 1400  # of one, in NVS; a node's has about 600
NAMES = ("identity", "identity2")
SERIAL_BYTES, HEAD_BYTES = 4, 6
_NO_NAME = -0x2900  # what the node itself objects to: tls_check.py
_CLOSED = (32, 104)  # EPIPE, ECONNRESET


def load(nvs, turn: int):
    """(context, its serial, how many there are) of the certificate whose turn it is, 0 the newest.
    One that cannot be read is passed over; LinkError when not even the provisioned one can."""
    blobs = sorted([blob for _, blob in kept(nvs)])
    count = 1 + len(blobs)
    for left in range(count - 1 - turn % count, 0, -1):
        blob = blobs[left - 1]
        end = HEAD_BYTES + int.from_bytes(blob[SERIAL_BYTES:HEAD_BYTES], "big")
        try:
            return context(blob[HEAD_BYTES:end], blob[end:]), serial(blob), count
        except LinkError:
            continue
    names = ("node.der", "node.key.der")
    return context(*[flash_file.read(flash_file.CONFIG + name) for name in names]), 0, count


def begin(nvs, link):
    """Notes on the link which certificates there are, at the start."""
    use(link, *load(nvs, 0))


def use(link, with_context, its_serial: int, count: int, turn: int = 0):
    """Has the link connect so from the next time on. link.turn: None with one certificate."""
    link.context, link.serial = with_context, its_serial
    link.turn = None if count == 1 else turn


def dropped(nvs, link, err):
    """The link has ended by `err`: whose turn it is now. The newest's when it was up, so that what
    looked like a refusal does no harm."""
    turn = link.turn
    if is_refusal(err):
        turn += 1
    elif link.was_up():
        turn = 0
    if turn != link.turn:
        use(link, *load(nvs, turn), turn)


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
