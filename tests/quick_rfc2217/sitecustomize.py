# SPDX-License-Identifier: MIT
"""For programs that a test starts with this folder in PYTHONPATH: pyserial looks after 2 ms, not
after 50, whether the other end of RFC 2217 has taken a setting. That end is on this computer, and
esptool makes hundreds of settings. Which there are, and their order, stays as it is."""

import time

_LOOK_S = 0.002


class _Time:
    """The module `time` as pyserial's file sees it."""

    def __getattr__(self, name):
        return getattr(time, name)

    def sleep(self, seconds):
        # 0.05 is its only "look again"; longer ones give a peer time, and stay.
        time.sleep(_LOOK_S if seconds == 0.05 else seconds)


try:
    import serial.rfc2217

    serial.rfc2217.time = _Time()
except ImportError:  # a Python without pyserial needs none of it
    pass
