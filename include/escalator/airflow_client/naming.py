"""Names that the DAGs and their callers share: DAG ids and task ids."""

from __future__ import annotations

from dataclasses import dataclass

from escalator.model.campaign import Step
from escalator.model.naming import make_dag_id
from escalator.model.procedure import UPGRADE


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTask:
    """The task that is one step of one node."""

    host: str
    step: Step


def find_dag_prefix(cloud: str, procedure: str = UPGRADE.name) -> str:
    """Return how the ids of all DAGs of a procedure for a cloud begin."""
    return make_dag_id(procedure, cloud, "")


def find_dag_id(cloud: str, domain: str, procedure: str = UPGRADE.name) -> str:
    """Return the id of the DAG that has a procedure for one drain domain of one cloud."""
    return make_dag_id(procedure, cloud, domain)


def split_node_task(task_id: str) -> NodeTask | None:
    """Read a task id like ``node-01.migrate``; None for tasks that belong to no node."""
    host, dot, last = task_id.rpartition(".")
    if not dot or not host or last not in set(Step):
        return None
    return NodeTask(host=host, step=Step(last))
