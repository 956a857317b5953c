"""A maintenance window: when the nodes of a drain domain may be upgraded without a person at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SCHEMA = "escalator.windows/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Opens at the ticks of a cron rule in a time zone, for so many minutes.

    :ivar run: the parameters of the campaign that begins then; ``bundle`` is one of them.
    """

    cloud: str
    domain: str
    cron: str
    minutes: int
    run: Mapping[str, object]
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The windows of all clouds: at most one for each drain domain."""

    windows: tuple[Window, ...] = field(default=())

    def of(self, cloud: str, domain: str) -> Window | None:
        """Return the window of a domain; None when it has none."""
        return next((w for w in self.windows if (w.cloud, w.domain) == (cloud, domain)), None)
