"""A report as text for people: Markdown for a terminal, one HTML page for everybody else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from escalator.model.bundle import MechanismType, RebootPolicy
from escalator.model.campaign import Step
from escalator.model.verdict import Severity
from escalator.reports import formatting
from escalator.reports.document import CampaignOutcome
from escalator.reports.software import list_changes, make_table
from escalator.reports.timeline import lay_out

_TEMPLATES = Path(__file__).parent / "templates"
_HEADLINES = {
    CampaignOutcome.COMPLETED: "Completed",
    CampaignOutcome.INCOMPLETE: "Not completed",
    CampaignOutcome.WINDOW_CLOSED: "To be continued",
    CampaignOutcome.REFUSED: "Refused",
    CampaignOutcome.DRY_RUN: "Dry run",
}
_ATTENTION = ", but needs attention"
_MARKS = {"blocker": "act", "warning": "look", "info": "know"}


def render_html(document: Mapping[str, Any]) -> str:
    """Write the report as one HTML page that needs nothing else; every text in it is escaped."""
    return _render("report.html.j2", document)


def render_markdown(document: Mapping[str, Any]) -> str:
    """Write the report as Markdown whose tables line up in a terminal."""
    return _render("report.md.j2", document)


def _render(template: str, document: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "plain": formatting.format_plain,
        "md": formatting.format_markdown,
        "duration": formatting.format_duration,
        "moment": formatting.format_moment,
    }
    environment.globals |= {
        "milliseconds": formatting.format_milliseconds,
        "table": formatting.make_markdown_table,
    }
    done = document["outcome"] == CampaignOutcome.COMPLETED
    attention = done and any(finding["severity"] == Severity.BLOCKER for finding in document["findings"])
    return environment.get_template(template).render(
        report=document,
        headline=_HEADLINES[CampaignOutcome(document["outcome"])] + (_ATTENTION if attention else ""),
        attention=attention,
        summary=_summary(document),
        moves=[move for node in document["nodes"] for move in node["moves"]],
        api_rows=_api_rows(document),
        steps=[str(step) for step in Step],
        timeline=lay_out(document),
        changes=list_changes(document["nodes"]),
        software=make_table(document["nodes"]),
        marks=_MARKS,
    )


def _summary(document: Mapping[str, Any]) -> str:
    """Say in one sentence what became of the nodes."""
    states: Mapping[str, int] = document["totals"]["states"]
    total = document["totals"]["nodes"]
    match CampaignOutcome(document["outcome"]):
        case CampaignOutcome.REFUSED:
            return "The campaign did not start; nothing was written to the cloud."
        case CampaignOutcome.DRY_RUN:
            return f"A dry run over {_count(total, 'node')}: nothing was written to the cloud."
        case (
            CampaignOutcome.COMPLETED | CampaignOutcome.INCOMPLETE | CampaignOutcome.WINDOW_CLOSED
        ) as outcome:
            closed = outcome is CampaignOutcome.WINDOW_CLOSED
            words = {"waiting": "left for the next window"} if closed else {}
            others = [f"{n} {words.get(state, state)}" for state, n in states.items() if state != "released"]
            rest = f"; {', '.join(others)}" if others else ""
            done = _say_done(document["bundle"], document.get("undoes"), document.get("restores"))
            return f"{states.get('released', 0)} of {_count(total, 'node')} {done}{rest}."


def _say_done(
    bundle: Mapping[str, Any], undoes: Mapping[str, Any] | None, restores: Mapping[str, Any] | None
) -> str:
    """Say what became of a node that was given back: a bundle that brings nothing upgrades none."""
    if restores:
        return f"put back to backup {restores['backup']} of {restores['taken_at']}"
    mechanism = bundle["document"].get("mechanism")
    if not isinstance(mechanism, Mapping) or mechanism.get("type") != MechanismType.NONE:
        back = (
            f"brought back to {bundle['target_version']}, as before run {undoes['run_id']}" if undoes else ""
        )
        return back or f"upgraded to {bundle['target_version']}"
    rebooted = bundle["document"].get("reboot") == RebootPolicy.ALWAYS
    return "rebooted, proved and given back" if rebooted else "proved and given back"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _api_rows(document: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Sum the API calls of each step over all nodes, the campaign's own tasks first."""
    totals: dict[str, int] = dict(document["totals"]["campaign_api_calls"])
    for node in document["nodes"]:
        for step, calls in node["api_calls"].items():
            totals[step] = totals.get(step, 0) + calls
    return list(totals.items())
