"""Findings: what is not as it was before the campaign, and what a person should look at."""

from __future__ import annotations

from collections.abc import Iterable

from escalator.model.campaign import NodeState, Step
from escalator.model.cloud import CloudSnapshot, Node, Server, ServiceStatus
from escalator.model.verdict import Code, Severity, SubjectType
from escalator.reports.facts import CampaignFacts
from escalator.reports.interruptions import GuestEvents
from escalator.reports.no_return import find_no_returns
from escalator.reports.own_rollbacks import find_own_rollbacks
from escalator.reports.rows import Finding, Row, make_row, make_row_of_campaign
from escalator.reports.service_gaps import find_service_gaps
from escalator.reports.stops import find_down
from escalator.reports.watchers import find_flags_left

INTERRUPTION_LIMIT_MS = 1000.0
"""Interruption of one server that Escalator's requirements allow for one switch."""
_ORDER = (Severity.BLOCKER, Severity.WARNING, Severity.INFO)
_NOT_DONE = frozenset({NodeState.FAILED, NodeState.HELD})


def find(facts: CampaignFacts, events: GuestEvents, moves: Iterable[Row]) -> list[Row]:
    """Collect every finding, the gravest first.

    :param moves: the moves as the report describes them.
    """
    rows = [
        *_verdicts(facts),
        *_nodes(facts),
        *_approvals(facts),
        *_orders(facts),
        *_interruptions(moves, facts.before),
        *find_service_gaps(facts),
        *find_down(facts),
    ]
    rows += [*_switchovers(facts), *_not_restored(facts), *_quotas(facts)]
    rows += [*find_flags_left(facts), *find_own_rollbacks(facts), *find_no_returns(facts)]
    before, after = facts.before, facts.after
    if before is not None and after is not None:
        rows += [*_servers(before, after), *_services(before, after)]
    elif not facts.refused and not facts.plan.request.dry_run:
        rows.append(
            make_row_of_campaign(
                facts,
                Severity.WARNING,
                Finding.SNAPSHOT_MISSING,
                "a snapshot before or after is missing: servers cannot be compared",
            )
        )
    if events.unreadable_lines:
        rows.append(
            make_row_of_campaign(
                facts,
                Severity.INFO,
                Finding.EVENTS_UNREADABLE,
                f"{events.unreadable_lines} line(s) of the guest event logs are unreadable",
            )
        )
    return sorted(rows, key=lambda row: _ORDER.index(row["severity"]))


def _switchovers(facts: CampaignFacts) -> list[Row]:
    """Name managers that were silent, refused or did not speak the truth, and services that stayed."""
    found: dict[tuple[str, str], Row] = {}
    for run in facts.steps:
        for trouble in run.details.get("troubles", ()) if run.step is Step.SWITCHOVER else ():
            code, message = str(trouble["code"]), str(trouble["message"])
            row = make_row(Severity.WARNING, code, SubjectType.NODE, run.host, message=message)
            found.setdefault((run.host, message), row)
    return list(found.values())


def _not_restored(facts: CampaignFacts) -> Iterable[Row]:
    """Name what switchovers changed and nobody restored, or not as it was."""
    for switch in facts.switches:
        words, remedy = list(switch.not_restored), None
        if switch.is_to_restore:
            words.insert(0, f"what its switchover by {switch.method} changed is not restored, {switch.found}")
            remedy = (
                f"it is restored when the node is given back: clear {switch.host}.release, or "
                f"{switch.host}.admit with downstream when the node is out; or restore it by hand"
            )
        if words:
            message = f"HA group {switch.group}, server {switch.from_server}: {'; '.join(words)}"
            code, kind = Finding.SERVICE_NOT_RESTORED, SubjectType.NODE
            yield make_row(Severity.WARNING, code, kind, switch.host, message=message, remedy=remedy)


def _quotas(facts: CampaignFacts) -> Iterable[Row]:
    """Name projects whose quotas could not be frozen, or are not as they were."""
    for part, code in (("freeze", Finding.QUOTA_NOT_FROZEN), ("restore", Finding.QUOTA_NOT_RESTORED)):
        for found in facts.scaling.get(part, {}).values():
            yield from (make_row_of_campaign(facts, Severity.WARNING, code, words) for words in found)
    for quota in facts.frozen:
        if not facts.scaling.get("restore", {}).get(quota.project_id):
            stands = f"is frozen at {quota.set_to} still, it was {quota.found}"
            message = f"project {quota.project_id}: the quota {quota.name} {stands}"
            yield make_row_of_campaign(facts, Severity.WARNING, Finding.QUOTA_NOT_RESTORED, message)


