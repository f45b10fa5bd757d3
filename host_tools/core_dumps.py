# SPDX-License-Identifier: MIT
"""For each process that has keys in memory: a crash would write them to disk, and another program
of the same user could read them while it runs."""

import contextlib
import sys

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def forbid_core_dumps():
    """From now on, until the process ends. A limit of 0 alone leaves out programs to which the
    kernel pipes a dump, as systemd-coredump; on Linux the process is also made undumpable, which
    keeps debuggers and /proc/PID/mem for root."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):  # a C library without it
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
