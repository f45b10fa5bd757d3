# SPDX-License-Identifier: MIT
"""Lets simulated time run 1:1 with real time while a TLS handshake waits, and checks
certificates against the board's clock: mbedTLS here asks the computer's.

`tls` cannot be replaced by path; a module that is loaded already is taken as it is.
"""

import sys

import tls

from simulator.hal.bench import bench, ticks_us


class SSLContext(tls.SSLContext):
    """The original, with a clock."""

    def wrap_socket(self, sock, **options):
        bench.check_certificate_dates()
        began_us = ticks_us()
        try:
            return super().wrap_socket(sock, **options)
        finally:
            bench.waited_since(began_us)


class _Tls:
    """Stands for the module: the original's names, and our SSLContext."""

    def __init__(self):
        for name in dir(tls):
            if not name.startswith("__"):
                setattr(self, name, getattr(tls, name))
        self.SSLContext = SSLContext


def install():
    sys.modules["tls"] = _Tls()
