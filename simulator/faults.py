# SPDX-License-Identifier: MIT
"""What each fault of fault_kinds.py does to a city, at a meeting of its nodes.

    end = Faults(city, seed).begin(fault, nodes)      end() when its time is over, or None
"""

import datetime
import os
import random
import shutil
import tempfile
from pathlib import Path

import cbor2

from host_tools.collector.keyring import Keyring
from host_tools.errors import ToolError
from host_tools.policy.compile_policy import Compiled, compile_policy
from host_tools.provisioning.command import policy_parts, resend
from simulator.fault_kinds import WIRE_FAULTS
from simulator.node_image import Image, write_policy
from simulator.scenario import Fault
from simulator.scenario_city import ScenarioCity
from simulator.world.flash import BLOCK_BYTES, TORN

_IMAGES = ("flash.img", "data.img", "nvs.img")
_VIEWS = {
    "down": {"up": False},
    "wrong_password": {"password": "another one"},
    "no_dhcp": {"dhcp": False},
    "channel": {"channel": 11},
}


class Faults:
    """Of one run; stop() throws away what it kept."""

    def __init__(self, city: ScenarioCity, seed: int):
        self._city = city
        self._luck = random.Random(f"faults {seed}")
        self._signatures = {}  # rules: signed
        self._kept = Path(tempfile.mkdtemp(prefix="lamppost-"))  # snapshots, copies of the store

    def stop(self):
        shutil.rmtree(self._kept, ignore_errors=True)

    def begin(self, fault: Fault, nodes: list):
        """Lets it happen to `nodes`; returns what ends it, or None when it is over."""
        return getattr(self, "_" + fault.what)(fault, nodes)

    # power and flash

    def _power(self, fault: Fault, nodes: list):
        for node in nodes:
            self._city.switch_off(node)

        def end():
            for node in nodes:
                self._city.switch_on(node)

        return end

    def _power_cut(self, fault: Fault, nodes: list):
        for node in nodes:
            after = self._luck.randint(*fault.arguments["after"])
            torn = fault.arguments["torn"]
            torn = self._luck.choice(TORN) if torn == "any" else torn
            if fault.arguments["flash"] == "data":
                node.pending_cut = [after, torn, fault.arguments["off"]]
            else:
                node.nvs_cut, node.nvs_off_ms = (after, torn), fault.arguments["off"]
                if node not in self._city.off:
                    node.nvs.flash.cut(after, torn)

    def _nvs_erased(self, fault: Fault, nodes: list):
        for node in nodes:
            with self._city.opened(node, fault.arguments["off"]) as folder:
                path = folder / "nvs.img"
                path.write_bytes(b"\xff" * path.stat().st_size)

    def _data_damaged(self, fault: Fault, nodes: list):
        for node in nodes:
            with (
                self._city.opened(node, fault.arguments["off"]) as folder,
                open(folder / "data.img", "r+b") as file,
            ):
                for block in fault.arguments["blocks"]:
                    file.seek(block * BLOCK_BYTES)
                    file.write(os.urandom(BLOCK_BYTES))

    def _snapshot(self, fault: Fault, nodes: list):
        for node in nodes:
            target = self._snapshot_of(fault.arguments["name"], node)
            target.mkdir(parents=True, exist_ok=True)
            for name in _IMAGES:
                shutil.copyfile(node.folder / name, target / name)

    def _snapshot_of(self, name: str, node) -> Path:
        return self._kept / "nodes" / name / node.node_id

    def _taken(self, fault: Fault, node) -> Path:
        folder = self._snapshot_of(fault.arguments["name"], node)
        if not folder.exists():
            name = fault.arguments["name"]
            message = f"{fault.what}: there is no snapshot {name!r} of the node"
            raise ToolError(message, 'take it earlier: what = "snapshot"')
        return folder

    def _restored(self, fault: Fault, nodes: list):
        for node in nodes:
            taken = self._taken(fault, node)
            with self._city.opened(node, fault.arguments["off"]) as folder:
                for name in fault.arguments["images"]:
                    shutil.copyfile(taken / f"{name}.img", folder / f"{name}.img")

    def _second_board(self, fault: Fault, nodes: list):
        boards = []
        for node in nodes:
            source = self._taken(fault, node) if fault.arguments["name"] else node.folder
            boards.append(self._city.add_board(node, source))

        def end():
            for board in boards:
                self._city.switch_off(board)

        return end

    def _flash_full(self, fault: Fault, nodes: list):
        def change(make):
            for node in nodes:
                with self._city.opened(node, fault.arguments["off"]) as folder:
                    image = Image(folder / "data.img")
                    make(image)
                    image.save()

        change(lambda image: image.fill(fault.arguments["free_kib"]))
        return lambda: change(lambda image: image.empty())

    # the air, and the sensors

    def _view(self, nodes: list, attributes: dict):
        """Lets these nodes see the access point with other attributes."""
        for node in nodes:
            self._city.views.setdefault(node, {}).update(attributes)

        def end():
            for node in nodes:
                for name in attributes:
                    self._city.views[node].pop(name, None)

        return end

    def _wifi(self, fault: Fault, nodes: list):
        return self._view(nodes, _VIEWS[fault.arguments["how"]])

    def _sntp(self, fault: Fault, nodes: list):
        says = fault.arguments["says"]
        if says == "nothing":
            return self._view(nodes, {"sntp": False})
        if isinstance(says, str):
            told = datetime.datetime(int(says), 1, 1, tzinfo=datetime.UTC)
            says = 1000 * (int(told.timestamp()) - self._city.conductor.now_s())
        return self._view(nodes, {"sntp": {"offset_ms": says}})

    def _wires(self, fault: Fault, nodes: list):
        access_point, how = self._city.services.access_point, fault.arguments["how"]
        ids = [node.node_id for node in nodes]
        if how == "cut":
            for node_id in ids:
                access_point.cut(node_id)
            return None
        change = access_point.refuse if how == "refused" else access_point.stall
        for node_id in ids:
            change(node_id)
            if how == "refused":
                access_point.cut(node_id)

        def end():
            for node_id in ids:
                change(node_id, False)

        return end

    def _sensor(self, fault: Fault, nodes: list):
        part, how = fault.arguments["part"], fault.arguments["how"]
        name = "wire" if how in WIRE_FAULTS else "fault"
        begin = {"plugged": False} if how == "unplugged" else {name: how}
        over = {"plugged": True} if how == "unplugged" else {name: None}
        places = []
        for node in nodes:
            parts = [entry["part"] for entry in node.kit["sensors"]]
            if part not in parts:
                hint = "it has " + ", ".join(parts)
                raise ToolError(f"sensor: kit {node.kit['kit']!r} has no {part!r}", hint)
            places.append((node, parts.index(part)))

        def change(changes: dict):
            for node, index in places:
                node.pending_chips[index] = {**node.pending_chips.get(index, {}), **changes}
                node.lasting_chips[index] = {**node.lasting_chips.get(index, {}), **changes}

        change(begin)
        return lambda: change(over)

    # broker, collector, store

    def _broker(self, fault: Fault, _nodes: list):
        self._city.services.stop_broker(kill=fault.arguments["how"] == "killed")
        return self._city.services.start_broker

    def _collector(self, fault: Fault, _nodes: list):
        services, how = self._city.services, fault.arguments["how"]
        if how == "killed_after_commit":
            services.collector.die_after_commit()
        else:
            services.stop_collector(kill=how == "killed")

        def end():
            services.stop_collector(kill=True)  # where no batch came that it could die after
            services.start_collector()

        return end

    def _store_copied(self, fault: Fault, _nodes: list):
        target = self._kept / "stores" / fault.arguments["name"]
        target.mkdir(parents=True)
        self._city.services.stop_collector()
        shutil.copyfile(self._city.store_path, target / "store")
        shutil.copyfile(self._city.folder.path / "keyring.json", target / "keyring")
        self._city.services.start_collector()

    def _store_restored(self, fault: Fault, _nodes: list):
        source = self._kept / "stores" / fault.arguments["name"]
        if not source.exists():
            message = f"store_restored: there is no copy {fault.arguments['name']!r}"
            raise ToolError(message, 'make it earlier: what = "store_copied"')
        self._city.services.stop_collector()
        for suffix in ("-wal", "-shm"):
            Path(f"{self._city.store_path}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(source / "store", self._city.store_path)
        shutil.copyfile(source / "keyring", self._city.folder.path / "keyring.json")
        self._city.services.start_collector()

    def _resend(self, fault: Fault, nodes: list):
        city = self._city
        for node in nodes:
            log = city.newest_log(node.node_id)
            if log is None:
                raise ToolError("resend: the store knows no outbox of the node", "do it later")
            key, number = city.command_key(node), city.next_command()
            message = resend(key, node.node_id, number, log, fault.arguments["from"])
            city.services.send(node.node_id, message)

    # policy

    def _compiled(self, node, version: int) -> Compiled:
        """The policy of the node's kit as another version of it."""
        kit = next(kit for kit in self._city.plan.kits if kit.data is node.kit)
        policy = compile_policy(kit.policy_path, kit)
        label, name, _, *rest = cbor2.loads(policy.rules)
        rules = cbor2.dumps([label, name, version, *rest], canonical=True)
        return Compiled(rules, policy.terms)

    def _policy(self, fault: Fault, nodes: list):
        if fault.arguments["known"]:
            self._policy_known(fault, nodes)
        for node in nodes:
            signed = self._signed(self._compiled(node, fault.arguments["version"]).rules)
            if fault.arguments["by"] == "down":
                for message in policy_parts(self._city.command_key(node), node.node_id, signed):
                    self._city.services.send(node.node_id, message)
                continue
            with self._city.opened(node, fault.arguments["off"]) as folder:
                write_policy(folder / "flash.img", signed)

    def _signed(self, rules: bytes) -> bytes:
        """Signed once, so that what is sent again is the same."""
        if rules not in self._signatures:
            self._signatures[rules] = self._city.folder.sign(rules)
        return self._signatures[rules]

    def _policy_known(self, fault: Fault, nodes: list):
        keyring = Keyring(self._city.folder.path / "keyring.json")
        for node in nodes:
            policy = self._compiled(node, fault.arguments["version"])
            keyring.add_policy(node.node_id, policy.rules, policy.terms)
