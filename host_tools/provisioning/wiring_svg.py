# SPDX-License-Identifier: MIT
"""Draws wires as an SVG that prints on one page: the board on the left, its parts on the right, a
straight line for each wire. A pin that several parts share stands once for each of them."""

from html import escape

from host_tools.provisioning.wiring import Wire, once_per_bus, part_wiring

_ROW, _GAP, _TOP = 26, 40, 92
_BOARD_X, _BOARD_W, _PART_X, _PART_W = 30, 210, 520, 330
_WIDTH = _PART_X + _PART_W + 30
_COLOURS = {"power": "#c0392b", "ground": "#222222", "note": "#888888"}
_SIGNALS = ("#1f6fb2", "#2e8b57", "#8e44ad", "#b8860b", "#c2185b", "#00838f")
_LINE_CHARS = 110
_TITLE_CHARS = 36


def drawing(kit: dict, board: dict, wires: list[Wire], notes: list[str]) -> str:
    """The SVG's text."""
    boxes, y = [], _TOP
    body, at = [], 0
    colours, drawn = {}, set()  # what a bus needs once is drawn once
    for entry in kit["sensors"]:
        wiring = part_wiring(entry["part"])
        count, top = len(wiring.pins), y
        y += 16 * (len(_folded(wiring.title.partition(": ")[0], _TITLE_CHARS)) - 1)
        for wire in wires[at : at + count]:
            body.append(_row(wire, y + 44, colours))
            y += _ROW
        at += count
        y += 44
        extras = [e for e in wiring.extras if (entry["bus"], e) not in drawn]
        drawn |= {(entry["bus"], extra) for extra in extras if once_per_bus(extra)}
        for extra in extras:
            for line in _folded("+ " + extra, 52):
                body.append(_text(_PART_X + 12, y + 6, line, 11, "#555555"))
                y += 16
        boxes.append(_box(_PART_X, top, _PART_W, y - top + 4))
        title = _folded(wiring.title.partition(": ")[0], _TITLE_CHARS)
        body.append(_text(_PART_X + 12, top + 22, title[0], 14, "#111111", bold=True))
        if title[1:]:
            body.append(_text(_PART_X + 12, top + 38, title[1], 14, "#111111", bold=True))
        y += _GAP
    bottom = y - _GAP + 12
    boxes.insert(0, _box(_BOARD_X, _TOP - 12, _BOARD_W, bottom - _TOP + 20))
    body.append(_text(_BOARD_X + 12, _TOP + 10, board["board"], 14, "#111111", bold=True))
    lines = [line for note in notes for line in _folded("• " + note, _LINE_CHARS)]
    for index, line in enumerate(lines):
        body.append(_text(_BOARD_X, bottom + 40 + 18 * index, line, 12, "#333333"))
    height = bottom + 50 + 18 * len(lines)
    title = f"{kit['kit']} on {board['board']}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" font-family="sans-serif" role="img">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        + _text(_BOARD_X, 40, title, 22, "#111111", bold=True)
        + _text(_BOARD_X, 62, kit.get("title", ""), 13, "#555555")
        + "".join(boxes + body)
        + "</svg>\n"
    )


def _row(wire: Wire, y: int, colours: dict) -> str:
    colour = _COLOURS.get(wire.kind)
    if colour is None:
        colour = colours.setdefault(wire.board_pin, _SIGNALS[len(colours) % len(_SIGNALS)])
    out = _text(_PART_X + 12, y + 4, wire.part_pin, 12, "#111111")
    if wire.kind == "note" or (wire.kind == "power" and not wire.board_pin[:1].isdigit()):
        return out + _text(_PART_X - 12, y + 4, wire.board_pin, 12, colour, anchor="end")
    label = wire.board_pin + (f"  {wire.line.split()[-1]}" if wire.line else "")
    end = _BOARD_X + _BOARD_W
    return (
        out
        + _text(end - 12, y + 4, label, 12, "#111111", anchor="end")
        + f'<path d="M{end} {y}H{_PART_X}" stroke="{colour}" stroke-width="2.5" fill="none"/>\n'
        + f'<circle cx="{end}" cy="{y}" r="4" fill="{colour}"/>'
        + f'<circle cx="{_PART_X}" cy="{y}" r="4" fill="{colour}"/>\n'
    )


def _text(x: int, y: int, words: str, size: int, colour: str, bold=False, anchor="start") -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
        f"{weight}>{escape(words)}</text>\n"
    )


def _box(x: int, y: int, width: int, height: int) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="#f6f8fa" '
        f'stroke="#57606a" stroke-width="1.5"/>\n'
    )


def _folded(words: str, most: int) -> list[str]:
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) >= most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
