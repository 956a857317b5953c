from __future__ import annotations

import logging
import threading
import time
from http.server import BaseHTTPRequestHandler

import httpx
import pytest
from tests.vim_interface.servers import Request, answer, find_closed_port, serving, write_raw

from escalator.vim_interface.delivery.credentials import Credentials
from escalator.vim_interface.delivery.http_call import Answer, NoAnswer, call


def post(url: str, seconds: float = 5.0, **headers: str) -> Answer | NoAnswer:
    return call(
        httpx.Request("POST", url, content=b"{}", headers=headers), connect_seconds=1, seconds=seconds
    )


def test_good_answer_is_taken_without_its_body() -> None:
    with serving(answer(202, b"x" * 100_000)) as receiver:
        assert post(f"{receiver.url}/a?b=1") == Answer(status=202)
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/a?b=1", b"{}")


def test_bad_answer_is_shown_as_one_short_line() -> None:
    with serving(answer(503, b"not\nnow\x1b[31m " + b"y" * 5000, {"Retry-After": "7"})) as receiver:
        found = post(receiver.url)
    assert isinstance(found, Answer)
    assert found.text.startswith("not now [31m yyy")
    assert len(found.text) == 200
    assert (found.status, found.retry_after) == (503, "7")


def test_redirect_is_not_followed() -> None:
    with serving(answer(200)) as other, serving(answer(307, headers={"Location": other.url})) as receiver:
        assert post(receiver.url) == Answer(status=307)
    assert not other.requests


def test_refused_connection_was_not_sent() -> None:
    found = post(f"http://127.0.0.1:{find_closed_port()}/")
    assert isinstance(found, NoAnswer)
    assert not found.was_sent
    assert "no connection" in found.error


def test_name_that_is_not_there_was_not_sent() -> None:
    found = post("http://vnfm.invalid/")
    assert isinstance(found, NoAnswer)
    assert not found.was_sent


def test_port_that_is_none_was_not_sent() -> None:
    assert post("http://127.0.0.1:99999/") == NoAnswer(
        was_sent=False, error="the address or the credentials cannot be sent over HTTP"
    )


@pytest.mark.parametrize("parts", [(), (b"HTTP/1.1 2",), (b"no HTTP at all\r\n\r\n",)])
def test_connection_that_breaks_after_the_request_may_have_brought_it(parts: tuple[bytes, ...]) -> None:
    with serving(write_raw(*parts)) as receiver:
        found = post(receiver.url)
    assert isinstance(found, NoAnswer)
    assert found.was_sent
    assert receiver.requests


def test_status_counts_when_the_rest_of_the_answer_is_lost() -> None:
    with serving(write_raw(b"HTTP/1.1 500 Oh\r\nContent-Length: 99\r\n\r\nhalf")) as receiver:
        assert post(receiver.url) == Answer(status=500, text="half")


def test_slow_answer_is_given_up_in_time_and_may_have_been_taken() -> None:
    go = threading.Event()

    def wait(_handler: BaseHTTPRequestHandler, _request: Request) -> None:
        go.wait(10)

    with serving(wait) as receiver:
        begun = time.monotonic()
        found = post(receiver.url, seconds=0.3)
        taken = time.monotonic() - begun
        go.set()
    assert found == NoAnswer(was_sent=True, error="it has not answered within 0.3 s")
    assert taken < 3


def test_answer_that_drips_is_given_up_in_time() -> None:
    def drip(handler: BaseHTTPRequestHandler, _request: Request) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(200):
            handler.wfile.write(b"X-%d: y\r\n" % number)
            time.sleep(0.05)

    with serving(drip) as receiver:
        begun = time.monotonic()
        found = post(receiver.url, seconds=0.4)
        assert time.monotonic() - begun < 3
    assert found == NoAnswer(was_sent=True, error="it has not answered within 0.4 s")


def test_no_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The path of an address may be what lets in, as that of Tacker's alarms."""
    with caplog.at_level(logging.INFO), serving(answer(200)) as receiver:
        post(f"{receiver.url}/key-8ef785")
    assert "8ef785" not in caplog.text


def test_header_that_cannot_be_sent_is_not_shown() -> None:
    with serving(answer(200)) as receiver:
        found = post(receiver.url, Authorization="Bearer hunter2\nx")
    assert isinstance(found, NoAnswer)
    assert not found.was_sent
    assert "hunter2" not in found.error


def test_environment_gives_no_proxy_and_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{find_closed_port()}")
    with serving(answer(200)) as receiver:
        assert post(receiver.url) == Answer(status=200)


def test_credentials_are_a_header_and_never_shown() -> None:
    basic, bearer = Credentials(login="me", password="hunter2"), Credentials(token="t0ken")
    assert basic.make_header() == b"Basic bWU6aHVudGVyMg=="
    assert bearer.make_header() == b"Bearer t0ken"
    assert Credentials().make_header() is None
    assert "hunter2" not in repr(basic)
    assert "t0ken" not in repr(bearer)
    assert basic.hide_in("got hunter2, Basic bWU6aHVudGVyMg==") == "got ***, Basic ***"
    assert Credentials().hide_in("as it is") == "as it is"
