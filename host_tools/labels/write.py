# SPDX-License-Identifier: MIT
"""Writes stickers: all of them, or no file at all."""

import contextlib
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.labels.layout import Sticker, draw
from host_tools.labels.pdf import pdf
from host_tools.labels.svg import svg
from host_tools.public_file import write_public

FORMATS = ("pdf", "svg")


def format_of(target: Path, given: str | None) -> str:
    """By --format, else by the name's ending. ToolError when neither says it, or they differ."""
    ending = target.suffix[1:].lower()
    if ending in FORMATS and given not in (None, ending):
        raise ToolError(f"{target} does not end in .{given}", "leave out --format", 2)
    if given is None and ending not in FORMATS:
        hint = "end it in .pdf or .svg, or give --format"
        raise ToolError(f"{target}: PDF or SVG?", hint, 2)
    return given or ending


def write_stickers(
    stickers: list[Sticker], size_mm: tuple[float, float], target: Path, form: str
) -> list[Path]:
    """Returns the files: of SVG, several nodes are a file each in the folder `target`."""
    drawings = [draw(sticker, size_mm) for sticker in stickers]
    if form == "pdf":
        write_public(target, pdf(drawings))
        return [target]
    files = [target]
    if len(stickers) > 1 or target.suffix.lower() != ".svg":
        files = [target / f"{sticker.node_id}.svg" for sticker in stickers]
        _make_folder(target)
    written = []
    try:
        for path, drawing in zip(files, drawings, strict=True):
            write_public(path, svg(drawing))
            written.append(path)
    except BaseException:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink()
        raise
    return files


def _make_folder(folder: Path):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        hint = "several nodes are a file each: give a folder with -o, and --format svg"
        raise ToolError(f"{folder}: {err.strerror}", hint) from err
