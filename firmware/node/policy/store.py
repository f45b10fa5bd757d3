# SPDX-License-Identifier: MIT
"""Which policy is in force, which comes next, and which is arriving. README.md here has the files.

Every policy is checked whenever it is read: signature, form, kit. A power cut leaves the old or
the new: what is accepted is first made durable, then its version is noted beside the keys, and one
rename puts it in force. It is imported when there is something to do, and then forgotten.
"""

import os

from node.cbor import decode_first, is_number
from node.crypto import lms
from node.device import flash_file
from node.device.log import say
from node.errors import FormatError, OpenError, PolicyError
from node.policy.rules import DAY_S, Policy

_KEY = flash_file.CONFIG + "policy.key"
_PROVISIONED = flash_file.CONFIG + "policy"
_CURRENT = flash_file.DATA + "policy"
_NEXT = flash_file.DATA + "policy.next"
_NEW = flash_file.DATA + "policy.new"
_PART = flash_file.DATA + "policy.part"

# Why a policy is refused: README.md here.
_FORM, _SIGNATURE, _VERSION, _KIT, _QUANTITY, _ENDED, _GAP = 1, 2, 3, 4, 5, 6, 7
_MASK = 9

_TAG = 8
_TIME, _FOLLOWS = 5, 4
_HEAD = _TIME + _FOLLOWS + _TAG  # of the current and the next
_PART_HEAD = _TAG + 4  # then the size
_RULES_MAX = 4096
_SIZE_MAX = _RULES_MAX + lms.SIGNATURE_LENGTH
_COPY = 256


class NoPolicy(Policy):
    """In the place of one that is not there: names nothing, so that nothing leaves. A day is its
    only window, since the policy to come begins with one."""

    def __init__(self):
        self.version = self.from_s = self.until_s = 0
        self.streams, self.windows_s = [], [DAY_S]
        self.digest = None


