# SPDX-License-Identifier: MIT
"""A folder of prepared nodes (*.parts), and which board became which.

Two boards with one node's keys would be one node to the store; and a board that is flashed again
is to be the same node. bound.json: {node id: MAC of its board}, for this folder alone.
"""

import contextlib
import fcntl
import json
import threading
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.private_file import write_private
from host_tools.provisioning.node_parts import SUFFIX, NodeParts, read_parts

_BOUND = "bound.json"


class PreparedNodes:
    """folder: of *.parts; kit: only nodes with the kit of this name, or None for any."""

    def __init__(self, folder: Path, kit: str | None = None):
        self._folder = Path(folder)
        self._kit = kit
        self._within = threading.Lock()
        if not self._folder.is_dir():
            message = f"{self._folder}: there is no such folder"
            raise ToolError(message, "name the folder with the prepared nodes: --nodes DIR")

    def node_of(self, mac: str) -> str | None:
        """The id of the node that this board became here before; None when it did not."""
        with self._locked():
            bound = self._bound().items()
        return next((node_id for node_id, board_mac in bound if board_mac == mac), None)

    def bound_to(self, mac: str) -> NodeParts | None:
        """That node, as it was prepared."""
        node_id = self.node_of(mac)
        return None if node_id is None else read_parts(self._folder / (node_id + SUFFIX))

    def look(self) -> NodeParts:
        """The node that the next new board would become."""
        with self._locked():
            return self._free(self._bound())

    def take(self, mac: str) -> NodeParts:
        """A node that no board is yet, for the board with this MAC."""
        with self._locked():
            bound = self._bound()
            parts = self._free(bound)
            bound[parts.ticket.node_id] = mac
            data = json.dumps(bound, indent=1, sort_keys=True)
            write_private(self._folder / _BOUND, data.encode())
            return parts

    def of_node(self, node_id: str) -> NodeParts:
        """The node with this id, whether it is a board already or not. ToolError when it is not
        here."""
        path = self._folder / (node_id + SUFFIX)
        if not path.is_file():
            hint = "name the folder that it was flashed from: --nodes DIR"
            raise ToolError(f"{self._folder} has no node {node_id}", hint)
        parts = read_parts(path)
        _check_name(path, parts)
        return parts

    def _free(self, bound: dict) -> NodeParts:
        paths = sorted(self._folder.glob("*" + SUFFIX))
        others = set()
        for path in paths:
            if path.stem in bound:
                continue
            parts = read_parts(path)
            _check_name(path, parts)
            kit = parts.kit["kit"]
            if self._kit in (None, kit):
                return parts
            others.add(kit)
        hint = "have more nodes prepared: one for each board"
        if others:
            hint = "those left have the kits " + ", ".join(sorted(others))
        kind = f"node with the kit {self._kit}" if self._kit else "prepared node"
        raise ToolError(f"{self._folder}: no {kind} is left", hint)

    def _bound(self) -> dict:
        path = self._folder / _BOUND
        bound = None
        try:
            bound = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            pass
        if not isinstance(bound, dict):
            hint = "bring it back from a backup: it says which board is which node"
            raise ToolError(f"{path} cannot be read", hint)
        return bound

    @contextlib.contextmanager
    def _locked(self):
        """One board at a time, of this command and of others."""
        with self._within:
            try:
                lock = open(self._folder / "lock", "a")  # noqa: SIM115 - closed below
            except OSError as err:
                hint = "name a folder that you can write"
                raise ToolError(f"{self._folder}: {err.strerror}", hint) from err
            with lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield


def _check_name(path: Path, parts: NodeParts):
    node_id = parts.ticket.node_id
    if node_id != path.stem:
        message = f"{path} holds the node {node_id}: it was renamed or copied"
        raise ToolError(message, f"name it {node_id}{SUFFIX}, or remove a copy")
