"""Names that the DAGs and their callers share: DAG ids and task ids."""

from __future__ import annotations

from dataclasses import dataclass

from escalator.model.campaign import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTask:
    """The task that is one step of one node."""

    host: str
    step: Step


def split_node_task(task_id: str) -> NodeTask | None:
    """Read a task id like ``node-01.migrate``; None for tasks that belong to no node."""
    host, dot, last = task_id.rpartition(".")
    if not dot or not host or last not in set(Step):
        return None
    return NodeTask(host=host, step=Step(last))
