"""Patience with a cloud that does not answer: some minutes of it end no step."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from escalator.model.errors import TransientError
from escalator.steps.running.context import StepContext

log = logging.getLogger("escalator.steps.running.patience")

T = TypeVar("T")
TOLERATED = timedelta(minutes=10)
"""For so long a cloud may give no good answer; then the task ends, and its own retry comes."""
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Patience:
    """Asks a cloud again while it does not answer.

    :ivar away: for how long it did not, in all: what waits for the cloud is given that much more time.
    """

    ctx: StepContext
    away: timedelta = timedelta()

    def ask(self, read: Callable[[], T]) -> T:
        """Return the answer to a question that changes nothing, however often it is asked.

        Pauses grow, and are as long as the service asks for.

        :raises TransientError: there was no good answer for ten minutes.
        """
        since: datetime | None = None
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = read()
            except TransientError as exc:
                since = since or self.ctx.now()
                left = (since + TOLERATED - self.ctx.now()).total_seconds()
                if left <= 0:
                    raise
                wanted = min(max(pause, exc.retry_after_seconds or 0.0), left)
                log.warning("%s: asking again in %.0f s: %s", self.ctx.host, wanted, exc)
                self.ctx.campaign.sleep(wanted)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                if since is not None:
                    self.away += self.ctx.now() - since
                return answer
