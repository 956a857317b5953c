"""A thread with an event loop of its own for all probes of a process: nobody else's work delays them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_ANSWERS_WITHIN_SECONDS = 10.0
_PRIORITY = -10


class LoopThread:
    """Runs coroutines for whoever uses it; without a user it has no thread. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._users = 0

    def enter(self) -> None:
        """Begin to use it."""
        with self._lock:
            self._users += 1
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                thread = threading.Thread(
                    target=_run_loop, args=(self._loop,), name="escalator-probes", daemon=True
                )
                thread.start()

    def leave(self) -> None:
        """End to use it, as often as it was entered."""
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._loop = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop, and wait for it.

        :raises TimeoutError: the loop does not come to it.
        """
        if self._loop is None:
            work.close()
            raise RuntimeError("the loop of the probes was not entered")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWERS_WITHIN_SECONDS)


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, then end what is left in it."""
    asyncio.set_event_loop(loop)
    with contextlib.suppress(OSError):  # where it may: what a busy machine lets wait is not measured
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _PRIORITY)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        loop.close()


PROBES = LoopThread()
"""The one of this process."""
