"""What changed in a run since the last look, and where every node stands: pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from escalator.airflow_client.naming import split_node_task
from escalator.airflow_client.records import TaskInstance, TaskState
from escalator.model.campaign import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from escalator.airflow_client.records import DagRun

Seen: TypeAlias = "Mapping[str, tuple[TaskState | None, int]]"

STEPS = tuple(Step)
TROUBLE = frozenset({TaskState.FAILED, TaskState.UP_FOR_RETRY, TaskState.RESTARTING})


@dataclass(frozen=True, slots=True, kw_only=True)
class StepChange:
    """A task entered another state.

    :param subject: the host, or ``campaign`` for the tasks around the nodes.
    :param step: the step of the node, or the task's id.
    """

    subject: str
    step: str
    task: TaskInstance

    def line(self) -> str:
        """Return the change as one plain line: who, which step, what state, which try, why."""
        state = self.task.state.value if self.task.state else "cleared"
        attempt = f" (try {self.task.try_number})" if self.task.try_number > 1 else ""
        note = f": {self.task.note}" if self.task.note else ""
        return f"{self.subject} {self.step} {state}{attempt}{note}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNow:
    """Where one node stands; ``step`` and ``task`` are None before its first task was looked at."""

    host: str
    step: Step | None
    task: TaskInstance | None


def list_of_campaign(run: DagRun, instances: Iterable[TaskInstance]) -> tuple[TaskInstance, ...]:
    """Return the tasks that a person who asked for some hosts of the domain wants to see.

    The DAG has a group of tasks for every host of the domain; those that the run was not asked for are
    skipped, and left out here. A run that names no host is of all of them.
    """
    asked = run.conf.get("hosts")
    names = [_spell(str(host)) for host in asked] if isinstance(asked, list) else []
    if not names:
        return tuple(instances)
    wanted = re.compile(f"(?:{'|'.join(map(re.escape, names))})(?:-[0-9a-f]{{6,}})?")
    places = [(task, split_node_task(task.task_id)) for task in instances]
    others = {place.host for _, place in places if place and not wanted.fullmatch(_spell(place.host))}
    if others == {place.host for _, place in places if place}:
        return tuple(task for task, _ in places)  # no name was known again: rather all than none
    return tuple(task for task, place in places if place is None or place.host not in others)


def _spell(name: str) -> str:
    """Spell a host and the group of its tasks alike: a group has other marks, perhaps a digest at its end."""
    return re.sub(r"[^A-Za-z0-9]", "-", name)


def state_of(instances: Iterable[TaskInstance]) -> Seen:
    """Return what a later look is compared with."""
    return {task.task_id: (task.state, task.try_number) for task in instances}


def find_changes(seen: Seen, instances: Iterable[TaskInstance]) -> tuple[StepChange, ...]:
    """Return the tasks whose state or try differs from what was seen, nodes by name, steps in order.

    A task that was not there before and has no state yet is not a change.
    """
    changed = [
        task
        for task in instances
        if seen.get(task.task_id, (None, task.try_number)) != (task.state, task.try_number)
    ]
    return tuple(_change(task) for task in sorted(changed, key=_place))


def read_node_states(instances: Iterable[TaskInstance]) -> tuple[NodeNow, ...]:
    """Return for every node the step that an operator wants to see, nodes by name.

    That is the step at work; else the one that failed; else the last one that has ended.
    """
    nodes: dict[str, dict[Step, TaskInstance]] = {}
    for task in instances:
        if (place := split_node_task(task.task_id)) is not None:
            nodes.setdefault(place.host, {})[place.step] = task
    return tuple(_read_node(host, tasks) for host, tasks in sorted(nodes.items()))


def _read_node(host: str, tasks: Mapping[Step, TaskInstance]) -> NodeNow:
    begun = [step for step in STEPS if step in tasks and tasks[step].state is not None]
    at_work = [step for step in begun if not _final(tasks[step])]
    failed = [step for step in begun if tasks[step].state is TaskState.FAILED]
    step = next(iter(at_work + failed + begun[::-1]), None)
    return NodeNow(host=host, step=step, task=None if step is None else tasks[step])


def _final(task: TaskInstance) -> bool:
    return task.state is not None and task.state.is_final


def _change(task: TaskInstance) -> StepChange:
    place = split_node_task(task.task_id)
    if place is None:
        return StepChange(subject="campaign", step=task.task_id, task=task)
    return StepChange(subject=place.host, step=place.step, task=task)


def _place(task: TaskInstance) -> tuple[str, int, str]:
    place = split_node_task(task.task_id)
    return ("", 0, task.task_id) if place is None else (place.host, STEPS.index(place.step), task.task_id)
