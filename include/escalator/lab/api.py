"""A thin client of the lab's OpenStack APIs: the standard library and one token."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from escalator.lab.config import PASSWORD
from escalator.lab.errors import ApiError

if TYPE_CHECKING:
    from escalator.lab.config import ControlConfig

TIMEOUT_SECONDS = 60.0
MICROVERSIONS = {
    "OpenStack-API-Version": "compute 2.90, placement 1.39",
    "X-OpenStack-Nova-API-Version": "2.90",
}
UNAUTHORIZED = 401
NOT_FOUND = 404


@dataclass(slots=True, kw_only=True)
class Cloud:
    """The lab's cloud, as its administrator.

    :param config: says where the services are.
    :param project: that the administrator acts in.
    """

    config: ControlConfig
    project: str = "admin"
    _token: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def within(self, project: str) -> Cloud:
        """Return the same cloud, the administrator acting in another project."""
        return self if project == self.project else Cloud(config=self.config, project=project)

    def get(self, service: str, path: str) -> Any:  # noqa: ANN401
        """Read a resource.

        :raises ApiError: when the service answers with an error, or not at all.
        """
        return self.call("GET", service, path)

    def post(self, service: str, path: str, body: object) -> Any:  # noqa: ANN401
        """Create a resource, or order an action.

        :raises ApiError: when the service answers with an error, or not at all.
        """
        return self.call("POST", service, path, body)

    def put(self, service: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """Change a resource.

        :raises ApiError: when the service answers with an error, or not at all.
        """
        return self.call("PUT", service, path, body)

    def delete(self, service: str, path: str) -> None:
        """Delete a resource; one that is gone already is fine.

        :raises ApiError: when the service answers with another error, or not at all.
        """
        try:
            self.call("DELETE", service, path)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise

    def call(
        self, method: str, service: str, path: str, body: object = None, *, raw: bytes | None = None
    ) -> Any:  # noqa: ANN401
        """Send one request to a service.

        :param raw: sent as it is, in place of a JSON body.
        :raises ApiError: when the service answers with an error, or not at all.
        """
        url = (self.config.auth_url if service == "keystone" else self.config.endpoint(service)) + path
        headers = {**MICROVERSIONS, "X-Auth-Token": self.token()}
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        kind = "application/json" if raw is None else "application/octet-stream"
        try:
            return _send(method, url, headers | {"Content-Type": kind}, data)[1]
        except ApiError as error:
            if error.status != UNAUTHORIZED:
                raise
            self._token = ""
            headers["X-Auth-Token"] = self.token()
            return _send(method, url, headers | {"Content-Type": kind}, data)[1]

    def token(self) -> str:
        """Return a token of the administrator; asked for once."""
        with self._lock:
            if not self._token:
                user = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
                auth = {
                    "identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": {"name": self.project, "domain": {"id": "default"}}},
                }
                url = f"{self.config.auth_url}/auth/tokens"
                kind = {"Content-Type": "application/json"}
                headers, _ = _send("POST", url, kind, json.dumps({"auth": auth}).encode())
                self._token = headers["X-Subject-Token"]
            return self._token


def _send(method: str, url: str, headers: dict[str, str], data: bytes | None) -> tuple[Any, Any]:
    request = urllib.request.Request(url, method=method, data=data, headers=headers)  # noqa: S310
    try:
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read()
            return answer.headers, json.loads(content) if content else {}
    except urllib.error.HTTPError as error:
        text = error.read()[:500].decode(errors="replace")
        raise ApiError(f"{method} {url}: {error.code} {text}", status=error.code) from error
    except OSError as error:
        raise ApiError(f"{method} {url}: {error}", status=0) from error


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
