# SPDX-License-Identifier: MIT
"""A policy as a store keeps it: its rules and its terms, together, as they were compiled."""

import hashlib

from host_tools.errors import ToolError
from host_tools.policy.names import check_names
from host_tools.policy.terms import read_terms
from node.errors import PolicyError
from node.policy.rules import Policy

_HINT = "compile it with this version of Lamppost"


class KeptPolicy(Policy):
    """Rules with their terms. rules, encoded_terms: the bytes; terms: what they say. ToolError
    when one of the two cannot be used, or they do not belong together."""

    def __init__(self, rules: bytes, encoded_terms: bytes):
        try:
            super().__init__(rules)
        except PolicyError as err:
            raise ToolError(f"not the rules of a policy: {err.args[1]}", _HINT) from None
        check_names(self, "the policy")
        self.rules = bytes(rules)
        self.encoded_terms = bytes(encoded_terms)
        if hashlib.sha256(encoded_terms).digest() != self.terms_digest:
            message = f"policy {self.id}: its rules name other terms than these"
            raise ToolError(message, "give the rules and the terms of one compilation")
        self.terms = read_terms(encoded_terms)
        if sorted(self.terms.streams) != [stream.number for stream in self.streams]:
            message = f"policy {self.id}: its rules and its terms name other streams"
            raise ToolError(message, _HINT)
