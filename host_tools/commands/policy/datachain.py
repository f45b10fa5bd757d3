# SPDX-License-Identifier: MIT
"""`lamppost policy datachain`: the notice for machines."""

import json
from pathlib import Path

import rich_click as click

from host_tools.commands.policy.signature import key_option, remark
from host_tools.commands.policy.written import write


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--kit", metavar="KIT", help="Its kit: name, or kit.json. Default: as it says.")
@key_option
@click.option("-o", "--output", "target", metavar="OUT", type=click.Path(path_type=Path),
              required=True, help="The JSON file to write.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def datachain(path, kit, key, target, as_json):
    """Write the notice as a DTPR device datachain: JSON, in all languages of the policy.

    \b
    lamppost policy datachain air.policy --key policy.key -o air.json
    """
    from host_tools.policy.datachain import datachain as make
    from host_tools.policy.sentences import read_inputs

    policy, terms, found = read_inputs(path, kit, key)
    remark(key, path)
    chain = make(policy, terms, found)
    data = json.dumps(chain, ensure_ascii=False, indent=2).encode() + b"\n"
    write(target, ".json", data, path, found, policy, key, as_json)
