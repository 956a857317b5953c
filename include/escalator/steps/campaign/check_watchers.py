"""Whether those that watch the cloud let nodes go, said before the start; and who acts on its own there."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from escalator.cloud_manager.instance_ha import InstanceHa
from escalator.model.alerts import AtStart
from escalator.model.check_report import Condition
from escalator.model.cloud import CloudSnapshot, ServiceStatus
from escalator.model.errors import EscalatorError
from escalator.model.verdict import Code, Severity, Subject
from escalator.model.watchers import Recovery, SegmentHost
from escalator.model.wording import name_some
from escalator.steps.running.context import CampaignContext
from escalator.upgrade_manager.conditions.question import count, met, unmet


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A service that scales or heals by itself: what it may do meanwhile, and what to switch off."""

    may: str
    remedy: str


ACTORS = {
    "load-balancer": Actor(
        may="Octavia acts on its own: its health manager replaces an amphora that is silent for a minute "
        "(heartbeat_timeout), its health monitors take members out that do not answer",
        remedy="while nodes with amphorae are out, stop octavia-health-manager or raise [health_manager] "
        "heartbeat_timeout; see that health monitors bear the gap of a live migration (max_retries_down)",
    ),
    "orchestration": Actor(
        may="Heat acts on its own: scaling policies of its stacks (OS::Heat::ScalingPolicy) may add servers "
        "to the nodes that are left, or delete some, while servers are moved",
        remedy="switch the alarms of auto-scaled stacks off until the end: "
        "`openstack alarm update --enabled False ID`",
    ),
    "clustering": Actor(
        may="Senlin acts on its own: health and scaling policies of its clusters may recreate servers that "
        "are moved or stopped, and add others",
        remedy="switch them off until the end: "
        "`openstack cluster policy binding update --policy ID --enabled False CLUSTER`",
    ),
}
"""Those that have no API to ask, by the type of their service."""


def check_watchers(
    campaign: CampaignContext, hosts: Collection[str], snapshot: CloudSnapshot
) -> Iterator[Condition]:
    """Ask those that watch the cloud, as far as there are some, and name those that cannot be asked.

    :param hosts: nodes that are to be upgraded.
    """
    yield from _check_masakari(campaign, hosts, snapshot)
    yield from _check_alerts(campaign)
    yield from _name_others(campaign)


def _check_alerts(campaign: CampaignContext) -> Iterator[Condition]:
    """Ask the monitoring system that is declared whether an alert of the gate fires, and if it answers."""
    alerts, subject = campaign.alerts, Subject.of_cloud(campaign.plan.request.cloud)
    if alerts is None:
        return
    try:
        firing = alerts.find_firing()
        if not alerts.settings.gate:
            alerts.see_that_it_answers()
    except EscalatorError as exc:
        remedy = "bring it up, or mend its connection or the alerts in the inventory settings"
        yield unmet(Code.WATCHER_SILENT, subject, f"the alerts of the cloud cannot be read: {exc}", remedy)
        return
    if not firing:
        gate = "no alert of the gate fires" if alerts.settings.gate else "it answers, no gate is declared"
        yield met(Code.ALERTS, subject, f"Alertmanager: {gate}")
        return
    refuses = alerts.settings.at_start is AtStart.REFUSE
    message = f"{count(len(firing), 'alert')} of the gate: {name_some([str(alert) for alert in firing])}"
    remedy = "mend what they say, or silence those that are known"
    if refuses:
        yield unmet(Code.ALERTS, subject, message, f"{remedy}; or declare at_start: accept")
    else:
        words = f"{message}; known as the campaign begins, they stop no node"
        yield unmet(Code.ALERTS, subject, words, remedy, Severity.WARNING)


def _name_others(campaign: CampaignContext) -> Iterator[Condition]:
    """Name the services that act on what they see of servers, and do not tell what they would do."""
    subject = Subject.of_cloud(campaign.plan.request.cloud)
    for service, actor in ACTORS.items():
        if campaign.cloud.has_service(service):
            yield unmet(Code.ACTS_ALONE, subject, actor.may, actor.remedy, Severity.WARNING)


def _check_masakari(
    campaign: CampaignContext, hosts: Collection[str], snapshot: CloudSnapshot
) -> Iterator[Condition]:
    """Ask Masakari, where there is one, whether it is at work, and which nodes it knows."""
    masakari = campaign.cloud.instance_ha
    subject = Subject.of_cloud(snapshot.cloud)
    try:
        if not masakari.exists():
            return
        recoveries, known = masakari.fetch_recoveries(), _find_known(masakari, hosts)
    except EscalatorError as exc:
        remedy = "bring its API up, or let this user read it (role admin, or its policies)"
        yield unmet(Code.WATCHER_SILENT, subject, f"Masakari does not say what it does: {exc}", remedy)
        return
    yield from _check_recoveries(recoveries, known, hosts, subject)
    yield from _check_flags(campaign, known, snapshot)


def _find_known(masakari: InstanceHa, hosts: Collection[str]) -> tuple[SegmentHost, ...]:
    return tuple(host for host in masakari.fetch_hosts() if host.name in hosts)


def _check_recoveries(
    recoveries: Collection[Recovery], known: Collection[SegmentHost], hosts: Collection[str], subject: Subject
) -> Iterator[Condition]:
    """Say which recoveries are in the way of nodes that are to be upgraded."""
    concerned = [(r, set(hosts) if r.hosts is None else set(hosts) & r.hosts) for r in recoveries]
    for recovery, there in concerned:
        if there:
            message = f"Masakari is at work in the segment of {name_some(sorted(there))}: {recovery}"
            remedy = "let it end: `openstack notification list`, then `openstack notification show ID`"
            yield unmet(Code.RECOVERY_RUNS, subject, message, remedy, hosts=there)
    if not any(there for _, there in concerned):
        said = f"{len(known)} of {count(len(hosts), 'node')} to be upgraded"
        message = (
            f"Masakari recovers none of them: {said} are in a segment, on maintenance while they are out"
        )
        yield met(Code.RECOVERY_RUNS, subject, message)


def _check_flags(
    campaign: CampaignContext, known: Collection[SegmentHost], snapshot: CloudSnapshot
) -> Iterator[Condition]:
    """Name nodes in service that are on maintenance already: Masakari would not recover their servers."""
    for host in known:
        node = snapshot.node(host.name)
        if not host.on_maintenance or node is None or node.status is not ServiceStatus.ENABLED:
            continue
        book = campaign.watches
        left = book.find_flag(campaign.plan.request.cloud, host.name) if book is not None else None
        ours = left is not None and left.cleared_at is None and left.host_id == host.id
        who = (
            "an earlier run left it so: it is cleared when the node is upgraded and given back"
            if ours
            else "no run did that: it stays so"
        )
        message = f"it is in service and on maintenance in Masakari: its servers are not recovered; {who}"
        remedy = (
            f"if nobody wants that: `openstack segment host update --on_maintenance False "
            f"{host.segment_id} {host.id}`"
        )
        subject = Subject.of_node(host.name)
        yield unmet(Code.RECOVERY_RUNS, subject, message, remedy, Severity.WARNING)
