"""The trigger of admit: many nodes wait, one poll of the cloud a campaign serves them all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.steps.admit import find_decision_for
from escalator_airflow.triggers.threads import run_in_thread

POLL_SECONDS = 2.0
"""Pause between two looks at the cloud."""
ASKS_WITHIN_SECONDS = 30.0
"""A node whose trigger has not asked for so long is not waiting at the door any more."""


@dataclass(slots=True)
class _Poll:
    """The last decisions of one campaign, shared by all of its waiting nodes in this process."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    watcher: Any = None
    taken: float = float("-inf")
    asking: dict[str, float] = field(default_factory=dict)
    decisions: dict[str, AdmissionDecision] = field(default_factory=dict)


_POLLS: dict[tuple[str, str], _Poll] = {}


class AdmissionTrigger(BaseTrigger):
    """Fires when its node need not wait any more: it may go, or waiting is vain.

    :param host: nova-compute service host.
    :param pause_seconds: how long to wait before the first look, after a lost race.
    """

    def __init__(self, host: str, pause_seconds: float = 0.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.host = host
        self.pause_seconds = pause_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"host": self.host, "pause_seconds": self.pause_seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the decision every few seconds; log the reason whenever it changes."""
        await asyncio.sleep(self.pause_seconds)
        ti = self.task_instance
        if ti is None:
            raise RuntimeError("the trigger was started without its task instance")
        said = ""
        while True:
            try:
                decision = await _decision(ti.dag_id, ti.run_id, self.host)
            except InvalidRequestError:
                raise  # no campaign, no right to look: waiting mends neither
            except EscalatorError as exc:
                message, waits = f"cannot look at the cloud: {exc}", True
            else:
                message = f"{decision.admission}: {decision.message}"
                waits = decision.admission is Admission.WAIT
            if message != said:
                self.log.info("%s: %s", self.host, message)
                said = message
            if not waits:
                yield TriggerEvent({"host": self.host, "message": message})  # type: ignore[no-untyped-call]
                return
            await asyncio.sleep(POLL_SECONDS)


async def _look(poll: _Poll) -> dict[str, AdmissionDecision]:
    """Look once for all that ask; after an error the next look opens its connections anew."""
    late = time.monotonic() - ASKS_WITHIN_SECONDS
    asking = frozenset(host for host, at in poll.asking.items() if at > late)
    try:
        decisions: dict[str, AdmissionDecision] = await run_in_thread(poll.watcher.look)(asking)
    except EscalatorError:
        poll.watcher = None
        raise
    return decisions


async def _decision(dag_id: str, run_id: str, host: str) -> AdmissionDecision:
    """Return the campaign's current decision about a host; at most one poll at a time."""
    poll = _POLLS.setdefault((dag_id, run_id), _Poll())
    poll.asking[host] = time.monotonic()
    async with poll.lock:
        if time.monotonic() - poll.taken >= POLL_SECONDS:
            from escalator_airflow.watching import Watcher  # noqa: PLC0415  heavy, not needed to parse a DAG

            if poll.watcher is None:
                poll.watcher = await run_in_thread(Watcher)(dag_id, run_id)
            poll.decisions = await _look(poll)
            poll.taken = time.monotonic()
    return find_decision_for(host, poll.decisions)
