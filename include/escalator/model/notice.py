"""Notices to managers of VNFs, and their replies. The words on the wire are those of OpenStack Fenix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

MOST_RUNS = 10_000
"""More runs than a session has: notices of a run about its part of a session have rounds of their own."""


class NoticeEvent(StrEnum):
    """The event types on the wire: to the owners of servers, and about the infrastructure."""

    SCHEDULED = "maintenance.scheduled"
    HOST = "maintenance.host"


class NoticeState(StrEnum):
    """What a notice tells. SCALE_LOCK and SCALE_UNLOCK are ours, for managers that know them."""

    MAINTENANCE = "MAINTENANCE"
    SCALE_IN = "SCALE_IN"
    PREPARE_MAINTENANCE = "PREPARE_MAINTENANCE"
    PLANNED_MAINTENANCE = "PLANNED_MAINTENANCE"
    INSTANCE_ACTION_DONE = "INSTANCE_ACTION_DONE"
    MAINTENANCE_COMPLETE = "MAINTENANCE_COMPLETE"
    IN_MAINTENANCE = "IN_MAINTENANCE"
    SCALE_LOCK = "SCALE_LOCK"
    SCALE_UNLOCK = "SCALE_UNLOCK"


class InstanceAction(StrEnum):
    """What a manager wants done with an instance."""

    MIGRATE = "MIGRATE"
    LIVE_MIGRATE = "LIVE_MIGRATE"
    OWN_ACTION = "OWN_ACTION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice. Times are aware.

    :ivar session_id: UUID of the maintenance session; one campaign run has one.
    :ivar vnfm: id of the manager that it goes to.
    :ivar host: the node that it is about; None: the whole session.
    :ivar instance_ids: the servers that it is about.
    :ivar instance_id: of dialect B: the one server; None in notices for a project.
    :ivar round: tells one asking of the same from another: 0 is the first time, 1 the second. Of what is
        about the whole session, each of its runs has numbers of its own.
    :ivar reply_at: until when a reply counts, from when it is first sent; None: no reply is expected.
    :ivar metadata: words for the receiver, such as the capabilities that come.
    """

    session_id: str
    vnfm: str
    project_id: str
    state: NoticeState
    event: NoticeEvent = NoticeEvent.SCHEDULED
    host: str | None = None
    instance_ids: tuple[str, ...] = ()
    instance_id: str | None = None
    round: int = 0
    allowed_actions: tuple[InstanceAction, ...] = ()
    actions_at: datetime | None = None
    reply_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def asking(self) -> int:
        """Return how often the same was asked before: of a node, or by one run of its part of a session."""
        return self.round if self.host is not None else self.round // MOST_RUNS

    @property
    def key(self) -> tuple[str, ...]:
        """Return what makes a notice the same as another one: it is queued once."""
        about = (self.host or "", self.instance_id or "", str(self.round))
        return (self.session_id, self.vnfm, self.project_id, self.event, self.state, *about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a manager answered to a notice.

    :ivar ack: it agrees; else it refuses (NACK).
    :ivar state: the state of the notice that it answers.
    :ivar actions: server id -> what is to be done with it; empty: what the state says by itself.
    """

    ack: bool
    state: NoticeState
    actions: Mapping[str, InstanceAction] = field(default_factory=dict)


class ReplyOutcome(StrEnum):
    """What became of a reply.

    taken: it answers an open notice. repeated: the same answer was there already. contradicted: another
    answer was there already, which holds. late: its deadline has passed. unasked: nothing of that state was
    asked of that project. noted: what it is about asks for no reply. unknown: there is no such session.
    """

    TAKEN = "taken"
    REPEATED = "repeated"
    CONTRADICTED = "contradicted"
    LATE = "late"
    UNASKED = "unasked"
    NOTED = "noted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRecord:
    """A notice as the ledger has it.

    :ivar id: of its row; :ivar number: counts the notices of a session from 1.
    :ivar delivered_at: when its receiver has taken it; None: it is still to be sent, or cannot be.
    :ivar tries: how often it was sent; :ivar error: how the last try failed.
    :ivar next_try_at: before that it is not sent again.
    :ivar given_up: it is not sent any more.
    :ivar closed_at: when its deadline was acted upon: later replies are late.
    """

    id: int
    number: int
    notice: Notice
    made_at: datetime
    delivered_at: datetime | None = None
    tries: int = 0
    error: str = ""
    next_try_at: datetime | None = None
    given_up: bool = False
    reply: Reply | None = None
    replied_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def agreed(self) -> bool:
        """Tell whether its receiver has agreed."""
        return self.reply is not None and self.reply.ack

    def is_settled(self, now: datetime) -> bool:
        """Tell whether nothing is to be waited for: no reply expected, answered, or past its deadline.

        What was never sent is waited for: nobody is silent who was not asked.
        """
        due = self.notice.reply_at
        if due is None or self.reply is not None or self.closed_at is not None:
            return True
        return self.tries > 0 and now >= due
