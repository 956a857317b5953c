"""Conclude: look at the cloud once more, write the report, and say which nodes are not as they should be.

A second run writes the report anew.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from escalator.cloud_manager.snapshots import snapshot_from_document, snapshot_to_document
from escalator.events.conclusion import tell_conclusion
from escalator.ledger.records import Document, StepRecord
from escalator.model.backup import BackupRecord
from escalator.model.campaign import NodeState
from escalator.model.check_report import read_unmet_verdicts
from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.model.interruption import YEAR
from escalator.model.notice import NoticeRecord
from escalator.model.quota import FrozenQuota
from escalator.model.stops import ServerStop
from escalator.model.verdict import Code
from escalator.model.wording import name_some
from escalator.reports.document import build_report
from escalator.reports.facts import CampaignFacts, RecordedSnapshot, StepRun
from escalator.reports.files import ReportPaths, write_report
from escalator.reports.interruptions import read_guest_events
from escalator.reports.software import list_verified_software
from escalator.steps.campaign.taking_back import read_own_rollbacks
from escalator.steps.running.context import CampaignContext
from escalator.steps.running.node_versions import read_version
from escalator.upgrade_manager.state.drift import judge_drift
from escalator.vim_interface.registry import read_vnf_names

log = logging.getLogger("escalator.steps.campaign.conclude")

_GOOD = frozenset({NodeState.RELEASED, NodeState.SKIPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """Where the report is, and why the campaign is not complete (empty: it is).

    :ivar left: hosts that only the end of the window kept from their upgrade: the next run has them.
    """

    paths: ReportPaths
    faults: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def make_folder_name(campaign: str, run_id: str) -> str:
    """Return the report's folder below the report directory; safe as a path."""
    return f"{campaign}/{re.sub(r'[^A-Za-z0-9_.-]', '-', run_id)}"


def conclude(campaign: CampaignContext, report_dir: Path) -> Conclusion:
    """Write the campaign's report and judge its nodes.

    :raises EscalatorError: the cloud, the ledger or the folder cannot be used.
    """
    campaign.run.close_steps(found_by="conclude", now=campaign.clock())  # of nodes that nothing follows on
    _look_at_failed(campaign)
    snapshot = campaign.fetch_snapshot()
    campaign.run.set_document(Document.SNAPSHOT_AFTER, snapshot_to_document(snapshot))
    facts = _judge_drift(_facts(campaign))
    report = build_report(facts, read_guest_events())
    campaign.run.set_document(Document.REPORT, report)
    try:
        paths = write_report(
            report_dir / make_folder_name(campaign.run.campaign, campaign.run.run_id), report
        )
    except OSError as exc:
        raise EscalatorError(
            f"the report cannot be written: {exc}", remedy="set ESCALATOR_REPORT_DIR to a folder that can be"
        ) from exc
    tell_conclusion(campaign.teller, report)
    if campaign.plan.request.dry_run:
        return Conclusion(paths=paths)
    faults, left = _judge(campaign, snapshot, facts.stops)
    return Conclusion(paths=paths, faults=faults, left=left)


def _look_at_failed(campaign: CampaignContext) -> None:
    """Read what nodes run whose upgrade was begun and not proved; of one that is silent nobody knows."""
    view = campaign.run.view()
    for host in campaign.plan.hosts:
        if view.of(host).state in _GOOD or campaign.run.facts(host).upgrade_begun is None:
            continue
        try:
            has = read_version(campaign, host)
            campaign.run.remember(host, version=has.version, behind=has.behind)
        except EscalatorError as exc:
            log.warning("%s: what it runs now is not known: %s", host, exc)
            campaign.run.remember(host, version=None)


def _find_frozen(campaign: CampaignContext) -> tuple[FrozenQuota, ...]:
    book, plan = campaign.quotas, campaign.plan
    if book is None:
        return ()
    cloud = plan.request.cloud
    held = book.held_by(cloud, plan.campaign, plan.run_id)
    return tuple(quota for project_id in held for quota in book.frozen(cloud, project_id))


def _find_stops(campaign: CampaignContext) -> dict[str, tuple[ServerStop, ...]]:
    found: dict[str, tuple[ServerStop, ...]] = {}
    run = campaign.run
    for one in run.gaps().stops_of_run(run.campaign, run.run_id):
        found[one.host] = (*found.get(one.host, ()), one.stop)
    return found


def _find_backups(campaign: CampaignContext) -> tuple[BackupRecord, ...]:
    desk = campaign.backups
    return () if desk is None else desk.book.of_run(campaign.run.campaign, campaign.run.run_id)


def _find_notices(campaign: CampaignContext) -> tuple[NoticeRecord, ...]:
    desk = campaign.desk
    return () if desk is None else desk.notices.find(desk.session_id)


