"""One look that many threads share: who asks while it is taken, or soon after, takes its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """What a look found, and when it was begun (s of ``time.monotonic``)."""

    found: T
    begun: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchCost:
    """How long it took last to list the services of a cloud, and to look at all of it.

    :ivar large: its servers are too many to list them at every look.
    """

    services_seconds: float = 0.0
    look_seconds: float = 0.0
    large: bool = False


class SharedLook(Generic[T]):
    """Keeps the last result of a look, when it was begun, and what it cost.

    :param look: looks.
    :ivar seconds: how long the last look took; 0: there was none.
    :ivar last: the last result; None: there is none.
    """

    def __init__(self, look: Callable[[], T]) -> None:
        self._look = look
        self._lock = Lock()
        self.last: Seen[T] | None = None
        self.seconds = 0.0

    def get(self, max_age_seconds: float = 0.0) -> T:
        """Return a result that was begun at most so long before this call; of 0 s: after it."""
        return self.take(time.monotonic() - max_age_seconds).found

    def take(self, not_before: float) -> Seen[T]:
        """Return a result that was begun at that moment or later."""
        with self._lock:
            if self.last is None or self.last.begun < not_before:
                begun = time.monotonic()
                self.last = Seen(self._look(), begun)
                self.seconds = time.monotonic() - begun
            return self.last
