# SPDX-License-Identifier: MIT
"""Messages per second at QoS 1 over mutual TLS 1.2, through one mosquitto, in one run: the stock
umqtt.simple 1.3.4, the node's client (both on MicroPython), and mosquitto_pub."""

import datetime
import getpass
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from host_tools.micropython_path import micropython_path
from host_tools.umqtt_source import umqtt_path

ROOT = Path(__file__).resolve().parents[2]
NODE = "0123456789"
IN_FLIGHT = 10  # the firmware's default
TIMES_STOCK = 300  # what is wanted
SHARE_OF_PUB = 0.25
STOCK_COUNT = 60
COUNT = 20_000
REPEATS = 3
# mosquitto_pub's start and end take 0.2 s, hence more messages; but not more than there are packet
# ids, since it stops early at the second PUBACK of its last message's id.
PUB_COUNT = 60_000
_HEAP = "160k"


def _name(common_name: str, role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


class Authority:
    """A certificate authority that lives for one test."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name("authority", "test")
        self.certificate = self._sign(self._subject, self._key.public_key(), None)

    def _sign(self, subject, public_key, address, days=1) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(subject == self._subject, None), critical=True)
        )
        if address:
            name = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(name, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def issue(self, folder: Path, stem: str, name: str, role: str, address=None, days=1):
        """Writes STEM.der, STEM.key.der, STEM.pem and STEM.key.pem, and the CA, into `folder`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_name(name, role), key.public_key(), address, days)
        for suffix, encoding in (
            ("der", serialization.Encoding.DER),
            ("pem", serialization.Encoding.PEM),
        ):
            (folder / f"ca.{suffix}").write_bytes(self.certificate.public_bytes(encoding))
            (folder / f"{stem}.{suffix}").write_bytes(certificate.public_bytes(encoding))
            (folder / f"{stem}.key.{suffix}").write_bytes(
                key.private_bytes(
                    encoding,
                    serialization.PrivateFormat.TraditionalOpenSSL,
                    serialization.NoEncryption(),
                )
            )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """A mosquitto on a free port of 127.0.0.1, and its certificates; a context manager."""

    def __init__(self, folder: Path, broker_days: int = 1):
        self.folder = folder
        self.port = free_port()
        authority = Authority()
        authority.issue(folder, "broker", "broker", "broker", "127.0.0.1", broker_days)
        authority.issue(folder, "node", NODE, "node")
        (folder / "mosquitto.conf").write_text(
            f"""user {getpass.getuser()}
listener {self.port} 127.0.0.1
cafile {folder}/ca.pem
certfile {folder}/broker.pem
keyfile {folder}/broker.key.pem
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
allow_anonymous false
set_tcp_nodelay true
max_inflight_messages 200
"""
        )
        # mosquitto's tls_version is a minimum; this is the maximum, which is what a board speaks.
        (folder / "openssl.cnf").write_text(
            "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n"
            "[c]\nMaxProtocol = TLSv1.2\n"
        )

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.process = subprocess.Popen(
            ["mosquitto", "-c", self.folder / "mosquitto.conf"],
            env={**os.environ, "OPENSSL_CONF": str(self.folder / "openssl.cnf")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("mosquitto does not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def run_node(self, mode: str, count: int, in_flight: int = IN_FLIGHT) -> dict:
        """Runs mqtt_node.py under MicroPython against this broker; its result."""
        done = subprocess.run(
            [
                micropython_path(), "-X", f"heapsize={_HEAP}", ROOT / "tests/bench/mqtt_node.py",
                mode, "127.0.0.1", str(self.port), self.folder, str(count), str(in_flight),
            ],
            env={"MICROPYPATH": f"{ROOT}/firmware:{umqtt_path()}"},
            capture_output=True,
            text=True,
            timeout=300,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def publish_lines(self, count: int) -> float:
        """Seconds that mosquitto_pub takes for `count` messages of 180 bytes, start included."""
        folder = self.folder
        lines = folder / "lines"
        lines.write_text(("x" * 180 + "\n") * count)
        began = time.perf_counter()
        with lines.open() as file:
            subprocess.run(
                [
                    "mosquitto_pub", "-l", "-q", "1", "-h", "127.0.0.1", "-p", str(self.port),
                    "-t", f"lp/{NODE}/up", "-i", NODE, "--cafile", folder / "ca.pem",
                    "--cert", folder / "node.pem", "--key", folder / "node.key.pem",
                    "--tls-version", "tlsv1.2",
                ],
                stdin=file, check=True, timeout=300,
            )  # fmt: skip
        return time.perf_counter() - began


def run(count: int = COUNT, in_flight: int = IN_FLIGHT, repeats: int = REPEATS) -> dict:
    """Messages per second of each; of ours and mosquitto_pub the median of `repeats` runs."""
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder)) as broker:
        stock = broker.run_node("stock", STOCK_COUNT)
        ours, pub = [], []
        for _ in range(repeats):  # by turns, so that both see the same machine
            node = broker.run_node("ours", count, in_flight)
            ours.append(count * 1_000_000 / node["took_us"])
            # Start and handshake are not what is measured: they are taken off.
            spent = broker.publish_lines(PUB_COUNT) - broker.publish_lines(1)
            pub.append((PUB_COUNT - 1) / spent)
    stock_s = STOCK_COUNT * 1_000_000 / stock["took_us"]
    ours_s, pub_s = statistics.median(ours), statistics.median(pub)
    times, share = ours_s / stock_s, ours_s / pub_s
    return {
        "stock_per_s": round(stock_s, 1),
        "ours_per_s": round(ours_s),
        "mosquitto_pub_per_s": round(pub_s),
        "ours_runs_per_s": [round(value) for value in ours],
        "mosquitto_pub_runs_per_s": [round(value) for value in pub],
        "in_flight": in_flight,
        "messages": count,
        "times_stock": round(times),
        "share_of_mosquitto_pub": round(share, 2),
        "figures": [
            {
                "figure": f"QoS 1 over mutual TLS, {in_flight} in flight, against umqtt.simple",
                "measured": f"{ours_s:.0f} / {stock_s:.1f} per s = {times:.0f} ×",
                "wanted": f"≥ {TIMES_STOCK} ×",
                "met": times >= TIMES_STOCK,
            },
            {
                "figure": "the same against mosquitto_pub",
                "measured": f"{ours_s:.0f} / {pub_s:.0f} per s = {share:.2f}",
                "wanted": f"≥ {SHARE_OF_PUB}",
                "met": share >= SHARE_OF_PUB,
            },
        ],
    }
