"""Turns what keystoneauth and openstacksdk raise into Escalator's errors, with the request id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
from keystoneauth1 import exceptions as ksa
from openstack import exceptions as sdk

from escalator.model.errors import (
    ConflictError,
    EscalatorError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    TransientError,
)

_SERVER_ERROR = 500
_POOL_NOISE = re.compile(r": HTTPS?ConnectionPool.*", re.DOTALL)
_WHERE = "the connection's extras (or the cloud's entry in clouds.yaml):"
_CREDENTIALS = "see login, password, project and domains of the connection, or of the cloud in clouds.yaml"
_REQUEST_ID_HEADERS = ("x-openstack-request-id", "x-compute-request-id")


@contextmanager
def translate_error(action: str) -> Iterator[None]:
    """Raise Escalator's errors for whatever the client library raises inside.

    :param action: what is being done, in words that begin an error message.
    """
    try:
        yield
    except (ksa.ClientException, sdk.SDKException, OSError) as exc:
        raise translate(action, exc) from exc


def translate(action: str, exc: Exception) -> EscalatorError:
    """Choose the error by what the caller must do about it.

    :param action: what was being done, in words that begin an error message.
    :param exc: an exception of keystoneauth or openstacksdk, or one of requests that they let through.
    """
    if isinstance(exc, ksa.HttpError):
        return _of_status(action, exc)
    if isinstance(exc, ksa.SSLError):
        return InvalidRequestError(f"{action}: {exc}", remedy=f"name the CA bundle in {_WHERE} `cacert`")
    if isinstance(exc, ksa.ConnectTimeout):
        return TransientError(f"{action}: {exc}", remedy="the outcome is unknown: read before writing again")
    if isinstance(exc, (ksa.ConnectionError, ksa.DiscoveryFailure)):
        said = _POOL_NOISE.sub("", str(exc))
        return TransientError(f"{action}: {said}", remedy="see whether the API answers at its endpoint")
    if isinstance(exc, ksa.EndpointNotFound):
        return NotFoundError(
            f"{action}: {exc}", remedy=f"see {_WHERE} `region_name` and `interface`, and the catalogue"
        )
    return (
        _of_transport(action, exc)
        if isinstance(exc, OSError)
        else InvalidRequestError(f"{action}: {exc}", remedy=_CREDENTIALS)
    )


def _of_transport(action: str, exc: OSError) -> EscalatorError:
    """Choose the error for what requests raises and keystoneauth lets through."""
    if isinstance(exc, requests.RequestException):
        return TransientError(f"{action}: {exc}", remedy="see what stands before the API")
    return InvalidRequestError(  # a file of certificates that is not there
        f"{action}: {exc}", remedy=f"see {_WHERE} `cacert`, `cert` and `key`, and REQUESTS_CA_BUNDLE"
    )


_BY_STATUS: Mapping[int, tuple[type[EscalatorError], str | None]] = {
    401: (InvalidRequestError, _CREDENTIALS),
    403: (ForbiddenError, "the user needs the admin role, or a policy that allows this"),
    404: (NotFoundError, None),
    406: (InvalidRequestError, "the cloud is older than Escalator supports"),
    408: (TransientError, None),
    409: (ConflictError, None),
    412: (ConflictError, None),
    413: (RateLimitedError, "the cloud limits the rate of calls"),
    425: (TransientError, None),
    429: (RateLimitedError, "the cloud limits the rate of calls"),
}
"""HTTP status -> error and remedy; others from 500 on are transient, below that the request is wrong."""


def _of_status(action: str, exc: ksa.HttpError) -> EscalatorError:
    status = exc.http_status or _SERVER_ERROR
    kind = TransientError if status >= _SERVER_ERROR else InvalidRequestError
    error, remedy = _BY_STATUS.get(status, (kind, None))
    message = f"{action}: HTTP {status}: {find_detail(exc)}"
    if issubclass(error, TransientError):
        wait = find_wait(exc)
        return error(message, remedy=remedy, request_id=request_id_of(exc), retry_after_seconds=wait)
    return error(message, remedy=remedy, request_id=request_id_of(exc))


def find_wait(exc: ksa.HttpError) -> float | None:
    """Return for how long the service asks not to be called (s): ``Retry-After`` in seconds, or a date."""
    text = str((getattr(exc.response, "headers", None) or {}).get("Retry-After", "")).strip()
    if text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    known = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (known - datetime.now(UTC)).total_seconds())


def find_detail(exc: ksa.HttpError) -> str:
    """Return what the service said, on one line; each service wraps it in its own way."""
    text = _spoken(exc.response) or exc.details or exc.message or str(exc)
    return " ".join(str(text).split())


def _spoken(response: object) -> str | None:
    """Find the words: ``{"kind": {"message": …}}`` of Nova and Neutron, Placement's ``{"errors": [{…}]}``."""
    if not isinstance(response, requests.Response):
        return None
    try:
        body = response.json()
    except requests.exceptions.JSONDecodeError:
        return None
    inner = next(iter(body.values()), None) if isinstance(body, dict) else None
    if isinstance(inner, list) and inner:
        inner = inner[0]
    if not isinstance(inner, dict):
        return None
    return inner.get("message") or inner.get("detail") or inner.get("title")


def request_id_of(exc: ksa.HttpError) -> str | None:
    """Return the request id that the service answered with."""
    if exc.request_id:
        return str(exc.request_id)
    headers = getattr(exc.response, "headers", None) or {}
    return next((str(headers[name]) for name in _REQUEST_ID_HEADERS if name in headers), None)
