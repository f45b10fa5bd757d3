# SPDX-License-Identifier: MIT
"""Who may do what at the broker: the one place that says so, for every broker that we run.

A client is known by its certificate: the CN is its name, the OU its role. Its client id must be
its name. What is not allowed below is refused.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509

# role: (topics that it may write, topics that it may read); {} is its name
_TOPICS = {
    "node": (("lp/{}/up",), ("lp/{}/down",)),
    # its own down: there it sends itself a message to see whether $share delivers
    "collector": (("lp/+/down",), ("lp/+/up", "lp/{}/down")),
    "reader": (("lp/{}/down",), ("lp/+/up", "lp/{}/down")),
    "vault": (("lp/+/down",), ()),
}
# What any mosquitto of ours is told beside its paths. Its tls_version is the lowest that it takes;
# the highest can only be said to OpenSSL, and a node whose TLS knows 1.3 has suites of 1.2 alone.
MOSQUITTO_SETTINGS = """\
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
set_tcp_nodelay true
max_inflight_messages 0
retain_available false
"""
MOSQUITTO_OPENSSL = """\
openssl_conf = main
[main]
ssl_conf = ssl
[ssl]
system_default = limits
[limits]
MaxProtocol = TLSv1.2
"""
_NODE_ID = re.compile("[0-9a-hjkmnp-tv-z]{10}")  # Crockford base32, lower case
_OTHER_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def may_connect(name: str, role: str, client_id: str) -> bool:
    """Whether the holder of this CN and OU may connect as `client_id`."""
    if role not in _TOPICS or client_id != name:
        return False
    is_node_id = _NODE_ID.fullmatch(name) is not None
    return is_node_id if role == "node" else bool(_OTHER_NAME.fullmatch(name)) and not is_node_id


def may_write(name: str, role: str, topic: str) -> bool:
    """Whether a client that may connect may publish on `topic`."""
    return any(_covers(rule.format(name), topic) for rule in _TOPICS[role][0])


def may_read(name: str, role: str, topic_filter: str) -> bool:
    """Whether a client that may connect may subscribe to `topic_filter`, or get such a topic."""
    return any(_covers(rule.format(name), topic_filter) for rule in _TOPICS[role][1])


def _covers(rule: str, topic_filter: str) -> bool:
    """Whether all that `topic_filter` matches is matched by `rule` (which may hold +, not #)."""
    allowed, asked = rule.split("/"), topic_filter.split("/")
    if len(allowed) != len(asked):
        return False
    return all(a == b or (a == "+" and b != "#") for a, b in zip(allowed, asked, strict=True))


def mosquitto_acl(roles: dict[str, str], nodes: Iterable[str] | None = None) -> str:
    """The rules as mosquitto's acl_file, which knows names but not roles.

    roles: {CN: role} of all collectors, readers and vaults. nodes: which nodes are let in; None
    takes every other name for a node's. That a CN is unique and fits its role is up to who issues
    the certificates.
    """
    lines = []
    if nodes is None:
        lines += [f"pattern write {topic.format('%u')}" for topic in _TOPICS["node"][0]]
        lines += [f"pattern read {topic.format('%u')}" for topic in _TOPICS["node"][1]]
    for name in nodes or ():
        if not may_connect(name, "node", name):
            raise ValueError(f"{name} cannot be the name of a node")
        write, read = _TOPICS["node"]
        lines += [f"user {name}", *(f"topic write {topic.format(name)}" for topic in write)]
        lines += [f"topic read {topic.format(name)}" for topic in read]
    for name, role in sorted(roles.items()):
        if role == "node" or not may_connect(name, role, name):
            raise ValueError(f"{name} cannot be the name of a {role}")
        write, read = _TOPICS[role]
        lines += ["", f"user {name}"]
        lines += [f"topic deny {topic}" for topic in _denied(name, role)]
        lines += [f"topic write {topic.format(name)}" for topic in write]
        lines += [f"topic read {topic.format(name)}" for topic in read]
    return "\n".join(lines) + "\n"


def _denied(name: str, role: str) -> list[str]:
    """What the patterns for nodes would let this client do beyond its role. Mosquitto's deny
    counts for both directions and before all else."""
    write, read = _TOPICS["node"]
    denied = [topic.format(name) for topic in write]
    return denied + [t.format(name) for t in read if not may_read(name, role, t.format(name))]


def host_name(certificate: Path) -> str:
    """The name under which clients check a broker's certificate: its first DNS name."""
    names = x509.load_pem_x509_certificate(Path(certificate).read_bytes()).extensions
    alternative = names.get_extension_for_class(x509.SubjectAlternativeName).value
    return alternative.get_values_for_type(x509.DNSName)[0]
