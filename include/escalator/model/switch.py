"""A switchover as the ledger has it: written before the act, with what has to be restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRecord:
    """One switchover of one group, away from a server of a node. Times are aware.

    :ivar method: a word of ``SwitchMethod``, or ``vnfm`` when a manager did it.
    :ivar from_server: id of the server that has the role; :ivar to_server: of the one that gets it; None:
        the other members share the service.
    :ivar ended_at: when it was over; None: it has begun, and whether it was done has to be looked up.
    :ivar verified: it was seen where it can be seen that the role has left.
    :ivar found: what was there before, as JSON, for restoring; no secret.
    :ivar restored_at: when what has to be restored was restored.
    """

    campaign: str
    run_id: str
    host: str
    group: str
    method: str
    from_server: str
    to_server: str | None
    begun_at: datetime
    ended_at: datetime | None = None
    verified: bool = False
    message: str = ""
    found: Mapping[str, Any] = field(default_factory=dict)
    restored_at: datetime | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Return what makes a switchover the same as another one: it is begun once."""
        return (self.campaign, self.run_id, self.host, self.group, self.from_server)
