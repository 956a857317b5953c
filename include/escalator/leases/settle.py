"""Settling: write into the ledger that runs which are over have ended. The cloud is not written to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from escalator.leases.discrepancies import describe_service, has_lease_of
from escalator.ledger.ledger import Ledger
from escalator.ledger.open_runs import OpenRun
from escalator.ledger.records import Document
from escalator.ledger.run import CampaignRun
from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.cloud import ComputeService
from escalator.model.errors import InvalidRequestError
from escalator.model.run_life import RunLife
from escalator.model.verdict import Code


def settle_runs(
    ledger: Ledger,
    runs: Iterable[tuple[OpenRun, RunLife]],
    services: Sequence[ComputeService],
    *,
    who: str,
    now: datetime,
) -> Iterator[str]:
    """Record the end of nodes that a run which is over has open, and say each; a second run finds none.

    A node that has a lease of its run stays as it is: the lease has to be ended first. Nodes that wait are
    ended with a run that was deleted only: one that Airflow has can be cleared. A deleted run whose nodes are
    all at their end and that has no report is recorded as settled, and the servers that it left down are
    named: the ledger may forget it when it is old.

    :param runs: the unsettled runs of the ledger, and what Airflow says of each.
    :param now: an aware time.
    """
    by_host = {service.host: service for service in services}
    for run, life in runs:
        if not life.is_over:
            continue
        handle, open_still = ledger.run(run.campaign, run.run_id), False
        for node in run.unfinished:
            service, state = by_host.get(node.host), _find_end(node, life)
            if state is None or has_lease_of(run, service):
                open_still = True
                if state is not None:
                    yield f"{node.host}: left, it has a lease of run {run.run_id} still"
                continue
            message = f"its run was {life}; settled by {who}; in the cloud it is {describe_service(service)}"
            handle.set_progress(node.host, state, code=Code.CUT_OFF, message=message, now=now)
            handle.close_steps(found_by=who, now=now)
            yield f"{node.host}: {state} in run {run.run_id} of {run.dag_id}: {message}"
        if life is RunLife.DELETED and not (open_still or run.concluded):
            yield from _name_down(handle, run)
            handle.set_document(Document.SETTLED, {"by": who, "at": now.isoformat()})
            yield f"run {run.run_id} of {run.dag_id}: over without a report, settled by {who}"


def _name_down(handle: CampaignRun, run: OpenRun) -> Iterator[str]:
    """Name the servers that a run stopped and did not see running again: nobody else will tell of them."""
    for host in sorted(run.hosts):
        try:
            stops = handle.facts(host).stops
        except InvalidRequestError as exc:
            yield f"{host}: which servers it stopped is not known: {exc.message}"
            continue
        for stop in stops:
            if stop.is_down:
                yield (
                    f"{host}: server {stop.server_name} ({stop.server_id}) was stopped for its upgrade and "
                    f"not seen to run again: openstack server start {stop.server_id}"
                )


def _find_end(node: NodeProgress, life: RunLife) -> NodeState | None:
    """Return how an open node ends; None: it is at its end, or can go on."""
    if node.state.under_way:
        return NodeState.HELD
    return NodeState.SKIPPED if node.state is NodeState.WAITING and life is RunLife.DELETED else None
