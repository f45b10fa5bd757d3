# SPDX-License-Identifier: MIT
"""The notice for the public: one HTML page, complete in itself, that needs no script and asks for
nothing from outside. Printed, it is a sign. What it says is made in sentences.py."""

import base64
import hashlib
import re
from pathlib import Path

import jinja2
import segno
from markupsafe import Markup

from host_tools.errors import ToolError
from host_tools.policy.sentences import words
from host_tools.policy.terms import Terms
from host_tools.provisioning.kit import Kit
from node.policy.rules import Policy

_FOLDER = Path(__file__).parent / "page"
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_URL_MAX = 512  # that a phone still reads from a sign
# What becomes a link: no more than these characters, whatever a policy holds.
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", re.ASCII)
_HTTPS = re.compile(r"https://[\w.-]+(:\d+)?(/[\w./~%?=&#+,;:@!-]*)?", re.ASCII)


def notice(
    policy: Policy, terms: Terms, kit: Kit, languages: list[str] | None = None, url: str = ""
) -> str:
    """The page, in these languages of the policy, by default in all. url: where the page will be;
    it goes into the QR code. ToolError for a language or an address that cannot be used."""
    pages = [words(policy, terms, kit, language) for language in languages or terms.languages]
    if url:
        check_url(url)
    style = "\n" + _COMMENT.sub("", (_FOLDER / "notice.css").read_text("utf-8")).strip() + "\n"
    return _template().render(
        pages=pages,
        url=url,
        code=(lambda title: _qr_code(url, title)) if url else None,
        style=Markup(style),
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def check_url(url: str):
    """ToolError for an address that does not go into a QR code, or is no https://."""
    if len(url) > _URL_MAX or not _HTTPS.fullmatch(url):
        mend = f"take one with https://, of at most {_URL_MAX} plain characters"
        raise ToolError(f"{url!r} is not an address for a QR code", mend)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.tests.update(mail=_MAIL.fullmatch, https=_HTTPS.fullmatch)
    return environment.get_template("notice.html.jinja")


def _qr_code(url: str, title: str) -> Markup:
    """As SVG; it still reads with 15 % of it scratched away."""
    code = segno.make(url, error="m", micro=False)
    svg = code.svg_inline(border=4, omitsize=True, svgclass=None, lineclass=None, title=title)
    return Markup(svg.replace("<svg ", '<svg role="img" ', 1))
