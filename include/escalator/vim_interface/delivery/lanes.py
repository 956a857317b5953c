"""A lane for each receiver: what is for one that hangs waits behind its own, never before another's."""

from __future__ import annotations

import logging
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable

SLOTS = 4
"""Calls to one receiver at once."""

log = logging.getLogger(__name__)
Work = Callable[[], None]


class Lanes:
    """Runs work in threads, for each lane in the order that it came.

    The threads end when there is nothing to do, and do not keep a process alive.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Work]] = defaultdict(deque)
        self._threads: Counter[str] = Counter()
        self._changed = threading.Condition()

    def put(self, lane: str, work: Work) -> None:
        """Run work as soon as its lane has a slot; returns at once."""
        with self._changed:
            self._waiting[lane].append(work)
            if self._threads[lane] >= SLOTS:
                return
            self._threads[lane] += 1
        threading.Thread(target=self._run, args=(lane,), name=f"notices to {lane}", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait until all work is done, so many seconds at most; tell whether it is."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, timeout=seconds)

    def _is_idle(self) -> bool:
        return not any(self._threads.values())

    def _run(self, lane: str) -> None:
        while True:
            with self._changed:
                if not self._waiting[lane]:
                    self._threads[lane] -= 1
                    self._changed.notify_all()
                    return
                work = self._waiting[lane].popleft()
            try:
                work()
            except Exception:
                log.exception("a notice to %s could not be handled; it is sent again", lane)
