# SPDX-License-Identifier: MIT
"""A collector that kills itself at an exact place, as power that goes: after the COMMIT of a batch
and before its acknowledgement, or between acknowledgement and receipt. It takes its time with the
batches before, so that what comes meanwhile is one batch.

    python -m tests.host_tools.dying_worker PLACE BATCHES [options of lamppost collect]
"""

import os
import signal
import sys
import time

from host_tools.cli import run
from host_tools.collector.mqtt_worker import MqttWorker
from host_tools.collector.store import Store

_LINGER_S = 0.5


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def main(place: str, batches: int, words: list):
    """Dies at the `batches`-th batch that opened something."""
    left = batches
    take_batch, receipt = Store.take_batch, MqttWorker._receipt

    def counted_batch(self, messages, now_s):
        nonlocal left
        result = take_batch(self, messages, now_s)
        left -= bool(result.opened)
        if place == "before-acknowledgement" and left == 0:
            _die()
        time.sleep(_LINGER_S if left else 0)
        return result

    def counted_receipt(self, logs, now_s):
        if place == "before-receipt" and left == 0 and logs:
            time.sleep(_LINGER_S)  # paho's thread sends the acknowledgements
            _die()
        receipt(self, logs, now_s)

    Store.take_batch, MqttWorker._receipt = counted_batch, counted_receipt
    sys.exit(run(["collect", *words]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
