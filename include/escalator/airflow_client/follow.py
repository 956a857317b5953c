"""Follow a run until it has ended: plain lines in a pipe, a table on a terminal."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from escalator.airflow_client.errors import AirflowUnavailableError, NotInAirflowError, RunTimeoutError
from escalator.airflow_client.progress import (
    TROUBLE,
    find_changes,
    list_of_campaign,
    read_node_states,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from rich.console import Console

    from escalator.airflow_client.client import AirflowClient
    from escalator.airflow_client.progress import NodeNow, Seen, StepChange
    from escalator.airflow_client.records import DagRun, TaskInstance, TaskState

FOLLOW_SECONDS = 14 * 24 * 3600.0
POLL_SECONDS = 1.5


class View(Protocol):
    """Shows a run to a person."""

    def show(self, changes: Sequence[StepChange], instances: Sequence[TaskInstance]) -> None:
        """Show what changed, or the whole."""


class Lines:
    """One plain line a change.

    :param leave_out: states that are not worth a line.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        clock: Callable[[], datetime],
        leave_out: Collection[TaskState] = (),
    ) -> None:
        self._write = write
        self._clock = clock
        self._leave_out = frozenset(leave_out)

    def show(self, changes: Sequence[StepChange], instances: Sequence[TaskInstance]) -> None:  # noqa: ARG002 - the table needs them
        """Write the changes."""
        for change in changes:
            if change.task.state not in self._leave_out:
                self._write(f"{self._clock():%H:%M:%S} {change.line()}")


class NodeTable:
    """A table of the nodes that is drawn anew, and a line above it for every trouble."""

    def __init__(self, live: Live, *, clock: Callable[[], datetime]) -> None:
        self._live = live
        self._clock = clock

    def show(self, changes: Sequence[StepChange], instances: Sequence[TaskInstance]) -> None:
        """Draw the table; say failures and retries above it."""
        for change in changes:
            if change.task.state in TROUBLE:
                self._live.console.print(
                    f"{self._clock():%H:%M:%S} {change.line()}", markup=False, highlight=False
                )
        self._live.update(make_table(read_node_states(instances), now=self._clock()))


def make_table(nodes: Sequence[NodeNow], *, now: datetime) -> Table:
    """Return the table of all nodes; ``seconds`` is the time that the step takes or took."""
    table = Table("node", "step", "state", "try", "seconds", "note")
    for node in nodes:
        if node.task is None:
            table.add_row(node.host, "-", "waiting", "", "", "")
            continue
        table.add_row(
            node.host,
            node.step,
            node.task.state,
            str(node.task.try_number),
            _seconds_in(node.task, now),
            escape(node.task.note or ""),
        )
    return table


def follow(
    client: AirflowClient,
    run: DagRun,
    view: View,
    *,
    timeout_seconds: float = FOLLOW_SECONDS,
    poll_seconds: float = POLL_SECONDS,
) -> DagRun:
    """Show every change of a run and return the run when it has ended.

    :raises RunTimeoutError: it goes on after that time.
    """
    seen: Seen = {}

    def look(_run: DagRun) -> None:
        nonlocal seen
        try:
            instances = list_of_campaign(run, client.task_instances(run.dag_id, run.run_id))
        except AirflowUnavailableError:
            return
        view.show(find_changes(seen, instances), instances)
        seen = state_of(instances)

    return client.wait(
        run.dag_id, run.run_id, timeout_seconds=timeout_seconds, poll_seconds=poll_seconds, on_poll=look
    )


def wait_for_dag(client: AirflowClient, dag_id: str, *, timeout_seconds: float) -> None:
    """Wait until Airflow has read the file that declares a DAG, and it can be triggered.

    :raises RunTimeoutError: it has not, in that time; names the files that Airflow could not import.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            if not client.get_dag(dag_id).is_stale:
                return
        except NotInAirflowError:
            pass  # it has not been read yet
        if time.monotonic() > deadline:
            faults = "; ".join(f"{e.filename}: {e.stack_trace}" for e in client.import_errors())
            raise RunTimeoutError(f"Airflow has no DAG {dag_id}. {faults}")
        time.sleep(POLL_SECONDS)


@contextmanager
def choose_view(console: Console) -> Iterator[View]:
    """Yield a table on a terminal and plain lines elsewhere."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=2) as live:
            yield NodeTable(live, clock=_now)
        return
    yield Lines(lambda line: print(line, flush=True), clock=_now)  # noqa: T201 - this is the command's output


def _seconds_in(task: TaskInstance, now: datetime) -> str:
    if task.started_at is None:
        return ""
    return f"{((task.ended_at or now) - task.started_at).total_seconds():.0f}"


def _now() -> datetime:
    return datetime.now(UTC)
