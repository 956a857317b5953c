from typing import Any

import httpx
import pytest
from fake_airflow import URL, FakeAirflow, run_document

from escalator.airflow_client import (
    AirflowClient,
    AirflowUnavailableError,
    LoginRefusedError,
    NotInAirflowError,
    Password,
    RequestRefusedError,
    Token,
)
from escalator.airflow_client.transport import read_detail
from escalator.model.errors import InvalidRequestError, TransientError

RUN = "/api/v2/dags/d/dagRuns/r"


def test_it_logs_in_once_for_many_requests() -> None:
    airflow = FakeAirflow()
    airflow.on("GET", RUN, (200, run_document()))
    with airflow.client() as client:
        client.get_run("d", "r")
        client.get_run("d", "r")
    assert airflow.logins == 1


def test_a_token_that_ran_out_is_renewed() -> None:
    airflow = FakeAirflow()
    airflow.on("GET", RUN, (200, run_document()))
    client = airflow.client()
    client.get_run("d", "r")
    airflow.valid_tokens.clear()
    assert client.get_run("d", "r").run_id == "manual__1"
    assert airflow.logins == 2


def test_a_wrong_password_is_bad_input() -> None:
    with pytest.raises(LoginRefusedError, match="Invalid credentials") as caught:
        FakeAirflow().client(password="wrong").get_run("d", "r")
    assert isinstance(caught.value, InvalidRequestError)
    assert caught.value.remedy is not None


def test_a_ready_token_is_used_and_never_renewed() -> None:
    airflow = FakeAirflow(valid_tokens={"mine"})
    airflow.on("GET", RUN, (200, run_document()))
    transport = httpx.MockTransport(airflow._handle)
    assert AirflowClient(URL, login=Token(value="mine"), http=transport).get_run("d", "r").dag_id
    with pytest.raises(LoginRefusedError):
        AirflowClient(URL, login=Token(value="old"), http=transport).get_run("d", "r")
    assert airflow.logins == 0


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RequestRefusedError),
        (403, RequestRefusedError),
        (404, NotInAirflowError),
        (409, RequestRefusedError),
        (422, RequestRefusedError),
        (429, AirflowUnavailableError),
        (500, AirflowUnavailableError),
        (503, AirflowUnavailableError),
    ],
)
def test_every_failure_becomes_an_error_with_airflows_words(status: int, error: type[Exception]) -> None:
    airflow = FakeAirflow()
    airflow.on("GET", RUN, (status, {"detail": "no, because"}))
    with pytest.raises(error, match="no, because"):
        airflow.client().get_run("d", "r")


def test_no_answer_is_transient() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    client = AirflowClient(URL, login=Token(value="x"), http=httpx.MockTransport(refuse))
    with pytest.raises(TransientError, match="does not answer"):
        client.health()


def test_parts_of_the_path_are_quoted() -> None:
    airflow = FakeAirflow()
    airflow.on(
        "GET", "/api/v2/dags/a%2Fb/dagRuns/manual__2026-01-01T00%3A00%3A00%2B00%3A00", (200, run_document())
    )
    assert airflow.client().get_run("a/b", "manual__2026-01-01T00:00:00+00:00").run_id == "manual__1"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (httpx.Response(400, json={"detail": "plain"}), "plain"),
        (httpx.Response(409, json={"detail": {"reason": "Unique", "message": "there"}}), "Unique: there"),
        (
            httpx.Response(422, json={"detail": [{"loc": ["body", "slots"], "msg": "wrong"}]}),
            "body.slots: wrong",
        ),
        (
            httpx.Response(502, text="<html>bad gateway"),
            "bad gateway (a web page: is that Airflow's address?)",
        ),
        (
            httpx.Response(
                501, text="<!DOCTYPE HTML>\n<style>\n p {}\n</style>\n<h1>Error</h1>\n <p>no POST\n</p>"
            ),
            "Error no POST (a web page: is that Airflow's address?)",
        ),
        (httpx.Response(503, text="  busy:\n try 1 < 2 \n"), "busy: try 1 < 2"),
        (httpx.Response(500), "HTTP 500"),
        (httpx.Response(500, json=["odd"]), '["odd"]'),
    ],
)
def test_airflows_words_are_found_in_every_form(answer: httpx.Response, text: str) -> None:
    assert read_detail(answer) == text


def test_secrets_do_not_show() -> None:
    assert "mine" not in repr(Token(value="mine"))


@pytest.mark.parametrize("answer", [{"text": "<html>welcome</html>"}, {"json": ["a", "list"]}, {"json": {}}])
def test_what_does_not_answer_as_airflow_does_is_named(answer: dict[str, Any]) -> None:
    """A proxy, or another service at that address."""
    http = httpx.MockTransport(lambda _request: httpx.Response(200, **answer))
    client = AirflowClient(URL, login=Password(user="admin", password="right"), http=http)
    with pytest.raises(AirflowUnavailableError, match=r"airflow\.test does not answer as Airflow does"):
        client.get_run("d", "r")


def test_an_address_that_is_none_is_bad_input() -> None:
    with pytest.raises(InvalidRequestError, match="is no address of Airflow"):
        AirflowClient("http://[::1", login=Token(value="ready"))


@pytest.mark.parametrize(
    "document", [{}, {"dags": None}, {"dags": 7}, {"dags": [7]}, {"dags": [{}]}, {"dags": [{"dag_id": 1}]}]
)
def test_an_answer_of_another_form_is_said_to_be_one(document: Any) -> None:
    airflow = FakeAirflow()
    airflow.on("GET", "/api/v2/dags", (200, document))
    with pytest.raises(AirflowUnavailableError, match=r"not as Airflow's") as caught:
        airflow.client().list_dags()
    assert "check the address of Airflow" in str(caught.value.remedy)


@pytest.mark.parametrize("body", [b"<html>log in</html>", b"[" * 100_000, b"[]", b"\xff\xfe", b""])
def test_what_is_no_airflow_is_said_to_be_none(body: bytes) -> None:
    stranger = httpx.MockTransport(lambda _request: httpx.Response(200, content=body))
    client = AirflowClient(URL, login=Password(user="admin", password="p"), http=stranger)
    with pytest.raises(AirflowUnavailableError, match=r"does not answer as Airflow does"):
        client.get_run("d", "r")


@pytest.mark.parametrize(
    ("url", "token"), [(f"http://{'x' * 70}.example", "t"), (URL, "\u4e2d"), ("http://[::1", "t")]
)
def test_an_address_or_token_that_cannot_be_sent_is_bad_input(url: str, token: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"address|cannot be asked"):
        AirflowClient(url, login=Token(value=token)).get_run("d", "r")
