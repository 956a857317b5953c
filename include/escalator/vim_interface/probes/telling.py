"""How one probe of one address ends, and who asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Tell = Callable[[int, str | None], None]
"""Told number and cause; the cause is None when the answer is good."""


class Asker(Protocol):
    """Asks one address; it is used inside one event loop."""

    def ask(self, number: int) -> None:
        """Send one probe; how it ends is told later."""

    def close(self) -> None:
        """Ask no more, tell no more; a second call changes nothing."""
