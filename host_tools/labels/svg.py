# SPDX-License-Identifier: MIT
"""A sticker as SVG, in mm. Each text has its width, so that another font does not push it out."""

from xml.sax.saxutils import escape

from host_tools.labels.layout import BOLD, Drawing

_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{0:g}mm" height="{1:g}mm" '
    'viewBox="0 0 {0:g} {1:g}">\n<rect width="{0:g}" height="{1:g}" fill="#fff"/>\n'
)
_TEXT = (
    '<text x="{x:.2f}" y="{y:.2f}" font-size="{size:.2f}" font-weight="{weight}" '
    'font-family="Helvetica, Arial, Liberation Sans, sans-serif" textLength="{width:.2f}" '
    'lengthAdjust="spacingAndGlyphs" fill="#000">{text}</text>\n'
)


def svg(drawing: Drawing) -> bytes:
    path = "".join(f"M{x:.2f} {y:.2f}h{w:.2f}v{h:.2f}h-{w:.2f}z" for x, y, w, h in drawing.bars)
    parts = [
        _HEAD.format(drawing.width_mm, drawing.height_mm),
        f'<path d="{path}" fill="#000" shape-rendering="crispEdges"/>\n',
    ]
    for one in drawing.texts:
        weight = "bold" if one.font == BOLD else "normal"
        parts.append(_TEXT.format(x=one.x_mm, y=one.base_mm, size=one.size_mm, weight=weight,
                                  width=one.width_mm, text=escape(one.text)))  # fmt: skip
    return "".join([*parts, "</svg>\n"]).encode()
