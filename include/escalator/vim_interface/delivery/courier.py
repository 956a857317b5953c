"""Sends the notices that are due: claim, POST, note what came of it.

No lock and no transaction is held over a POST: the manager replies inside of it, and may work for minutes.
While a notice is on its way its claim is renewed, so that nobody else sends it too; a process that dies lets
it go after :data:`LEASE_SECONDS`. So a notice may arrive twice, with the same message id.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from urllib.parse import quote

import httpx

from escalator.ledger.notice_book import NoticeBook
from escalator.model.clock import utcnow
from escalator.model.errors import EscalatorError
from escalator.model.notice import NoticeRecord
from escalator.model.vnfm import Vnfm, VnfmKind
from escalator.vim_interface.delivery.credentials import Credentials
from escalator.vim_interface.delivery.http_call import READ_SECONDS, Answer, NoAnswer, call
from escalator.vim_interface.delivery.lanes import Lanes
from escalator.vim_interface.delivery.outcomes import (
    LOST,
    ON_ITS_WAY,
    Outcome,
    decide_outcome,
    decide_unsendable,
    is_lost,
    is_past,
    must_arrive_once,
)
from escalator.vim_interface.registry.vnfms import NAME, Vnfms
from escalator.vim_interface.wire.envelopes import wrap_aodh, wrap_plain
from escalator.vim_interface.wire.payloads import make_payload

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
PATIENCE_SECONDS = 0.5
"""For how long a call waits for the managers that answer at once."""
BUS_LANE = "the message bus"
TOO_LATE = "its deadline passed before it was delivered"

log = logging.getLogger(__name__)
FindCredentials = Callable[[str], Credentials]


class Bus(Protocol):
    """Where notices are published beside the POST."""

    def publish(self, record: NoticeRecord, vnfm: Vnfm, base_url: str) -> None:
        """Publish a notice; never raises."""


class Courier:
    """Sends the notices of the sessions of a ledger. Safe in many processes and threads at once.

    :param vnfms: the managers.
    :param reload: reads the managers anew when one is not among them; None: they stay as they are.
    :param credentials: what is in the Airflow connection of that id; asked in the caller's thread.
    :param base_url: address of the API of all clouds, such as ``http://airflow.example:8080/vim``.
    :param bus: where notices are published too, once each; None: nowhere.
    :param read_seconds: how long a manager may work before it answers a POST.
    """

    def __init__(
        self,
        book: NoticeBook,
        vnfms: Vnfms,
        credentials: FindCredentials,
        base_url: str,
        clock: Callable[[], datetime] = utcnow,
        *,
        bus: Bus | None = None,
        read_seconds: float = READ_SECONDS,
        reload: Callable[[], Vnfms] | None = None,
    ) -> None:
        self._book = book
        self._vnfms = vnfms
        self._reload = reload
        self._credentials = credentials
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._bus = bus
        self._read_seconds = read_seconds
        self._lanes = Lanes()
        self._held = _Held(book, clock)

    def deliver_due(self, session_id: str, *, only_news: bool = False) -> int:
        """Send what is due of a session; returns within about a second, however long the managers take.

        :param only_news: only what nobody is to reply to: for a process that ends soon. A manager works for
            minutes inside of what it replies to, and would get it again when the process ends before.
        :return: how many notices were tried.
        """
        claimed = self._book.claim_due(
            session_id, self._clock(), lease_seconds=LEASE_SECONDS, only_news=only_news
        )
        known: dict[str, Credentials] = {}
        for record in claimed:
            self._start(record, known)
        if claimed:
            self._lanes.wait(PATIENCE_SECONDS)
        return len(claimed)

    def finish(self, seconds: float) -> bool:
        """Wait until nothing is on its way, so many seconds at most; tell whether it is so."""
        return self._lanes.wait(seconds)

    def _start(self, record: NoticeRecord, known: dict[str, Credentials]) -> None:
        """Put a notice into the lane of its manager, or note why it cannot be sent."""
        vnfm, why = self._find_manager(record.notice.vnfm)
        if vnfm is None:
            self._note(record, decide_unsendable(record, why, self._clock()))
            return
        if is_lost(record):
            self._note(record, Outcome(error=LOST))
            return
        base_url = f"{self._base_url}/{quote(vnfm.cloud, safe='')}/v1"
        try:
            body = make_body(record, vnfm, base_url)
        except EscalatorError as exc:
            self._note(record, Outcome(error=str(exc)))
            return
        try:
            credentials = self._find_credentials(vnfm, known)
        except Exception as exc:  # noqa: BLE001 - whatever keeps connections; what it says may be secret
            error = f"the connection {vnfm.conn_id} cannot be read: {type(exc).__name__}"
            self._note(record, decide_unsendable(record, error, self._clock()))
            return
        self._held.add(record)
        if self._bus is not None and record.tries == 1:
            self._lanes.put(BUS_LANE, partial(self._bus.publish, record, vnfm, base_url))
        self._lanes.put(vnfm.id, partial(self._send, record, vnfm, body, credentials))

    def _find_manager(self, vnfm_id: str) -> tuple[Vnfm | None, str]:
        """Return a manager, or None and why not: a person may be at work on the file."""
        if self._vnfms.named(vnfm_id) is None and self._reload is not None:
            try:
                self._vnfms = self._reload()
            except EscalatorError as exc:
                return None, str(exc)
        return self._vnfms.named(vnfm_id), f"no manager {vnfm_id} is in {NAME}"

    def _find_credentials(self, vnfm: Vnfm, known: dict[str, Credentials]) -> Credentials:
        if vnfm.conn_id is None:
            return Credentials()
        if vnfm.conn_id not in known:
            known[vnfm.conn_id] = self._credentials(vnfm.conn_id)
        return known[vnfm.conn_id]

    def _send(self, record: NoticeRecord, vnfm: Vnfm, body: bytes, credentials: Credentials) -> None:
        """POST one notice and note what came of it."""
        try:
            if is_past(record, self._clock()):
                error = f"{TOO_LATE}: {record.error}" if record.error else TOO_LATE
                self._note(record, Outcome(error=error))
                return
            if must_arrive_once(record):
                self._held.renew(record)  # whoever finds it later knows that it may have arrived
            found = post(vnfm.url, body, credentials, read_seconds=self._read_seconds)
            self._note(record, decide_outcome(record, found, self._clock()))
        finally:
            self._held.drop(record)

    def _note(self, record: NoticeRecord, outcome: Outcome) -> None:
        self._held.drop(record)  # first: a renewal must not write over the outcome
        notice = record.notice
        what = (record.number, notice.session_id, notice.state, notice.vnfm)
        if outcome.delivered:
            self._book.note_delivered(record.id, self._clock())
            log.info("notice %d of session %s, %s to %s: delivered", *what)
            return
        self._book.note_undelivered(record.id, outcome.error, next_try_at=outcome.next_try_at)
        then = "it is sent again" if outcome.next_try_at else "it is given up"
        log.warning("notice %d of session %s, %s to %s: %s; %s", *what, outcome.error, then)


class _Held:
    """The notices that are on their way, and the thread that renews their claims."""

    def __init__(self, book: NoticeBook, clock: Callable[[], datetime]) -> None:
        self._book = book
        self._clock = clock
        self._records: dict[int, NoticeRecord] = {}
        self._lock = threading.Lock()
        self._running = False

    def add(self, record: NoticeRecord) -> None:
        with self._lock:
            self._records[record.id] = record
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name="claims of notices", daemon=True).start()

    def drop(self, record: NoticeRecord) -> None:
        """Renew no more; when this returns no renewal is being written."""
        with self._lock:
            self._records.pop(record.id, None)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(RENEW_SECONDS)
            with self._lock:
                if not self._records:
                    self._running = False
                    return
                self._renew()

    def _renew(self) -> None:
        for record in self._records.values():
            try:
                self.renew(record)
            except Exception:
                log.exception("the claim of notice %d could not be renewed", record.number)

    def renew(self, record: NoticeRecord) -> None:
        """Say that a notice is on its way, and hold it for another lease."""
        words = ON_ITS_WAY if must_arrive_once(record) else record.error or ON_ITS_WAY
        later = self._clock() + timedelta(seconds=LEASE_SECONDS)
        self._book.note_undelivered(record.id, words, next_try_at=later)


def make_body(record: NoticeRecord, vnfm: Vnfm, base_url: str) -> bytes:
    """Make the body of a notice's POST: AODH's for the kinds of Fenix, plain JSON for a webhook.

    :param base_url: address of the cloud's API, ending in ``/v1``.
    :raises InvalidRequestError: the notice cannot be written for that manager.
    """
    payload = make_payload(record, vnfm.kind, base_url)
    wrap = wrap_plain if vnfm.kind is VnfmKind.WEBHOOK else wrap_aodh
    return json.dumps(wrap(payload, record)).encode()


def post(url: str, body: bytes, credentials: Credentials, *, read_seconds: float) -> Answer | NoAnswer:
    """POST a body; never raises, and says no secret."""
    headers = {b"Content-Type": b"application/json", b"Accept": b"application/json", b"Connection": b"close"}
    authorization = credentials.make_header()
    if authorization is not None:
        headers[b"Authorization"] = authorization
    try:
        request = httpx.Request("POST", url, headers=headers, content=body)
    except (httpx.InvalidURL, ValueError, TypeError):
        return NoAnswer(was_sent=False, error="its address cannot be read")
    found = call(request, seconds=read_seconds)
    if isinstance(found, NoAnswer):
        return found
    return Answer(status=found.status, text=credentials.hide_in(found.text), retry_after=found.retry_after)
