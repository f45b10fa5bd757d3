# SPDX-License-Identifier: MIT
"""What a person is told when a command cannot go on: what is wrong, and how to mend it."""


class ToolError(Exception):
    """message: one line, names the file; hint: what to do; exit_code: 1 failed, 2 usage."""

    def __init__(self, message: str, hint: str = "", exit_code: int = 1):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
