"""A maintenance session: what managers of VNFs and operators see of a campaign, in the words of Fenix."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

RUN_ID_PREFIX = "maintenance__"
"""How ids of runs begin that a POST to the VIM interface started; the id of the session follows."""
_NAMESPACE = uuid.UUID("6f5a3f0e-52c1-4b44-9d0b-2a3f4f7d3c11")


class SessionState(StrEnum):
    """States of a session, as its creator polls them."""

    MAINTENANCE = "MAINTENANCE"
    SCALE_IN = "SCALE_IN"
    START_MAINTENANCE = "START_MAINTENANCE"
    PLANNED_MAINTENANCE = "PLANNED_MAINTENANCE"
    MAINTENANCE_COMPLETE = "MAINTENANCE_COMPLETE"
    MAINTENANCE_DONE = "MAINTENANCE_DONE"
    MAINTENANCE_FAILED = "MAINTENANCE_FAILED"

    @property
    def ended(self) -> bool:
        """Tell whether nothing more comes."""
        return self in {SessionState.MAINTENANCE_DONE, SessionState.MAINTENANCE_FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceSession:
    """One session. ``request`` is the body that started it; empty when the campaign came another way.

    :ivar runs: its runs, in the order in which they were added.
    :ivar ended: those of them that have ended, and whether they failed.
    """

    id: str
    cloud: str
    state: SessionState
    opened_at: datetime
    runs: tuple[tuple[str, str], ...] = ()
    request: Mapping[str, Any] = field(default_factory=dict)
    ended: Mapping[tuple[str, str], bool] = field(default_factory=dict)

    @property
    def not_before(self) -> datetime | None:
        """Return the moment before which no node is touched (aware), as it was asked for; None: none was."""
        asked = self.request.get("maintenance_at")
        return datetime.fromisoformat(asked) if isinstance(asked, str) else None


def name_session(installation: str, campaign: str, run_id: str) -> str:
    """Return the id of a run's session (a UUID): the one in the run's id, else one made from its names.

    :param installation: id of the installation whose ledger the run is in.
    """
    if run_id.startswith(RUN_ID_PREFIX):
        return run_id.removeprefix(RUN_ID_PREFIX)
    return str(uuid.uuid5(_NAMESPACE, f"{installation}/{campaign}/{run_id}"))