def compare_servers(facts: CampaignFacts) -> list[Row]:
    """List every server of the two snapshots: where and how it was, before and after."""
    before, after = _servers_of(facts.before), _servers_of(facts.after)
    names = {server.id: server.name for server in (*before.values(), *after.values())}
    moves: dict[str, int] = {}
    for move in facts.moves:
        moves[move.server_id] = moves.get(move.server_id, 0) + move.succeeded
    rows = []
    for server_id in sorted(before.keys() | after.keys()):
        old, new = before.get(server_id), after.get(server_id)
        rows.append(
            {
                "id": server_id,
                "name": names[server_id],
                "vm_state_before": old and old.vm_state,
                "vm_state_after": new and new.vm_state,
                "host_before": old and old.host,
                "host_after": new and new.host,
                "moves": moves.get(server_id, 0),
            }
        )
    return sorted(rows, key=lambda row: (str(row["name"]), row["id"]))


def _interruptions(moves: Iterable[Row], before: CloudSnapshot | None) -> Iterable[Row]:
    """Find servers that a move interrupted for longer than they bear: what they say, else a second."""
    servers = before.servers if before is not None else ()
    own = {s.id: limit * 1000 for s in servers if (limit := s.max_interruption_seconds) is not None}
    for move in moves:
        gap, allowed = move["interruption_ms"], own.get(move["id"], INTERRUPTION_LIMIT_MS)
        if gap is not None and gap > allowed:
            message = f"was interrupted for {gap:.0f} ms on its way to {move['to']}"
            if move["id"] in own:
                message += f"; it bears {allowed:.0f} ms"
            yield make_row(
                Severity.WARNING,
                Finding.INTERRUPTION_LONG,
                SubjectType.SERVER,
                move["id"],
                move["name"],
                message=message,
            )


def _verdicts(facts: CampaignFacts) -> Iterable[Row]:
    for v in facts.verdicts:
        yield make_row(
            v.severity,
            v.code,
            v.subject.type,
            v.subject.id,
            v.subject.name,
            message=v.message,
            remedy=v.remedy,
        )


def _nodes(facts: CampaignFacts) -> Iterable[Row]:
    """Name the nodes that the campaign did not bring to an end."""
    if facts.refused or facts.plan.request.dry_run:
        return
    for host in facts.plan.hosts:
        node = facts.view.of(host)
        if node.state in _NOT_DONE:
            code = node.code or Finding.NODE_UNFINISHED
            yield make_row(
                Severity.BLOCKER, code, SubjectType.NODE, host, message=f"{node.state}: {node.message}"
            )
        elif node.left_for_next_window:
            message = f"left for the next window: {node.message}"
            remedy = "nothing: a run in the next window begins where this one ended"
            yield make_row(
                Severity.INFO, Code.WINDOW_CLOSED, SubjectType.NODE, host, message=message, remedy=remedy
            )
        elif node.state not in {NodeState.RELEASED, NodeState.SKIPPED}:
            message = f"the campaign ended while it was {node.state}" + (
                f": {node.message}" if node.message else ""
            )
            yield make_row(
                Severity.WARNING,
                node.code or Finding.NODE_UNFINISHED,
                SubjectType.NODE,
                host,
                message=message,
            )


def _approvals(facts: CampaignFacts) -> Iterable[Row]:
    """Tell who said after which node that the campaign goes on, and that nodes go out one-way, or do not."""
    for host, answer in sorted(facts.view.approvals.items()):
        severity = Severity.INFO if answer.go_on else Severity.WARNING
        code = Code.APPROVAL if answer.go_on else Code.APPROVAL_REFUSED
        said = "the campaign goes on" if answer.go_on else "no further node goes out"
        who = answer.by or "nobody in time"
        message = f"after it {said}: {who}, {answer.at.isoformat(timespec='seconds')}"
        yield make_row(severity, code, SubjectType.NODE, host, message=message)
    crossing = facts.view.crossing
    if crossing is not None:
        code = Code.APPROVAL if crossing.go_on else Code.APPROVAL_REFUSED
        severity = Severity.INFO if crossing.go_on else Severity.WARNING
        said = (
            "nodes that cannot go back go out" if crossing.go_on else "no node that cannot go back goes out"
        )
        when = crossing.at.isoformat(timespec="seconds")
        message = f"{said}: {crossing.by or 'nobody in time'}, {when}"
        yield make_row(severity, code, SubjectType.CAMPAIGN, facts.plan.campaign, message=message)


