# SPDX-License-Identifier: MIT
"""A broker's address as people write it."""

from host_tools.errors import ToolError


def parse_address(text: str, others: str = "") -> tuple[str, int]:
    """("host", port) from HOST:PORT or [IPv6]:PORT. others: what else may be given there, with a
    comma or an "or" at its end, for the hint."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        hint = f"{others}for instance broker.city.example:8883"
        raise ToolError(f"{text!r} is not HOST:PORT", hint, 2)
    return host, int(port)
