# SPDX-License-Identifier: MIT
"""What the node says on its serial port: where, what, and never a reading, a key or a place.

Lines that start with "status " are for machines as well: the words and counts that the node's
technician, or a simulator, watches.
"""


def say(where: str, what):
    print(where + ": " + str(what))


def status(**counts):
    """One line `status name=count …`, by name, so that it is the same on every interpreter."""
    print("status " + " ".join([name + "=" + str(counts[name]) for name in sorted(counts)]))
