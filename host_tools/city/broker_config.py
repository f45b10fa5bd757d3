# SPDX-License-Identifier: MIT
"""What a mosquitto is told so that what nodes need holds: who has no certificate of this city is
shut out, and what waits for a node that is away is kept, also through a restart.

One whole file, as mosquitto refuses to be told a thing twice: it runs with this one alone. The
highest version of TLS, which nodes need limited, is in openssl.cnf beside it, as only OpenSSL can
be told, by its environment.
"""

import dataclasses
from pathlib import PurePosixPath

from host_tools.errors import ToolError
from simulator.world.broker_rules import MOSQUITTO_OPENSSL, MOSQUITTO_SETTINGS

FILE = "mosquitto.conf"
OPENSSL_FILE = "openssl.cnf"
# max_queued_messages 0, though documented as "no limit", makes 2.0.11 drop the connection of a
# client whose publish the rules refuse.
_CONFIG = """\
# Written by `lamppost vault broker`: change the options there, not this file.
# Start it so, or no node whose TLS knows 1.3 gets in:
#   OPENSSL_CONF={at}/openssl.cnf mosquitto -c {at}/mosquitto.conf
# Under systemd, `systemctl edit mosquitto`, in its section [Service]:
#   Environment=OPENSSL_CONF={at}/openssl.cnf
listener {port}
cafile {at}/ca.pem
crlfile {at}/crl.pem
certfile {at}/{name}.pem
keyfile {at}/{name}.key
{settings}acl_file {at}/acl

# What waits for a node or a store that is away is kept, on disk as well.
persistence true
persistence_location {state}/
autosave_interval 300
persistent_client_expiration 1y
max_queued_messages 1000000
max_queued_bytes 0
"""


@dataclasses.dataclass(frozen=True)
class BrokerPlace:
    """Where things are on the broker's machine. at: the folder with these files and the broker's
    certificate and key, NAME.pem and NAME.key; state: where it keeps what waits; user: who it
    becomes when root starts it, or "" for mosquitto's own."""

    at: str
    port: int
    name: str = "broker"
    state: str = "/var/lib/mosquitto"
    user: str = ""

    def config(self) -> bytes:
        """ToolError for what mosquitto would read as something else."""
        for what, path in (("--at", self.at), ("--state", self.state)):
            if not PurePosixPath(path).is_absolute() or not path.isprintable():
                message = f"{what}: {path!r} is not an absolute path"
                raise ToolError(message, "give the folder on the broker's machine", 2)
        at, state = str(PurePosixPath(self.at)), str(PurePosixPath(self.state)).rstrip("/")
        text = _CONFIG.format(
            at=at, port=self.port, name=self.name, state=state, settings=MOSQUITTO_SETTINGS
        )
        return (text + (f"user {self.user}\n" if self.user else "")).encode()


def openssl_config() -> bytes:
    """What OPENSSL_CONF is to name when the broker is started."""
    return MOSQUITTO_OPENSSL.encode()
