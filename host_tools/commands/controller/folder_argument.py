# SPDX-License-Identifier: MIT
"""The argument of every verb: the controller's folder."""

from pathlib import Path

import rich_click as click

folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
