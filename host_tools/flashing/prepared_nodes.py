# SPDX-License-Identifier: MIT
"""A folder of prepared nodes (*.parts), and which board became which.

Two boards with one node's keys would be one node to the store; and a board that is flashed again
is to be the same node. A MAC is only what a board says: once a board was whole, one that says the
same gets its keys no more unasked.

bound.json: {node id: {"board": its MAC, "whole": whether it was written whole}}, for this folder
alone.
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
_AGAIN = "another board could say so, too. If it is the same one, erased: --yes"


class PreparedNodes:
    """folder: of *.parts; kit: only nodes with the kit of this name, or None for any."""

    NAMED = "this folder"  # in messages

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
            return _node_of(mac, self._bound())

    def bound_to(self, mac: str) -> NodeParts | None:
        """That node, as it was prepared."""
        node_id = self.node_of(mac)
        return None if node_id is None else read_parts(self._folder / (node_id + SUFFIX))

    def look(self, mac: str, again: bool = False) -> NodeParts:
        """What take() would give. ToolError says why there is none."""
        with self._locked():
            return self._next(mac, again, self._bound())

    def take(self, mac: str, again: bool = False) -> NodeParts:
        """The node whose keys the board with this MAC is about to get: its own, when it was cut
        off, else one that no board is yet. again: also its own when it was whole; without it that
        is a ToolError."""
        with self._locked():
            bound = self._bound()
            parts = self._next(mac, again, bound)
            self._note(bound, parts.ticket.node_id, {"board": mac, "whole": False})
            return parts

    def note_whole(self, mac: str):
        """Notes that the board with this MAC has all that its node has."""
        with self._locked():
            bound = self._bound()
            node_id = _node_of(mac, bound)
            if node_id is not None:
                self._note(bound, node_id, {"board": mac, "whole": True})

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

    def is_used(self, node_id: str) -> bool:
        """Whether a board got the keys of this node from this folder."""
        with self._locked():
            return node_id in self._bound()

    def _next(self, mac: str, again: bool, bound: dict) -> NodeParts:
        node_id = _node_of(mac, bound)
        if node_id is None:
            return self._free(bound)
        if bound[node_id]["whole"] and not again:
            message = f"node {node_id} was written whole, and a board that says it is that one"
            raise ToolError(f"{message} would get its keys once more", _AGAIN)
        return read_parts(self._folder / (node_id + SUFFIX))

    def _note(self, bound: dict, node_id: str, what: dict):
        if bound.get(node_id) != what:
            data = json.dumps(bound | {node_id: what}, indent=1, sort_keys=True)
            write_private(self._folder / _BOUND, data.encode())

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

    def _bound(self) -> dict[str, dict]:
        path = self._folder / _BOUND
        bound = None
        try:
            bound = {n: _checked(one) for n, one in json.loads(path.read_text()).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError):
            pass
        if bound is None:
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


def _node_of(mac: str, bound: dict) -> str | None:
    return next((node_id for node_id, one in bound.items() if one["board"] == mac), None)


def _checked(one) -> dict:
    """ValueError when it is not as it is written."""
    if type(one) is str:  # of before it was noted
        return {"board": one, "whole": True}
    if type(one) is dict and type(one.get("board")) is str and type(one.get("whole")) is bool:
        return one
    raise ValueError


def _check_name(path: Path, parts: NodeParts):
    node_id = parts.ticket.node_id
    if node_id != path.stem:
        message = f"{path} holds the node {node_id}: it was renamed or copied"
        raise ToolError(message, f"name it {node_id}{SUFFIX}, or remove a copy")
