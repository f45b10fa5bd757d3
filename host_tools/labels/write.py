# SPDX-License-Identifier: MIT
"""Writes stickers: all of them, or no file at all."""

import os
import shutil
import tempfile
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
    if target.suffix:
        (drawing,) = drawings
        write_public(target, svg(drawing))
        return [target]
    files = [target / f"{sticker.node_id}.svg" for sticker in stickers]
    fresh = _make_folder(target)
    try:
        for path, drawing in zip(files, drawings, strict=True):
            write_public(fresh / path.name, svg(drawing))
        _move(fresh, files)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return files


def _move(fresh: Path, files: list[Path]):
    """Older ones of these names are replaced, when none is in the way."""
    for path in files:
        if path.is_dir():
            raise ToolError(f"{path}: a folder is in the way", "take another folder")
    for path in files:
        try:
            os.replace(fresh / path.name, path)
        except OSError as err:
            hint = "have that mended, then run the command again"
            raise ToolError(f"{path}: {err.strerror}", hint) from err


def _make_folder(folder: Path) -> Path:
    """Makes it, and in it a new one, which it returns."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(".partial", ".", folder))
    except OSError as err:
        hint = "several nodes are a file each: give a folder with -o, and --format svg"
        raise ToolError(f"{folder}: {err.strerror}", hint) from err
