# SPDX-License-Identifier: MIT
"""host_tools/provisioning: certificates, tickets, the flash of a node, and the firmware on it."""

import json
import os
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID
from littlefs import LittleFS

from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from host_tools.private_file import write_private
from host_tools.provisioning import firmware
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.firmware import compile_tree, firmware_root, firmware_sources
from host_tools.provisioning.kit import load_board
from host_tools.provisioning.lms_tree import LmsTree
from host_tools.provisioning.node_flash import make_node
from host_tools.provisioning.node_parts import NodeParts
from host_tools.provisioning.ticket import is_node_id, make_ticket, new_node_id, new_root
from simulator.world.flash import Flash
from simulator.world.nvs import NvsPartition
from tests.host_tools import reference_policy

NODE = "0123456789"

# certificates


def subject(certificate, oid):
    (attribute,) = certificate.subject.get_attributes_for_oid(oid)
    return attribute.value


def handshake(server, client):
    """Both sides' handshakes in memory; raises what either raises."""
    pipes = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.wrap_bio(pipes[0], pipes[1], server_side=True),
        client.wrap_bio(pipes[1], pipes[0], server_hostname="broker.test"),
    ]
    for _ in range(10):
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                pass
    assert not ends


def contexts(authority, folder, **options):
    authority.save(folder, "ca")
    made = []
    for kind, name, role, hosts in (
        (ssl.PROTOCOL_TLS_SERVER, "broker", "broker", ["broker.test", "127.0.0.1"]),
        (ssl.PROTOCOL_TLS_CLIENT, NODE, "node", []),
    ):
        context = ssl.SSLContext(kind)
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # Python's default from 3.13 on
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "ca.pem")
        context.load_cert_chain(*authority.issue(name, role, hosts, **options).save(folder, name))
        made.append(context)
    return made


def test_mutual_tls_works_and_is_strict(tmp_path):
    handshake(*contexts(Authority.create(), tmp_path))


def test_expired_is_refused(tmp_path):
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(*contexts(Authority.create(), tmp_path, days=-1))


def test_another_authority_is_refused(tmp_path):
    server, _ = contexts(Authority.create(), tmp_path)
    _, client = contexts(Authority.create(), tmp_path)
    with pytest.raises(ssl.SSLError):
        handshake(server, client)


def test_a_client_cannot_pose_as_the_broker(tmp_path):
    authority = Authority.create()
    server, client = contexts(authority, tmp_path)
    server.load_cert_chain(tmp_path / f"{NODE}.pem", tmp_path / f"{NODE}.key")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client)


def test_names_and_files(tmp_path):
    authority = Authority.create()
    paths = authority.issue(NODE, "node").save(tmp_path / "new", NODE)
    assert [path.name for path in paths] == [f"{NODE}.pem", f"{NODE}.key"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in paths)
    certificate = x509.load_pem_x509_certificate(paths[0].read_bytes())
    assert subject(certificate, NameOID.COMMON_NAME) == NODE
    assert subject(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME) == "node"
    assert certificate.issuer == authority.certificate.subject
    with pytest.raises(ValueError, match="is not a role"):
        authority.issue(NODE, "admin")


def test_der_is_what_a_node_takes():
    certificate, key = Authority.create().issue(NODE, "node").der()
    assert x509.load_der_x509_certificate(certificate)
    assert serialization.load_der_private_key(key, None).curve.name == "secp256r1"
    assert key[:3] == b"\x30\x77\x02"  # SEC 1: a sequence that starts with the version


def test_an_authority_is_loaded_again(tmp_path):
    authority = Authority.create()
    authority.save(tmp_path, "ca")
    assert Authority.load(tmp_path).certificate == authority.certificate
    Authority.create().save(tmp_path / "other", "ca")
    os.replace(tmp_path / "other" / "ca.key", tmp_path / "ca.key")
    with pytest.raises(ToolError, match="is not the key of"):
        Authority.load(tmp_path)
    (tmp_path / "ca.pem").write_text("no PEM")
    with pytest.raises(ToolError, match="cannot be read"):
        Authority.load(tmp_path)
    with pytest.raises(ToolError, match="No such file"):
        Authority.load(tmp_path / "nowhere")


