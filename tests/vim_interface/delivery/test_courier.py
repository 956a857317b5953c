"""The courier with a real ledger and real HTTP servers."""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.vim_interface.delivery.couriers import (
    BASE,
    Clock,
    deliver,
    make_courier,
    manager,
    only,
    pause_of,
    queue,
)
from tests.vim_interface.servers import Request, answer, find_closed_port, serving, write_raw
from tests.vim_interface.wire.notices import NOW, SESSION, make_notice

from escalator.lab.processes import wait_until
from escalator.ledger.notice_book import NoticeBook
from escalator.model.notice import NoticeRecord, NoticeState, Reply, ReplyOutcome
from escalator.model.vnfm import Vnfm, VnfmKind
from escalator.vim_interface.delivery import courier as module
from escalator.vim_interface.delivery.credentials import Credentials
from escalator.vim_interface.registry.vnfms import Vnfms, load_vnfms
from escalator.vim_interface.wire.envelopes import make_message_id

DONE = NoticeState.INSTANCE_ACTION_DONE


def test_notice_is_posted_once_and_noted_as_delivered(book: NoticeBook, clock: Clock) -> None:
    queue(book)
    with serving(answer(200)) as receiver:
        courier = make_courier(book, clock, manager(f"{receiver.url}/hook"))
        assert [deliver(courier), deliver(courier)] == [1, 0]
    (request,) = receiver.requests
    record = only(book)
    assert (record.delivered_at, record.tries, record.error) == (NOW, 1, "")
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.headers["Content-Type"] == "application/json"
    assert "Authorization" not in request.headers
    body = json.loads(request.body)
    assert body["reply_url"] == f"{BASE}lab/v1/maintenance/{SESSION}/p1?notice=1"
    assert (body["message_id"], body["number"]) == (make_message_id(record), 1)


@pytest.mark.parametrize("kind", [VnfmKind.FENIX_A, VnfmKind.FENIX_B])
def test_clients_of_fenix_get_an_alarm(book: NoticeBook, clock: Clock, kind: VnfmKind) -> None:
    queue(book)
    with serving(answer(200)) as receiver:
        deliver(make_courier(book, clock, manager(receiver.url, kind=kind)))
    body = json.loads(receiver.requests[0].body)
    traits = {name: value for name, _, value in body["reason_data"]["event"]["traits"]}
    assert traits["state"] == "PLANNED_MAINTENANCE"
    assert traits["instance_ids"].startswith({VnfmKind.FENIX_A: "http", VnfmKind.FENIX_B: "['"}[kind])


def test_reply_inside_the_post_is_taken_and_the_post_may_then_break(book: NoticeBook, clock: Clock) -> None:
    """The sample VNFM replies in its handler; what becomes of the POST after that matters to nobody."""
    queue(book)
    outcomes: list[ReplyOutcome] = []

    def reply_and_die(handler: BaseHTTPRequestHandler, request: Request) -> None:
        reply = Reply(ack=True, state=NoticeState.PLANNED_MAINTENANCE)
        outcomes.append(book.record_reply(SESSION, "p1", reply, clock()))
        write_raw(b"HTTP/1.1 ")(handler, request)

    with serving(reply_and_die) as receiver:
        courier = make_courier(book, clock, manager(receiver.url))
        deliver(courier)
        clock.pass_seconds(600)
        assert deliver(courier) == 0
    assert outcomes == [ReplyOutcome.TAKEN]
    record = only(book)
    assert (record.replied_at, record.delivered_at, record.error) == (NOW, NOW, "")
    assert len(receiver.requests) == 1


