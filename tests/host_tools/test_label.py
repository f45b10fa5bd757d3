# SPDX-License-Identifier: MIT
"""`lamppost label`: stickers that a phone reads, of sizes that an eye reads, with no key on them.
Drawn by other people's programs (PDFium, resvg) and read by another (ZXing)."""

import base64
import dataclasses
import io
import re
import xml.etree.ElementTree as ElementTree

import pypdfium2
import pytest
import resvg_py
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from host_tools.errors import ToolError
from host_tools.handover.claim_code import claim_code
from host_tools.labels.layout import Sticker, draw, parse_size
from host_tools.labels.pdf import pdf
from host_tools.labels.svg import svg
from host_tools.policy.phrases import Phrases, languages
from host_tools.provisioning.node_parts import write_parts
from host_tools.provisioning.ticket import make_ticket
from tests.host_tools.city_place import City, lamppost, refused
from tests.host_tools.prepared_fixture import make_parts
from tests.host_tools.vault_place import argon2id  # noqa: F401

NODE, OTHER = "k7x2m9qw4t", "3v8n0hs5ya"
ROOT = bytes(range(100, 132))
URL = "https://data.city.example/notice/air"
DOTS_PER_MM = 300 / 25.4  # of a label printer
STICKER = Sticker(NODE, "air", "Q71V-08CD", URL)


def page(data: bytes, number: int = 0) -> Image.Image:
    document = pypdfium2.PdfDocument(data)
    return document[number].render(scale=300 / 72).to_pil().convert("L")


def picture(data: bytes) -> Image.Image:
    fonts = {"sans_serif_family": "DejaVu Sans"}
    drawn = resvg_py.svg_to_bytes(svg_string=data.decode(), dpi=300, **fonts)
    return Image.open(io.BytesIO(bytes(drawn))).convert("L")


def read(image: Image.Image) -> str:
    (code,) = zxingcpp.read_barcodes(image)
    return code.text


@pytest.fixture(scope="module")
def made():
    return [make_parts("air", NODE, ROOT), make_parts("traffic-radar", OTHER, ROOT)]


@pytest.fixture
def prepared(tmp_path, made):
    """A folder with two nodes: (the words that name it, their parts)"""
    for parts in made:
        write_parts(tmp_path / "nodes", parts)
    return ("--nodes", tmp_path / "nodes"), made


def label(*words, url=URL) -> tuple:
    return "label", *words, "--notice-url", url


# the drawing


def test_it_speaks_the_languages_of_the_notice(prepared, tmp_path):
    words, _ = prepared
    target = tmp_path / "label.svg"
    code, _, err = lamppost(*label(NODE, "-o", target, "--language", "de", *words))
    assert code == 0, err
    text = target.read_text()
    assert "Was es misst:" in text and "Bausatz air" in text and "What it" not in text
    for language in languages():
        assert draw(dataclasses.replace(STICKER, language=language), (62, 29)).texts


def test_letters_that_the_font_lacks_are_refused(monkeypatch):
    say = Phrases.say
    monkeypatch.setattr(Phrases, "say", lambda *key, **values: say(*key, **values) + " ж")
    with pytest.raises(ToolError, match="has not all letters of 'en'"):
        draw(STICKER, (62, 29))


@given(
    st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=10, max_size=10),
    st.sampled_from(["air", "energy-iec62056", "traffic-radar", "a-kit-with-a-very-long-name"]),
    st.text("abcdefghijklmnopqrstuvwxyz/-", max_size=120),
    st.sampled_from([(62, 29), (90, 38), (29, 62), (50, 50), (100, 25), (20, 20), (300, 300)]),
)
@settings(max_examples=60, deadline=None)
def test_it_fits_and_can_be_read_or_is_refused(node_id, kit, path, size_mm):
    sticker = Sticker(node_id, kit, "WMWM-WMWM", "https://a.example/" + path)
    try:
        drawing = draw(sticker, size_mm)
    except ToolError as err:
        assert err.hint and ("does not fit" in err.message or "too small" in err.message)
        return
    width_mm, height_mm = size_mm
    module_mm = drawing.module_mm
    assert module_mm >= 0.4
    lefts, tops, widths, heights = zip(*drawing.bars, strict=True)
    code = (min(lefts), min(tops), max(map(sum, zip(lefts, widths, strict=True))),
            max(map(sum, zip(tops, heights, strict=True))))  # fmt: skip
    quiet = 4 * module_mm - 1e-6
    assert code[0] >= quiet and code[1] >= quiet
    assert width_mm - code[2] >= quiet and height_mm - code[3] >= quiet
    bottom = 0
    for text in drawing.texts:
        assert text.size_mm >= 2.5 and text.width_mm > 0
        assert text.x_mm >= 1 and text.x_mm + text.width_mm <= width_mm - 1
        top = text.base_mm - 0.76 * text.size_mm
        assert top >= bottom and text.base_mm + 0.22 * text.size_mm <= height_mm
        bottom = text.base_mm + 0.22 * text.size_mm  # of descenders
        apart = text.x_mm >= code[2] + quiet or top >= code[3] + quiet
        assert apart, "text in the quiet zone"
    assert drawing.texts[0].text == node_id


