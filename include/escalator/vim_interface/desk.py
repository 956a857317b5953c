"""The desk: what one campaign run needs to speak with the managers of its VNFs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from escalator.ledger.notice_book import NoticeBook
from escalator.model.cloud import Server
from escalator.model.maintenance_session import MaintenanceSession, SessionState
from escalator.model.notice import MOST_RUNS, Notice, NoticeRecord, NoticeState
from escalator.model.vnfm import ManagerRole, Vnfm
from escalator.vim_interface.negotiation.asking import Concern, list_concerns
from escalator.vim_interface.registry.vnfms import Vnfms

TELLING_SECONDS = 3.0
"""How long a step waits for those that it tells something to take it."""
AT_ONCE = timedelta(seconds=5)
"""A manager that answers within it answers at once: a step waits for it where it is."""
POLL_SECONDS = 0.2
"""Pause between two looks for such an answer."""


class Deliverer(Protocol):
    """Sends what is due of a session."""

    def deliver_due(self, session_id: str, *, only_news: bool = False) -> int:
        """Send every notice of a session that is due; return how many were tried."""

    def finish(self, seconds: float) -> bool:
        """Wait until nothing is on its way, so many seconds at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VimDesk:
    """Asks, sends and reads; every method may be called again, from any process.

    :ivar session_id: of the run's maintenance session.
    :ivar cloud: name of its cloud.
    :ivar run: campaign and id of the run.
    """

    session_id: str
    cloud: str
    run: tuple[str, str]
    vnfms: Vnfms
    notices: NoticeBook
    courier: Deliverer

    def manager_of(self, server: Server) -> Vnfm | None:
        """Return who manages a server; None: nobody.

        :raises InvalidRequestError: two managers claim it.
        """
        return self.vnfms.manager_of(self.cloud, server)

    def list_concerns(self, servers: Iterable[Server]) -> tuple[Concern, ...]:
        """Return whom servers concern."""
        return list_concerns(servers, self.manager_of)

    def managers(self) -> dict[str, Vnfm]:
        """Return the managers of the cloud by their ids."""
        return {vnfm.id: vnfm for vnfm in self.vnfms.of_cloud(self.cloud)}

    def nfvos(self) -> tuple[Vnfm, ...]:
        """Return those who are told of the infrastructure."""
        return tuple(v for v in self.managers().values() if v.role is ManagerRole.NFVO)

    def ensure_open(self, now: datetime) -> MaintenanceSession:
        """See that the session is in the ledger; a second run changes nothing.

        :return: the session as it is recorded, with what it was asked for.
        """
        return self.notices.open_session(
            MaintenanceSession(
                id=self.session_id,
                cloud=self.cloud,
                state=SessionState.MAINTENANCE,
                opened_at=now,
                runs=(self.run,),
            )
        )

    def ask(self, notices: Sequence[Notice], now: datetime) -> tuple[NoticeRecord, ...]:
        """Queue notices; what was queued before is not queued again. Who waits for answers sends them."""
        if not notices:
            return ()
        self.ensure_open(now)
        return self.notices.queue(notices, now)

    def tell(self, notices: Sequence[Notice], now: datetime) -> None:
        """Queue notices and send now what nobody replies to; a receiver that is away gets it later."""
        if self.ask(notices, now):
            self.courier.deliver_due(self.session_id, only_news=True)
            self.courier.finish(TELLING_SECONDS)

    def find(self, state: NoticeState, host: str | None = None) -> tuple[NoticeRecord, ...]:
        """Return the session's notices of a state, about a node or about the whole session."""
        found = self.notices.find(self.session_id, host=host, state=state)
        return tuple(record for record in found if record.notice.host == host)

    def find_round(self, session: MaintenanceSession, asking: int = 0) -> int:
        """Return the round of what this run asks about its own part of a session; it never changes.

        :param asking: how often it asked that before.
        """
        return session.runs.index(self.run) + asking * MOST_RUNS

    def find_own(
        self, state: NoticeState, session: MaintenanceSession, asking: int = 0
    ) -> tuple[NoticeRecord, ...]:
        """Return what this run told about its own part of the session, in one asking of that state."""
        own = self.find_round(session, asking)
        return tuple(record for record in self.find(state) if record.notice.round == own)

    def find_told(self) -> tuple[NoticeRecord, ...]:
        """Return what this run has told projects of its beginning."""
        session = self.notices.session(self.session_id)
        if session is None or self.run not in session.runs:
            return ()
        return self.find_own(NoticeState.MAINTENANCE, session)

    def find_asked(self, host: str, asking: int) -> tuple[NoticeRecord, ...]:
        """Return what was asked about a node, in one asking."""
        found = self.find(NoticeState.PLANNED_MAINTENANCE, host)
        return tuple(record for record in found if record.notice.round == asking)

    def is_waiting(self, host: str | None, now: datetime) -> bool:
        """Tell whether an answer about a node, or about the whole session, is still to come."""
        records = self.notices.find(self.session_id)
        return find_last_reply_time((r for r in records if r.notice.host == host), now) is not None

    def wait_at_once(self, host: str, clock: Callable[[], datetime], sleep: Callable[[float], None]) -> bool:
        """Wait for the answers about a node as long as they come at once; tell whether all are there."""
        until = clock() + AT_ONCE
        while self.is_waiting(host, clock()):
            if clock() >= until:
                return False
            sleep(POLL_SECONDS)
        return True

    def close(self, records: Sequence[NoticeRecord], now: datetime) -> tuple[NoticeRecord, ...]:
        """End the waiting for answers; an answer that came before is kept."""
        return self.notices.close([record.id for record in records], now)


def list_waiting(records: Iterable[NoticeRecord], now: datetime) -> tuple[str, ...]:
    """Return the ids of the managers that an answer is waited for from, sorted; none: nobody's."""
    return tuple(sorted({r.notice.vnfm for r in records if not r.is_settled(now)}))


def find_last_reply_time(records: Iterable[NoticeRecord], now: datetime) -> datetime | None:
    """Return until when answers are waited for; None when there is nothing to wait for."""
    due = (r.notice.reply_at for r in records if not r.is_settled(now))
    return max((moment for moment in due if moment is not None), default=None)
