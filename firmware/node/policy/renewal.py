# SPDX-License-Identifier: MIT
"""The policy that takes the place of the one in force: what stays in RAM of it. store.py does the
work, and gives its heap back each time."""

from node import forget
from node.errors import PolicyError

_NOT_KEPT = 8  # README.md here lists why a policy is refused
_FAILURES_MAX = 3


class Renewal:
    """keys, kit, intervals_s: as PolicyStore wants them. refused: why one was refused last, since
    the power-up; 0 for none."""

    def __init__(self, keys, kit: str, intervals_s: dict):
        self._told = keys, kit, intervals_s
        self._at_s = None  # when the next takes effect
        self._policy = None  # in force
        self._until_s = 0  # its own end
        self._is_sure = False  # a receipt has bounded the time
        self._failures = 0
        self.refused = 0

    def load(self):
        """The policy in force; NoPolicy when there is none."""
        policy, at_s, self.refused = self._work("load")
        self._use(policy)
        self._await(at_s)
        return policy

    def take_part(self, arguments: list, now_s: int):
        """Takes a part of a policy; PolicyError says why not. now_s: Unix time; before a receipt
        bounds it, it may be forged, and a policy waits so that nobody can put it off."""
        self._await(self._work("take_part", arguments, now_s if self._accepts(now_s) else None))

    def on_sure(self, now_s: int):
        """A receipt bounds the time: takes what came whole before, once in a power-up."""
        if not self._is_sure:
            self._is_sure = True
            self._accept_arrived(now_s)

    def _accepts(self, now_s: int) -> bool:
        """Not before the time is sure, nor in the place of one that is due and not yet taken."""
        is_due = self._at_s is not None and now_s >= self._at_s
        return not self._policy.version or (self._is_sure and not is_due)

    def _accept_arrived(self, now_s: int):
        if self._accepts(now_s):
            self._await(self._work("accept_arrived", now_s))

    def _use(self, policy):
        self._policy, self._until_s = policy, policy.until_s

    def _await(self, at_s):
        """What is in force ends where the next begins, whether or not that can be read then."""
        if at_s is not None:
            self._at_s = at_s
            self._policy.until_s = min(self._until_s, at_s)

    def is_due(self, instant_s: int) -> bool:
        """Whether the next policy takes effect at this instant, or has before. Not by a time that
        may be forged: then nothing is released until it is sure."""
        is_known = self._is_sure and self._at_s is not None and self._policy.version
        return bool(is_known) and instant_s >= self._at_s

    def is_late(self, instant_s: int) -> bool:
        """Whether the next policy should have taken effect before, and has not."""
        return self._at_s is not None and instant_s > self._at_s

    def take_next(self, now_s: int):
        """The next policy, which is in force now; PolicyError, and the one before has ended."""
        try:
            policy = self._work("take_next")
        except PolicyError as err:
            if err.args[0] != _NOT_KEPT:  # it is damaged, and may come again
                self._at_s, self._until_s = None, self._policy.until_s
            else:
                self._failures += 1
            raise
        self._at_s = None
        self._use(policy)
        try:
            self._accept_arrived(now_s)
        except PolicyError:
            pass  # why is noted
        return policy

    def needs_start(self) -> bool:
        """Whether a policy was accepted by a node that has none, or cannot be read when it is due,
        for want of memory or by the flash: a new start mends both."""
        has_none = self._at_s is not None and not self._policy.version
        return has_none or self._failures >= _FAILURES_MAX

    def _work(self, verb: str, *arguments):
        try:
            from node.policy.store import PolicyStore

            version = self._policy.version if self._policy is not None else 0
            return getattr(PolicyStore(*self._told, version), verb)(*arguments)
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
