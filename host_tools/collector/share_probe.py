# SPDX-License-Identifier: MIT
"""Tries whether a broker shares work: some grant $share/… and deliver nothing.

A collector may write to and read its own lp/<CN>/down, where nobody else listens. It asks for that
topic as a share of its group, and sends itself a message there.

A broker deals to whoever names the group, and its rules know topics, not groups: a reader who
joined the home store's would take messages from it. So a tag that only the store's workers know
(share_tag() in store_key.py) is part of the name, and of no message that people see.
"""

import os
import re

from host_tools.errors import ToolError

_GROUP = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_ALONE = "leave --share out, and every worker gets everything: what comes twice is stored once"


class ShareProbe:
    """group: the name under which workers share; name: the CN of this one; tag: what else is in
    the group's name."""

    def __init__(self, group: str, name: str, tag: str = ""):
        if not _GROUP.fullmatch(group):
            hint = "letters, digits, - and _, for instance collectors"
            raise ToolError(f"{group!r} is not the name of a group", hint, 2)
        self.done = False
        self.topic = f"lp/{name}/down"
        self._token = os.urandom(16)
        self._group, self._tag = group, tag

    def shared(self, topic: str) -> str:
        """The subscription by which the group shares a topic."""
        return f"$share/{self._group}{self._tag}/{topic}"

    def ask(self, client):
        client.subscribe(self.shared(self.topic), qos=1)

    def send(self, client):
        """Call it when the broker has granted what ask() asked for."""
        client.publish(self.topic, self._token, qos=1)

    def take(self, client, message: bytes) -> bool:
        """Takes a message on the topic; whether it is the one that was sent."""
        if message != self._token:
            return False
        self.done = True
        client.unsubscribe(self.shared(self.topic))
        return True

    def refused(self, where: str) -> ToolError:
        return ToolError(f"{where}: the broker refuses {self._shown()}", _ALONE)

    def silent(self, where: str) -> ToolError:
        message = f"{where}: the broker grants {self._shown()} and delivers nothing"
        return ToolError(message, f"its rules must let us read {self.topic}; or {_ALONE}")

    def _shown(self) -> str:
        return f"$share/{self._group}/{self.topic}"
