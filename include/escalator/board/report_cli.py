"""``escalator report``: the report of a run, from the ledger."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from escalator.ledger.ledger import Ledger
from escalator.ledger.records import CampaignSummary, Document
from escalator.model.errors import InvalidRequestError
from escalator.model.wording import name_some
from escalator.reports.render import render_html, render_markdown

DONE = 0
FORMS = {"md": render_markdown, "html": render_html}
MOST_RUNS = 1_000
"""How many of the newest runs are looked through."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb ``report`` to a command line."""
    parser = subparsers.add_parser(
        "report",
        help="the report of a run that has ended",
        description="the report of a run that has ended, from the ledger (ESCALATOR_LEDGER_URL)",
    )
    parser.add_argument("run_id", metavar="RUN", nargs="?", help="id of the run; none: the one begun last")
    parser.add_argument("--dag", help="id of its DAG, where runs of several have that id")
    parser.add_argument("--format", choices=("md", "html", "json"), default="md", help="md is the default")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it there; none: print it")


def run(args: argparse.Namespace) -> int:
    """Print the report, or write it.

    :return: 0 done.
    :raises EscalatorError: the ledger cannot be read, or it has no such report.
    """
    ledger = Ledger()
    found = _find_run(ledger, args.run_id, args.dag)
    document = ledger.run(found.campaign, found.run_id).document(Document.REPORT)
    if document is None:
        raise InvalidRequestError(
            f"run {found.run_id} of {found.dag_id} has no report yet",
            remedy="it is written when its task conclude ends; see escalator status",
        )
    text = _render(document, args.format)
    if args.output is None:
        print(text, end="" if text.endswith("\n") else "\n")
    else:
        args.output.write_text(text, encoding="utf-8")
    return DONE


def _render(document: dict[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return FORMS[form](document)


def _find_run(ledger: Ledger, run_id: str | None, dag_id: str | None) -> CampaignSummary:
    """Find the run that is meant, the newest first.

    :raises InvalidRequestError: there is none, or several have that id.
    """
    runs = [run for run in ledger.campaigns(MOST_RUNS) if dag_id in {None, run.dag_id}]
    found = runs[:1] if run_id is None else [run for run in runs if run.run_id == run_id]
    match found:
        case [only]:
            return only
        case []:
            newest = name_some([run.run_id for run in runs])
            remedy = f"it has {newest}" if newest else "see ESCALATOR_LEDGER_URL"
            raise InvalidRequestError(f"the ledger has no run {run_id or ''}".strip(), remedy=remedy)
        case several:
            raise InvalidRequestError(
                f"{len(several)} runs have the id {run_id}",
                remedy=f"name one of --dag {', '.join(run.dag_id for run in several)}",
            )
