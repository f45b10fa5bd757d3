# SPDX-License-Identifier: MIT
"""Which certificate a node starts with: the provisioned one, in /lp; where commands of the vault
have brought others, identity.py says.

A module of its own, since memory is short at the start, and few nodes have others.
"""

from node import forget
from node.device import flash_file
from node.link.tls_context import make_context

_NAMES = ("identity", "identity2")  # as identity.py has them
_NOT_FOUND = -0x1102  # ESP_ERR_NVS_NOT_FOUND


def run(link, _):
    """Gives the link its context. LinkError when there is no certificate that can be read."""
    if _has_more(link.nvs):
        link.rarely("identity", None)
        return
    names = ("ca.der", "node.der", "node.key.der")
    link.context = make_context(*[flash_file.read(flash_file.CONFIG + name) for name in names])
    forget("link", "tls_context")


def _has_more(nvs) -> bool:
    for name in _NAMES:
        try:
            nvs.get_blob(name, bytearray(1))
        except OSError as err:
            if err.args[0] == _NOT_FOUND:
                continue
        return True  # it does not fit there
    return False
