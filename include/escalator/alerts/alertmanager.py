"""The Alertmanager of Prometheus, by its API v2; tried against 0.25."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from escalator.model.alerts import Alert, Matcher, Matchers, Silence
from escalator.model.errors import ForbiddenError, InvalidRequestError, TransientError

AUTHOR = "escalator"
"""Who makes our silences, for people who look at them."""
WAIT_SECONDS = 10.0
_LONGEST_WORDS = 200
_OVER = "expired"
_FRACTION = re.compile(r"\.(\d{6})\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where an Alertmanager is, and what it asks of who calls.

    :ivar url: up to its ``/api``; without user or password.
    :ivar token: a bearer token, in place of user and password.
    :ivar ca_file: certificates to trust, in place of those of the system.
    """

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None


class Alertmanager:
    """One Alertmanager; threads may share it.

    :param http: replaces the network in tests.
    :raises InvalidRequestError: the address cannot be one, or has a password in it.
    """

    def __init__(self, access: Access, *, http: httpx.BaseTransport | None = None) -> None:
        self._url = _check_address(access.url)
        headers = {"Accept": "application/json"}
        if access.token:
            headers["Authorization"] = f"Bearer {access.token}"
        self._http = httpx.Client(
            base_url=f"{self._url}/api/v2/",
            headers=headers,
            auth=(access.user, access.password or "") if access.user and not access.token else None,
            timeout=WAIT_SECONDS,
            transport=http or httpx.HTTPTransport(verify=_trust(access.ca_file), retries=1),
            trust_env=False,
        )

    def fetch_alerts(self, matchers: Matchers) -> tuple[Alert, ...]:
        """Read the alerts that fire, match, and are neither silenced nor inhibited. One call."""
        query: list[tuple[str, str | int | float | bool | None]] = [
            ("active", "true"),
            ("silenced", "false"),
            ("inhibited", "false"),
            *(("filter", str(matcher)) for matcher in matchers),
        ]
        records = self._ask("GET", "alerts", query=httpx.QueryParams(query))
        try:
            found = [Alert(fingerprint=r["fingerprint"], labels=dict(r["labels"])) for r in records]
        except (TypeError, KeyError, ValueError) as exc:
            raise self._stranger() from exc
        return tuple(sorted(found, key=lambda alert: alert.fingerprint))

    def fetch_silences(self, comment: str) -> tuple[Silence, ...]:
        """Read the silences with exactly that comment that are not over. One call."""
        records = self._ask("GET", "silences")
        try:
            return tuple(
                _read_silence(r) for r in records if r["comment"] == comment and r["status"]["state"] != _OVER
            )
        except (TypeError, KeyError, ValueError) as exc:
            raise self._stranger() from exc

    def put_silence(self, silence: Silence) -> None:
        """Make a silence, or let one that has an id end at another time. One call."""
        self._ask("POST", "silences", body=_write_silence(silence))

    def end_silence(self, silence_id: str) -> None:
        """End a silence now; one that is gone is ended. One call."""
        self._ask("DELETE", f"silence/{quote(silence_id, safe='')}", gone_is_good=True)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: httpx.QueryParams | None = None,
        body: Mapping[str, Any] | None = None,
        gone_is_good: bool = False,
    ) -> Any:  # noqa: ANN401  (JSON)
        try:
            answer = self._http.request(method, path, params=query, json=body)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as exc:
            raise TransientError(
                f"Alertmanager at {self._url} does not answer: {exc or type(exc).__name__}",
                remedy="see that it runs, and the Airflow connection that the inventory settings name",
            ) from exc
        if gone_is_good and _is_gone(answer):
            return None
        self._refuse(answer)
        if method != "GET":
            return None
        try:
            found = answer.json()
        except (ValueError, RecursionError) as exc:
            raise self._stranger() from exc
        if not isinstance(found, list):  # an empty object is not the list of no alerts
            raise self._stranger()
        return found

    def _refuse(self, answer: httpx.Response) -> None:
        """Raise what a bad status means."""
        status = answer.status_code
        if status in range(200, 300):
            return
        said = f"Alertmanager at {self._url} answers {status}: {answer.text.strip()[:_LONGEST_WORDS]}"
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise ForbiddenError(said, remedy="see login, password or token of its Airflow connection")
        if status == HTTPStatus.BAD_REQUEST:
            raise InvalidRequestError(said, remedy="see the matchers in the inventory settings")
        raise TransientError(
            said, remedy="see the log of the Alertmanager, and the address of its connection"
        )

    def _stranger(self) -> TransientError:
        return TransientError(
            f"what answers at {self._url} is no Alertmanager with an API v2",
            remedy="see the address of its Airflow connection",
        )


def _is_gone(answer: httpx.Response) -> bool:
    """Tell whether a silence is no more: 0.25 says so with 500."""
    bad = answer.status_code >= HTTPStatus.BAD_REQUEST
    return answer.status_code == HTTPStatus.NOT_FOUND or (bad and "silence not found" in answer.text)


def _check_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        known, parts = None, urlsplit("")
    if not known:
        raise InvalidRequestError(
            "the address of the Alertmanager is none", remedy="write http(s)://host:port into its connection"
        )
    if parts.username or parts.password:
        raise InvalidRequestError(
            "the address of the Alertmanager has a user in it, which logs would show",
            remedy="write user and password into login and password of its connection",
        )
    return url.rstrip("/")


def _trust(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is not None and not Path(ca_file).is_file():
        raise InvalidRequestError(
            f"there is no file {ca_file} with certificates for the Alertmanager",
            remedy="see cacert of its connection, on each worker and triggerer",
        )
    return ssl.create_default_context(cafile=ca_file)


def _read_silence(record: Mapping[str, Any]) -> Silence:
    return Silence(
        id=str(record["id"]),
        matchers=tuple(
            Matcher(
                name=m["name"], value=m["value"], is_regex=m["isRegex"], is_equal=bool(m.get("isEqual", True))
            )
            for m in record["matchers"]
        ),
        comment=record["comment"],
        starts_at=_read_time(record["startsAt"]),
        ends_at=_read_time(record["endsAt"]),
    )


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(_FRACTION.sub(r".\1", text))


def _write_silence(silence: Silence) -> dict[str, Any]:
    known = {"id": silence.id} if silence.id is not None else {}
    return {
        **known,
        "matchers": [
            {"name": m.name, "value": m.value, "isRegex": m.is_regex, "isEqual": m.is_equal}
            for m in silence.matchers
        ],
        "startsAt": silence.starts_at.astimezone(UTC).isoformat(),
        "endsAt": silence.ends_at.astimezone(UTC).isoformat(),
        "createdBy": AUTHOR,
        "comment": silence.comment,
    }
