"""Telling events to all who hear them; none of them can make a step fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict, Unpack

from escalator.events.event import ESCALATOR, About, Action, Event
from escalator.model.campaign import CampaignPlan
from escalator.model.clock import utcnow
from escalator.model.step import Step
from escalator.model.verdict import Code, Subject

log = logging.getLogger(__name__)

Hear = Callable[[Event], None]
"""What is done with an event: it may fail."""
_WARNED: set[str] = set()


class Told(TypedDict, total=False):
    """What is told of an event, by the names of :class:`Event`."""

    node: str | None
    subject: Subject | None
    step: Step | None
    attempt: int | None
    result: str | None
    code: Code | None
    message: str
    request_id: str | None
    actor: str
    seconds: float | None
    details: dict[str, str | float | bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Tells what happens in one run to those who hear it, in their order.

    :ivar started_by: whose wish the run is.
    :ivar clock: the time (aware) of what is told without one.
    """

    about: About
    hearers: Sequence[Hear] = ()
    started_by: str = ESCALATOR
    clock: Callable[[], datetime] = utcnow

    @classmethod
    def of_plan(cls, plan: CampaignPlan, hearers: Sequence[Hear], *, started_by: str = ESCALATOR) -> Teller:
        """Make the teller of a campaign's run."""
        return cls(about=describe_plan(plan), hearers=tuple(hearers), started_by=started_by)

    def tell(self, action: Action, *, at: datetime | None = None, **told: Unpack[Told]) -> None:
        """Tell one event; who cannot hear it is warned of once a process, and nothing else comes of it."""
        if not self.hearers:
            return
        event = Event(about=self.about, action=action, at=at or self.clock(), **told)
        for hear in self.hearers:
            try:
                hear(event)
            except Exception as exc:  # noqa: BLE001  telling must never fail a step
                warn_once(f"an event was not told to all who hear it: {exc!r}")

    def with_plan(self, plan: CampaignPlan) -> Teller:
        """Return the same teller for the plan that a run was opened with."""
        return replace(self, about=describe_plan(plan))


def describe_plan(plan: CampaignPlan) -> About:
    """Return what events of a plan's run are of."""
    return About(
        campaign=plan.campaign, run_id=plan.run_id, cloud=plan.request.cloud, plan_hash=plan.fingerprint
    )


def warn_once(words: str) -> None:
    """Say something in the log, once a process."""
    if words not in _WARNED:
        _WARNED.add(words)
        log.warning("%s", words)


NOBODY = Teller(about=About(campaign="", run_id="", cloud=""))
"""Tells nobody anything."""