@pytest.mark.parametrize("size_mm", [(62, 29), (29, 62), (90, 38)])
def test_the_code_is_read_from_paper(size_mm):
    drawing = draw(STICKER, size_mm)
    for image in (page(pdf([drawing])), picture(svg(drawing))):
        assert read(image) == f"{URL}#{NODE}"
        across = size_mm[0] * DOTS_PER_MM
        assert abs(image.width - across) <= 2


def test_what_is_drawn_is_black_on_white_and_has_all_its_text():
    drawing = draw(STICKER, (62, 29))
    tree = ElementTree.fromstring(svg(drawing))
    fills = {node.get("fill") for node in tree.iter() if node.get("fill")}
    assert fills == {"#000", "#fff"} and "stroke" not in svg(drawing).decode()
    texts = [node.text for node in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [NODE, "Code Q71V-08CD", "Kit air", "What it measures:", "see QR code"]
    document = pypdfium2.PdfDocument(pdf([drawing]))
    words = document[0].get_textpage().get_text_bounded()
    assert words.split("\r\n") == texts
    for image in (page(pdf([drawing])), picture(svg(drawing))):
        ink = {value: count for count, value in image.getcolors()}
        clear = sum(count for value, count in ink.items() if value in (0, 255))
        assert clear > 0.9 * sum(ink.values())  # the rest are the edges of what was drawn
        # Text is there, and ends where it should: nothing in the margin on its right.
        right = image.crop((image.width - 12, 0, image.width, image.height))
        assert right.getextrema() == (255, 255)
        column = image.crop((int(30 * DOTS_PER_MM), 0, image.width, image.height))
        assert column.getextrema()[0] == 0


# the command


def test_one_file_with_a_page_for_each_node(prepared, tmp_path):
    words, made = prepared
    target = tmp_path / "labels.pdf"
    code, out, err = lamppost(*label(NODE, OTHER, "-o", target, *words))
    assert code == 0, err
    codes = [claim_code(parts.ticket.command, parts.ticket.node_id) for parts in made]
    assert out == (f"{NODE}  air  code {codes[0]}\n{OTHER}  traffic-radar  code {codes[1]}\n")
    data = target.read_bytes()
    for number, node_id in enumerate((NODE, OTHER)):
        assert read(page(data, number)) == f"{URL}#{node_id}"
    width, height = pypdfium2.PdfDocument(data)[1].get_size()
    assert (round(width / 72 * 25.4), round(height / 72 * 25.4)) == (62, 29)
    lamppost(*label(NODE, OTHER, "-o", tmp_path / "again.pdf", *words))
    assert (tmp_path / "again.pdf").read_bytes() == data  # no time, nothing drawn by lot


def test_svg_one_file_or_a_folder(prepared, tmp_path):
    words, _ = prepared
    lamppost(*label(NODE, "-o", tmp_path / "one.svg", *words))
    assert read(picture((tmp_path / "one.svg").read_bytes())) == f"{URL}#{NODE}"
    folder = tmp_path / "labels"
    code, out, _ = lamppost(
        *label(NODE, OTHER, "-o", folder, "--format", "svg", "--size", "90x38", *words), "--json"
    )
    assert code == 0 and f'"{folder}/{OTHER}.svg"' in out
    assert sorted(path.name for path in folder.iterdir()) == [f"{OTHER}.svg", f"{NODE}.svg"]
    assert 'width="90mm"' in (folder / f"{NODE}.svg").read_text()


def test_from_a_ticket_and_from_the_vault_it_is_the_same(tmp_path):
    city = City(tmp_path / "city")
    city.folder.mkdir()
    city.fill().issue(2)
    node_id = min(city.nodes())
    ways = {
        "ticket": ("--ticket", city.tickets, "--technician", city.anna),
        "vault": ("--vault", city.path),
    }
    for name, way in ways.items():
        told = city.ok(*label(node_id, "-o", tmp_path / f"{name}.pdf", *way, *city.opening()))
        (one,) = told["labels"]
    assert (tmp_path / "ticket.pdf").read_bytes() == (tmp_path / "vault.pdf").read_bytes()
    city.ok("vault", "claim", city.path, node_id, one["code"], "--by", "anna", *city.opening())
    city.vault("revoke", "node", node_id)
    err = refused(*label(node_id, "-o", tmp_path / "x.pdf", *ways["vault"], *city.opening()))
    assert "is revoked" in err and not (tmp_path / "x.pdf").exists()


def test_no_key_is_on_it(prepared, tmp_path):
    words, (parts, _) = prepared
    lamppost(*label(NODE, "-o", tmp_path / "a.pdf", *words))
    lamppost(*label(NODE, "-o", tmp_path / "a.svg", *words))
    ticket = make_ticket(ROOT, NODE, parts.ticket.day0)
    keys = [ROOT, ticket.seal, ticket.receipt, ticket.command, parts.identity.der()[1][-40:]]
    forms = {form for key in keys for form in _forms(key)}
    pages = pypdfium2.PdfDocument((tmp_path / "a.pdf").read_bytes())
    said = pages[0].get_textpage().get_text_bounded().encode()
    texts = [path.read_bytes() for path in (tmp_path / "a.pdf", tmp_path / "a.svg")]
    unpacked = b"".join(_streams(texts[0]))
    assert b"Code " in unpacked, "blind"
    for text in (*texts, unpacked, said):
        for form in forms:
            assert form not in text


def _forms(key: bytes):
    """8 bytes of it anywhere, in the forms in which they might show."""
    for at in range(0, len(key) - 7):
        piece = key[at : at + 8]
        yield piece
        yield piece.hex().encode()
        yield piece.hex().upper().encode()
    for at in range(3):
        yield base64.b64encode(key[at:])[:12]


def _streams(data: bytes) -> list[bytes]:
    """What is packed in a PDF's streams."""
    import zlib

    found = []
    for packed in re.findall(rb"stream\r?\n(.*?)\r?\n?endstream", data, re.DOTALL):
        plain = base64.a85decode(packed.strip().removesuffix(b"~>")) if b"~>" in packed else packed
        found.append(zlib.decompress(plain))
    return found


@pytest.mark.parametrize(("changes", "message", "code"), [
    ({"url": "http://city.example"}, "not an address for a QR code", 1),
    ({"url": URL + "#air"}, "has a fragment already", 2),
    ({"url": ""}, "is empty", 2),
    ({"url": "https://city.example/" + "a" * 400}, "does not fit", 1),
    ({"words": ("--size", "62")}, "is not a width and a height", 2),
    ({"words": ("--size", "10x29")}, "is not a width and a height", 2),
    ({"words": ("--size", "21x20")}, "larger --size", 1),
    ({"target": "labels"}, "PDF or SVG?", 2),
    ({"target": "labels.pdf", "words": ("--format", "svg")}, "does not end in .svg", 2),
    ({"target": "city.vault", "words": ("--format", "pdf")}, "does not end in .pdf", 2),
    ({"target": "city.vault", "words": ("--format", "svg")}, "does not end in .svg", 2),
    ({"target": "labels.svg", "nodes": (NODE, OTHER)}, "a file of SVG each", 2),
    ({"words": ("--language", "eo")}, "no phrases in 'eo'", 1),
    ({"nodes": ("0000000000",)}, "has no node 0000000000", 1),
    ({"nodes": (NODE, NODE)}, "named twice", 2),
    ({"target": "nowhere/labels.pdf"}, "labels.pdf", 1),
])  # fmt: skip
def test_what_is_refused_leaves_no_file(prepared, tmp_path, changes, message, code):
    words, _ = prepared
    target = tmp_path / changes.get("target", "labels.pdf")
    nodes, more = changes.get("nodes", (NODE,)), changes.get("words", ())
    given = label(*nodes, "-o", target, *words, *more, url=changes.get("url", URL))
    assert message in refused(*given, code=code)
    assert not target.exists() and [path.name for path in tmp_path.iterdir()] == ["nodes"]


def test_a_folder_that_cannot_be_filled_is_left_as_it_was(prepared, tmp_path):
    words, _ = prepared
    folder = tmp_path / "labels"
    (folder / f"{OTHER}.svg").mkdir(parents=True)  # so the second cannot be written
    refused(*label(NODE, OTHER, "-o", folder, "--format", "svg", *words))
    assert [path.name for path in folder.iterdir()] == [f"{OTHER}.svg"]
    (folder / f"{NODE}.svg").write_text("of last year")
    refused(*label(NODE, OTHER, "-o", folder, "--format", "svg", *words))
    assert (folder / f"{NODE}.svg").read_text() == "of last year"
    assert len(list(folder.iterdir())) == 2
    (folder / f"{OTHER}.svg").rmdir()
    lamppost(*label(NODE, OTHER, "-o", folder, "--format", "svg", *words))
    assert sorted(path.name for path in folder.iterdir()) == [f"{OTHER}.svg", f"{NODE}.svg"]
    assert "<svg" in (folder / f"{NODE}.svg").read_text()


def test_sizes():
    assert parse_size("62x29") == (62, 29) and parse_size("50.8x25.4") == (50.8, 25.4)
