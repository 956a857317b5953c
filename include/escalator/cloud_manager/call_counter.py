"""Counts the requests that leave the process, one by one: few calls are a goal, so they are measured."""

from __future__ import annotations

import re
from collections import Counter
from threading import Lock
from urllib.parse import urlsplit

_ID = re.compile(r"^(?:[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|\d+)$", re.IGNORECASE)


class CallCounter:
    """A total and a count for each kind of request; may be shared between threads and connections."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_label: Counter[str] = Counter()

    def count(self, label: str) -> None:
        """Count one request of that kind."""
        with self._lock:
            self._by_label[label] += 1

    @property
    def total(self) -> int:
        """Return how many requests were sent, those for tokens and those sent again included."""
        with self._lock:
            return self._by_label.total()

    @property
    def by_label(self) -> dict[str, int]:
        """Return the counts by kind (``GET :8774/v2.1/servers/{id}``), the most frequent first."""
        with self._lock:
            return dict(self._by_label.most_common())


def make_label(method: str, url: str) -> str:
    """Name the kind of a request: its method and its path with every id replaced by ``{id}``."""
    parts = urlsplit(url)
    path = "/".join("{id}" if _ID.match(word) else word for word in parts.path.split("/"))
    port = f":{parts.port}" if parts.port else ""
    return f"{method} {port}{path or '/'}"
