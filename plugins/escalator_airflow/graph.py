"""The graph of a campaign: one task group a node, one DAG a drain domain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator, Param, TaskGroup
from airflow.sdk.definitions.param import ParamsDict

from escalator.inventory.parts import MAX_NODES
from escalator.model.inventory import Inventory
from escalator.model.naming import make_dag_id, make_short, make_tag
from escalator.model.procedure import RESTORE, ROLLBACK, Procedure, Stage
from escalator.model.window import Window
from escalator_airflow.operators.campaign import (
    PREPARE_OTHERS_TASK,
    AnnounceOperator,
    CheckConditionsOperator,
    ConcludeOperator,
    DisableScaleUpOperator,
    PrepareOperator,
    PrepareOthersOperator,
    RestoreScaleUpOperator,
)
from escalator_airflow.operators.node import AdmitOperator, NodeStepOperator
from escalator_airflow.operators.probing import PROBE_TASK, ProbeOperator
from escalator_airflow.operators.restore import CheckRestoreOperator
from escalator_airflow.operators.rollback import CheckRollbackOperator
from escalator_airflow.params import make_campaign_params, make_restore_params, make_rollback_params
from escalator_airflow.windows import schedule_of

_PLAIN = re.compile(r"[A-Za-z0-9.-]+")
MOST_OF_GROUP = 160
"""Characters of a group's id; Airflow takes 200, and 250 of a task's in it."""
AROUND_NODES = frozenset(
    {
        "check_conditions",
        "announce",
        "disable_scale_up",
        "prepare",
        PREPARE_OTHERS_TASK,
        PROBE_TASK,
        "restore_scale_up",
        "conclude",
    }
)
"""Tasks of a campaign that no node's group may be called like."""
RUNS_AT_ONCE = 4
PATIENT: dict[str, Any] = {
    "retries": 20,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
}
"""Tries over more than an hour: what holds a lease outlasts an outage of Nova's."""
BRIEF: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=5)}
"""Tries of what holds no lease."""
QUARTER = timedelta(minutes=15)


_JUDGES: Mapping[str, type[CheckConditionsOperator]] = {
    ROLLBACK.name: CheckRollbackOperator,
    RESTORE.name: CheckRestoreOperator,
}
"""Procedure -> the operator of its check, where that is another one than an upgrade's."""


def _limit_check(inventory: Inventory) -> timedelta:
    """Return how long the check may take, with the dump of the databases where one is declared."""
    return QUARTER + timedelta(seconds=inventory.dump.limit_seconds if inventory.dump is not None else 0.0)


def build_campaign_dag(
    procedure: Procedure,
    inventory: Inventory,
    domain: str,
    hosts: tuple[str, ...],
    bundles: Mapping[str, str],
    *,
    part: int | None = None,
    window: Window | None = None,
) -> DAG:
    """Declare a procedure for a domain's nodes (or one part of a large domain), on demand or in windows."""
    dag_id = make_dag_id(procedure.name, inventory.cloud, domain, part)
    shown = f"{procedure.name} {inventory.cloud} {domain}" + (f" part {part}" if part is not None else "")
    dag = DAG(
        dag_id=dag_id,
        dag_display_name=dag_id if domain.isascii() else shown,
        description=f"{procedure.purpose} of {domain} in {inventory.cloud}, node by node",
        schedule=None if window is None else schedule_of(window),
        catchup=False,
        max_active_runs=RUNS_AT_ONCE,
        max_active_tasks=2 * MAX_NODES,
        params=_make_form(procedure, hosts, bundles, in_windows=window is not None),
        default_args={"weight_rule": "absolute"},
        tags=["escalator", make_tag(inventory.cloud), make_tag(domain)],
        is_paused_upon_creation=False,
        auto_register=False,  # a file that has it names it: another one only tries whether it can be built
    )
    with dag:
        check = _declare_check(procedure, inventory, domain, hosts, window)
        announce = AnnounceOperator(task_id="announce", execution_timeout=timedelta(hours=2), **BRIEF)
        disable = DisableScaleUpOperator(task_id="disable_scale_up", execution_timeout=QUARTER, **BRIEF)
        prepare = PrepareOperator(task_id="prepare", execution_timeout=timedelta(hours=2), **BRIEF)
        restore, conclude = _declare_ends()
        check >> announce >> disable >> prepare >> restore >> conclude
        groups = [declare_node_group(procedure, host) for host in hosts]
        for first, last in groups:
            prepare >> first
            last >> restore
        prepare >> _declare_beside(last for _, last in groups) >> conclude
    _drop_copies(dag)
    return dag


