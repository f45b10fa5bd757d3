# SPDX-License-Identifier: MIT
"""What each run of `flash` and `doctor` met, for whoever is asked for help: one JSON object on a
line of flash.jsonl, in the user's state folder, for its owner only.

    {"time": "2026-03-01T10:00:00Z", "command": "flash", "port": "/dev/ttyUSB0",
     "board": "esp32-devkitc", "chip": "esp32", "mac": "00:00:01", "stage": "write",
     "result": "failed", "error": "…", "esptool": "what it said"}

Nothing that is a secret or leads to a place is in it: no key, password, file name, node, name of a
network; of a MAC the last three bytes, which tell one board on the bench from another.
"""

import fcntl
import json
import os
import re
import time
from pathlib import Path

import platformdirs

from host_tools.errors import ToolError

LIMIT_BYTES = 1024 * 1024  # beyond it the older half goes
_TEXT_CHARACTERS = 2000
_MAC = re.compile(
    r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}[:-]){3,5}"
    r"((?:[0-9A-Fa-f]{2}[:-]){2}[0-9A-Fa-f]{2})(?![0-9A-Fa-f])"
)
_NODE_ID = r"[0-9a-hjkmnp-tv-z]{10}"
_NODE = re.compile(rf"\bnode:? {_NODE_ID}\b")
# An id has no mark of its own: words of ten such letters go, too; addresses stay.
_ID = re.compile(rf"(?<![0-9A-Za-z])(?!0x[0-9a-f]{{8}}){_NODE_ID}(?![0-9A-Za-z])")
_QUOTED = re.compile(r"(['\"])(?!/dev/)(?=[^'\"]*[/\\])[^'\"]*\1")
_WORD = re.compile(r"[^\s'\"(),;]+?(?=[.:]*(?:[\s'\"(),;]|$))")
_PORT = re.compile(r"/dev/(?:tty|cu\.|pts/|fd/|serial/)[\w./:-]*|\w+://[\w.:-]+")
_KEY = re.compile(r"[0-9A-Fa-f]{16}|[\w+/-]{24}")
_FILE = re.compile(r"[/\\]|\.(?:parts|tickets|technician|key|pem|vault|json|bin)$")


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """The text without `secrets`, names of files, ids of nodes, and whatever may be a key; of MACs
    the end is left."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "<hidden>")
    if len(text) > 2 * _TEXT_CHARACTERS:  # the patterns take longer than the text is long
        _, _, text = text[-2 * _TEXT_CHARACTERS :].partition(" ")  # half a word looks like none
    text = _NODE.sub("node <id>", _MAC.sub(r"\1", text))
    text = _WORD.sub(_redact_word, _QUOTED.sub("<file>", text))
    return text[-_TEXT_CHARACTERS:]


def _redact_word(found: re.Match) -> str:
    word = found[0]
    if _PORT.fullmatch(word):
        return word
    if _KEY.search(word):
        return "<hidden>"
    return "<file>" if _FILE.search(word) else _ID.sub("<id>", word)


class FlashLog:
    """A context manager around one run, which is written at its end, however it ends. A ToolError
    before any entry becomes one. tell(text) is told where it was written, or why not; secrets:
    texts that must not get in, which may be added to."""

    def __init__(self, command: str, tell, **fields):
        self.path = log_path()
        self.secrets = ()
        self._head = {"command": command, **fields}
        self._tell = tell
        self._entries = []

    def add(self, **fields):
        """One entry: texts, or lists of texts."""
        self._entries.append(fields)

    def __enter__(self) -> "FlashLog":
        return self

    def __exit__(self, kind, error, _):
        if isinstance(error, ToolError):
            self.add(stage="command", result="failed", error=error.message)
        elif kind is KeyboardInterrupt:
            self.add(stage="command", result="interrupted")
        if not self._entries:
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        lines = [{"time": now, **self._head, **fields} for fields in self._entries]
        try:
            _append(self.path, [self._redacted(fields) for fields in lines])
        except OSError as err:  # what it is about was done, or told, all the same
            self._tell(f"no log: {self.path}: {err.strerror}")
        else:
            self._tell(f"log: {self.path}")

    def _redacted(self, value):
        if isinstance(value, dict):
            return {key: self._redacted(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._redacted(one) for one in value]
        return redact(value, self.secrets) if isinstance(value, str) else value


def log_path() -> Path:
    """Where it is; it may not be there yet."""
    return platformdirs.user_state_path("lamppost") / "flash.jsonl"


def _append(path: Path, entries: list[dict]):
    data = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    data = data.encode(errors="replace")  # what was typed may be no UTF-8
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.fchmod(fd, 0o600)  # also when it was there
        kept = file.read()
        if len(kept) + len(data) > LIMIT_BYTES:
            _, _, kept = kept[-LIMIT_BYTES // 2 :].partition(b"\n")
            file.seek(0)
            file.truncate()
            file.write(kept)
        if kept and not kept.endswith(b"\n"):  # a power cut in the middle of a line
            data = b"\n" + data
        file.write(data)
