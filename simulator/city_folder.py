# SPDX-License-Identifier: MIT
"""The folder of one simulated city, used by one run at a time.

tls/            ca.pem, ca.key and the certificates of broker and collector
signer/         the key by which its policies are signed
nodes/<node>/   flash.img, data.img and nvs.img of each board
keyring.json    what the collector opens with
city.json       which nodes there are, and when the last run ended (Unix s)
controller…     who opens sums of masked streams, where a policy masks some: city_controller.py
"""

import contextlib
import dataclasses
import fcntl
import json
import shutil
import tempfile
from pathlib import Path

from cryptography import x509

from host_tools.collector.keyring import Keyring
from host_tools.errors import ToolError
from host_tools.policy.signed import PublishedPolicy, load_key, make_key, sign
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.mask_roots import roots_of
from host_tools.provisioning.node_flash import make_node
from host_tools.provisioning.node_parts import NodeParts
from host_tools.provisioning.ticket import make_ticket, new_node_id, new_root
from node.policy.rules import Policy
from simulator import city_controller

SSID, PASSWORD = "lamppost", "a simulated city"
SNTP_HOST = "time.lamppost.invalid"
BROKER_NAME = "broker.lamppost.invalid"
BROKER_PORT = 8883  # the access point leads it to where the broker really listens
COLLECTOR = "collector-1"
_DAY_S = 86_400
_NEW = "name a new or empty folder, or that of an earlier demo"
_ANOTHER = "restore it, or name another --dir"


@dataclasses.dataclass(frozen=True)
class CityNode:
    """A node of the city: its id, its kit, and the rules of the kit's policy."""

    node_id: str
    kit: object
    policy: bytes


