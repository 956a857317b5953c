"""Finding out whose the leases of a cloud are. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from escalator.ledger.lease_runs import LeaseRun
from escalator.ledger.ledger import Ledger
from escalator.model.campaign import NodeProgress
from escalator.model.cloud import ComputeService, Node
from escalator.model.errors import InvalidRequestError
from escalator.model.known_lease import KnownLease, LeaseOwner
from escalator.model.lease import NO_INSTALLATION, Lease, LeasePhase
from escalator.model.node_facts import NodeFacts
from escalator.model.run_life import FindLife, RunLife


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """What the ledger has of the node of a lease."""

    run: LeaseRun
    progress: NodeProgress
    facts: NodeFacts | None
    """None: they cannot be read."""


def find_known_leases(
    services: Iterable[ComputeService | Node], ledger: Ledger, find_life: FindLife
) -> tuple[KnownLease, ...]:
    """Say of every lease of Escalator's whose it is; Airflow is asked once for each run of this ledger."""
    found = [(s.host, s.disabled_reason, lease) for s in services if s.disabled_reason and (lease := s.lease)]
    if not found:
        return ()
    installation, runs = ledger.installation(), ledger.lease_runs()
    lives: dict[tuple[str, str], RunLife] = {}
    known = []
    for host, reason, lease in sorted(found, key=lambda one: one[:2]):
        may_be_ours = lease.installation in {None, NO_INSTALLATION, installation}
        run = runs.get((lease.campaign, lease.run)) if may_be_ours else None
        record = _read_record(ledger, run, host) if run is not None else None
        if record is None:
            owner = _name_stranger(lease, installation)
            unproved = lease.phase is None or lease.phase is LeasePhase.UPGRADING
            known.append(
                KnownLease(
                    host=host, reason=reason, lease=lease, owner=owner, since=lease.since, unproved=unproved
                )
            )
            continue
        key = (record.run.dag_id, record.run.run_id)
        if key not in lives:
            lives[key] = find_life(*key)
        known.append(_describe(host, reason, lease, record, lives[key]))
    return tuple(known)


def _read_record(ledger: Ledger, run: LeaseRun, host: str) -> _Record | None:
    """Read what the ledger has of a node in a run; None when the run has no such node."""
    handle = ledger.run(run.campaign, run.run_id)
    progress = next((node for node in handle.nodes() if node.host == host), None)
    if progress is None:
        return None
    try:
        facts = handle.facts(host)
    except InvalidRequestError:
        facts = None
    return _Record(run=run, progress=progress, facts=facts)


def _name_stranger(lease: Lease, installation: str) -> LeaseOwner:
    if lease.installation is None:
        return LeaseOwner.EARLIER
    return LeaseOwner.UNKNOWN if lease.installation == installation else LeaseOwner.ANOTHER


def _describe(host: str, reason: str, lease: Lease, record: _Record, life: RunLife) -> KnownLease:
    facts = record.facts
    if lease.installation is None:
        owner = LeaseOwner.EARLIER
    elif facts is not None and reason in facts.leases:
        owner = LeaseOwner.OURS
    else:
        owner = LeaseOwner.ALTERED
    taken_at = facts.leased_at if facts is not None else None
    return KnownLease(
        host=host,
        reason=reason,
        lease=lease,
        owner=owner,
        campaign=record.run.campaign,
        dag_id=record.run.dag_id,
        run_id=record.run.run_id,
        life=life,
        since=lease.since or taken_at or record.progress.since,
        unproved=_is_unproved(lease, facts),
    )


def _is_unproved(lease: Lease, facts: NodeFacts | None) -> bool:
    """Tell whether lease or ledger say that the software may be another, and not both that it is proved."""
    if facts is None:
        return True
    touched = facts.upgrade_begun is not None or facts.restarted_at is not None
    if lease.phase is not None:
        touched = touched or lease.phase.software_touched
    agreed = facts.verified is not None and lease.phase in {LeasePhase.VERIFIED, None}
    return touched and not agreed
