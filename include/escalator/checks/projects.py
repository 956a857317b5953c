"""What an upgrade means for the servers of each project: a page and a document for its owner."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from escalator.model.check_report import CheckReport
from escalator.model.cloud import CloudSnapshot, Server
from escalator.model.digest import compute_digest
from escalator.model.errors import InvalidRequestError
from escalator.model.verdict import SubjectType
from escalator.simulator.engine import play_campaign
from escalator.simulator.options import SimulationOptions
from escalator.upgrade_manager.conditions.question import Question
from escalator.upgrade_manager.conditions.servers import Method, choose_method, describe_method
from escalator.upgrade_manager.conditions.timing import format_minutes
from escalator.upgrade_manager.conditions.unread import is_incomplete
from escalator.upgrade_manager.drain.stops import mark_unmovable

SCHEMA = "escalator.project/1"
BLOCKED = "blocked"
NO_PROJECT = "no-project"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")

Document = dict[str, Any]


def describe_projects(
    question: Question, report: CheckReport, options: SimulationOptions, *, bundle: str | None
) -> dict[str, Document]:
    """Say of every project what happens to its servers on the targets, when, how, and why not otherwise.

    :param options: how the campaign is expected to go; times are seconds from its start.
    :return: project id -> ``escalator.project/1``, of projects with a server on a target.
    :raises InvalidRequestError: too little of the cloud may be read.
    """
    if is_incomplete(question):
        raise InvalidRequestError(
            "not enough of the cloud may be read to say what happens to the servers of each project",
            remedy="see what the check says that this user may not read",
        )
    snapshot = question.snapshot
    times = _find_times(snapshot, options)
    blocked = {
        c.subject.id: c.message for c in report.unmet if c.blocks and c.subject.type is SubjectType.SERVER
    }
    found: dict[str, Document] = {}
    for server in sorted(_list_servers(question), key=lambda server: (server.name, server.id)):
        document = found.setdefault(
            server.project_id,
            {
                "schema": SCHEMA,
                "cloud": snapshot.cloud,
                "project_id": server.project_id,
                "taken_at": snapshot.taken_at.isoformat(),
                "bundle": bundle,
                "may_begin": report.met,
                "servers": [],
            },
        )
        document["servers"].append(_describe(question, server, blocked.get(server.id), times))
    return found


def write_projects(folder: Path, projects: Mapping[str, Document]) -> None:
    """Write a page (Markdown) and a document (JSON) of each project; a second run writes them anew.

    :raises InvalidRequestError: the folder cannot be written into.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for project_id, document in projects.items():
            name = name_file(project_id)
            (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
            (folder / f"{name}.md").write_text("\n".join(list_lines(document)) + "\n", encoding="utf-8")
    except OSError as exc:
        raise InvalidRequestError(
            f"{folder} cannot be written into: {exc.strerror or exc}", remedy="choose another folder"
        ) from exc


def name_file(project_id: str) -> str:
    """Return the name of a project's files: its id; what is no plain name gets a digest."""
    if not project_id:
        return NO_PROJECT
    return (
        project_id
        if _PLAIN.fullmatch(project_id)
        else f"project-{compute_digest({'project': project_id})[:12]}"
    )


def list_lines(document: Document) -> Iterator[str]:
    """Put the document of a project into a page."""
    servers = document["servers"]
    yield f"# Maintenance of {document['cloud']}: project {document['project_id'] or '(none)'}"
    yield ""
    brought = f" to {document['bundle']}" if document["bundle"] else ""
    yield f"The nodes of {len(servers)} server(s) of this project are upgraded{brought}."
    yield "Times are expected ones, and count from the start."
    if not document["may_begin"]:
        yield "**It cannot begin yet**: something is in its way."
    yield ""
    yield "| Server | Id | What happens | Expected | Why |"
    yield "|---|---|---|---|---|"
    for server in servers:
        cells = (server["name"], server["id"], server["what"], _say_when(server), server["why"])
        yield f"| {' | '.join(map(_escape, cells))} |"


def _list_servers(question: Question) -> Iterator[Server]:
    for domain in question.domains:
        for host in question.pending_in(domain):
            yield from question.book.servers(host)


def _find_times(snapshot: CloudSnapshot, options: SimulationOptions) -> dict[str, tuple[float, float]]:
    """Return from when to when something happens to each server, and to each node by its host (s)."""
    trace, _ = play_campaign(mark_unmovable(snapshot, options.mode), options)
    begun: dict[str, float] = {}
    times: dict[str, tuple[float, float]] = {}
    for event in trace["events"]:
        match event["event"]:
            case "admit":
                begun[event["host"]] = event["t"]
            case "move_start":
                begun[event["server"]] = event["t"]
            case "move_end":
                server, t = event["server"], event["t"]
                times.setdefault(server, (begun.get(server, t), t))
            case "release":
                times[event["host"]] = (begun.get(event["host"], event["t"]), event["t"])
    return times


def _describe(
    question: Question, server: Server, blocked: str | None, times: Mapping[str, tuple[float, float]]
) -> Document:
    method = None if blocked is not None else choose_method(question.book, server)
    moves = method in {Method.LIVE, Method.COLD}
    span = times.get(server.id) if moves else times.get(server.host or "")
    if blocked is not None:
        what, why, span = "nothing until this is mended", blocked, None
    elif method is None:
        what, why, span = "decided when its state is settled", f"it is {server.vm_state}", None
    else:
        what, why = describe_method(question, server, method), _explain(server, method)
    return {
        "id": server.id,
        "name": server.name,
        "method": BLOCKED if blocked is not None else method,
        "what": what,
        "why": why,
        "begins_at_seconds": None if span is None else span[0],
        "ends_at_seconds": None if span is None else span[1],
    }


def _explain(server: Server, method: Method) -> str:
    """Say why a server does not move live; of one that does there is nothing to say."""
    match method:
        case Method.COLD if server.vm_state not in {"active", "paused"}:
            return f"it is {server.vm_state}: only a server that runs moves live"
        case Method.COLD:
            return "its owner or its VNF asks for it, or what it has cannot move live"
        case Method.STAY:
            return f"a member of {server.ha_group}" if server.ha_group else "its owner agreed"
        case Method.REST:
            return f"it cannot be moved, and is {server.vm_state}"
        case Method.LIVE | Method.STOP:
            return ""


def _say_when(server: Mapping[str, Any]) -> str:
    begins, ends = server["begins_at_seconds"], server["ends_at_seconds"]
    if begins is None or ends is None:
        return "not known"
    return f"after {format_minutes(begins)}, until {format_minutes(ends)}"


def _escape(text: str) -> str:
    """Keep a name in its cell of a table, and markup out of it."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"([\\|<>`*_\[\]&])", lambda found: f"&#{ord(found[1])};", plain)