def _orders(facts: CampaignFacts) -> Iterable[Row]:
    """Tell who ordered what of the run, and when it took effect."""
    for order in facts.view.orders:
        at = order.effective_at
        took = f"took effect {at.isoformat(timespec='seconds')}" if at else "it never took effect"
        message = f"{order}; {order.effect}; {took}"
        if order.host is None:
            yield make_row_of_campaign(facts, Severity.INFO, Finding.ORDERED, message)
        else:
            yield make_row(Severity.INFO, Finding.ORDERED, SubjectType.NODE, order.host, message=message)


def _servers(before: CloudSnapshot, after: CloudSnapshot) -> Iterable[Row]:
    """Compare every server with itself."""
    old, new = _servers_of(before), _servers_of(after)
    for server_id in sorted(old.keys() - new.keys()):
        server = old[server_id]
        message = f"was on {server.host}, {server.vm_state}; is not there any more"
        yield make_row(
            Severity.BLOCKER,
            Finding.SERVER_VANISHED,
            SubjectType.SERVER,
            server_id,
            server.name,
            message=message,
            remedy="ask its owner whether it was deleted on purpose",
        )
    for server_id in sorted(new.keys() - old.keys()):
        server = new[server_id]
        yield make_row(
            Severity.INFO,
            Finding.SERVER_APPEARED,
            SubjectType.SERVER,
            server_id,
            server.name,
            message=f"came during the campaign, is on {server.host}",
        )
    disabled = {n.host: n for n in after.nodes if n.status is ServiceStatus.DISABLED}
    for server_id in sorted(old.keys() & new.keys()):
        was, now = old[server_id], new[server_id]
        yield from _changes(was, now)
        if now.host in disabled and now.host != was.host:
            yield make_row(
                Severity.WARNING,
                Finding.SERVER_ON_DISABLED_NODE,
                SubjectType.SERVER,
                server_id,
                now.name,
                message=f"came to {now.host}, which is {_status(disabled[now.host])}",
            )


def _changes(was: Server, now: Server) -> Iterable[Row]:
    """Say in which words the state of a server differs."""
    words = (
        ("vm_state", was.vm_state, now.vm_state),
        ("power_state", was.power_state, now.power_state),
        ("task_state", was.task_state, now.task_state),
    )
    changed = [f"{word} {before} -> {after}" for word, before, after in words if before != after]
    if changed:
        grave = was.vm_state != now.vm_state
        yield make_row(
            Severity.BLOCKER if grave else Severity.WARNING,
            Finding.SERVER_CHANGED_STATE,
            SubjectType.SERVER,
            now.id,
            now.name,
            message="; ".join(changed),
            remedy="compare with what its owner did meanwhile",
        )


def _services(before: CloudSnapshot, after: CloudSnapshot) -> Iterable[Row]:
    """Compare whether each node is in service, and the reason when it is not."""
    new = {n.host: n for n in after.nodes}
    for node in before.nodes:
        host = node.host
        if host not in new:
            yield make_row(
                Severity.WARNING,
                Finding.NODE_VANISHED,
                SubjectType.NODE,
                host,
                message="Nova does not list it any more",
            )
            continue
        was, now = _status(node), _status(new[host])
        if was != now:
            yield make_row(
                Severity.WARNING,
                Finding.NODE_CHANGED_STATUS,
                SubjectType.NODE,
                host,
                message=f"was {was}, is {now}",
            )


def _status(node: Node) -> str:
    disabled = node.status is ServiceStatus.DISABLED
    return f"{node.status} ({node.disabled_reason})" if disabled else str(node.status)


def _servers_of(snapshot: CloudSnapshot | None) -> dict[str, Server]:
    return {} if snapshot is None else {server.id: server for server in snapshot.servers}
