"""The trigger of who waits for answers of VNF managers: sends what is due, and fires when all have spoken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from escalator.model.clock import utcnow
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator_airflow.triggers.threads import run_in_thread

POLL_SECONDS = 0.25
"""Pause between two looks at the ledger."""
LONGEST_PAUSE_SECONDS = 30.0
"""The same, while only a moment is waited for."""
SETTLE_SECONDS = 2.0
"""It fires so long after its start at the earliest. A task that comes back while the scheduler still has to
take note that it was deferred is taken for one that was killed: it loses a try, and its retry delay."""


class AnswerTrigger(BaseTrigger):
    """Fires when nothing is waited for any more: all answers are there, or their deadlines have passed.

    A node that was refused waits until it may be asked for again.

    :param host: the node that was asked about; None: the whole session.
    :param not_before: it fires at that moment at the earliest (ISO 8601, with offset); None: at any.
    """

    def __init__(self, host: str | None = None, not_before: str | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.host = host
        self.not_before = not_before

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"host": self.host, "not_before": self.not_before}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until nothing is waited for; what cannot be looked at now is looked at again."""
        ti = self.task_instance
        if ti is None:
            raise RuntimeError("the trigger was started without its task instance")
        begun = time.monotonic()
        desk, said = None, ""
        while True:
            try:
                if desk is None:
                    desk, run = await run_in_thread(_open)(ti.dag_id, ti.run_id)
                waits = await run_in_thread(_look)(desk, run, self.host)
            except InvalidRequestError:
                raise  # no campaign: waiting mends it not
            except EscalatorError as exc:
                desk, waits, message = None, True, f"cannot look: {exc}"
            else:
                message = ""
            if message != said:
                self.log.info("%s", message or "looking again")
                said = message
            early = _count_seconds_until(self.not_before)
            if not waits and early <= 0:
                await asyncio.sleep(max(0.0, begun + SETTLE_SECONDS - time.monotonic()))
                yield TriggerEvent({"host": self.host})  # type: ignore[no-untyped-call]
                return
            await asyncio.sleep(POLL_SECONDS if waits else min(early, LONGEST_PAUSE_SECONDS))


def _count_seconds_until(moment: str | None) -> float:
    """Return how long it is until a moment; 0 or less: it has come, or there is none."""
    return 0.0 if moment is None else (datetime.fromisoformat(moment) - utcnow()).total_seconds()


def _open(dag_id: str, run_id: str) -> tuple[Any, Any]:
    from escalator_airflow.desks import make_desk  # noqa: PLC0415  heavy, not needed to parse a DAG
    from escalator_airflow.records import read_campaign  # noqa: PLC0415

    record = read_campaign(dag_id, run_id)
    return make_desk(record.plan), record.run


def _look(desk: Any, run: Any, host: str | None) -> bool:
    """Send what is due; tell whether there is something to wait for."""
    from escalator.steps.running.giving_way import is_due_again  # noqa: PLC0415
    from escalator.steps.running.ordered import is_called_back  # noqa: PLC0415

    desk.courier.deliver_due(desk.session_id)
    if host is not None and is_called_back(run, host):
        return False
    if host is not None and run.facts(host).refused_at is not None:
        return not is_due_again(run, host, utcnow())
    return bool(desk.is_waiting(host, utcnow()))