class CityFolder:
    """Opens or makes the folder; with path None, a temporary one that close() removes."""

    def __init__(self, path: Path | None):
        self._temporary = path is None
        self._made = None  # the uppermost folder that was made for it
        self._made_lock = False
        self._known = False  # it held a city before this run
        self._lock = None
        if path is None:
            path = Path(tempfile.mkdtemp(prefix="lamppost-"))
        self.path = path
        self.tls = path / "tls"

    def lock(self):
        """Takes the folder for this run; ToolError when another run has it or it is no folder."""
        try:
            if self.path.exists() and not self.path.is_dir():
                raise ToolError(f"{self.path} is a file", "name a folder, new or empty")
            upwards = [*reversed(self.path.parents), self.path]
            made = next((path for path in upwards if not path.exists()), None)
            self.path.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in self.path.iterdir()}
            if names and "lock" not in names:
                raise ToolError(f"{self.path} holds other things", _NEW)
            lock = open(self.path / "lock", "a")  # noqa: SIM115 - held as long as the run
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._known = "city.json" in names
            if names - {"lock"} and not self._known:
                lock.close()
                raise ToolError(f"{self.path} holds other things", _NEW)
            self._lock, self._made, self._made_lock = lock, made, "lock" not in names
        except BlockingIOError:
            lock.close()
            raise ToolError(
                f"{self.path} is in use by another demo", "wait for it, or name another --dir"
            ) from None
        except OSError as err:
            raise ToolError(f"{self.path}: {err.strerror}", "name a folder of your own") from None

    def close(self):
        """Lets the folder go; removes it when it is temporary, or was never filled."""
        if self._lock is None:
            return
        unfilled = not (self.path / "city.json").exists()
        if self._temporary or (self._made and unfilled):
            shutil.rmtree(self.path, ignore_errors=True)
            for parent in self.path.parents if self._made else ():
                if not parent.is_relative_to(self._made):
                    break
                with contextlib.suppress(OSError):  # somebody else put something there
                    parent.rmdir()
        elif unfilled and self._made_lock:
            (self.path / "lock").unlink(missing_ok=True)
        self._lock.close()  # last: who waits for it finds all or nothing

    def undo(self):
        """Takes back what this run made, when it could not start: lock() found nothing else."""
        if self._lock is not None and not self._known:
            for name in ("tls", "nodes", "mosquitto", "signer"):
                shutil.rmtree(self.path / name, ignore_errors=True)
            for name in ("city.json", "keyring.json", "keyring.json.lock"):
                (self.path / name).unlink(missing_ok=True)
            city_controller.remove_controller(self.path)

    def last_end_s(self) -> int:
        """When the last run in this folder ended, in Unix time; 0 if there was none."""
        return self._read().get("end_s", 0)

    def remember_end(self, end_s: int):
        self._write({**self._read(), "end_s": end_s})

    def nodes(self, wanted: list, board: dict, start_s: int, broker_name: str, tls_dir) -> list:
        """The city's nodes, made at the first run; ToolError if other nodes were asked for.

        wanted: [(kit, its Compiled policy), …]; broker_name: as in the broker's certificate;
        tls_dir: where the authority of a broker that runs lies, else None.
        """
        if (self.path / "city.json").exists():
            return self._known_nodes(wanted, broker_name)
        authority = Authority.load(tls_dir) if tls_dir else Authority.create()
        return self._make(authority, not tls_dir, wanted, board, start_s, broker_name)

    def _make(self, authority, own_authority, wanted, board, start_s, broker_name) -> list:
        if own_authority:  # a city's own key has no business here
            authority.save(self.tls, "ca")
        else:
            self.tls.mkdir(exist_ok=True)
            (self.tls / "ca.pem").write_bytes(authority.pem()[0])
        signer = make_key(self.path / "signer", self.path / "signer")
        hosts = (BROKER_NAME, "localhost", "127.0.0.1")
        authority.issue("broker", "broker", hosts).save(self.tls, "broker")
        authority.issue(COLLECTOR, "collector").save(self.tls, COLLECTOR)
        ca_der, _ = authority.der()
        keyring = Keyring(self.path / "keyring.json")
        nodes, masking = [], []
        for kit, policy in wanted:
            signed = sign(signer, policy.rules)
            compiled = Policy(policy.rules)
            masked = [stream.number for stream in compiled.streams if stream.bins is not None]
            ticket = make_ticket(new_root(), new_node_id(), start_s // _DAY_S, masked)
            make_node(
                self.path / "nodes",
                NodeParts(
                    ticket=ticket,
                    identity=authority.issue(ticket.node_id, "node"),
                    ca_der=ca_der,
                    broker=(broker_name, BROKER_PORT),
                    sntp=SNTP_HOST,
                    floor_s=start_s,
                    kit=kit.data,
                    policy=signed,
                    policy_key=signer.public_key,
                ),
                wifi=(SSID, PASSWORD),
                board=board,
            )
            signature = signed[len(policy.rules) :], signer.public_key
            keyring.add_node(ticket, policy.rules, policy.terms, signature)
            nodes.append(CityNode(ticket.node_id, kit, policy.rules))
            if masked:
                published = PublishedPolicy(policy.rules, policy.terms, signature[0])
                masking.append((published, roots_of(ticket, compiled)))
        if masking and not self._temporary:
            city_controller.make_controller(self.path, authority, masking, signer.public_key)
        listed = [{"node": n.node_id, "kit": n.kit.name, "policy": n.policy.hex()} for n in nodes]
        self._write({"nodes": listed, "broker": broker_name})
        return nodes

    def _known_nodes(self, wanted: list, broker_name: str) -> list:
        known = self._read()
        nodes = known["nodes"]
        self._check_files([node["node"] for node in nodes])
        if [node["kit"] for node in nodes] != [kit.name for kit, _ in wanted]:
            names = ", ".join(node["kit"] for node in nodes)
            hint = "ask for these, or name a new --dir"
            raise ToolError(f"{self.path} holds a city of {names}", hint)
        if [node["policy"] for node in nodes] != [policy.rules.hex() for _, policy in wanted]:
            hint = "name a new --dir for this one"
            raise ToolError(f"{self.path} holds a city under another policy", hint)
        if known["broker"] != broker_name:
            hint = "its nodes know no other: name a new --dir"
            raise ToolError(f"{self.path} holds a city of broker {known['broker']}", hint)
        return [
            CityNode(node["node"], kit, policy.rules)
            for node, (kit, policy) in zip(nodes, wanted, strict=True)
        ]

    def sign(self, rules: bytes) -> bytes:
        """The signed policy of these rules."""
        folder = self.path / "signer"
        return sign(load_key(folder, folder), rules)

    def _check_files(self, node_ids: list):
        """ToolError names the first file of a known city that is gone."""
        names = [f"tls/{name}" for name in ("ca.pem", "broker.pem", "broker.key")]
        names += [f"tls/{COLLECTOR}.pem", f"tls/{COLLECTOR}.key", "keyring.json"]
        names += [f"nodes/{n}/{part}.img" for n in node_ids for part in ("flash", "data", "nvs")]
        for name in names:
            try:
                data = (self.path / name).read_bytes()
                if name.endswith(".pem"):
                    x509.load_pem_x509_certificate(data)
            except OSError as err:
                raise ToolError(f"{self.path / name}: {err.strerror}", _ANOTHER) from err
            except ValueError as err:
                raise ToolError(f"{self.path / name} is no certificate", _ANOTHER) from err
        keyring = Keyring(self.path / "keyring.json")
        for node_id in node_ids:
            if keyring.node(node_id) is None:
                raise ToolError(f"{keyring.path} does not hold node {node_id}", _ANOTHER)

    def _read(self) -> dict:
        """city.json; {} when there is none, ToolError when it is not one of ours."""
        path = self.path / "city.json"
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as err:
            raise ToolError(f"{path} cannot be read", _ANOTHER) from err
        if not _is_city(content):
            raise ToolError(f"{path} does not describe a city", _ANOTHER)
        return content

    def _write(self, content: dict):
        new = self.path / "city.json.new"
        new.write_text(json.dumps(content))
        new.replace(self.path / "city.json")


def _is_city(content) -> bool:
    if not isinstance(content, dict) or not isinstance(content.get("nodes"), list):
        return False
    texts = [content.get("broker")]
    for node in content["nodes"]:
        fields = node if isinstance(node, dict) else {}
        texts += [fields.get("node"), fields.get("kit"), fields.get("policy")]
    whole = all(isinstance(text, str) for text in texts)
    return bool(content["nodes"]) and whole and isinstance(content.get("end_s", 0), int)
