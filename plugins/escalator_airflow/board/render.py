"""Boards and lists of campaigns as HTML: every text is escaped, nothing in it comes from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from escalator.board.board import Board, CampaignLine, Group, Stand
from escalator.model.order import Verb
from escalator.reports.formatting import format_plain
from escalator_airflow.board.wording import say_gap, say_span, say_time

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
GROUPS = (Group.FAILED, Group.HELD, Group.OUT, Group.WAITING, Group.DONE)
VERBS = {
    Verb.PAUSE: "Pause: no node goes out",
    Verb.RESUME: "Resume",
    Verb.STOP: "Stop: no further node in this run",
    Verb.SKIP: "Skip",
    Verb.HOLD: "Hold",
    Verb.APPROVE: "Approve: go on",
    Verb.ABORT_MOVES: "Abort its moves",
}
STANDS = {
    Stand.RUNNING: "Running",
    Stand.STOPPED: "No further node goes out",
    Stand.PAUSED: "Paused",
    Stand.NEEDS_A_PERSON: "Needs a person",
    Stand.OVER: "Over",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def render_page(board: Board, *, root: str, may_edit: bool, person: str, node: str = "") -> str:
    """Write the page of one campaign.

    :param root: path that the app is mounted at.
    :param node: host of the node that is to be ordered about; empty: none.
    """
    return _render("board.html", root, **_describe(board, node, may_edit=may_edit), person=person)


def render_live(board: Board, *, root: str, may_edit: bool, node: str = "") -> str:
    """Write the parts of the page that change; ``node`` as in the page."""
    return _render("live.html", root, **_describe(board, node, may_edit=may_edit))


def _describe(board: Board, node: str, *, may_edit: bool) -> dict[str, Any]:
    chosen = next((line for line in board.nodes if line.host == node), None)
    return {"board": board, "now": board.made_at, "may_edit": may_edit, "chosen": chosen}


def render_list(campaigns: Sequence[CampaignLine], *, root: str, now: datetime, person: str) -> str:
    """Write the page that lists the campaigns."""
    return _render("campaigns.html", root, campaigns=campaigns, now=now, person=person)


def render_refusal(
    status: int, message: str, *, root: str, where: str = "", remedy: str = "", back: str = ""
) -> str:
    """Write the page that says why there is no other.

    :param back: path of the page that the reader came from; empty: none.
    """
    said = {"status": status, "message": message, "where": where, "remedy": remedy}
    return _render("refused.html", root, **said, back=back)


def _render(template: str, root: str, **given: Any) -> str:
    return _environment().get_template(template).render(root=root, airflow=_find_airflow(root), **given)


def _find_airflow(root: str) -> str:
    """Return the path that Airflow's own pages begin with, from that of the app."""
    return root.rpartition("/")[0] + "/"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"span": say_span, "gap": say_gap, "path": _quote_all, "task_id": _find_task_id}
    made.globals |= {
        "say_time": say_time,
        "seconds_between": _seconds_between,
        "GROUPS": GROUPS,
        "STANDS": STANDS,
        "VERBS": VERBS,
        "version": _find_version(),
    }
    return made


def _finalize(value: Any) -> Any:
    """Take characters out of a text that steer a display or turn the text round."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return "" if value is None else value
    return format_plain(value) if value and not value.isprintable() else value


def _quote_all(text: str) -> str:
    return quote(text, safe="")


def _find_task_id(task: str) -> str:
    """Return the id that Airflow has of a step of a node, from ``host.step``: full domain names have dots."""
    from escalator_airflow.graph import make_group_id  # noqa: PLC0415  heavy: only a page with needs wants it

    host, _, step = task.rpartition(".")
    return f"{make_group_id(host)}.{step}"


def _seconds_between(begin: datetime | None, end: datetime | None) -> float:
    return 0.0 if begin is None or end is None else (end - begin) / timedelta(seconds=1)


def _find_version() -> str:
    """Return what tells this release's files from another's in the cache of a browser."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
