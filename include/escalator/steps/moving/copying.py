"""What moves off a node now, and how much of it is copied: kept for who watches; nothing is decided by it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from escalator.model.cloud import MigrationStatus
from escalator.model.errors import EscalatorError, ForbiddenError, SupersededError, TransientError
from escalator.steps.moving.flights import Flight
from escalator.steps.running.context import StepContext

log = logging.getLogger("escalator.steps.moving.copying")

ASKED_AFTER = timedelta(seconds=2)
"""For how long a move has been seen to run: one poll before. Of most moves the next poll sees the end."""


@dataclass(slots=True, kw_only=True)
class CopyWatch:
    """Asks Nova once for each live migration that runs, at the pace of the drain's own polls.

    :ivar refused: Nova does not tell us: it is not asked again.
    """

    ctx: StepContext
    refused: bool = False
    _noted: Mapping[str, int | None] | None = None

    def note(self, flying: Iterable[Flight]) -> None:
        """Keep which servers are on their way, with the per cent that are copied; None: Nova has no number.

        :raises SupersededError: this attempt is not the newest of its node.
        """
        found = {flight.move.server_id: self._find_copied(flight) for flight in flying}
        if found == (self._noted or {}):
            return
        try:
            self.ctx.remember(flying=found)
        except SupersededError:
            raise
        except TransientError as exc:
            log.info("%s: how far its servers are is not kept: %s", self.ctx.host, exc)
        else:
            self._noted = found

    def _find_copied(self, flight: Flight) -> int | None:
        migration, since = flight.migration, flight.running_since
        if migration is None or since is None or self.refused or not flight.move.method.is_live:
            return None
        if migration.status is not MigrationStatus.RUNNING or self.ctx.now() - since < ASKED_AFTER:
            return None
        try:
            return self.ctx.cloud.fetch_copied(flight.move.server_id).get(migration.id)
        except ForbiddenError as exc:
            log.info("%s: how much of a server is copied is not told: %s", self.ctx.host, exc)
            self.refused = True
        except EscalatorError as exc:
            log.debug("%s: %s", flight.move.server_name, exc)
        return None
