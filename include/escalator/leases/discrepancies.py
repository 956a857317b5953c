"""Where the cloud, the ledger and Airflow do not agree on what is out. Decides only: reads nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import assert_never

from escalator.leases.advice import say_what_to_do
from escalator.ledger.open_runs import OpenRun
from escalator.model.campaign import NodeProgress
from escalator.model.cloud import ComputeService, ServiceStatus
from escalator.model.known_lease import KnownLease
from escalator.model.lease import name_run
from escalator.model.run_life import RunLife
from escalator.model.verdict import Code, Subject, SubjectType, Verdict

RunId = tuple[str, str]
"""DAG id and run id."""
NONE_STOPPED: Mapping[RunId, Collection[str]] = MappingProxyType({})
SETTLES_WITHIN = timedelta(minutes=15)
"""How long a node of a living run may be on its way from one record to the other."""
SETTLE = "see that nothing of it is left, then escalator leases settle"


def find_discrepancies(
    services: Sequence[ComputeService],
    known: Iterable[KnownLease],
    runs: Sequence[tuple[OpenRun, RunLife]],
    now: datetime,
    *,
    dags: Mapping[str, Collection[str]] | None = None,
    stopped: Mapping[RunId, Collection[str]] = NONE_STOPPED,
) -> tuple[Verdict, ...]:
    """Find leases that nobody ends, nodes that are out in the ledger only, and runs that Airflow lost.

    :param services: the compute services, read before the ledger.
    :param runs: the open runs of the ledger, and what Airflow says of each.
    :param now: an aware time.
    :param dags: DAG id -> hosts that the DAG has tasks for; None: not looked at.
    :param stopped: DAG id and run id -> hosts whose tasks are all at their end in Airflow.
    """
    by_host = {service.host: service for service in services}
    return (
        *_find_orphans(known),
        *(v for run, life in runs for v in _find_strays(run, life, by_host, now)),
        *(
            v
            for run, life in runs
            if dags is not None and not life.is_over
            for v in _find_taskless(run, dags)
        ),
        *(
            v
            for run, life in runs
            if life is RunLife.RUNNING
            for v in _find_stopped(run, stopped.get((run.dag_id, run.run_id), ()), by_host, now)
        ),
        *(_describe_lost(run) for run, life in runs if life is RunLife.DELETED and not run.concluded),
    )


def _find_orphans(known: Iterable[KnownLease]) -> Iterator[Verdict]:
    for lease in known:
        if lease.ownerless:
            yield Verdict(
                code=Code.LEASE_ORPHANED,
                message=lease.story,
                subject=Subject.of_node(lease.host),
                remedy=say_what_to_do(lease),
            )


def _find_strays(
    run: OpenRun, life: RunLife, services: dict[str, ComputeService], now: datetime
) -> Iterator[Verdict]:
    """Find the nodes that a run has out in the ledger while the cloud shows no lease of it."""
    for node in run.out:
        service = services.get(node.host)
        if has_lease_of(run, service) or not (life.is_over or _is_old(node, now)):
            continue
        yield Verdict(
            code=Code.LEASE_LOST,
            message=f"the ledger has it out ({node.state}) for run {run.run_id} of {run.dag_id}, which is "
            f"{life}; in the cloud it is {describe_service(service)}",
            subject=Subject.of_node(node.host),
            remedy=_say_remedy(life),
        )


def _say_remedy(life: RunLife) -> str:
    match life:
        case RunLife.FINISHED:
            return f"look at what the node runs; then clear its admit with downstream, or {SETTLE}"
        case RunLife.DELETED:
            return f"look at what the node runs; {SETTLE}"
        case RunLife.RUNNING | RunLife.NOT_ASKED:
            return "find out who changed it: the next step of the node leaves it alone"
        case _:
            assert_never(life)


def has_lease_of(run: OpenRun, service: ComputeService | None) -> bool:
    """Tell whether a service is disabled with a lease of a run, in whatever words."""
    lease = service.lease if service is not None else None
    return lease is not None and (lease.campaign, lease.run) == name_run(run.campaign, run.run_id)


def describe_service(service: ComputeService | None) -> str:
    """Say how the cloud shows a node."""
    if service is None:
        return "not there"
    if service.status is ServiceStatus.ENABLED:
        return "enabled"
    return f"disabled with the reason {service.disabled_reason!r}"


def _is_old(node: NodeProgress, now: datetime) -> bool:
    return node.since is not None and now - node.since > SETTLES_WITHIN


def _find_taskless(run: OpenRun, dags: Mapping[str, Collection[str]]) -> Iterator[Verdict]:
    """Find the nodes of a run that its DAG cannot bring to their end: nobody tells them so."""
    for node in run.unfinished:
        if node.host not in dags.get(run.dag_id, ()):
            yield Verdict(
                code=Code.NODE_NO_DAG,
                message=f"it is {node.state} in run {run.run_id} of {run.dag_id}, which lacks its tasks now",
                subject=Subject.of_node(node.host),
                remedy="put its domain and part in the inventory file back as they were",
            )


def _find_stopped(
    run: OpenRun, stopped: Collection[str], services: Mapping[str, ComputeService], now: datetime
) -> Iterator[Verdict]:
    """Find the nodes that are out for a run which goes on, while none of their tasks does."""
    for node in run.unfinished:
        service = services.get(node.host)
        out = node.state.under_way or has_lease_of(run, service)
        if node.host in stopped and out and _is_old(node, now):
            yield Verdict(
                code=Code.CUT_OFF,
                message=f"it is {node.state} in run {run.run_id} of {run.dag_id}, which goes on, and all its "
                f"tasks have ended; in the cloud it is {describe_service(service)}",
                subject=Subject.of_node(node.host),
                remedy=f"clear {node.host}.admit with downstream",
            )


def _describe_lost(run: OpenRun) -> Verdict:
    ended = len(run.nodes) - len(run.unfinished)
    return Verdict(
        code=Code.RUN_DELETED,
        message=f"run {run.run_id} is not in Airflow any more; the ledger has {ended} of its "
        f"{len(run.nodes)} nodes at their end",
        subject=Subject(type=SubjectType.CAMPAIGN, id=run.dag_id),
        remedy=SETTLE,
    )
