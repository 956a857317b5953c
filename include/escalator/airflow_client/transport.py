"""HTTP to Airflow's API server: log in, send, translate every failure into an error of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx

from escalator.airflow_client.errors import (
    AirflowUnavailableError,
    LoginRefusedError,
    NotInAirflowError,
    RequestRefusedError,
)
from escalator.model.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

API = "/api/v2"
LOGIN = "/auth/token"
_MARK_UP = re.compile(r"<(?:(script|style)\b.*?</\1\s*)?[^>]*>", re.DOTALL | re.IGNORECASE)
_MOST_WORDS = 500
LOGIN_REMEDY = "check the Airflow user and password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """Log in with a name and a password; a token that ran out is renewed."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Use a ready token."""

    value: str = field(repr=False)


class Transport:
    """One connection to one Airflow.

    :param url: address of the API server, without ``/api/v2``.
    :param login: how to authenticate; logging in happens with the first request.
    :param timeout_seconds: longest wait for one answer.
    :param http: replaces the network in tests.
    :raises InvalidRequestError: the address is none.
    """

    def __init__(
        self,
        url: str,
        *,
        login: Password | Token,
        timeout_seconds: float = 30.0,
        http: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._login = login
        self._token = login.value if isinstance(login, Token) else None
        try:
            self._http = httpx.Client(
                base_url=self.url,
                timeout=timeout_seconds,
                transport=http or httpx.HTTPTransport(retries=2),
                trust_env=False,
            )
        except httpx.InvalidURL as error:
            raise InvalidRequestError(
                f"{url!r} is no address of Airflow: {error}", remedy="check the address of Airflow"
            ) from error

    def __enter__(self) -> Self:
        """Return the transport itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        self._http.close()

    def request(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str | int | bool] | None = None,
        body: Mapping[str, Any] | None = None,
        public: bool = False,
        api: str = API,
    ) -> dict[str, Any]:
        """Send one request and return the JSON object of the answer; an empty answer is an empty object.

        :param path: parts of the path below that of the API, each quoted here.
        :param api: where the API is: Airflow's own, or that of a plugin.
        :param public: the resource needs no login.
        :raises RequestRefusedError: 4xx; NotInAirflowError and LoginRefusedError are kinds of it.
        :raises AirflowUnavailableError: no answer, or 5xx.
        """
        target = "/".join((api, *(quote(part, safe="") for part in path)))
        if not public and self._token is None:
            self._token = self._fetch_token()
        answer = self._send(method, target, query=query, body=body)
        if answer.status_code == HTTPStatus.UNAUTHORIZED and isinstance(self._login, Password):
            self._token = self._fetch_token()
            answer = self._send(method, target, query=query, body=body)
        return _read(answer)

    def _fetch_token(self) -> str:
        if isinstance(self._login, Token):
            return self._login.value
        credentials = {"username": self._login.user, "password": self._login.password}
        answer = self._send("POST", LOGIN, body=credentials)
        token = _read(answer).get("access_token")
        if not isinstance(token, str):
            raise _describe_stranger(answer)
        return token

    def _send(
        self,
        method: str,
        target: str,
        *,
        query: Mapping[str, str | int | bool] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        headers = {"Accept": "application/json"}
        if self._token and target != LOGIN:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            return self._http.request(method, target, params=query, json=body, headers=headers)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise InvalidRequestError(
                f"{self.url} cannot be asked: {error}", remedy="check the address of Airflow, and the login"
            ) from error
        except httpx.HTTPError as error:
            raise AirflowUnavailableError(
                f"Airflow at {self.url} does not answer: {error or type(error).__name__}",
                remedy="check the address and that the API server runs",
            ) from error


def _read(answer: httpx.Response) -> dict[str, Any]:
    """Return the object in an answer, or raise what its status means."""
    match answer.status_code:
        case status if status < HTTPStatus.BAD_REQUEST:
            return _read_object(answer) if answer.content else {}
        case HTTPStatus.UNAUTHORIZED:
            raise LoginRefusedError(read_detail(answer), status=answer.status_code, remedy=LOGIN_REMEDY)
        case HTTPStatus.NOT_FOUND:
            raise NotInAirflowError(
                read_detail(answer), status=answer.status_code, remedy=_read_remedy(answer)
            )
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.REQUEST_TIMEOUT:
            raise AirflowUnavailableError(f"Airflow is busy: {read_detail(answer)}")
        case status if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RequestRefusedError(read_detail(answer), status=status, remedy=_read_remedy(answer))
        case status:
            raise AirflowUnavailableError(
                f"Airflow answered {status}: {read_detail(answer)}", remedy="read the API server's log"
            )


def _read_object(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _describe_stranger(answer)
    return document


def _describe_stranger(answer: httpx.Response) -> AirflowUnavailableError:
    """Say that what answers is no Airflow: a proxy, or another service at that address."""
    return AirflowUnavailableError(
        f"{answer.url.host} does not answer as Airflow does: {answer.text.strip()[:100]!r}",
        remedy="check the address of Airflow",
    )


def read_detail(answer: httpx.Response) -> str:
    """Return Airflow's own words about a failure, as one text."""
    try:
        detail = _read_error(answer).get("message") or answer.json().get("detail")
    except (ValueError, AttributeError, RecursionError):
        return _read_words(answer.text) or f"HTTP {answer.status_code}"
    if isinstance(detail, list):
        return "; ".join(_of_validation(item) for item in detail)
    if isinstance(detail, dict):
        return ": ".join(str(detail[key]) for key in ("reason", "message") if detail.get(key)) or str(detail)
    return str(detail or f"HTTP {answer.status_code}")


def _read_error(answer: httpx.Response) -> Mapping[str, Any]:
    """Return what Escalator's own API says of a refusal; of Airflow's nothing."""
    error = answer.json().get("error")
    return error if isinstance(error, dict) else {}


def _read_remedy(answer: httpx.Response) -> str | None:
    """Return what Escalator's own API says can be done; None: it is not said."""
    try:
        return str(_read_error(answer).get("remedy") or "") or None
    except (ValueError, AttributeError, RecursionError):
        return None


def _read_words(text: str) -> str:
    """Return what is no JSON as one line; of a web page what a person would read."""
    words = " ".join(_MARK_UP.sub(" ", text).split())[:_MOST_WORDS]
    return f"{words} (a web page: is that Airflow's address?)" if _MARK_UP.match(text.lstrip()) else words


def _of_validation(item: object) -> str:
    if not isinstance(item, dict):
        return str(item)
    place = ".".join(str(part) for part in item.get("loc", ()))
    return f"{place}: {item.get('msg', '')}"
