"""The trigger of admit: many nodes wait, one poll of the cloud a campaign serves them all.

What is imported here is imported in the triggerer's event loop: the data of the model, and nothing heavy.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator_airflow.triggers.threads import run_in_thread

POLL_SECONDS = 2.0
"""Pause between two looks at the cloud."""
TAKES_LEASE_WITHIN_SECONDS = 30.0
"""A node that left the door keeps its turn for so long, and for some looks: its task takes the lease then."""
LOOKS_KEPT = 3
"""The same, in looks of the length of the last one: the task looks at the cloud, too."""


@dataclass(slots=True)
class _Poll:
    """The last decisions of one campaign, shared by all of its waiting nodes in this process.

    Who waits is counted at the door itself, not by when it asked last: however long a look takes, nobody
    who waits for it loses its turn.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    watcher: Any = None
    taken: float = float("-inf")
    look_seconds: float = 0.0
    waiting: Counter[str] = field(default_factory=Counter)
    left: dict[str, float] = field(default_factory=dict)
    decisions: dict[str, AdmissionDecision] = field(default_factory=dict)

    def asking(self) -> frozenset[str]:
        """Return the hosts that wait at the door, or left it so lately that they may still take a lease."""
        late = time.monotonic() - max(TAKES_LEASE_WITHIN_SECONDS, LOOKS_KEPT * self.look_seconds)
        self.left = {host: at for host, at in self.left.items() if at > late}
        return frozenset(self.waiting) | frozenset(self.left)

    @contextmanager
    def at_the_door(self, host: str) -> Iterator[None]:
        """Count a host as waiting; whoever leaves last closes what was opened to look."""
        self.waiting[host] += 1
        try:
            yield
        finally:
            self.waiting -= Counter({host: 1})
            self.left[host] = time.monotonic()
            if not self.waiting:
                self.watcher = None


_POLLS: dict[tuple[str, str], _Poll] = {}


def _find_poll(run: tuple[str, str]) -> _Poll:
    """Return the poll of a run; those for which nobody waits any more are forgotten."""
    for over in [key for key, poll in _POLLS.items() if key != run and not poll.asking()]:
        del _POLLS[over]
    return _POLLS.setdefault(run, _Poll())


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
        run = (ti.dag_id, ti.run_id)
        poll = _find_poll(run)
        with poll.at_the_door(self.host):
            message = await self._wait(poll, run)
        yield TriggerEvent({"host": self.host, "message": message})  # type: ignore[no-untyped-call]

    async def _wait(self, poll: _Poll, run: tuple[str, str]) -> str:
        """Wait for a decision other than to wait; return it in words."""
        said = ""
        while True:
            try:
                decision = await _decide(poll, run, self.host)
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
                return message
            await asyncio.sleep(POLL_SECONDS)


async def _look(poll: _Poll) -> dict[str, AdmissionDecision]:
    """Look once for all that ask; after an error the next look opens its connections anew."""
    begun = time.monotonic()
    try:
        decisions: dict[str, AdmissionDecision] = await run_in_thread(poll.watcher.look)(poll.asking())
    except EscalatorError:
        poll.watcher = None
        raise
    finally:
        poll.look_seconds = time.monotonic() - begun
    return decisions


async def _decide(poll: _Poll, run: tuple[str, str], host: str) -> AdmissionDecision:
    """Return the campaign's current decision about a host; at most one look at a time."""
    async with poll.lock:
        if time.monotonic() - poll.taken >= POLL_SECONDS:
            if poll.watcher is None:
                poll.watcher = await run_in_thread(_open_watcher)(*run)
            poll.decisions = await _look(poll)
            poll.taken = time.monotonic()
    known = poll.decisions.get(host)
    return known if known is not None else await run_in_thread(_say_unasked)(host)


def _open_watcher(dag_id: str, run_id: str) -> Any:
    from escalator_airflow.watching import Watcher  # noqa: PLC0415  heavy: never in the event loop

    return Watcher(dag_id, run_id)


def _say_unasked(host: str) -> Any:
    from escalator.steps.admit import find_decision_for  # noqa: PLC0415  heavy: never in the event loop

    return find_decision_for(host, {})
