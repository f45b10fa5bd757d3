# SPDX-License-Identifier: MIT
"""Stickers as PDF: a page each, of the sticker's size."""

import io

from host_tools.labels.layout import Drawing


def pdf(drawings: list[Drawing]) -> bytes:
    from reportlab.lib.units import mm
    from reportlab.pdfgen.canvas import Canvas

    data = io.BytesIO()
    canvas = Canvas(data, invariant=1)  # no time and no name of this machine in it
    canvas.setTitle("Labels of nodes")
    for drawing in drawings:
        height_mm = drawing.height_mm
        canvas.setPageSize((drawing.width_mm * mm, height_mm * mm))
        canvas.setFillGray(0)
        path = canvas.beginPath()
        for x, y, width, height in drawing.bars:
            path.rect(x * mm, (height_mm - y - height) * mm, width * mm, height * mm)
        canvas.drawPath(path, stroke=0, fill=1)
        for one in drawing.texts:
            canvas.setFont(one.font, one.size_mm * mm)
            canvas.drawString(one.x_mm * mm, (height_mm - one.base_mm) * mm, one.text)
        canvas.showPage()
    canvas.save()
    return data.getvalue()
