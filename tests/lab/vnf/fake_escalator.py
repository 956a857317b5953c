"""A Keystone and an API of the type ``maintenance``, as far as a manager of a VNF sees them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from escalator.lab.vnf.json_server import Answer, JsonServer, Request, call

SESSION, PROJECT = "11111111-1111-1111-1111-111111111111", "p1"


@dataclass
class FakeEscalator:
    """Both on one port; it keeps what it was sent, and takes what has a token."""

    tokens: set[str] = field(default_factory=set)
    replies: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    constraints: dict[str, dict[str, Any]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    instance_ids: list[str] = field(default_factory=list)
    registered: bool = True
    refusals: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = JsonServer("127.0.0.1", 0, self.answer)
        self._server.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    def stop(self) -> None:
        self._server.stop()

    def expire_tokens(self) -> None:
        self.tokens.clear()

    def answer(self, request: Request) -> Answer:
        with self._lock:
            return self._answer(request)

    def _answer(self, request: Request) -> Answer:
        if request.path == "/v3/auth/tokens":
            return self._token(request.body["auth"])
        if request.headers.get("x-auth-token") not in self.tokens:
            return Answer(status=401)
        if request.path.startswith("/v1/instance"):
            return self._constraint(request)
        if request.method == "PUT":
            if self.refusals:
                self.refusals -= 1
                return Answer(status=503)
            self.replies.append((time.time(), request.path, request.body))
            return Answer()
        return Answer(body={"instance_ids": self.instance_ids})

    def _token(self, auth: dict[str, Any]) -> Answer:
        user = auth["identity"]["password"]["user"]
        if (user["name"], user["password"], auth["scope"]["project"]["name"]) != ("vnf-a", "secret", "vnf-a"):
            return Answer(status=401)
        token = f"token-{len(self.order)}-{time.monotonic()}"
        self.tokens.add(token)
        endpoints = [
            {"interface": "internal", "url": "http://127.0.0.1:1/"},
            {"interface": "public", "url": f"{self.url}/v1"},
        ]
        catalogue = [{"type": "maintenance", "endpoints": endpoints}] if self.registered else []
        body = {"token": {"catalog": catalogue, "project": {"id": PROJECT}}}
        return Answer(status=201, body=body, headers={"X-Subject-Token": token})

    def _constraint(self, request: Request) -> Answer:
        name = request.path.removeprefix("/v1/")
        self.order.append(f"{request.method} {name}")
        if request.method == "DELETE":
            self.constraints.pop(name)
            return Answer(status=204)
        self.constraints[name] = request.body
        return Answer(body={})

    # -- what Escalator sends

    def payload(self, state: str, /, **more: Any) -> dict[str, Any]:
        return {
            "service": "maintenance",
            "project_id": PROJECT,
            "instance_ids": f"{self.url}/v1/maintenance/{SESSION}/{PROJECT}",
            "allowed_actions": ["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"],
            "state": state,
            "actions_at": "2030-01-01 00:00:00",
            "reply_at": "2030-01-01 00:00:00",
            "session_id": SESSION,
            "metadata": {"openstack_version": "34"},
            "reply_url": f"{self.url}/v1/maintenance/{SESSION}/{PROJECT}",
            **more,
        }


def alarm(payload: dict[str, Any], event: str = "maintenance.scheduled") -> dict[str, Any]:
    """Return a payload as AODH sends it: every trait a text, lists in Python's form."""
    traits = [[key, 1, value if isinstance(value, str) else repr(value)] for key, value in payload.items()]
    return {"reason_data": {"type": "event", "event": {"event_type": event, "traits": traits}}}


def post(url: str, body: object, headers: dict[str, str] | None = None) -> int:
    return call("POST", url, body, headers=headers, timeout_seconds=30).status
