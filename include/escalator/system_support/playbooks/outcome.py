"""What came of a run of Ansible's, by its events: what is said of each in the log, and why it failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STATUS = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_item_on_failed": "failed",
    "runner_on_skipped": "skipped",
    "runner_on_unreachable": "unreachable",
}
_MOST_WORDS = 600
_ITEMS = "One or more items failed"
"""What a task says of which an item has said before what is wrong."""
_LAST_LINES = 3
"""Of what a program printed that says nothing by events: its error, and what it advises."""
_ERROR = re.compile(r"^(?:\[?ERROR\]?[:!]?|fatal:)\s*")


@dataclass(kw_only=True)
class Outcome:
    """A run as far as it is known.

    :ivar code: exit code; None: it has none yet, or was ended.
    :ivar ended: why it was ended from outside; empty: it was not.
    :ivar changed: the tasks that changed something, or would.
    :ivar troubles: the tasks that failed, with their words; :ivar errors: what Ansible itself complained of.
    :ivar worked_on: hosts on which a task was run.
    """

    code: int | None = None
    ended: str = ""
    changed: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    worked_on: set[str] = field(default_factory=set)
    output: str = ""

    def take(self, event: Mapping[str, Any]) -> str:
        """Learn from an event; returns what the log says of it, or nothing."""
        name = str(event.get("name"))
        if name == "playbook_on_stats":
            self.worked_on |= set(event.get("processed") or ())
            return ""
        status = _STATUS.get(name)
        if status is None:
            self.errors += _find_errors(str(event.get("output") or ""))
            return ""
        host, play, task = (event.get(key) or "?" for key in ("host", "play", "task"))
        if status == "ok" and event.get("changed"):
            status = "changed"
            self.changed.append(str(task))
        said = _find_words(event.get("said") or {}) if status in {"failed", "unreachable"} else ""
        if item := event.get("item"):
            task = f"{task} ({item})"
        if status == "failed" and event.get("ignored"):
            status = "failed, ignored"
        elif status in {"failed", "unreachable"} and not (said == _ITEMS and self.troubles):
            self.troubles.append(f"task {task!r} {status} on {host}: {said or 'it does not say why'}")
        return f"{host} | {play} | {task} | {status}{': ' if said else ''}{said}"

    @property
    def reason(self) -> str:
        """Say why it did not end well: the last task that failed, else what Ansible complains of."""
        if self.troubles:
            return self.troubles[-1]
        if lines := [*self.errors, *_find_errors(self.output)]:
            return lines[0]
        last = "; ".join(_list_lines(self.output)[-_LAST_LINES:])[-_MOST_WORDS:]
        return last or f"exit code {self.code}, no output"


def find_trouble(outcome: Outcome, name: str, limit_seconds: float) -> str:
    """Say why a run is not good; empty: it is.

    :param name: what its inventory calls the node: a run that does nothing there is not good.
    :param limit_seconds: how long it might take.
    """
    if outcome.ended == "limit":
        last = f"; last of all, {outcome.troubles[-1]}" if outcome.troubles else ""
        return f"was ended after {limit_seconds:g} s, its limit; what it began on the node may go on{last}"
    if outcome.ended == "silence":
        return "was ended: the node was out of reach for so long that its lock was about to end"
    if outcome.ended or outcome.code is None:
        said = outcome.ended or outcome.reason
        return f"did not come to its end: {said}"
    if outcome.code != 0:
        return f"failed: {outcome.reason}"
    if name not in outcome.worked_on:
        return f"did nothing on {name}: none of its plays is for that host, or no task has the tags"
    return ""


def _find_words(said: Mapping[str, Any]) -> str:
    """Return what a failed task says, on one line."""
    texts = (str(text).strip() for text in said.values())
    return "; ".join(dict.fromkeys(" ".join(text.split()) for text in texts if text))[:_MOST_WORDS]


def _find_errors(output: str) -> Iterator[str]:
    for line in _list_lines(output):
        if _ERROR.match(line):
            yield _ERROR.sub("", line)[:_MOST_WORDS]


def _list_lines(output: str) -> list[str]:
    return [line.strip() for line in _COLOUR.sub("", output).splitlines() if line.strip()]
