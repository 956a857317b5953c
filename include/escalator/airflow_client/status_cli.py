"""``escalator status``: how a campaign stands, as its board shows it, in a terminal."""

from __future__ import annotations

import argparse
import json
import shlex
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from escalator.airflow_client.cli import BAD_INPUT, DONE, complain, open_client
from escalator.airflow_client.errors import AirflowUnavailableError, refuse_other_forms
from escalator.airflow_client.which_run import add_run_options, find_run
from escalator.model.errors import InvalidRequestError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from escalator.airflow_client.client import AirflowClient

    Document = Mapping[str, Any]

POLL_SECONDS = 2.0
OVER = "over"
COLORS = {"done": "green", "out": "cyan", "held": "yellow", "failed": "red"}
LAST_ORDERS = 5
"""Orders that are shown, the last ones."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb ``status`` to a command line."""
    parser = subparsers.add_parser(
        "status",
        help="how a campaign stands, and why its nodes wait",
        description="how a campaign stands, and why its nodes wait: the board, as Airflow has it, "
        "of the run that goes on, else of the newest",
    )
    parser.add_argument("--watch", action="store_true", help="show it anew every 2 s until it is over")
    parser.add_argument("--json", action="store_true", help="print the board's JSON and nothing else")
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show how the campaign stands.

    :return: 0 shown, 2 bad input, or Airflow does not answer.
    """
    try:
        with open_client(args) as client:
            meant = find_run(client, args, ended=True)
            if args.json:
                print(json.dumps(client.campaigns.fetch_board(meant.dag_id, meant.run_id), indent=1))
            elif args.watch:
                _watch(client, meant.dag_id, meant.run_id)
            else:
                Console().print(_fetch(client, meant.dag_id, meant.run_id)[0])
    except KeyboardInterrupt:
        return DONE
    except (InvalidRequestError, TransientError) as error:
        complain(error)
        return BAD_INPUT
    return DONE


def _watch(client: AirflowClient, dag_id: str, run_id: str) -> None:
    """Show it until it is over; an API server that is away for a while is waited for."""
    shown, over = _fetch(client, dag_id, run_id)
    with Live(shown, auto_refresh=False) as live:
        while not over:
            time.sleep(POLL_SECONDS)
            try:
                shown, over = _fetch(client, dag_id, run_id)
            except AirflowUnavailableError as error:
                live.update(Group(shown, Text(f"{error.message}: this is how it was", "red")), refresh=True)
            else:
                live.update(shown, refresh=True)


def _fetch(client: AirflowClient, dag_id: str, run_id: str) -> tuple[RenderableType, bool]:
    board = client.campaigns.fetch_board(dag_id, run_id)
    return make_picture(board, client.campaigns.list_orders(dag_id, run_id), datetime.now(UTC))


@refuse_other_forms
def make_picture(board: Document, orders: Sequence[Document], now: datetime) -> tuple[RenderableType, bool]:
    """Draw a board; tell whether its campaign is over.

    :param orders: what was ordered of it, the earliest first.
    """
    head = board["campaign"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("node", "state", "since", "why"):
        table.add_column(name, overflow="fold", no_wrap=name != "why")
    for node in board["nodes"]:
        color = COLORS.get(node["group"], "")
        why = "; ".join(filter(None, (node["why"], node.get("remedy", ""))))
        row = (node["host"], node["state"], _tell_age(node["since"], now), why)
        table.add_row(*(Text(str(cell), color) for cell in row))
    parts: list[RenderableType] = [Text(line) for line in _describe(head, board)]
    parts += ["", table]
    if orders:
        parts += ["", *(Text(_describe_order(order)) for order in orders[-LAST_ORDERS:])]
    over = head["stand"] == OVER
    if over:
        parts += ["", Text(f"what came of it: escalator report {shlex.quote(head['run_id'])}")]
    return Group(*parts), over


def _describe(head: Document, board: Document) -> list[str]:
    """Say in a few lines what is brought where, and how far that is."""
    before = ", ".join(head["from_versions"]) or "?"
    counts = ", ".join(f"{count} {name}" for name, count in head["nodes"].items() if count)
    lines = [
        f"{head['dag_id']} {head['run_id']}: {head['stand']}" + (" (dry run)" if head["dry_run"] else ""),
        f"{head['procedure']} by {head['bundle']}, {before} -> {head['target_version']}",
        f"{counts or 'no node'}; at most {head['parallel']} out at once, {head['failures_allowed']} may fail",
    ]
    if head["window_end"]:
        lines.append(f"window until {head['window_end']}")
    forecast = board.get("forecast")
    if isinstance(forecast, dict):
        lines.append(
            f"expected end {forecast['expected']}, between {forecast['earliest']} and {forecast['latest']}"
        )
    return lines


def _describe_order(order: Document) -> str:
    what = " ".join(filter(None, (order["verb"], order["host"])))
    when = f"took effect {order['effective_at']}" if order["effective_at"] else "not in effect yet"
    return f"{order['by']} ordered {what}: {order['reason']} ({when})"


def _tell_age(since: str | None, now: datetime) -> str:
    if not since:
        return ""
    seconds = max(0, round((now - datetime.fromisoformat(since)).total_seconds()))
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
    )
