"""When people are told of a campaign, and by which way: what an operator declares of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Occasion(StrEnum):
    """What people want to be told of."""

    HELD = "held"
    FAILED = "failed"
    NEEDS_PERSON = "needs_person"
    GAP_OVER_LIMIT = "gap_over_limit"
    STEP_OVERDUE = "step_overdue"
    WINDOW_CLOSED = "window_closed"
    DONE = "done"


class Way(StrEnum):
    """How a note gets to people."""

    WEBHOOK = "webhook"
    SMTP = "smtp"
    SLACK = "slack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Who is told of what.

    :ivar conn_id: Airflow connection with the address and the secrets.
    :ivar to: addresses of a mail; of the other ways the connection says it.
    """

    when: tuple[Occasion, ...]
    via: Way
    conn_id: str
    to: tuple[str, ...] = ()
