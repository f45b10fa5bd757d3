# SPDX-License-Identifier: MIT
"""The files with which a host shows who it is: those that Authority.save() and Identity.save()
make (certificates.py)."""

from pathlib import Path

from host_tools.errors import ToolError
from host_tools.private_file import read_private
from host_tools.provisioning.certificates import MOST_KEY_BYTES


def certificate_files(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """The authority's certificate, and the pair of `name`; ToolError when one is not there, or
    when others can read the key."""
    files = folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}.key"
    for file in files:
        if not file.is_file():
            hint = "--tls-dir holds ca.pem, and NAME.pem and NAME.key of --name"
            raise ToolError(f"{file}: there is no such file", hint)
    read_private(files[2], MOST_KEY_BYTES)
    return files
