"""A courier with a clock of the tests, and the notices that it is to send."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.vim_interface.wire.notices import NOW, SESSION, make_notice

from escalator.ledger.notice_book import NoticeBook
from escalator.model.notice import Notice, NoticeRecord
from escalator.model.vnfm import Vnfm, VnfmKind
from escalator.vim_interface.delivery.courier import Courier
from escalator.vim_interface.delivery.credentials import Credentials
from escalator.vim_interface.registry.vnfms import Vnfms

BASE = "http://airflow.example:8080/vim/"


class Clock:
    """A time that tests move on; it is told nothing of real time."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def manager(url: str, **changes: Any) -> Vnfm:
    fields: dict[str, Any] = {"id": "one", "cloud": "lab", "kind": VnfmKind.WEBHOOK, "projects": ("p1",)}
    return Vnfm(**fields | changes, url=url)


def find_none(conn_id: str) -> Credentials:
    raise AssertionError(conn_id)


def make_courier(book: NoticeBook, clock: Clock, *vnfms: Vnfm, **changes: Any) -> Courier:
    fields: dict[str, Any] = {"credentials": find_none, "base_url": BASE, "clock": clock}
    return Courier(book, Vnfms(vnfms=vnfms), **fields | changes)


def queue(book: NoticeBook, *notices: Notice) -> None:
    book.queue(notices or [make_notice()], NOW)


def only(book: NoticeBook) -> NoticeRecord:
    (record,) = book.find(SESSION)
    return record


def deliver(courier: Courier) -> int:
    tried = courier.deliver_due(SESSION)
    assert courier.finish(30)
    return tried


def pause_of(book: NoticeBook, clock: Clock) -> float | None:
    due = only(book).next_try_at
    return None if due is None else (due - clock()).total_seconds()