def _declare_check(
    procedure: Procedure, inventory: Inventory, domain: str, hosts: tuple[str, ...], window: Window | None
) -> BaseOperator:
    judge = _JUDGES.get(procedure.name, CheckConditionsOperator)
    return judge(
        task_id="check_conditions",
        procedure=procedure.name,
        cloud=inventory.cloud,
        domain=domain,
        hosts=hosts,
        window=window,
        **BRIEF,
        execution_timeout=_limit_check(inventory),
    )


def _make_form(
    procedure: Procedure, hosts: tuple[str, ...], bundles: Mapping[str, str], *, in_windows: bool
) -> dict[str, Param]:
    if procedure is ROLLBACK:
        return make_rollback_params(hosts)
    if procedure is RESTORE:
        return make_restore_params(hosts)
    return make_campaign_params(hosts, bundles, in_windows=in_windows)


def _declare_beside(ends: Iterable[BaseOperator]) -> list[BaseOperator]:
    """Declare what goes on beside the nodes, until their last tasks have ended."""
    tasks = [task.task_id for task in ends]
    return [
        ProbeOperator(task_id=PROBE_TASK, tasks=tasks, execution_timeout=timedelta(days=14), **BRIEF),
        PrepareOthersOperator(task_id=PREPARE_OTHERS_TASK, execution_timeout=timedelta(hours=12), **BRIEF),
    ]


def _drop_copies(dag: DAG) -> None:
    """Take from every task the copy of the DAG's form that Airflow gave it: a run reads the DAG's own.

    The triggerer reads the whole DAG, in its event loop, for each node that waits at the door. With the
    copies that of a hundred nodes has 4 MB and takes it 0.3 s, a hundred times.
    """
    for task in dag.tasks:
        task.params = ParamsDict()


def _declare_ends() -> tuple[BaseOperator, BaseOperator]:
    """Declare what runs in every outcome: what restores, and what concludes."""
    # without a setup of its own: it runs also when disable_scale_up failed half-way
    restore = RestoreScaleUpOperator(
        task_id="restore_scale_up", execution_timeout=timedelta(hours=1), **PATIENT
    ).as_teardown()
    conclude = ConcludeOperator(
        task_id="conclude", execution_timeout=timedelta(hours=2), **BRIEF
    ).as_teardown(on_failure_fail_dagrun=True)  # a run that a person ends leaves its teardowns to run
    return restore, conclude


def declare_node_group(procedure: Procedure, host: str) -> tuple[BaseOperator, BaseOperator]:
    """Declare the life of one node; return its first and its last task."""
    door, *between, end = procedure.stages
    tooltip = f"{procedure.name.capitalize()} of {host}"
    with TaskGroup(make_group_id(host), group_display_name=host, tooltip=tooltip):
        admit = _admit(host, door)
        steps = [_step(host, stage) for stage in between]
        release = _step(host, end).as_teardown(setups=admit)
        previous: BaseOperator = admit
        for task in steps:
            [admit, previous] >> task  # under an admission always: clearing a step clears admit, its setup
            previous = task
        steps >> release  # a step that is cleared alone is waited for, too
    return admit, release


def make_group_id(host: str) -> str:
    """Return a node's group id: Airflow takes no dots there, and names of hosts may be full domain names."""
    plain = host.replace(".", "_")
    if _PLAIN.fullmatch(host) and len(host) <= MOST_OF_GROUP and plain not in AROUND_NODES:
        return plain
    return make_short(re.sub(r"[^A-Za-z0-9-]", "-", host), host, MOST_OF_GROUP, digits=6)


def _admit(host: str, stage: Stage) -> BaseOperator:
    return AdmitOperator(
        task_id=stage.step.value,
        host=host,
        priority_weight=stage.priority,
        **PATIENT,
        # Airflow counts the wait in the triggerer as the task's time, and the waiting itself knows no limit.
        execution_timeout=timedelta(seconds=stage.hard_limit_seconds),
    )


def _step(host: str, stage: Stage) -> BaseOperator:
    return NodeStepOperator(
        task_id=stage.step.value,
        host=host,
        step=stage.step.value,
        priority_weight=stage.priority,
        **PATIENT,
        execution_timeout=timedelta(seconds=stage.last_resort_seconds),
    )
