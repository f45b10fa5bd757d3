# SPDX-License-Identifier: MIT
"""What a node's partition `vfs` holds, read back from its board: code and configuration."""

import dataclasses
import json
from collections.abc import Iterator

import cbor2
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID
from littlefs import LittleFS, LittleFSError

from host_tools.errors import ToolError
from host_tools.flashing.copy_on_flash import find_copy
from host_tools.flashing.regions import CONFIG
from host_tools.policy.signed import check_signature, rules_of
from host_tools.provisioning.node_flash import BLOCK_BYTES
from host_tools.provisioning.ticket import is_node_id
from node.drivers.registry import PARTS

_FILES = ("config.json", "board.json", "kit.json", "policy", "policy.key", "ca.der", "node.der",
          "node.key.der")  # fmt: skip
_OURS = (CONFIG, "node/", "boot.py", "main.py")
_DAMAGED = (LookupError, ValueError, TypeError, AttributeError, UnsupportedAlgorithm, ToolError,
            cbor2.CBORError, RecursionError, MemoryError)  # fmt: skip
_MOST_ENTRIES, _MOST_FOLDERS_DEEP = 2000, 8  # of a file system; a node has a tenth of that
_FOLDER = 2  # littlefs: LFS_TYPE_DIR
_TICKET = "flash it with the node's ticket or parts: lamppost flash"


@dataclasses.dataclass(frozen=True, repr=False)  # it holds keys
class NodeOnFlash:
    """files: {path: content} of the file system, {} when it cannot be read; configuration: those
    below lp/, of a copy where there is one; copy_at: where that begins, or None."""

    files: dict[str, bytes]
    configuration: dict[str, bytes]
    copy_at: int | None

    @property
    def kit(self) -> dict:
        return json.loads(self.configuration[CONFIG + "kit.json"])

    @property
    def config(self) -> dict:
        return json.loads(self.configuration[CONFIG + "config.json"])

    def strangers(self) -> list[str]:
        """Files that are neither code nor configuration. Beside a copy the file system may be
        half written, and tells nothing."""
        if self.copy_at is not None:
            return []
        return sorted(name for name in self.files if not name.startswith(_OURS))


def read_node(partition: bytes, board: dict, port: str) -> NodeOnFlash:
    """What lies there, checked: damaged files would be written anew as if they were whole. board:
    the content of board.json. ToolError when it is no whole node, or one of another board."""
    try:
        node = _find_node(partition)
        lp = {name: node.configuration[CONFIG + name] for name in _FILES}
        wrong = _what_is_wrong(lp, board)
    except _DAMAGED:
        wrong = "its configuration cannot be read"
    if wrong:
        raise ToolError(f"{port}: {wrong}", _TICKET)
    return node


def _find_node(partition: bytes) -> NodeOnFlash:
    """One of _DAMAGED when there is a copy that is none of a configuration: who had the board in
    hand may have put code in it, which would be written anew."""
    files, copy = _read_files(partition), find_copy(partition)
    if copy is None:
        lp = {name: data for name, data in files.items() if name.startswith(CONFIG)}
        return NodeOnFlash(files, lp, None)
    copy_at, configuration = copy
    if not isinstance(configuration, dict):
        raise ValueError
    for name, data in configuration.items():
        if not (isinstance(name, str) and name.startswith(CONFIG) and isinstance(data, bytes)):
            raise ValueError
        if not {"", ".", ".."}.isdisjoint(name.split("/")):
            raise ValueError
    return NodeOnFlash(files, configuration, copy_at)


def node_id_on(partition: bytes) -> str | None:
    """Which node its configuration says it is; unchecked but for the form, so it names and proves
    nothing. None when it cannot be read."""
    try:
        node_id = _find_node(partition).config["node"]
        return node_id if is_node_id(node_id) else None
    except _DAMAGED:
        return None


def _what_is_wrong(lp: dict[str, bytes], board: dict) -> str:
    """Empty when all files belong together; one of _DAMAGED when a file is not whole."""
    config, kit = json.loads(lp["config.json"]), json.loads(lp["kit.json"])
    rules = rules_of(lp["policy"])
    check_signature(rules, lp["policy"][len(rules) :], lp["policy.key"])
    x509.load_der_x509_certificate(lp["ca.der"])
    certificate = x509.load_der_x509_certificate(lp["node.der"])
    key = serialization.load_der_private_key(lp["node.key.der"], None)
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if certificate.public_key() != key.public_key() or name.value != config["node"]:
        return "its certificate is not of its key, or of another node"
    made_for = json.loads(lp["board.json"])["board"]
    if made_for != board["board"]:
        return f"the node was made for the board {made_for}, and this is to be {board['board']}"
    for entry in kit["sensors"]:
        if "driver" in entry and entry["driver"] != PARTS.get(entry["part"], (None,))[0]:
            return f"its kit names a driver of {entry['part']} that this firmware has not"
    return ""


def _read_files(partition: bytes) -> dict[str, bytes]:
    """{path: content}; {} when the file system is damaged."""
    fs = LittleFS(
        block_size=BLOCK_BYTES, block_count=len(partition) // BLOCK_BYTES, read_size=32,
        prog_size=32, lookahead_size=32, mount=False,
    )  # fmt: skip
    fs.context.buffer[:] = partition
    try:
        fs.mount()
        found = {}
        for path in _paths(fs, len(partition)):
            with fs.open(path, "rb") as file:
                found[path] = file.read()
    except (LittleFSError, OSError, ValueError):
        return {}
    return found


def _paths(fs: LittleFS, most_bytes: int) -> Iterator[str]:
    """Of its files. ValueError when it says that it has more than there can be: a folder may
    contain itself, and a file say any size."""
    folders, count, left_bytes = [""], 0, most_bytes
    while folders:
        folder = folders.pop()
        if folder.count("/") > _MOST_FOLDERS_DEEP:
            raise ValueError("too deep")
        for entry in fs.scandir("/" + folder):
            count += 1
            if count > _MOST_ENTRIES:
                raise ValueError("too many files")
            if entry.type == _FOLDER:
                folders.append(f"{folder}{entry.name}/")
                continue
            left_bytes -= entry.size
            if left_bytes < 0:
                raise ValueError("too large")
            yield folder + entry.name
