# SPDX-License-Identifier: MIT
"""`lamppost policy compile`: checks, signs, writes what is published."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.errors import ToolError


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--kit", metavar="KIT", help="Also check it against this kit: name, or kit.json.")
@click.option("--key", metavar="DIR", type=click.Path(path_type=Path),
              help="Sign it with the key in this folder.")  # fmt: skip
@click.option("-o", "--output", "target", metavar="OUT", type=click.Path(path_type=Path),
              required=True, help="The file to write: *.policy, or unsigned *.cbor.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def compile(path, kit, key, target, as_json):
    """Check a policy, sign it, and write the file to publish.

    Without --key only the rules are written, unsigned: no node takes them. A file that is there
    is replaced by a higher version only, and a signature is not spent twice on the same policy.
    A key signs one policy as a version of its id for its kit, and no lower one after it.

    \b
    lamppost policy compile boards/kits/air/policy.toml --kit air \\
        --key signer -o air.policy
    """
    from host_tools.policy.compile_policy import compile_policy
    from host_tools.policy.guidance import unknown_kit
    from host_tools.policy.load import optional_kit
    from host_tools.policy.release import check_output, release, write_rules
    from host_tools.policy.signed import SUFFIX
    from node.policy.rules import Policy

    if path.suffix == SUFFIX:
        raise ToolError(f"{path} is published already", "give its TOML file")
    check_output(target, path, key is not None)
    compiled = compile_policy(path, optional_kit(kit))
    policy = Policy(compiled.rules)
    told = {
        "file": str(target), "id": policy.id, "version": policy.version,
        "digest": policy.digest.hex(), "rules_bytes": len(compiled.rules), "signed": False,
    }  # fmt: skip
    if key is None:
        write_rules(target, compiled)
    else:
        told["signed"], told["remaining"] = True, release(target, compiled, key)
    for warning in unknown_kit(policy) if kit is None else []:
        console.note(f"warning: {warning.what}; {warning.mend}")
    if as_json:
        console.result_json(told)
        return
    words = "unsigned rules, which no node takes"
    if key is not None:
        words = f"signed; the key signs {told['remaining']:,} times more"
    console.result(f"{target}: {policy.id} version {policy.version}, {words}")