# tickets


def test_node_ids():
    ids = {new_node_id() for _ in range(200)}
    assert len(ids) == 200 and all(is_node_id(node_id) for node_id in ids)
    for text in ("012345678", "01234567890", "012345678i", "012345678L", "012345678\n", ""):
        assert not is_node_id(text)


def test_tickets_of_two_nodes_share_nothing():
    root = new_root()
    one, other = make_ticket(root, NODE, 20_500), make_ticket(root, "abcdefghjk", 20_500)
    keys = [one.seal, one.receipt, one.command, other.seal, other.receipt, other.command]
    assert len(set(keys)) == 6 and all(len(key) == 32 for key in keys)
    for root, node_id in ((b"short", NODE), (new_root(), "NODE")):
        with pytest.raises(ValueError, match="not a node id"):
            make_ticket(root, node_id, 0)


# flash


RULES, _ = reference_policy.policy(reference_policy.stream(1, "co2_ppm", 300, ["last"], 1, 0, 9))
SIGNED = {}  # a key takes a second


def make(folder, node_id=NODE, **changes):
    if not SIGNED:
        signer = LmsTree(bytes(32), bytes(16))
        signature = signer.sign(0, RULES, bytes(32))
        SIGNED.update(policy=RULES + signature, policy_key=signer.public_key)
    authority = Authority.create()
    parts = {
        "ticket": make_ticket(bytes(32), node_id, 20_500),
        "identity": authority.issue(node_id, "node"),
        "ca_der": authority.der()[0],
        "broker": ("broker.test", 8883),
        "sntp": "time.test",
        "floor_s": 1_771_200_000,
        "kit": {"kit": "k", "sensors": []},
        **SIGNED,
    }
    return make_node(folder, NodeParts(**{**parts, **changes}), ("city", "secret"), {"board": "b"})


def test_the_folder_of_a_node(tmp_path):
    path = make(tmp_path / "nodes")
    assert path == tmp_path / "nodes" / NODE
    assert path.stat().st_mode & 0o077 == 0
    image = (path / "flash.img").read_bytes()
    assert len(image) == 1 << 20
    fs = LittleFS(
        block_size=4096, block_count=256, read_size=32, prog_size=32, lookahead_size=32,
        mount=False,
    )  # fmt: skip
    fs.context.buffer[:] = image
    fs.mount()
    assert sorted(fs.listdir("/")) == [
        "board.json", "ca.der", "config.json", "kit.json", "node.der", "node.key.der",
        "policy", "policy.key",
    ]  # fmt: skip
    with fs.open("config.json", "r") as file:
        assert json.load(file) == {
            "node": NODE, "day0": 20_500, "floor_s": 1_771_200_000,
            "broker": {"host": "broker.test", "port": 8883},
            "wifi": {"ssid": "city", "password": "secret"}, "sntp": "time.test",
        }  # fmt: skip
    nvs = NvsPartition(Flash(str(path / "nvs.img")))
    ticket = make_ticket(bytes(32), NODE, 20_500)
    keys = {"seal": bytes(8) + ticket.seal, "receipt": ticket.receipt, "command": ticket.command}
    assert {key: nvs.get("lamppost", key, "blob") for key in nvs.keys("lamppost")} == keys
    fs.context.buffer[:] = (path / "data.img").read_bytes()
    fs.mount()
    assert fs.listdir("/") == []


def test_a_failure_leaves_no_folder(tmp_path):
    with pytest.raises(TypeError):
        make(tmp_path, kit={"kit": object(), "sensors": []})
    with pytest.raises(Exception, match="NOSPC"):
        make(tmp_path, ca_der=bytes(2 << 20))
    assert list(tmp_path.iterdir()) == []
    make(tmp_path)
    with pytest.raises(ToolError, match="is there already"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NODE]


