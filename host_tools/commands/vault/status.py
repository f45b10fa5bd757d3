# SPDX-License-Identifier: MIT
"""`lamppost vault status`: what a vault tells unopened."""

import rich_click as click

from host_tools import console
from host_tools.commands.vault import newest
from host_tools.commands.vault.factor_options import file_argument, json_option
from host_tools.errors import ToolError


@click.command()
@file_argument
@json_option
def status(path, as_json):
    """Say what a vault tells unopened: its factors, its newest log entry.

    Note entry and hash, and compare them: that is how an old copy is found which somebody put in
    place. What stands here is proven only when the vault opens (unlock). Example:

    \b
    lamppost vault status city.vault
    """
    from host_tools.vault.layout import decode
    from host_tools.vault.sealed_file import read_sealed

    data = read_sealed(path)
    parts = decode(data)
    if parts is None:
        raise ToolError(f"{path} is not a vault, or damaged", "bring back a backup")
    header = parts.header
    slots = [{"slot": s.number, "kind": s.kind, "label": s.label} for s in header.slots]
    if as_json:
        console.result_json({
            "file": str(path), "vault_id": header.vault_id.hex(), "bytes": len(data),
            "factors": slots, **newest.as_object(header.newest),
            "argon2id": {"memory_kib": header.stretch.memory_kib,
                         "passes": header.stretch.passes, "lanes": header.stretch.lanes},
        })  # fmt: skip
        return
    lines = [f"vault {header.vault_id.hex()}, {len(data):,} bytes"]
    lines += [f"slot {s['slot']}: {s['kind']} {s['label']}".rstrip() for s in slots]
    lines.append(f"{newest.as_text(header.newest)} (proven by unlock)")
    console.result("\n".join(lines))
