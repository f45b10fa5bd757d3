# SPDX-License-Identifier: MIT
"""`lamppost doctor`: what would keep `lamppost flash` from working."""

import dataclasses
from pathlib import Path

import rich_click as click

from host_tools import console

_path = click.Path(path_type=Path)


@click.command()
@click.option("--port", "ports", multiple=True, metavar="PORT",
              help="Ask the board there, too. It is reset.")  # fmt: skip
@click.option("--nodes", "folder", type=_path, metavar="DIR",
              help="Look at these prepared nodes, too: certificates, policies.")  # fmt: skip
@click.option("--manual", is_flag=True,
              help="The port has no DTR and RTS: you hold BOOT and press EN.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(ports, folder, manual, as_json):
    """Look for what would keep flashing from working, and say how to mend it. It changes nothing.

    What it finds is noted, too, where `lamppost flash` notes how it came out: flash.jsonl, without
    anything secret. Exit code 0: nothing is bad. Examples:

    \b
    lamppost doctor
    lamppost doctor --port /dev/ttyUSB0 --nodes prepared
    """
    from rich.table import Table
    from rich.text import Text

    from host_tools.flashing.doctor import BAD, examine
    from host_tools.flashing.flash_log import FlashLog

    with FlashLog("doctor", console.note) as log:
        found = examine(ports, folder, manual)
        bad = [f"{one.what}: {one.words}" for one in found if one.state == BAD]
        log.add(result="bad" if bad else "ok", found=bad)
    if as_json:
        findings = [dataclasses.asdict(finding) for finding in found]
        console.result_json({"findings": findings, "log": str(log.path)})
        return int(bool(bad))
    table = Table(box=None, pad_edge=False)
    for name in ("", "what", "found", "do"):
        table.add_column(name, overflow="fold")
    for finding in found:
        table.add_row(finding.state, finding.what, Text(finding.words), Text(finding.mend))
    console.result(table)
    return int(bool(bad))
