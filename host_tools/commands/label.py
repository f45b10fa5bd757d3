# SPDX-License-Identifier: MIT
"""`lamppost label`: a sticker for a node."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.node_source import node_source, node_source_options

_path = click.Path(path_type=Path)


@click.command()
@click.argument("nodes", nargs=-1, required=True, metavar="NODE…")
@click.option("--notice-url", required=True, metavar="URL",
              help="Where the notice for the public is (https); the node's id is added as #ID, "
                   "which no server gets to see.")  # fmt: skip
@click.option("-o", "--output", "target", type=_path, required=True, metavar="OUT",
              help="X.pdf, with a page each; X.svg; or, with --format svg, a folder.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["pdf", "svg"]),
              help="Default: as the name ends.")  # fmt: skip
@click.option("--size", default="62x29", metavar="WxH",
              help="Of the sticker, in mm. Default 62x29.")  # fmt: skip
@click.option("--language", default="en", metavar="LANGUAGE",
              help="One that the notice speaks, such as de. Default en.")  # fmt: skip
@click.option("--vault", type=_path, metavar="FILE",
              help="Take the nodes from a city's vault. Or from where `flash` does:")  # fmt: skip
@node_source_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def label(nodes, notice_url, target, form, size, language, vault, as_json, **source):
    """Draw a sticker: the node's id, its claim code, its kit, a QR code to the public notice.

    No key, no address and no place is on it. The claim code says to the office who put the node
    up: `lamppost vault claim`.

    \b
    lamppost label k7x2m9qw4t -o k7x2m9qw4t.pdf \\
        --notice-url https://city.example/air --ticket anna-1.tickets \\
        --technician anna.technician --key-file /media/usb/anna.key
    lamppost label k7x2m9qw4t 3v8n0hs5ya -o labels.pdf \\
        --notice-url https://city.example/air \\
        --vault city.vault --key-file /media/usb/city.key
    """
    from host_tools.labels.layout import Sticker, check_notice_url, parse_size
    from host_tools.labels.write import format_of, write_stickers
    from host_tools.policy.phrases import Phrases

    if len(set(nodes)) != len(nodes):
        raise click.UsageError("a node is named twice")
    form, size_mm = format_of(target, form, len(nodes)), parse_size(size)
    check_notice_url(notice_url)
    Phrases(language)  # before anything is opened
    found = _from_vault(vault, nodes, source) if vault else _from_parts(nodes, source)
    stickers = [Sticker(*one, notice_url, language) for one in found]
    files = write_stickers(stickers, size_mm, target, form)
    if as_json:
        labels = [{"node": one.node_id, "kit": one.kit, "code": one.code, "url": one.url()}
                  for one in stickers]  # fmt: skip
        console.result_json({"files": [str(path) for path in files], "labels": labels})
        return
    for one in stickers:
        console.result(f"{one.node_id}  {one.kit}  code {one.code}")
    console.note(", ".join(str(path) for path in files))


def _from_parts(nodes: tuple, source: dict) -> list[tuple[str, str, str]]:
    """[(node, kit, claim code)]"""
    from host_tools.handover.claim_code import claim_code

    with node_source(None, True, **source) as prepared:
        found = [prepared.of_node(node_id) for node_id in nodes]
    return [
        (node_id, parts.kit["kit"], claim_code(parts.ticket.command, node_id))
        for node_id, parts in zip(nodes, found, strict=True)
    ]


def _from_vault(vault: Path, nodes: tuple, source: dict) -> list[tuple[str, str, str]]:
    """As _from_parts."""
    from host_tools.city.claim import code_of
    from host_tools.commands.vault.factor_options import make_factor
    from host_tools.core_dumps import forbid_core_dumps
    from host_tools.vault.passphrase import read_passphrase
    from host_tools.vault.sealed_file import SealedFile

    if source["tickets"] is not None:
        raise click.UsageError("give --vault FILE or --ticket FILE, one of both")
    forbid_core_dumps()
    factor = make_factor(source["key_file"], source["use_token"], "--key-file PATH or --token")
    text = read_passphrase(source["passphrase_file"])
    with SealedFile.open(vault, text, factor, read_only=True) as file:
        return [(node_id, *code_of(file, node_id)) for node_id in nodes]
