"""Ending a lease that nobody ends: give the node back, or mark it. Writes to the cloud and the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from escalator.cloud_manager.cloud import Cloud
from escalator.ledger.ledger import Ledger
from escalator.ledger.records import StepAttempt
from escalator.ledger.run import CampaignRun
from escalator.model.campaign import NodeState, Step
from escalator.model.errors import EscalatorError
from escalator.model.known_lease import KnownLease
from escalator.model.lease import LeaseMark
from escalator.model.step import Outcome
from escalator.model.verdict import Code

TIME = "%Y-%m-%d %H:%MZ"


def release_lease(cloud: Cloud, ledger: Ledger, known: KnownLease, *, who: str, now: datetime) -> str:
    """Enable the node, if its reason is still the one that was shown; a second run finds it enabled.

    :param who: the person, in a word.
    :param now: an aware time.
    :return: what was done, in words.
    :raises LeaseLostError: the reason is another now; nothing was written.
    """
    message = f"given back by hand by {who} at {now.strftime(TIME)}"
    run, attempt = _begin(ledger, known, now)
    if run is not None:
        run.remember(known.host, released_at=now)
    cloud.ensure_enabled(known.host, over=(known.reason,))
    if run is not None and attempt is not None:
        proved = run.progress(known.host).state is NodeState.VERIFIED and not known.unproved
        state, code = (NodeState.RELEASED, None) if proved else (NodeState.HELD, Code.CUT_OFF)
        run.set_progress(known.host, state, code=code, message=message, now=now, attempt=attempt)
        run.finish_step(attempt, result=Outcome.OK, message=message, now=now, details={"released_at": now})
    cleared = _clear_flag(cloud, run, known.host, now) if run is not None else ""
    return f"{known.host} is enabled: {message}{cleared}{_name_unrestored(ledger, known)}"


def mark_lease_failed(cloud: Cloud, ledger: Ledger, known: KnownLease, *, who: str, now: datetime) -> str:
    """Mark the lease FAILED, if the reason is still the one that was shown: it counts against K no more.

    :return: what was done, in words.
    :raises LeaseLostError: the reason is another now; nothing was written.
    """
    message = f"marked by hand by {who} at {now.strftime(TIME)}: nobody ended the lease"
    marked = known.lease.marked(LeaseMark.FAILED, f"[{Code.CUT_OFF}] {message}")
    text = (marked.renewed() if marked.phase is not None else marked).render()
    run, attempt = _begin(ledger, known, now)
    if run is not None:
        run.remember(known.host, leases=(known.reason, text))
    cloud.ensure_disabled(known.host, text, over=(known.reason,))
    if run is not None and attempt is not None:
        run.remember(known.host, leases=(text,))
        run.set_progress(
            known.host,
            NodeState.FAILED,
            code=Code.CUT_OFF,
            message=message,
            mark=LeaseMark.FAILED,
            now=now,
            attempt=attempt,
        )
        run.finish_step(attempt, result=Outcome.FAILED, code=Code.CUT_OFF, message=message, now=now)
    return f"{known.host} stays disabled, FAILED: {message}{_name_unrestored(ledger, known)}"


def _clear_flag(cloud: Cloud, run: CampaignRun, host: str, now: datetime) -> str:
    """Take the node off maintenance in Masakari, if the run put it there; say so, or why not."""
    flag = run.facts(host).maintenance
    if flag is None or flag.cleared_at is not None:
        return ""
    try:
        cloud.instance_ha.ensure_maintenance(flag.segment_id, flag.host_id, on=False)
    except EscalatorError as exc:
        return f"\nit is on maintenance in Masakari still: {exc}"
    run.remember(host, maintenance=replace(flag, cleared_at=now))
    return "\nit is off maintenance in Masakari"


def _name_unrestored(ledger: Ledger, known: KnownLease) -> str:
    """Say what switchovers on the node changed and nobody has restored, and who would; empty: nothing."""
    if known.campaign is None or known.run_id is None:
        return ""
    switches = ledger.switches().of_run(known.campaign, known.run_id)
    left = [s for s in switches if s.host == known.host and s.is_to_restore]
    lines = [f"\nnot restored: HA group {s.group}, by {s.method}: found was {dict(s.found)}" for s in left]
    if left:
        lines.append(
            f"\nwhile the node is enabled, {known.host}.release of run {known.run_id} restores that: "
            "clear it, or restore it by hand"
        )
    return "".join(lines)


def _begin(ledger: Ledger, known: KnownLease, now: datetime) -> tuple[CampaignRun | None, StepAttempt | None]:
    """Begin an attempt in the run that took the lease: what is left of it is refused its writes."""
    if known.campaign is None or known.run_id is None:
        return None, None
    run = ledger.run(known.campaign, known.run_id)
    return run, run.begin_step(known.host, Step.RELEASE, try_number=0, now=now)
