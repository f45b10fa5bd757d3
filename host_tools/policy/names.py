# SPDX-License-Identifier: MIT
"""The names in a policy's rules: a node compares them with its kit; here they are shown to people,
and used in files."""

import re

from host_tools.errors import ToolError
from host_tools.provisioning.checked import NAME
from node.pipeline.quantities import QUANTITIES
from node.policy.rules import Policy


def check_names(policy: Policy, what: str):
    """ToolError unless id, kit and quantities are names; what: how messages name the policy."""
    for text in (policy.id, policy.kit):
        if not re.fullmatch(NAME, text):
            message = f"{what} has an id or a kit that is no name"
            raise ToolError(message, "get it again from who published it")
    for stream in policy.streams:
        if stream.quantity not in QUANTITIES:
            message = f"{what} has a quantity that is not known, in stream {stream.number}"
            raise ToolError(message, "install the Lamppost that it was compiled with, or newer")
