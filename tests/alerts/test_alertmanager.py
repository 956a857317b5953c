"""Alertmanager by answers of 0.25; ``test_alertmanager_real.py`` asks one."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from escalator.alerts.alertmanager import Access, Alertmanager
from escalator.model.alerts import Matcher, Silence
from escalator.model.errors import EscalatorError, ForbiddenError, InvalidRequestError, TransientError

URL = "http://am.example.org:9093/prefix"
NOW = datetime(2026, 11, 29, 18, 30, tzinfo=UTC)


def make(answer: Callable[[httpx.Request], httpx.Response], **access: str) -> Alertmanager:
    return Alertmanager(Access(**({"url": URL} | access)), http=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, ForbiddenError),
        (403, ForbiddenError),
        (404, TransientError),
        (302, TransientError),
        (500, TransientError),
        (503, TransientError),
    ],
)
def test_a_bad_status_is_an_error_that_says_what_to_do(status: int, kind: type[EscalatorError]) -> None:
    source = make(lambda _: httpx.Response(status, text="because"))
    with pytest.raises(kind, match="because") as caught:
        source.fetch_alerts(())
    assert caught.value.remedy


@pytest.mark.parametrize(
    "body",
    ["<html>", '[{"labels": {}}]', "[1]", '{"a": 1}', "{}", '""', '[{"fingerprint": "f", "labels": "x"}]'],
)
def test_what_is_no_alertmanager_is_no_silence_about_alerts(body: str) -> None:
    source = make(lambda _: httpx.Response(200, text=body))
    with pytest.raises(TransientError):
        source.fetch_alerts(())
    with pytest.raises(TransientError):
        source.fetch_silences("x")


def test_no_answer_is_passing() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(TransientError, match="does not answer: connection refused"):
        make(refuse).fetch_silences("x")


def test_credentials_are_sent_and_never_said(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(500, text="boom")

    with caplog.at_level("DEBUG"):
        for access in ({"user": "ann", "password": "s3cret"}, {"token": "t0ken"}):
            source = make(answer, **access)
            with pytest.raises(TransientError) as caught:
                source.fetch_alerts(())
            assert not {"s3cret", "t0ken"} & set(str(caught.value).split())
            assert "s3cret" not in repr(Access(url=URL, **access)) + caplog.text
            assert "t0ken" not in repr(Access(url=URL, **access)) + caplog.text
    basic = base64.b64encode(b"ann:s3cret").decode()
    assert [r.headers["Authorization"] for r in seen] == [f"Basic {basic}", "Bearer t0ken"]
    assert str(seen[0].url).startswith(f"{URL}/api/v2/alerts?active=true&silenced=false")


@pytest.mark.parametrize("url", ["am:9093", "ftp://am", "http://", "http://am:port", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="address of the Alertmanager is none"):
        Alertmanager(Access(url=url))


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidRequestError, match="has a user in it") as caught:
        Alertmanager(Access(url="http://ann:s3cret@am:9093"))
    assert "s3cret" not in str(caught.value)


def test_certificates_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="there is no file"):
        Alertmanager(Access(url=URL, ca_file=str(tmp_path / "ca.pem")))


def test_an_expired_silence_and_one_of_others_are_not_ours() -> None:
    def record(state: str, comment: str = "ours") -> dict[str, object]:
        return {
            "id": f"{state}-{comment}",
            "status": {"state": state},
            "comment": comment,
            "createdBy": "escalator",
            "updatedAt": "2026-11-29T18:29:50.801Z",
            "startsAt": "2026-11-29T18:30:00.000Z",
            "endsAt": "2026-11-29T19:30:00.123456789Z",
            "matchers": [{"isRegex": True, "name": "instance", "value": "n.*"}],
        }

    records = [record("expired"), record("active"), record("pending"), record("active", "theirs")]
    found = make(lambda _: httpx.Response(200, json=records)).fetch_silences("ours")
    assert [silence.id for silence in found] == ["active-ours", "pending-ours"]
    assert found[0].matchers == (Matcher.parse("instance=~n.*"),)
    assert found[0].starts_at == NOW
    assert found[0].ends_at.microsecond == 123456


def test_a_silence_is_written_with_its_id_when_it_is_made_longer() -> None:
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return httpx.Response(200, json={"silenceID": "s"})

    source = make(answer)
    silence = Silence(matchers=(Matcher.parse("a!=b"),), comment="c", starts_at=NOW, ends_at=NOW)
    source.put_silence(silence)
    assert b'"id"' not in seen[0]
    assert b'"isEqual":false' in seen[0].replace(b" ", b"")
