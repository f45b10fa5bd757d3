# SPDX-License-Identifier: MIT
"""The policy that takes the place of the one in force: what stays in RAM of it. store.py does the
work, and gives its heap back each time."""

from node import forget
from node.errors import PolicyError

_NOT_KEPT = 8  # README.md here lists why a policy is refused


class Renewal:
    """keys, kit, intervals_s: as PolicyStore wants them. refused: why one was refused last, since
    the power-up; 0 for none."""

    def __init__(self, keys, kit: str, intervals_s: dict):
        self._told = keys, kit, intervals_s
        self._at_s = None  # when the next takes effect
        self._version = 0  # of the one in force
        self.refused = 0

    def load(self):
        """The policy in force; NoPolicy when there is none."""
        policy, self._at_s, self.refused = self._work("load")
        self._version = policy.version
        return policy

    def take_part(self, arguments: list, now_s: int):
        """Takes a part of a policy; PolicyError says why not."""
        at_s = self._work("take_part", arguments, now_s)
        if at_s is not None:
            self._at_s = at_s

    def is_due(self, instant_s: int) -> bool:
        """Whether the next policy takes effect at this start of a day, or has before."""
        return self._at_s is not None and instant_s >= self._at_s

    def take_next(self):
        """The next policy, which is in force now; PolicyError, and the one before stays."""
        policy = self._work("take_next")
        self._at_s, self._version = None, policy.version
        return policy

    def needs_start(self) -> bool:
        """Whether a policy was accepted by a node that has none: it starts anew with it."""
        return self._at_s is not None and not self._version

    def _work(self, verb: str, *arguments):
        try:
            from node.policy.store import PolicyStore

            return getattr(PolicyStore(*self._told, self._version), verb)(*arguments)
        except PolicyError as err:
            self.refused = err.args[0]
            raise
        except (MemoryError, OSError):
            if verb == "load":  # so that the start is tried again
                raise
            self.refused = _NOT_KEPT
            raise PolicyError(_NOT_KEPT, "no memory or no flash for it")
        finally:
            forget("policy", "store")
            forget("policy", "form")
            forget("crypto", "lms")
