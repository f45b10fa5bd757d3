# SPDX-License-Identifier: MIT
"""A group of verbs, each in a file of its own that is imported when it is used: so `--help` stays
quick."""

import importlib

import rich_click as click


class Verbs(click.RichGroup):
    """package: where the files are; words: {verb: what it does}. File and command are named so,
    with _ for -."""

    def __init__(self, *args, package: str, words: dict[str, str], **options):
        super().__init__(*args, **options)
        self._package = package
        self._words = words

    def list_commands(self, context):
        return list(self._words)

    def get_command(self, context, name):
        if name not in self._words:
            return None
        return click.RichCommand(name, short_help=self._words[name])

    def resolve_command(self, context, args):
        name, _, rest = super().resolve_command(context, args)
        attribute = name.replace("-", "_")
        module = importlib.import_module(f"{self._package}.{attribute}")
        return name, getattr(module, attribute), rest
