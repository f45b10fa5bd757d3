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


def format_of(target: Path, given: str | None, count: int) -> str:
    """given: --format; else the name's ending says it. ToolError when neither does, or the name is
    not that of such a file: so no slip of the hand writes over a vault."""
    ending = target.suffix[1:].lower()
    form = given or ending
    if form not in FORMATS:
        hint = "end it in .pdf or .svg, or give --format"
        raise ToolError(f"{target}: PDF or SVG?", hint, 2)
    if form == "svg" and (ending == "" or (count == 1 and ending == "svg")):
        return form
    if form == "svg" and ending == "svg":
        hint = "give a folder with -o, and --format svg; or a .pdf, with a page each"
        raise ToolError(f"{target}: several nodes are a file of SVG each", hint, 2)
    if ending != form:
        raise ToolError(f"{target} does not end in .{form}", f"name it NAME.{form}", 2)
    return form


def write_stickers(
    stickers: list[Sticker], size_mm: tuple[float, float], target: Path, form: str
) -> list[Path]:
    """Returns the files. form: of format_of(); target: of SVG it may be a folder, in which each
    node gets a file."""
    drawings = [draw(sticker, size_mm) for sticker in stickers]
    if form == "pdf":
        write_public(target, pdf(drawings))
        return [target]
    files = [target]
    if not target.suffix:
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