def _judge(
    campaign: CampaignContext, snapshot: CloudSnapshot, stops: Mapping[str, Sequence[ServerStop]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name every node that is not upgraded or rightly left alone, has our lease, or servers that are down.

    :return: these faults, and the hosts that are only left for the next window.
    """
    view = campaign.run.view()
    faults, left = [], []
    taken_back = _describe_ways_back(campaign)
    for host in campaign.plan.hosts:
        progress = view.of(host)
        node = snapshot.node(host)
        leased = node is not None and campaign.plan.owns(node)
        counts = leased and node is not None and node.counting_lease is not None
        if progress.left_for_next_window and not leased:
            left.append(host)
        elif progress.state not in _GOOD:
            # a task that was ended while it took the lease has no release behind it
            kept = f"; it is out with our lease: clear {host}.admit with downstream" if counts else ""
            faults.append(f"{host} is {progress.state}: {progress.message}{kept}{taken_back.get(host, '')}")
        elif leased:
            faults.append(f"{host} is still out with our lease: clear {host}.release")
        elif down := [stop.server_name for stop in stops.get(host, ()) if stop.is_down]:
            was, do = ("was", "does") if len(down) == 1 else ("were", "do")
            faults.append(
                f"{host}: {name_some(down)} {was} stopped for its upgrade and {do} not run again: "
                f"clear {host}.release"
            )
    return tuple(faults), tuple(left)


def _describe_ways_back(campaign: CampaignContext) -> dict[str, str]:
    """Say of each node that is to be taken back by itself by which run, or why it is not."""
    return {
        host: f"; it is taken back by {each}" if each.is_started else f"; not taken back: {each.not_started}"
        for each in read_own_rollbacks(campaign.run)
        for host in each.hosts
    }


def _facts(campaign: CampaignContext) -> CampaignFacts:
    run = campaign.run
    ended = campaign.clock()
    steps = tuple(_run_of(step) for step in run.steps())
    return CampaignFacts(
        plan=campaign.plan,
        started_at=_started(campaign, steps),
        ended_at=ended,
        view=run.view(),
        steps=steps,
        moves=run.moves(),
        versions_before=run.versions_before(),
        versions_after=run.versions(),
        bundle_document=run.document(Document.BUNDLE) or {},
        snapshot_before=_recorded(run.document(Document.SNAPSHOT_BEFORE)),
        snapshot_after=_recorded(run.document(Document.SNAPSHOT_AFTER)),
        verdicts=read_unmet_verdicts(run.document(Document.CHECK)),
        plan_document=run.document(Document.PLAN),
        switches=campaign.find_switches(),
        notices=_find_notices(campaign),
        scaling=run.document(Document.SCALING) or {},
        frozen=_find_frozen(campaign),
        stops=_find_stops(campaign),
        told=campaign.watches.of_run(run.campaign, run.run_id) if campaign.watches is not None else {},
        backups=_find_backups(campaign),
        own_rollbacks=read_own_rollbacks(run),
        changed_at=_find_changes(campaign),
        gaps=run.gaps().of_run(run.campaign, run.run_id),
        year_gaps=run.gaps().since(campaign.plan.request.cloud, ended - YEAR),
        vnf_of=read_vnf_names(),
    )


def _find_changes(campaign: CampaignContext) -> dict[str, datetime]:
    """Return since when nodes are changed, where some of them cannot go back."""
    hosts = campaign.plan.hosts if campaign.plan.no_return.is_any else ()
    found = {host: campaign.run.facts(host).upgrade_begun for host in hosts}
    return {host: moment for host, moment in found.items() if moment is not None}


def _judge_drift(facts: CampaignFacts) -> CampaignFacts:
    """Add in what the verified nodes differ; once all are, the check's word of how they were is left out."""
    software = list_verified_software(facts)
    known = facts.verdicts
    if software and software.keys() >= set(facts.plan.hosts):
        known = tuple(verdict for verdict in known if verdict.code is not Code.VERSIONS_DIFFER)
    return replace(facts, verdicts=(*known, *judge_drift(facts.plan.request.domain, software)))


def _recorded(document: Mapping[str, Any] | None) -> RecordedSnapshot | None:
    """Read a recorded snapshot; one that cannot be read goes into the report all the same, as it is."""
    if document is None:
        return None
    try:
        return RecordedSnapshot(document=document, cloud=snapshot_from_document(document))
    except InvalidRequestError as exc:
        log.warning("a recorded snapshot cannot be read: %s", exc)
        return RecordedSnapshot(document=document)


def _started(campaign: CampaignContext, steps: tuple[StepRun, ...]) -> datetime:
    """Return when the campaign was opened."""
    opened = campaign.run.opened_at() or campaign.clock()
    return min((opened, *(s.started_at for s in steps)))


def _run_of(record: StepRecord) -> StepRun:
    return StepRun(
        host=record.host,
        step=record.step,
        try_number=record.try_number,
        started_at=record.begun_at,
        ended_at=record.known_end,
        result=str(record.result) if record.result else None,
        code=str(record.code) if record.code else None,
        message=record.message,
        api_calls=record.api_calls,
        details=dict(record.details),
    )
