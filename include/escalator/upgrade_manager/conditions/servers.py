"""The servers of the targets: how each leaves its node or why it does not, one by one or counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from escalator.model.campaign import UpgradeMode
from escalator.model.check_report import Condition
from escalator.model.cloud import Migration, Server
from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.model.wording import name_some
from escalator.upgrade_manager.conditions.question import (
    Family,
    Question,
    count,
    met,
    unmet,
)
from escalator.upgrade_manager.conditions.timing import format_minutes
from escalator.upgrade_manager.drain.durations import estimate_silent_seconds
from escalator.upgrade_manager.drain.prechecks import (
    MOVABLE_STATES,
    PASSING,
    ServerContext,
    check_server,
    find_ongoing,
)
from escalator.upgrade_manager.drain.stops import find_why_unmovable, is_stoppable
from escalator.upgrade_manager.state.capacity import CapacityBook
from escalator.upgrade_manager.state.hypervisors import hypervisor_of

ONE_BY_ONE = 200
"""Servers on the targets of a domain up to which each is named with its method."""


class Method(StrEnum):
    """What becomes of a server while its node is upgraded."""

    LIVE = "live"
    COLD = "cold"
    STAY = "stay"
    STOP = "stop"
    REST = "rest"


_SAYS = {
    Method.LIVE: "it moves live",
    Method.COLD: "it moves cold",
    Method.STAY: "it stays: its HA group serves without it meanwhile",
    Method.STOP: "it is stopped before the upgrade of its node, and started again after",
    Method.REST: "it stays, shut off as it is: it is not started after the upgrade either",
}


def choose_method(book: CapacityBook, server: Server) -> Method | None:
    """Return what becomes of a server that nothing blocks; None while its state does not say."""
    if server.on_no_node:
        return None
    if book.stays(server):
        return Method.STAY
    if server.vm_state not in MOVABLE_STATES:
        return None
    if server.migration == "none":
        return Method.STOP if server.vm_state == "active" else Method.REST
    live = server.migration == "live" and server.vm_state in {"active", "paused"}
    return Method.LIVE if live else Method.COLD


def check_methods(question: Question, domain: str) -> Iterator[Condition]:
    """Say of every server on the targets how it leaves, or what blocks it; of many, count the methods."""
    pending = question.pending_in(domain)
    one_by_one = sum(len(question.book.servers(host)) for host in pending) <= ONE_BY_ONE
    migrations = _by_server(question)
    for host in pending:
        methods: Counter[Method] = Counter()
        for server in question.book.servers(host):
            findings = tuple(_findings(question, server, migrations))
            yield from findings
            method = choose_method(question.book, server)
            if method is None or any(f.blocks for f in findings):
                continue
            methods[method] += 1
            if one_by_one:
                yield met(
                    Code.SERVER_METHOD,
                    server.subject,
                    f"on {host}: {describe_method(question, server, method)}",
                )
        yield met(
            Code.SERVER_METHOD, Subject.of_node(host), _counted(methods, len(question.book.servers(host)))
        )


def describe_method(question: Question, server: Server, method: Method) -> str:
    """Say what becomes of a server; of one that is stopped why, for how long, and who is told."""
    if method is not Method.STOP:
        return _SAYS[method]
    why = find_why_unmovable(server, hypervisor_of(question.nodes.get(server.host or "")))
    silent = estimate_silent_seconds(question.plan.expected)
    return (
        f"{_SAYS[method]}, as {why}: it is silent for about {format_minutes(silent.p50)}, "
        f"in nine cases of ten for at most {format_minutes(silent.p90)}; {_say_who_is_told(question, server)}"
    )


def _say_who_is_told(question: Question, server: Server) -> str:
    if question.manager_of is None:
        return "its VNF manager, if it has one, is told before"
    manager = question.manager_of.get(server.id)
    return f"VNF manager {manager} is told before" if manager else "nobody manages it: tell its owner"


def check_hosts(question: Question, _domain: str) -> Iterator[Condition]:
    """Name the servers that are said to be on a host which is not among the nodes of the cloud."""
    there: dict[str, list[str]] = {}
    for server in question.snapshot.servers:
        if server.host is not None and server.host not in question.nodes and not server.on_no_node:
            there.setdefault(server.host, []).append(server.name)
    for host, names in sorted(there.items()):
        yield unmet(
            Code.NODE_UNKNOWN,
            Subject.of_node(host),
            f"{count(len(names), 'server')} ({name_some(sorted(names))}) on this host, which is not among "
            "the nodes of the cloud: nothing is done with them",
            "see whether its nova-compute service was deleted or renamed (openstack compute service list)",
            Severity.WARNING,
        )


def _findings(
    question: Question, server: Server, migrations: dict[str, tuple[Migration, ...]]
) -> Iterator[Condition]:
    """Give what is in the way of a server, in the mode that was asked for."""
    non_smooth = question.plan.request.mode is UpgradeMode.NON_SMOOTH
    context = ServerContext(
        migrations=migrations.get(server.id, ()),
        hypervisor=hypervisor_of(question.nodes.get(server.host or "")),
    )
    for verdict in check_server(server, context):
        if verdict.code is Code.SERVER_PINNED and server.migration == "none":
            if question.book.stays(server) or (non_smooth and is_stoppable(server)):
                continue
            remedy = _PAUSED_REMEDY if non_smooth else _PINNED_REMEDY
            yield _unmet(server, replace(verdict, remedy=remedy))
        elif verdict.code is Code.SERVER_REFUSED and is_stoppable(server) and not question.book.stays(server):
            yield _unmet(server, replace(verdict, remedy=f"{verdict.remedy}; {_OR_NON_SMOOTH}"))
        elif verdict.severity is Severity.INFO:
            yield met(verdict.code, verdict.subject, verdict.message)
        elif _passes(question, server, verdict) or question.book.stays(server):
            yield _unmet(server, replace(verdict, severity=Severity.WARNING))
        else:
            yield _unmet(server, verdict)


_OR_NON_SMOOTH = "or upgrade in non-smooth mode, which stops it and starts it again"
_PINNED_REMEDY = (
    "upgrade in non-smooth mode, which stops it and starts it again; or take it off the node by hand, "
    "or allow its move, or leave the node out"
)


_PAUSED_REMEDY = (
    "Nova stops no paused server: unpause it with its owner's consent, then it is stopped and started again; "
    "or leave the node out"
)


def _passes(question: Question, server: Server, verdict: Verdict) -> bool:
    """Tell whether a finding may be over when the turn of the server's node comes.

    A resize is, too, that another campaign will confirm.
    """
    if verdict.code is Code.SERVER_UNCONFIRMED_RESIZE and server.host is not None:
        return question.passing(question.nodes[server.host].domain)
    return verdict.code in PASSING


def _unmet(server: Server, verdict: Verdict) -> Condition:
    return unmet(
        verdict.code,
        verdict.subject,
        f"on {server.host}: {verdict.message}",
        verdict.remedy or "leave the node out",
        verdict.severity,
    )


def _by_server(question: Question) -> dict[str, tuple[Migration, ...]]:
    """Return the migrations that really go on, by the id of their server."""
    snapshot = question.snapshot
    if not snapshot.migrations:
        return {}
    found: dict[str, tuple[Migration, ...]] = {}
    for migration in find_ongoing(snapshot.migrations, snapshot.servers, snapshot.taken_at):
        found[migration.server_id] = (*found.get(migration.server_id, ()), migration)
    return found


def _counted(methods: Counter[Method], total: int) -> str:
    if not total:
        return "no server is on it"
    parts = [f"{methods[method]} {method}" for method in Method if methods[method]]
    blocked = total - methods.total()
    return f"{count(total, 'server')}: " + ", ".join([*parts, *([f"{blocked} not"] if blocked else [])])


def _says(question: Question, domain: str) -> str:
    total = sum(len(question.book.servers(host)) for host in question.pending_in(domain))
    return f"{count(total, 'server')} on the targets: none is in the way of its node"


HOSTS = Family(code=Code.NODE_UNKNOWN, check=check_hosts)
FAMILY = Family(code=Code.SERVERS_MOVABLE, check=check_methods, says=_says)
