# SPDX-License-Identifier: MIT
"""Where what stands on a node's sticker: in mm from its upper left corner, black on white, without
lines. It has the node's id, its claim code, its kit and a QR code, and nothing else of the node.

Type is as large as fits, and never below 2.5 mm (7 pt): capitals of 1.8 mm, which can be read at
arm's length, 60 cm, as they are 10 minutes of arc high.
"""

import dataclasses
import re

import segno

from host_tools.errors import ToolError
from host_tools.policy.notice import check_url
from host_tools.policy.phrases import Phrases

MODULE_MIN_MM, QUIET = 0.4, 4  # ISO/IEC 18004: a quiet zone of 4 modules
_MARGIN_MM = 1.5
_TYPE_MIN_MM, _PITCH = 2.5, 1.2
_ASCENT = 0.76  # of the type's size, down to the base line
_SIZE = re.compile(r"([0-9]{2,3}(?:\.[0-9])?)x([0-9]{2,3}(?:\.[0-9])?)")
_SIDES_MM = 20, 300
FONT, BOLD = "Helvetica", "Helvetica-Bold"
_LETTERS = "cp1252"  # of both in each PDF viewer: WinAnsiEncoding


@dataclasses.dataclass(frozen=True)
class Sticker:
    """code: of the claim; notice_url: where the notice is, to which the id is added as fragment,
    so that no server learns at which node somebody stood; language: one that the notice speaks."""

    node_id: str
    kit: str
    code: str
    notice_url: str
    language: str = "en"

    def url(self) -> str:
        return f"{self.notice_url}#{self.node_id}"

    def lines(self) -> list[tuple[str, str, float]]:
        """[(text, font, its size beside that of the others)]. ToolError when the font lacks the
        letters of the language."""
        phrases = Phrases(self.language)
        lines = [
            (self.node_id, BOLD, 2), (phrases.say("label", "code", code=self.code), BOLD, 1.4),
            (phrases.say("label", "kit", kit=self.kit), FONT, 1.2),
            (phrases.say("label", "measures"), FONT, 1.1),
            (phrases.say("label", "see"), FONT, 1.1),
        ]  # fmt: skip
        try:
            "".join(text for text, _, _ in lines).encode(_LETTERS)
        except UnicodeEncodeError:
            message = f"{FONT} has not all letters of {self.language!r}"
            raise ToolError(message, "take a label in another --language") from None
        return lines


@dataclasses.dataclass(frozen=True)
class Text:
    """x_mm: its left end; base_mm: its base line, from above; size_mm: of the type."""

    text: str
    font: str
    x_mm: float
    base_mm: float
    size_mm: float
    width_mm: float


@dataclasses.dataclass(frozen=True)
class Drawing:
    """bars: [(x, y, width, height)] of the QR code's black, in mm: runs of modules in a row."""

    width_mm: float
    height_mm: float
    module_mm: float
    bars: list[tuple[float, float, float, float]]
    texts: list[Text]


def parse_size(text: str) -> tuple[float, float]:
    """(width, height) in mm of 62x29."""
    match = _SIZE.fullmatch(text)
    sides = tuple(map(float, match.groups())) if match else (0, 0)
    if not all(_SIDES_MM[0] <= side <= _SIDES_MM[1] for side in sides):
        message = f"--size: {text!r} is not a width and a height of 20 to 300 mm"
        raise ToolError(message, "for instance 62x29", 2)
    return sides


def check_notice_url(url: str):
    """ToolError unless the id can be added to it, and it goes into a QR code."""
    if "#" in url:
        message = f"--notice-url: {url!r} has a fragment already"
        raise ToolError(message, "leave out # and what follows: the node's id goes there", 2)
    if not url:
        raise ToolError("--notice-url: it is empty", "give where the notice is: https://…", 2)
    check_url(url)


def draw(sticker: Sticker, size_mm: tuple[float, float]) -> Drawing:
    """ToolError when it does not fit: the QR code, or its text."""
    width_mm, height_mm = size_mm
    is_wide = width_mm >= height_mm
    side_mm = min(height_mm, width_mm * 0.5) if is_wide else min(width_mm, height_mm * 0.55)
    matrix = segno.make(sticker.url(), error="m", micro=False).matrix
    count = len(matrix) + 2 * QUIET
    module_mm = int(side_mm / count * 100) / 100
    if module_mm < MODULE_MIN_MM:
        message = f"a QR code of {count} modules does not fit {width_mm:g} × {height_mm:g} mm"
        raise ToolError(message, "take a shorter --notice-url, or a larger --size")
    drawn_mm = module_mm * count
    if is_wide:
        corner = 0.0, (height_mm - drawn_mm) / 2
        box = drawn_mm, _MARGIN_MM, width_mm - _MARGIN_MM, height_mm - _MARGIN_MM
    else:
        corner = (width_mm - drawn_mm) / 2, 0.0
        box = _MARGIN_MM, drawn_mm, width_mm - _MARGIN_MM, height_mm - _MARGIN_MM
    return Drawing(width_mm, height_mm, module_mm, _bars(matrix, corner, module_mm),
                   _texts(sticker, box))  # fmt: skip


def _bars(matrix, corner: tuple[float, float], module_mm: float) -> list:
    bars = []
    for row, modules in enumerate(matrix):
        at = 0
        while at < len(modules):
            end = at
            while end < len(modules) and modules[end]:
                end += 1
            if end > at:
                x, y = ((n + QUIET) * module_mm for n in (at, row))
                bars.append((corner[0] + x, corner[1] + y, (end - at) * module_mm, module_mm))
            at = end + 1
    return bars


def _texts(sticker: Sticker, box: tuple[float, float, float, float]) -> list[Text]:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    left, top, right, bottom = box
    lines = sticker.lines()
    unit_mm = (bottom - top) / _PITCH / sum(weight for _, _, weight in lines)
    sizes = [
        min(unit_mm * weight, (right - left) / stringWidth(text, font, 1))
        for text, font, weight in lines
    ]
    sizes[-2:] = [min(sizes[-2:])] * 2  # they are one sentence
    if min(sizes) < _TYPE_MIN_MM:
        worst = lines[sizes.index(min(sizes))][0]
        message = f"{worst!r} would be too small to read: {min(sizes):.1f} mm"
        raise ToolError(message, "take a larger --size, or a shorter --notice-url")
    slack_mm = (bottom - top - _PITCH * sum(sizes)) / len(lines)
    texts, y = [], top
    for (text, font, _), size_mm in zip(lines, sizes, strict=True):
        y += slack_mm / 2
        width_mm = stringWidth(text, font, size_mm)
        base_mm = y + size_mm * (_ASCENT + (_PITCH - 1) / 2)
        texts.append(Text(text, font, left, base_mm, size_mm, width_mm))
        y += _PITCH * size_mm + slack_mm / 2
    return texts
