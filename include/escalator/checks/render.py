"""Reports of a check for people: tables on a terminal, plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from escalator.model.check_report import CheckReport, Condition, SpareProposal
from escalator.model.verdict import Severity
from escalator.upgrade_manager.conditions.question import count
from escalator.upgrade_manager.conditions.timing import format_minutes

_COLOURS = {"blocker": "red", "warning": "yellow", "info": "cyan", "met": "green"}


def show(report: CheckReport, stream: TextIO) -> None:
    """Print a report: as a table where a person looks on, else line by line."""
    if stream.isatty():
        _show_table(report, Console(file=stream))
    else:
        stream.write("".join(f"{line}\n" for line in list_lines(report)))


def list_lines(report: CheckReport) -> Iterator[str]:
    """Give a report as plain lines: the result, what is not met and its remedy, what is met."""
    yield say_headline(report)
    for condition in (*report.unmet, *(c for c in report.conditions if c.met)):
        yield f"{_word(condition):<8} {condition.subject}: {condition.message} [{condition.code}]"
        if not condition.met and condition.remedy:
            yield f"{'':<8} -> {condition.remedy}"
    if report.spare is not None:
        yield f"{'spare':<8} {describe_spare(report.spare)}"
        for alternative in report.spare.alternatives:
            yield f"{'':<8} or: {alternative}"
    if report.expected.p90:
        yield f"{'expected':<8} {_expected(report)}"


def say_headline(report: CheckReport) -> str:
    """Say the result in one line."""
    blocking = sum(condition.blocks for condition in report.conditions)
    warnings = sum(not c.met and c.severity is Severity.WARNING for c in report.conditions)
    good = sum(condition.met for condition in report.conditions)
    result = "MET" if report.met else "NOT MET"
    said = (
        f"{count(blocking, 'condition')} block{_third_person(blocking)}",
        f"{warnings} warn{_third_person(warnings)}",
        f"{good} {'is' if good == 1 else 'are'} met",
    )
    return f"{result}: {', '.join(said)}"


def _third_person(number: int) -> str:
    return "s" if number == 1 else ""


def describe_spare(spare: SpareProposal) -> str:
    """Say in words which nodes are missing."""
    amounts = ", ".join(f"{item.capacity} {name}" for name, item in sorted(spare.inventory.items()))
    traits = f" and the traits {', '.join(spare.traits)}" if spare.traits else ""
    nodes = "1 more node" if spare.nodes == 1 else f"{spare.nodes} more nodes"
    return f"{nodes} in domain {spare.domain} would do, with {amounts}{traits}"


def _word(condition: Condition) -> str:
    return "met" if condition.met else condition.severity.value


def _expected(report: CheckReport) -> str:
    p50, p90 = (format_minutes(seconds) for seconds in (report.expected.p50, report.expected.p90))
    return f"{p50}, or {p90} when it goes slowly (nine in ten are faster)"


def _show_table(report: CheckReport, console: Console) -> None:
    table = Table(title=say_headline(report), title_style="bold", title_justify="left", show_lines=False)
    for heading in ("", "about", "what", "remedy"):
        table.add_column(heading, overflow="fold")
    for condition in (*report.unmet, *(c for c in report.conditions if c.met)):
        word = _word(condition)
        table.add_row(
            Text(word, style=_COLOURS[word]),
            Text(str(condition.subject)),
            Text(f"{condition.message} [{condition.code}]"),
            Text("" if condition.met else condition.remedy or ""),
        )
    console.print(table)
    if report.spare is not None:
        console.print(Text(f"Spare: {describe_spare(report.spare)}", style="bold"))
        for alternative in report.spare.alternatives:
            console.print(Text(f"  or: {alternative}"))
    if report.expected.p90:
        console.print(Text(f"Expected: {_expected(report)}"))
