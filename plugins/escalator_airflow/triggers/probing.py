"""The trigger beside the nodes: while they are worked on, services are probed and managers get notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator_airflow.triggers.threads import run_in_thread

LOOK_SECONDS = 1.0
"""Pause between two looks at the ledger."""
ASK_SECONDS = 10.0
"""Airflow is asked at most so often whether the tasks of all nodes have ended."""


class ProbeTrigger(BaseTrigger):
    """Fires when no node of the campaign is going to be worked on any more; nothing that goes wrong ends it.

    It sends, too, what the steps have queued for the managers of VNFs.

    :param tasks: ids of the nodes' last tasks: nodes that never went out have no end in the ledger.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tasks = list(tasks)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"tasks": self.tasks}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look every second; a watch that failed is opened anew."""
        ti = self.task_instance
        if ti is None:  # what is only measured must not end the run
            said = "nothing is probed: the trigger was started without its task instance"
            yield TriggerEvent({"message": said})  # type: ignore[no-untyped-call]
            return
        watch, said, asked = None, "", time.monotonic()
        try:
            while True:
                try:
                    if watch is None:
                        watch = await run_in_thread(_open_watch)(ti.dag_id, ti.run_id)
                    ended, message = await run_in_thread(watch.look)(), ""
                except InvalidRequestError as exc:  # there is no such campaign: waiting does not mend that
                    ended, message = True, f"nothing is probed: {exc}"
                except Exception as exc:  # noqa: BLE001  what is only measured must not end the run
                    await self._drop(watch)
                    watch, ended = None, False
                    message = str(exc) if isinstance(exc, EscalatorError) else f"internal: {exc!r}"
                if message and message != said:
                    self.log.warning("%s", message)
                said = message
                if not ended and time.monotonic() - asked >= ASK_SECONDS:
                    ended = await run_in_thread(_have_ended)(ti.dag_id, ti.run_id, self.tasks)
                    asked = time.monotonic()
                if ended:
                    await self._drop(watch)
                    watch = None
                    yield TriggerEvent({"message": message})  # type: ignore[no-untyped-call]
                    return
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self._drop(watch)

    async def _drop(self, watch: Any) -> None:
        """End a watch; its probes must not go on without somebody who looks."""
        if watch is None:
            return
        try:
            await run_in_thread(watch.close)()
        except Exception as exc:  # noqa: BLE001  what is only measured must not end the run
            self.log.warning("the probes did not end well: %r", exc)


def _open_watch(dag_id: str, run_id: str) -> Any:
    """Open the campaign; heavy, and not needed to parse a DAG."""
    from escalator.steps.campaign.beside_nodes import BesideNodes  # noqa: PLC0415
    from escalator.steps.campaign.watch_services import ServiceWatch  # noqa: PLC0415
    from escalator.vim_interface.registry import find_probes, load_ha_sources  # noqa: PLC0415
    from escalator_airflow.campaigns import open_campaign  # noqa: PLC0415

    campaign = open_campaign(dag_id, run_id)
    watch = ServiceWatch(campaign, lambda snapshot: find_probes(snapshot, load_ha_sources()))
    return BesideNodes(campaign.desk, watch)


def _have_ended(dag_id: str, run_id: str, tasks: Sequence[str]) -> bool:
    """Tell whether Airflow says that all these tasks of a run have ended."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # noqa: PLC0415

    from escalator_airflow.task_states import ENDED, ask_task_states  # noqa: PLC0415

    states = ask_task_states({"ti": RuntimeTaskInstance}, dag_id, run_id, tasks)
    return bool(states) and all(states.get(task) in ENDED for task in tasks)
