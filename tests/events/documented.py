"""What docs/monitoring/README.md says of events and metrics, read from its tables."""

from __future__ import annotations

import re

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "monitoring" / "README.md").read_text(encoding="utf-8")
_METRIC = re.compile(r"^\| `escalator\.(\w+)` \| (\w+) \| ([^|]+) \|", re.MULTILINE)
_EVENT = re.compile(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| [^|]+ \|([^|]*)\|$", re.MULTILINE)
_OPEN = ("the state", "the answer", "the verb")
"""Words of the table that stand for others."""


def read_metrics() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the name of each metric, below ``escalator.``, with its kind and its tags."""
    return {name: (kind, tuple(re.findall(r"`(\w+)`", tags))) for name, kind, tags in _METRIC.findall(PAGE)}


def read_events() -> dict[str, set[str] | None]:
    """Return each action with the results that it may have; None: any word."""
    rows: dict[str, set[str] | None] = {}
    for actions, results in _EVENT.findall(PAGE.partition("\n|---|")[2].partition("## Metrics")[0]):
        is_open = any(words in results for words in _OPEN)
        for action in re.findall(r"`(\w+)`", actions):
            rows[action] = None if is_open else set(re.findall(r"`([^`]+)`", results))
    return rows
