# SPDX-License-Identifier: MIT
"""A mosquitto of our own, with the rules of broker_rules, in a folder and on a free port."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from host_tools.child_environment import child_environment
from host_tools.errors import ToolError
from simulator.world.broker_rules import (
    MOSQUITTO_OPENSSL,
    MOSQUITTO_SETTINGS,
    host_name,
    mosquitto_acl,
)

_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_START_WITHIN_S = 10
_TRIES = 5
# max_queued_messages 0, though documented as "no limit", makes 2.0.11 drop the connection of a
# client whose publish the rules refuse.
_CONFIG = """\
listener {port} 127.0.0.1
cafile {ca}
certfile {certificate}
keyfile {key}
acl_file {folder}/mosquitto.acl
{settings}max_queued_messages {queue_limit}
persistence false
log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
"""


def mosquitto_path() -> str | None:
    """Where the program is, on PATH or where distributions put it; None if it is not there."""
    return shutil.which("mosquitto", path=os.pathsep.join((os.environ["PATH"], *_FOLDERS)))


class MosquittoBroker:
    """folder: for configuration and log; ca, certificate, key: PEM files; roles: {CN: role} of all
    collectors and vaults, since mosquitto knows a client by its CN alone; queue_limit: messages
    that it keeps for one client, and not one more.

    A client's id is its CN, whatever it says. Keepalive runs in real time.
    """

    def __init__(
        self, folder: Path, ca: Path, certificate: Path, key: Path, roles: dict,
        queue_limit: int = 100_000,
    ):  # fmt: skip
        self.host_name = host_name(certificate)
        self._folder = Path(folder).resolve()
        self._files = {
            name: Path(file).resolve()
            for name, file in (("ca", ca), ("certificate", certificate), ("key", key))
        }
        self._queue_limit = queue_limit
        self._acl = mosquitto_acl(roles)
        self._log = self._folder / "mosquitto.log"
        self._process: subprocess.Popen | None = None

    def start(self) -> tuple[str, int]:
        """(host, port) at which the broker listens."""
        program = mosquitto_path()
        if program is None:
            raise ToolError(
                "mosquitto is not installed",
                "apt install mosquitto, brew install mosquitto, or use the embedded broker",
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        for _ in range(_TRIES):
            port = _free_port()
            self._launch(program, port)
            if self._comes_up(port):
                return "127.0.0.1", port
            trouble = self.trouble() or f"silent for {_START_WITHIN_S} s"
            self.stop()
            if "in use" not in trouble:
                break
        raise ToolError(f"mosquitto does not start: {trouble}", f"see {self._log}")

    def stop(self):
        """Ends the process; it forgets all sessions and messages."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self):
        """Ends the process at once, as kill -9 does."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def trouble(self) -> str | None:
        """The last line of its log if the broker has died, else None."""
        if self._process is None or self._process.poll() is None:
            return None
        lines = self._log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else f"exit code {self._process.returncode}"

    def _launch(self, program: str, port: int):
        config = _CONFIG.format(
            port=port, folder=self._folder, queue_limit=self._queue_limit,
            settings=MOSQUITTO_SETTINGS, **self._files,
        )  # fmt: skip
        if os.name == "posix" and os.geteuid() == 0:
            config += f"user {getpass.getuser()}\n"  # else it becomes one who may not read keys
        (self._folder / "mosquitto.conf").write_text(config)
        (self._folder / "openssl.cnf").write_text(MOSQUITTO_OPENSSL)
        acl = self._folder / "mosquitto.acl"
        acl.write_text(self._acl)
        acl.chmod(0o600)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-c", self._folder / "mosquitto.conf"],
                env=child_environment(OPENSSL_CONF=str(self._folder / "openssl.cnf")),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, who end it last
            )

    def _comes_up(self, port: int) -> bool:
        """Whether it accepts connections before it dies or the time is up."""
        deadline = time.monotonic() + _START_WITHIN_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.01)
                continue
            # It may be another's port: then ours has said so, and dies.
            if b" running" in self._log.read_bytes():
                return True
            time.sleep(0.01)
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
