# SPDX-License-Identifier: MIT
"""Copies of a sealed file: made when they open, put back when nothing newer is lost."""

import contextlib
import os
from pathlib import Path

from host_tools import chained_log
from host_tools.errors import ToolError
from host_tools.private_file import write_private
from host_tools.vault.file_lock import take_lock
from host_tools.vault.sealed_file import SealedFile, read_sealed


def back_up(path: Path, target: Path, passphrase: str, factor) -> tuple[int, bytes]:
    """Copies the sealed file to a new file, and opens that; returns its newest log entry's number
    and hash. ToolError, and no new file, when it is there already or does not open."""
    if os.path.lexists(target):
        raise ToolError(f"{target} is there already", "give the name of a new file")
    _write(target, read_sealed(path))
    try:
        with SealedFile.open(target, passphrase, factor, read_only=True) as copy:
            return copy.newest
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(target)
        raise


def restore(
    backup: Path, path: Path, passphrase: str, factor, force: bool = False
) -> tuple[tuple[int, bytes], Path | None]:
    """Puts a backup that opens in the place of `path`; returns its newest log entry's (number,
    hash), and where what was there is kept, or None. ToolError when what is there has log entries
    that the backup has not, or does not open: then only with `force`."""
    path = Path(path).resolve()
    data = read_sealed(backup)
    lock = take_lock(path)
    try:
        with SealedFile.open(backup, passphrase, factor, read_only=True) as copy:
            if read_sealed(backup) != data:
                raise ToolError(f"{backup} is being changed", "wait, and try again")
            if not force and path.exists():
                _check_older(path, copy, passphrase, factor)
            newest = copy.newest
        kept = _keep(path) if path.exists() else None
        _write(path, data)
    finally:
        os.close(lock)
    return newest, kept


def _check_older(path: Path, backup: SealedFile, passphrase: str, factor):
    hint = "if the backup shall count nonetheless, add --force: the file there is kept beside it"
    try:
        with SealedFile.open(path, passphrase, factor, read_only=True) as present:
            number, digest = present.newest
    except ToolError as err:
        raise ToolError(f"what is there cannot be compared: {err.message}", hint) from None
    hashes = {entry[0]: entry[4] for entry in chained_log.entries(backup.db)}
    if hashes.get(number) != digest:
        raise ToolError(f"{path} has entries in its log that the backup has not", hint)


def _keep(path: Path) -> Path:
    """Copies what is there to the first free name beside it."""
    number = 1
    while os.path.lexists(kept := path.with_name(f"{path.name}.replaced-{number}")):
        number += 1
    _write(kept, read_sealed(path))
    return kept


def _write(path: Path, data: bytes):
    try:
        write_private(path, data)
    except OSError as err:
        hint = "see that its folder can be written and the disk has room"
        raise ToolError(f"{path}: {err.strerror}", hint) from err
