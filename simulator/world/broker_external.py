# SPDX-License-Identifier: MIT
"""A broker that somebody else runs: found by HOST:PORT, and checked before it is used."""

from pathlib import Path

from host_tools.collector.broker_address import parse_address
from host_tools.collector.tls_probe import explain, mutual_tls


class ExternalBroker:
    """address: HOST:PORT; ca: PEM file of the CA that must have signed the broker's certificate;
    certificate, key: PEM files to present to it; name: in its certificate, if it is not HOST.

    Who may do what is up to its own configuration.
    """

    def __init__(self, address: str, ca: Path, certificate: Path, key: Path, name: str = ""):
        self._host, self._port = parse_address(address)
        self.host_name = name or self._host
        self._context = mutual_tls(ca, certificate, key, self.host_name)

    def start(self) -> tuple[str, int]:
        """(host, port), once the broker has been reached over TLS."""
        trouble = explain(self._host, self._port, self._context)
        if trouble is not None:
            raise trouble
        return self._host, self._port

    def stop(self):
        """Nothing of ours is running there."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def trouble(self) -> str | None:
        """None: what goes wrong there is not ours to see."""
        return None
