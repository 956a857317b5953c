"""Points of no return: which nodes of a campaign cannot go back once they were changed, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SERVERS_STUCK = (
    "servers on upgraded nodes would have no node to go to that has room and a hypervisor that is not older"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReturn:
    """What was found out before the start about the way back of a campaign's nodes.

    A node crosses its point of no return when its software is about to be changed.

    :ivar reasons: host -> why it is one-way by itself.
    :ivar after: so many nodes may be upgraded while all of them can still go back; with the next one,
        whichever that is, their servers would have nowhere to go. None: there is no such node.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    after: int | None = None

    @property
    def is_any(self) -> bool:
        """Tell whether some node cannot go back."""
        return bool(self.reasons) or self.after is not None

    def find_reason(self, host: str, changed: int) -> str:
        """Say why there is no return once a node is changed; empty: there is one.

        :param changed: how many other nodes the campaign has changed, or has out.
        """
        if host in self.reasons:
            return self.reasons[host]
        return SERVERS_STUCK if self.after is not None and changed >= self.after else ""
