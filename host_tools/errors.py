# SPDX-License-Identifier: MIT
"""What a person is told when a command cannot go on: what is wrong, and how to mend it."""

_MOST = 2000  # characters that a person reads
_END = 500  # of them, from the end, where what is wrong stands


class ToolError(Exception):
    """message: one line, names the file; hint: what to do; exit_code: 1 failed, 2 usage. What is
    quoted in them may come from a file, and be of any length: they are cut."""

    def __init__(self, message: str, hint: str = "", exit_code: int = 1):
        message, hint = shortened(message), shortened(hint)
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


def shortened(text: str) -> str:
    """`text`, without its middle where it is longer than a person reads."""
    if len(text) <= _MOST:
        return text
    return f"{text[: _MOST - _END]} … ({len(text):,} characters) … {text[-_END:]}"