def test_manager_that_works_for_long_holds_up_nobody(
    book: NoticeBook, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    slow = tuple(make_notice(host=f"compute-{number}") for number in range(9))
    queue(book, *slow, make_notice(vnfm="two"))

    def wait(handler: BaseHTTPRequestHandler, request: Request) -> None:
        go.wait(60)
        answer(200)(handler, request)

    def delivered() -> list[bool]:
        return [record.delivered_at is not None for record in book.find(SESSION)]

    with serving(wait) as hanging, serving(answer(200)) as well:
        courier = make_courier(book, clock, manager(hanging.url), manager(well.url, id="two"))
        begun = time.monotonic()
        assert courier.deliver_due(SESSION) == 10
        assert time.monotonic() - begun < 2, "it waits for no manager"
        assert wait_until(lambda: delivered() == [False] * 9 + [True], timeout_seconds=20)
        assert len(well.requests) == 1
        monkeypatch.setattr(module, "PATIENCE_SECONDS", 60.0)
        begun = time.monotonic()
        assert courier.deliver_due(SESSION) == 0, "they are on their way"
        assert time.monotonic() - begun < 30, "there is nothing to wait for"
        go.set()
        assert courier.finish(30)
    assert len(hanging.requests) == 9
    assert all(record.delivered_at for record in book.find(SESSION))


def test_claim_is_renewed_while_a_manager_works(
    book: NoticeBook, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process must not send it too, however long the POST takes."""
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.05)
    go = threading.Event()
    queue(book)

    def wait(handler: BaseHTTPRequestHandler, request: Request) -> None:
        go.wait(20)
        answer(200)(handler, request)

    with serving(wait) as receiver:
        courier, other = (make_courier(book, clock, manager(receiver.url)) for _ in range(2))
        courier.deliver_due(SESSION)
        for _ in range(10):
            clock.pass_seconds(45)
            until = time.monotonic() + 5
            while (pause_of(book, clock) or 0) < 60 and time.monotonic() < until:
                time.sleep(0.01)
            assert other.deliver_due(SESSION) == 0
        go.set()
        assert courier.finish(30)
    assert len(receiver.requests) == 1
    assert only(book).delivered_at == clock()


def test_notice_of_a_process_that_died_is_sent_again_after_its_lease(book: NoticeBook, clock: Clock) -> None:
    queue(book)
    book.claim_due(SESSION, clock(), lease_seconds=module.LEASE_SECONDS)
    with serving(answer(200)) as receiver:
        courier = make_courier(book, clock, manager(receiver.url))
        assert deliver(courier) == 0
        clock.pass_seconds(module.LEASE_SECONDS)
        assert deliver(courier) == 1
    assert (only(book).tries, only(book).delivered_at) == (2, clock())


def test_scaling_in_is_not_asked_for_twice_when_its_sender_dies_in_mid_send(
    book: NoticeBook, clock: Clock
) -> None:
    """Doctor's VNFM and Tacker scale in whenever they are told so: they look at no number."""
    queue(book, make_notice(NoticeState.SCALE_IN, host=None))
    noted: list[str] = []

    def die(_handler: BaseHTTPRequestHandler, _request: Request) -> None:
        noted.append(only(book).error)

    with serving(die) as receiver:
        deliver(make_courier(book, clock, manager(receiver.url)))
        assert noted == ["it is on its way"]
        assert only(book).error.startswith("it may have arrived")
        book.note_undelivered(only(book).id, noted[0], next_try_at=clock())  # as the dead one leaves it
        assert deliver(make_courier(book, clock, manager(receiver.url))) == 1
        assert len(receiver.requests) == 1
    assert only(book).given_up
    reply = Reply(ack=True, state=NoticeState.SCALE_IN)
    assert book.record_reply(SESSION, "p1", reply, clock()) is ReplyOutcome.TAKEN


def test_two_couriers_send_a_notice_once(book: NoticeBook, clock: Clock) -> None:
    queue(book, *(make_notice(host=f"compute-{number}") for number in range(12)))
    with serving(answer(200)) as receiver:
        couriers = [make_courier(book, clock, manager(receiver.url)) for _ in range(4)]
        threads = [threading.Thread(target=deliver, args=(courier,)) for courier in couriers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len({json.loads(request.body)["message_id"] for request in receiver.requests}) == 12
    assert len(receiver.requests) == 12


def test_refused_connection_is_tried_again_until_somebody_is_there(book: NoticeBook, clock: Clock) -> None:
    queue(book)
    courier = make_courier(book, clock, manager(f"http://127.0.0.1:{find_closed_port()}/"))
    for pause in (1, 2, 4):
        assert deliver(courier) == 1
        assert pause_of(book, clock) == pause
        assert deliver(courier) == 0
        clock.pass_seconds(pause)
    assert "no connection" in only(book).error
    with serving(answer(200)) as receiver:
        deliver(make_courier(book, clock, manager(receiver.url)))
    assert (only(book).tries, only(book).error, only(book).delivered_at) == (4, "", clock())


def test_post_that_takes_too_long_is_sent_again_after_half_a_minute(book: NoticeBook, clock: Clock) -> None:
    go = threading.Event()
    queue(book)
    with serving(lambda _handler, _request: go.wait(60) and None) as receiver:
        courier = make_courier(book, clock, manager(receiver.url), read_seconds=1.0)
        deliver(courier)
        assert (pause_of(book, clock), only(book).error) == (30, "it has not answered within 1 s")
        clock.pass_seconds(29)
        assert deliver(courier) == 0
        clock.pass_seconds(1)
        assert deliver(courier) == 1
        assert wait_until(lambda: len(receiver.requests) == 2, timeout_seconds=20)
        go.set()
    first, second = (json.loads(request.body) for request in receiver.requests)
    assert first == second


def test_manager_that_breaks_is_left_alone_after_three_times(book: NoticeBook, clock: Clock) -> None:
    """The sample VNFM answers HTTP 500 to a state that it does not know, and never replies."""
    queue(book)
    with serving(answer(500, b"unknown state")) as receiver:
        for _ in range(9):
            deliver(make_courier(book, clock, manager(receiver.url)))  # each time another process
            clock.pass_seconds(30)
    record = only(book)
    assert (len(receiver.requests), record.given_up, record.delivered_at) == (3, True, None)
    assert record.error == "broke on it (3 of 3): HTTP 500: unknown state"


def test_what_is_refused_for_good_is_given_up(book: NoticeBook, clock: Clock) -> None:
    queue(book)
    with serving(answer(404, b"no such thing")) as receiver:
        courier = make_courier(book, clock, manager(receiver.url))
        deliver(courier)
        clock.pass_seconds(60)
        assert deliver(courier) == 0
    assert (only(book).given_up, only(book).error) == (True, "HTTP 404: no such thing")


def test_past_its_deadline_nothing_is_sent(book: NoticeBook, clock: Clock) -> None:
    queue(book)
    book.claim_due(SESSION, NOW, lease_seconds=60)  # by a process that died
    with serving(answer(200)) as receiver:
        clock.pass_seconds(20 * 60)
        deliver(make_courier(book, clock, manager(receiver.url)))
    assert not receiver.requests
    assert (only(book).given_up, only(book).error) == (True, module.TOO_LATE)


def test_what_lay_for_long_is_sent_with_a_deadline_of_its_own(book: NoticeBook, clock: Clock) -> None:
    queue(book)
    due = only(book).notice.reply_at
    assert due is not None
    with serving(answer(200)) as receiver:
        clock.pass_seconds(3600)
        deliver(make_courier(book, clock, manager(receiver.url)))
    (request,) = receiver.requests
    later = due + timedelta(hours=1)
    assert json.loads(request.body)["reply_at"] == f"{later:%Y-%m-%d %H:%M:%S}"
    assert only(book).notice.reply_at == later


def test_manager_that_is_registered_no_more_gets_it_when_it_is_there_again(
    book: NoticeBook, clock: Clock
) -> None:
    queue(book)
    known: list[Vnfm] = []
    courier = make_courier(book, clock, reload=lambda: Vnfms(vnfms=tuple(known)))
    deliver(courier)
    assert (only(book).given_up, only(book).error) == (False, "no manager one is in vnfms.yaml")
    with serving(answer(200)) as receiver:
        known.append(manager(receiver.url))
        clock.pass_seconds(60)
        deliver(courier)
    assert len(receiver.requests) == 1
    assert only(book).delivered_at is not None


def test_managers_that_cannot_be_read_are_waited_for_until_the_deadline(
    book: NoticeBook, clock: Clock, tmp_path: Path
) -> None:
    queue(book)
    courier = make_courier(book, clock, reload=lambda: load_vnfms(tmp_path, must_exist=True))
    for given_up in (False, True):
        deliver(courier)
        assert only(book).given_up is given_up
        assert "vnfms.yaml is not there" in only(book).error
        clock.pass_seconds(20 * 60)


def test_notice_that_its_manager_cannot_read_is_given_up_and_holds_up_no_other(
    book: NoticeBook, clock: Clock
) -> None:
    lock, done = make_notice(NoticeState.SCALE_LOCK, reply_at=None), make_notice(DONE, reply_at=None)
    queue(book, lock, done)
    with serving(answer(200)) as receiver:
        deliver(make_courier(book, clock, manager(receiver.url, kind=VnfmKind.FENIX_A)))
    locked, told = book.find(SESSION)
    assert locked.given_up
    assert "does not know maintenance.scheduled with state SCALE_LOCK" in locked.error
    assert (told.delivered_at, len(receiver.requests)) == (NOW, 1)


def test_credentials_are_sent_and_nothing_keeps_or_logs_them(
    book: NoticeBook, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    queue(book)
    asked: list[str] = []

    def find(conn_id: str) -> Credentials:
        asked.append(conn_id)
        return Credentials(login="me", password="hunter2")

    def echo(handler: BaseHTTPRequestHandler, request: Request) -> None:
        answer(403, f"not with hunter2 ({request.headers['Authorization']})".encode())(handler, request)

    with serving(echo) as receiver, caplog.at_level(logging.DEBUG):
        deliver(make_courier(book, clock, manager(receiver.url, conn_id="vnfm_one"), credentials=find))
    (request,) = receiver.requests
    assert (asked, request.headers["Authorization"]) == (["vnfm_one"], "Basic bWU6aHVudGVyMg==")
    assert only(book).error == "HTTP 403: not with *** (Basic ***)"
    assert "hunter2" not in caplog.text
    assert "bWU6aHVudGVyMg" not in caplog.text


def test_connection_that_cannot_be_read_is_asked_for_again_and_says_no_secret(
    book: NoticeBook, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    queue(book)

    def fail(_conn_id: str) -> Credentials:
        raise RuntimeError("cannot decrypt hunter2")

    with caplog.at_level(logging.DEBUG):
        deliver(make_courier(book, clock, manager("http://v.example/", conn_id="c"), credentials=fail))
    assert only(book).error == "the connection c cannot be read: RuntimeError"
    assert pause_of(book, clock) == 1
    assert "hunter2" not in caplog.text


def test_connection_is_read_in_the_callers_thread(book: NoticeBook, clock: Clock) -> None:
    """Airflow gives connections to the thread of the task only."""
    queue(book)
    threads: list[threading.Thread] = []

    def find(_conn_id: str) -> Credentials:
        threads.append(threading.current_thread())
        return Credentials()

    with serving(answer(200)) as receiver:
        deliver(make_courier(book, clock, manager(receiver.url, conn_id="c"), credentials=find))
    assert threads == [threading.current_thread()]


def test_bus_gets_each_notice_once_whatever_becomes_of_the_post(book: NoticeBook, clock: Clock) -> None:
    published: list[tuple[int, str, str]] = []

    class Bus:
        def publish(self, record: NoticeRecord, vnfm: Vnfm, base_url: str) -> None:
            published.append((record.number, vnfm.id, base_url))

    queue(book)
    courier = make_courier(book, clock, manager(f"http://127.0.0.1:{find_closed_port()}/"), bus=Bus())
    deliver(courier)
    clock.pass_seconds(1)
    deliver(courier)
    assert only(book).tries == 2
    assert published == [(1, "one", f"{BASE}lab/v1")]