class PolicyStore:
    """keys: hold the highest version; kit: its name; intervals_s: {quantity: sampling interval} of
    what it measures; version: of the policy in force, 0 for none or while it is not known."""

    def __init__(self, keys, kit: str, intervals_s: dict, version: int = 0):
        self._keys = keys
        self._kit = kit
        self._intervals_s = intervals_s
        self._version = version

    def load(self):
        """(the policy in force, when another takes its place or None, why one was refused or 0).
        For a new start: without a policy in force, the one that was accepted is so at once."""
        refused = 0
        found = []
        for path, head in ((_CURRENT, _HEAD), (_PROVISIONED, 0), (_NEXT, _HEAD)):
            try:
                policy = self._read(path, head)
            except PolicyError as err:
                say("policy", err)
                refused, policy = err.args[0], None
            found.append(policy)
        provisioned, following = found[1:]
        current = found[0]
        if current is None or (provisioned is not None and provisioned.version > current.version):
            current = provisioned
        noted, at_s, follows = self._keys.policy_version, None, 0
        if following is not None and following.version >= noted:
            head = _beginning(_NEXT, _HEAD)
            at_s = int.from_bytes(head[:_TIME], "big")
            follows = int.from_bytes(head[_TIME : _TIME + _FOLLOWS], "big")
            noted = follows or following.version  # the one it follows was in force by right
        if current is not None and current.version >= noted:
            if at_s is not None and following.version > current.version:
                self._keys.note_policy(following.version)
                return current, at_s, refused
            self._keys.note_policy(current.version)
            return current, None, refused
        if at_s is not None:
            self._keys.note_policy(following.version)
            return self.take_next(), None, refused
        say("policy", "there is none as new as one before, so nothing leaves")
        return NoPolicy(), None, refused or _VERSION

    def take_next(self):
        """Puts the accepted policy in force, and returns it; PolicyError, and all is as before."""
        policy = self._read(_NEXT, _HEAD)
        if policy is None:
            raise PolicyError(_FORM, "the accepted one is gone")
        os.rename(_NEXT, _CURRENT)
        return policy

    def take_part(self, arguments: list, now_s: int):
        """Takes a part that came: [tag, size, offset, bytes]. Returns when the policy takes effect
        (Unix time) once it is complete and accepted, else None. now_s: None while the time is not
        sure; then it waits for accept_arrived(). PolicyError, OSError."""
        tag, size, offset, part = _checked(arguments)
        head = tag + size.to_bytes(4, "big")
        have = _have(head)
        if have is None and self._has(tag, offset):
            return None  # all of it was accepted
        if have is None and offset == 0:
            self._begin(head, part)
            have = 0
        if have is None or offset > have:
            raise PolicyError(_GAP, "a part before this one is missing")
        fresh = part[have - offset :]
        if fresh:
            with open(_PART, "ab") as file:
                file.write(fresh)
        if have + len(fresh) < size or now_s is None:
            return None
        return self._accept(tag, now_s)

    def accept_arrived(self, now_s: int):
        """Accepts what arrived whole before the time was sure. As take_part()."""
        head = _beginning(_PART, _PART_HEAD)
        if len(head) < _PART_HEAD or _have(head) < int.from_bytes(head[_TAG:], "big"):
            return None
        if head[:_TAG] == _tag(_NEXT):
            flash_file.remove(_PART)  # a power cut came between
            return None
        return self._accept(head[:_TAG], now_s)

    def _has(self, tag: bytes, offset: int) -> bool:
        """Whether a policy was accepted already, and can be read."""
        for path in (_CURRENT, _NEXT):
            if tag == _tag(path):
                try:
                    return offset > 0 or self._read(path, _HEAD) is not None
                except PolicyError:
                    pass  # it is damaged, so it may come again
        return False

    def _begin(self, head: bytes, part: bytes):
        """Makes room for what arrives. Whoever repeats old parts must neither wear the flash nor
        displace what is newer."""
        version = _version(part)
        if version is not None:
            self._check_version(version)
            if version < (_version(_beginning(_PART, _PART_HEAD + len(part))[_PART_HEAD:]) or 0):
                raise PolicyError(_VERSION, "a higher one is arriving")
        with open(_PART, "wb") as file:
            file.write(head)

    def _check_version(self, version: int):
        """The highest version may come again when no policy of it is left."""
        noted = self._keys.policy_version
        if version == noted and version != self._version:
            try:
                following = self._read(_NEXT, _HEAD)
            except PolicyError:
                following = None
            if following is None or following.version != version:
                return
        if version <= noted:
            raise PolicyError(_VERSION, "its version is not higher than one before")

    def _accept(self, tag: bytes, now_s: int) -> int:
        try:
            policy = self._read(_PART, _PART_HEAD)
            self._check_version(policy.version)
            if policy.until_s <= now_s:
                raise PolicyError(_ENDED, "it has ended")
            for stream in policy.streams:
                if stream.bins is not None and not self._keys.masks().has(stream.number):
                    raise PolicyError(_MASK, "there is no tree for a stream that it masks")
            at_s = max(now_s - now_s % DAY_S + DAY_S, policy.from_s)
            _copy(at_s.to_bytes(_TIME, "big") + self._version.to_bytes(_FOLLOWS, "big") + tag)
            self._read(_NEW, _HEAD)  # what is on flash counts
            os.rename(_NEW, _NEXT)
        finally:
            flash_file.remove(_PART)
        try:
            self._keys.note_policy(policy.version)
        except (OSError, MemoryError) as err:  # it is accepted; the next start notes it
            say("policy", err)
        return at_s

    def _read(self, path: str, head: int):
        """The signed policy in a file, checked; None when there is no file. PolicyError."""
        try:
            key = flash_file.read(_KEY)
            with open(path, "rb") as file:
                size = file.seek(0, 2) - head - lms.SIGNATURE_LENGTH
                if key is None or not 0 < size <= _RULES_MAX:
                    raise PolicyError(_SIGNATURE, "there is no key, or no signature")
                file.seek(head)
                rules = file.read(size)
                lms.verify(key, (rules,), file)
        except OSError as err:
            if err.args[0] == flash_file.ENOENT:
                return None
            if path == _PROVISIONED:  # that is no reason to make /data anew
                raise PolicyError(_FORM, "it cannot be read")
            raise
        except (FormatError, OpenError):
            raise PolicyError(_SIGNATURE, "it is not signed by the key of this node")
        policy = Policy(rules)
        if policy.kit != self._kit:
            raise PolicyError(_KIT, "it is for another kit")
        for stream in policy.streams:
            interval_s = self._intervals_s.get(stream.quantity)
            if not interval_s or stream.window_s % interval_s:
                raise PolicyError(_QUANTITY, "the kit does not measure that")
        return policy


def _checked(arguments: list):
    if len(arguments) != 4:
        raise PolicyError(_FORM, "a part of a policy")
    tag, size, offset, part = arguments
    if not (isinstance(tag, bytes) and len(tag) == _TAG and isinstance(part, bytes)):
        raise PolicyError(_FORM, "a part of a policy")
    if not (is_number(size) and is_number(offset) and offset + len(part) <= size <= _SIZE_MAX):
        raise PolicyError(_FORM, "a part of a policy")
    return arguments


def _beginning(path: str, length: int) -> bytes:
    """The first bytes of a file; none where it is not there."""
    try:
        with open(path, "rb") as file:
            return file.read(length)
    except OSError as err:
        if err.args[0] != flash_file.ENOENT:
            raise
        return b""


def _version(rules: bytes):
    """The version in the first bytes of rules; None when they do not tell it."""
    fields, at = [], 1  # behind the head of the array
    try:
        for _ in range(3):
            field, used = decode_first(rules[at:])
            fields.append(field)
            at += used
    except FormatError:
        return None
    version = fields[2] if fields[0] == "lp1 policy" else None
    return version if is_number(version) and version else None


def _tag(path: str) -> bytes:
    return _beginning(path, _HEAD)[_TIME + _FOLLOWS :]


def _have(head: bytes):
    """How many bytes of what this head begins have come; None for none, not even the head."""
    if _beginning(_PART, _PART_HEAD) != head:
        return None
    return os.stat(_PART)[6] - _PART_HEAD


def _copy(head: bytes):
    """Writes what has come, with another head, beside."""
    with open(_PART, "rb") as source, open(_NEW, "wb") as target:
        source.seek(_PART_HEAD)
        target.write(head)
        part = source.read(_COPY)
        while part:
            target.write(part)
            part = source.read(_COPY)