def test_a_node_gets_no_policy_that_it_would_refuse(tmp_path):
    make(tmp_path / "made")
    policy, key = SIGNED["policy"], SIGNED["policy_key"]
    other = LmsTree(bytes(32), b"another key name").public_key
    for changes in (
        {"policy": RULES}, {"policy": policy[:-1]}, {"policy": b""},
        {"policy": policy[:40] + bytes([policy[40] ^ 1]) + policy[41:]},
        {"policy_key": other}, {"policy_key": key[:-1]},
    ):  # fmt: skip
        with pytest.raises(ToolError, match="the policy is not signed by this key"):
            make(tmp_path, **changes)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def need_micropython():
    try:
        return micropython_path()
    except ToolError as err:
        pytest.skip(f"{err}: {err.hint}")


MOUNT = """
import sys, vfs
class Image:
    def __init__(self, path): self.file = open(path, "r+b")
    def readblocks(self, block, buf, offset=0):
        self.file.seek(block * 4096 + offset); self.file.readinto(buf)
    def writeblocks(self, block, buf, offset=0):
        self.file.seek(block * 4096 + offset); self.file.write(buf)
    def ioctl(self, operation, argument):
        return {4: 256, 5: 4096}.get(operation, 0)
vfs.mount(vfs.VfsLfs2(Image(sys.argv[1]), readsize=32, progsize=32, lookahead=32), "/lp")
with open("/lp/new", "w") as file: file.write("x")
print(open("/lp/policy", "rb").read().hex(), open("/lp/new").read())
"""


def test_micropython_mounts_the_image(tmp_path):
    program = need_micropython()
    image = make(tmp_path) / "flash.img"
    (tmp_path / "mount.py").write_text(MOUNT)
    done = subprocess.run([program, tmp_path / "mount.py", image], capture_output=True, text=True)
    assert done.stdout == f"{SIGNED['policy'].hex()} x\n", done.stderr


# firmware


def test_the_firmware_is_found_and_compiled():
    sources = firmware_sources()
    assert {"boot.py", "main.py", "node/__init__.py", "node/app.py"} <= set(sources)
    tree = compile_tree(sources)
    assert compile_tree(sources) == tree
    made = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
    expected = {name if name in ("boot.py", "main.py") else name[:-2] + "mpy" for name in sources}
    native = "node/drivers/a_weighting.mpy"
    assert made == expected - {native}
    for_board = compile_tree(sources, load_board("esp32-devkitc")["native"])
    assert for_board != tree and (for_board / native).is_file()
    arches = {path: path.read_bytes()[2] >> 2 for path in for_board.rglob("*.mpy")}
    assert {path: arch for path, arch in arches.items() if arch} == {for_board / native: 10}


def test_a_compiled_tree_runs(tmp_path):
    program = need_micropython()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "part.py").write_text("ANSWER = 6 * 7\n")
    tree = compile_tree({"deep/part.py": tmp_path / "deep" / "part.py"})
    done = subprocess.run(
        [program, "-c", "from deep.part import ANSWER; print(ANSWER)"],
        env={"MICROPYPATH": str(tree)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "42\n", done.stderr


def test_what_does_not_compile_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "bad.py").write_text("def f(:\n")
    with pytest.raises(ToolError, match=r"bad\.py is not compiled: .*SyntaxError"):
        compile_tree({"bad.py": tmp_path / "bad.py"})
    assert list((tmp_path / "cache" / "lamppost").iterdir()) == []


def test_from_a_wheel_the_two_folders_are_put_together(tmp_path, monkeypatch):
    root = firmware_root()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert (root / "node" / "app.py").is_file() and (root / "main.py").is_file()
    (tmp_path / "lamppost_firmware").mkdir()
    for name in ("boot.py", "main.py"):
        (tmp_path / "lamppost_firmware" / name).write_bytes((root / name).read_bytes())
    monkeypatch.setattr(
        firmware, "_folders", lambda: (tmp_path / "lamppost_firmware", root / "node")
    )
    copy = firmware_root()
    assert copy != root and copy == firmware_root()
    for name, path in firmware_sources().items():
        assert (copy / name).read_bytes() == path.read_bytes()


# private files


def test_a_private_file_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "key"
    write_private(path, b"old")
    assert path.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["key"]
