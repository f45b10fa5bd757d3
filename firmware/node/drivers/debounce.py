# SPDX-License-Identifier: MIT
"""A contact at an input, looked at again and again: a change counts when it has stayed for some
looks."""


class Debounced:
    """pin: machine.Pin with a pull-up; looks: how many in a row a change must stay."""

    def __init__(self, pin, looks: int):
        self._pin = pin
        self._looks = looks
        self._seen = 0
        self.level = pin.value()

    def look(self) -> bool:
        """Whether the level has just changed."""
        if self._pin.value() == self.level:
            self._seen = 0
            return False
        self._seen += 1
        if self._seen < self._looks:
            return False
        self._seen = 0
        self.level = 1 - self.level
        return True

    @property
    def changing(self) -> bool:
        """Whether the last look was another one."""
        return self._seen > 0
