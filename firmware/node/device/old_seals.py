# SPDX-License-Identifier: MIT
"""Earlier seals in the flash: how many there are, and their end. nvs_scrub.py does the work, and
gives its heap back when it is done."""

from node.device.heap import forget


class OldSeals:
    """stale: the count of earlier seals that were found last."""

    def __init__(self):
        self.stale = 0
        self._scrub = None

    def step(self, epoch: int) -> bool:
        """One write towards their end; False when there is nothing more to do now. OSError."""
        if self._scrub is None:
            from node.device.nvs_scrub import NvsScrub

            self._scrub = NvsScrub()
        more = self._scrub.step(epoch)
        self.stale = self._scrub.stale
        if not more:
            self._scrub = None
            forget("device", "nvs_scrub")
        return more
