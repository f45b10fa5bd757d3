# SPDX-License-Identifier: MIT
"""`lamppost policy notice`: the page for the public."""

from pathlib import Path

import rich_click as click

from host_tools.commands.policy.signature import key_option, remark
from host_tools.commands.policy.written import write


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--kit", metavar="KIT", help="Its kit: name, or kit.json. Default: as it says.")
@key_option
@click.option("--lang", "languages", multiple=True, metavar="CODE",
              help="Only this language. May be given again. Default: all it has.")  # fmt: skip
@click.option("--url", default="", metavar="URL",
              help="Where the page will be: for the QR code on the printed sign.")  # fmt: skip
@click.option("-o", "--output", "target", metavar="OUT", type=click.Path(path_type=Path),
              default=Path("notice.html"), help="The file to write: notice.html.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def notice(path, kit, key, languages, url, target, as_json):
    """Write the notice for the public: one HTML page, and a sign when it is printed.

    It says what is measured, what leaves and what never does, why, who gets it, how long it is
    kept, and whom to ask, in the languages of the policy. It needs no script and loads nothing.

    \b
    lamppost policy notice air.policy --key policy.key -o notice.html \\
        --url https://city.example/air
    """
    from host_tools.policy.notice import notice as make
    from host_tools.policy.sentences import read_inputs

    policy, terms, found = read_inputs(path, kit, key)
    remark(key, path)
    page = make(policy, terms, found, list(dict.fromkeys(languages)) or None, url)
    write(target, ".html", page.encode(), path, found, policy, key, as_json)
