"""What is told with the report of a campaign: each interruption, and how it ended; or that it was refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from escalator.events.event import Action
from escalator.events.teller import Teller
from escalator.events.told_gaps import OVER
from escalator.model.verdict import Code, Subject, SubjectType

MEASURED = "measured"
REFUSED = "refused"
BY_WINDOW = "by_window"
"""In the details of a campaign that was refused: whether a window had begun it, and nobody may be looking."""


def tell_conclusion(teller: Teller, report: Mapping[str, Any]) -> None:
    """Tell what a report says; a report that is written again is told again.

    :param report: ``escalator.report/1``.
    """
    for node in report["nodes"]:
        for move in node["moves"]:
            _tell_guest(teller, node["host"], move)
    for gap in report["service_interruptions"]["gaps"]:
        _tell_gap(teller, gap)
    for finding in report["findings"]:
        if finding["code"] == Code.INTERRUPTION_YEAR:
            group = Subject(type=SubjectType.HA_GROUP, id=finding["subject"]["id"])
            teller.tell(
                Action.INTERRUPTION,
                subject=group,
                result=OVER,
                code=Code.INTERRUPTION_YEAR,
                message=finding["message"],
            )
    states = report["totals"]["states"]
    said = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    teller.tell(
        Action.CAMPAIGN_CONCLUDED,
        result=str(report["outcome"]),
        message=f"{report['bundle']['name']} on {report['domain']}: {said}",
        seconds=report["totals"]["upgrade_duration_seconds"],
        details={"moves": report["totals"]["moves"], "api_calls": report["totals"]["api_calls"], **states},
    )


def tell_refused(teller: Teller, reason: str, *, by_window: bool) -> None:
    """Tell of a campaign that does not begin: nothing of it is recorded, and nothing was touched."""
    teller.tell(Action.CAMPAIGN_CONCLUDED, result=REFUSED, message=reason, details={BY_WINDOW: by_window})


def _tell_guest(teller: Teller, host: str, move: Mapping[str, Any]) -> None:
    milliseconds = move["interruption_ms"]
    if milliseconds is None:
        return
    teller.tell(
        Action.INTERRUPTION,
        at=_read_time(move["ended"]),
        node=host,
        subject=Subject.of_server(move["id"], move["name"]),
        result=MEASURED,
        seconds=milliseconds / 1000,
        details={"method": move["method"]},
    )


def _tell_gap(teller: Teller, gap: Mapping[str, Any]) -> None:
    if not gap["measured"]:
        return
    teller.tell(
        Action.INTERRUPTION,
        at=_read_time(gap["started"]),
        node=gap["host"],
        subject=Subject(type=SubjectType.HA_GROUP, id=gap["group"]),
        result=MEASURED,
        code=Code.INTERRUPTION_SWITCH if gap["too_long"] else None,
        message=f"{gap['address']}: {gap['cause']}",
        seconds=gap["seconds"],
        details={"method": gap["method"]},
    )


def _read_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
