"""What a manager of a VNF asks of its cloud: a token of Keystone's, the catalogue, and requests with it."""

import threading
from dataclasses import dataclass, field
from typing import Any

from escalator.lab.vnf.json_server import Answer, call

UNAUTHORIZED, CREATED = 401, 201
TIMEOUT_SECONDS = 20.0


class NoTokenError(OSError):
    """Keystone did not give a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user in a project of the default domain."""

    auth_url: str
    username: str
    password: str
    project: str


@dataclass(slots=True, kw_only=True)
class VnfmCloud:
    """The cloud, as a user of one project sees it."""

    account: Account
    project_id: str = ""
    _token: str = ""
    _catalogue: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def log_in(self) -> None:
        """Take a token and the catalogue.

        :raises NoTokenError: when Keystone refuses.
        :raises OSError: when it does not answer.
        """
        here = self.account
        user = {"name": here.username, "domain": {"id": "default"}, "password": here.password}
        scope = {"project": {"name": here.project, "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        answer = fetch_token(here.auth_url, auth)
        with self._lock:
            self._token, token = answer
            self._catalogue, self.project_id = token["catalog"], token["project"]["id"]

    def find_endpoint(self, service_type: str) -> str | None:
        """Return the public endpoint of a service type, from a fresh catalogue; None when there is none."""
        self.log_in()
        for service in self._catalogue:
            for endpoint in service["endpoints"] if service["type"] == service_type else ():
                if endpoint["interface"] == "public":
                    return str(endpoint["url"]).rstrip("/")
        return None

    def send(self, method: str, url: str, body: object = None) -> Answer:
        """Send a request with the token; once more with a new one when it is refused.

        :raises OSError: when nobody answers.
        """
        if not self._token:
            self.log_in()
        answer = self._send(method, url, body)
        if answer.status == UNAUTHORIZED:
            self.log_in()
            answer = self._send(method, url, body)
        return answer

    def _send(self, method: str, url: str, body: object) -> Answer:
        headers = {"X-Auth-Token": self._token}
        return call(method, url, body, headers=headers, timeout_seconds=TIMEOUT_SECONDS)


def fetch_token(auth_url: str, auth: object) -> tuple[str, dict[str, Any]]:
    """Return a token and what Keystone says of it.

    :raises NoTokenError: when Keystone refuses.
    """
    answer = call("POST", f"{auth_url}/auth/tokens", {"auth": auth}, timeout_seconds=TIMEOUT_SECONDS)
    token = answer.headers.get("x-subject-token")
    if answer.status != CREATED or token is None:
        raise NoTokenError(f"Keystone answered {answer.status}: {answer.body}")
    return token, answer.body["token"]
