# SPDX-License-Identifier: MIT
"""An asyncio loop in a thread of its own, for what must run beside the conductor."""

import asyncio
import threading
from collections.abc import Coroutine


class LoopThread:
    """name: of the thread. `loop` may be used within coroutines that do() runs."""

    def __init__(self, name: str):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)

    def start(self):
        self._thread.start()

    def do(self, coroutine: Coroutine):
        """Runs a coroutine in the thread; returns its result, or raises what it raised."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def stop(self, close: Coroutine):
        """Runs `close`, ends all other tasks, then the loop and its thread."""
        if self._thread.is_alive():
            self.do(self._close(close))
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
        else:
            close.close()
        self.loop.close()

    async def _close(self, close: Coroutine):
        await close
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(0)  # aborted transports close their sockets in the next round
