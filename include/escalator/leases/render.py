"""The leases of a cloud for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from escalator.leases.advice import say_what_to_do
from escalator.model.known_lease import KnownLease
from escalator.reports.formatting import format_duration

SCHEMA = "escalator.leases/1"


def leases_to_document(
    cloud: str, installation: str, leases: Sequence[KnownLease], now: datetime
) -> dict[str, Any]:
    """Write the leases as plain JSON data."""
    return {
        "schema": SCHEMA,
        "cloud": cloud,
        "installation": installation,
        "leases": [_to_document(known, now) for known in leases],
    }


def _to_document(known: KnownLease, now: datetime) -> dict[str, Any]:
    return {
        "host": known.host,
        "reason": known.reason,
        "campaign": known.campaign or known.lease.campaign,
        "run": known.lease.run,
        "run_id": known.run_id,
        "owner": str(known.owner),
        "installation": known.lease.installation,
        "phase": known.lease.phase and str(known.lease.phase),
        "mark": known.lease.mark and str(known.lease.mark),
        "since": known.since and known.since.isoformat(),
        "age_seconds": _find_age(known, now),
        "run_life": str(known.life),
        "orphaned": known.orphaned,
        "unproved": known.unproved,
        "what_to_do": say_what_to_do(known),
    }


def _find_age(known: KnownLease, now: datetime) -> float | None:
    """Return for how many seconds a lease is out; clocks may differ, and nothing is out since tomorrow."""
    return None if known.since is None else max(0.0, (now - known.since).total_seconds())


def list_lease_lines(leases: Sequence[KnownLease], now: datetime) -> Iterator[str]:
    """Give the leases as plain lines, four each."""
    if not leases:
        yield "no lease: Escalator has no node of this cloud out"
    for known in leases:
        lease = known.lease
        stands = " ".join(str(word) for word in (lease.phase, lease.mark) if word is not None)
        seconds = _find_age(known, now)
        age = "unknown" if seconds is None else format_duration(seconds)
        run = f"run {known.run_id}" if known.run_id is not None else f"run {lease.run}"
        orphaned = "  ORPHANED" if known.orphaned else ""
        yield f"{known.host}  {stands or 'no phase'}  age {age}{orphaned}"
        owner = f"{known.owner} ({known.installation})"
        yield f"  {known.campaign or lease.campaign}, {run}: {known.life}; of {owner}"
        yield f"  {known.reason}"
        yield f"  -> {say_what_to_do(known)}"
