"""Clients that spoke to OpenStack Fenix, with the calls that they make and no more patience than they have.

Written by what they do on the wire: OPNFV Doctor's VNFM and its administrator, Tacker's plug-in. They follow
no redirect, read keys without asking whether they are there, and take the statuses that those take.
"""

from __future__ import annotations

import ast
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

ENDPOINT = "http://testserver/vim/lab/v1"
"""As Keystone's catalogue has it: it ends with the version, and has no slash behind it."""
WORDS = {"Content-Type": "application/json", "Accept": "application/json"}
GOOD, NO_CONTENT = 200, 204
TRIES = 5


class ClientFailedError(Exception):
    """What was answered or told makes the client fail."""


@dataclass
class Wire:
    """The library ``requests``, as the clients use it: JSON that they wrote themselves, and their token."""

    client: Any
    token: str | None

    def __call__(self, method: str, url: str, data: dict[str, Any] | None = None) -> Any:
        headers = WORDS | ({} if self.token is None else {"X-Auth-Token": self.token})
        body = None if data is None else json.dumps(data).encode()
        return self.client.request(method, url, content=body, headers=headers, follow_redirects=False)


@dataclass
class DoctorVnfm:
    """Doctor's VNFM: constraints at its start and end, a reply inside the handler of every alarm.

    :param active: the member that has the floating IP.
    """

    wire: Wire
    project: str
    ha: Sequence[str]
    others: Sequence[str]
    ha_group: str
    active: str = ""
    scaled: int = 0
    seen: list[str] = field(default_factory=list)
    replied: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.active = self.active or self.ha[0]
        self.group = str(uuid.uuid4())  # another one at every start

    def start(self) -> None:
        """Put the group of its own, the one of Nova, then the instances."""
        alike = {"project_id": self.project, "resource_mitigation": True}
        own = {"anti_affinity_group": False, "max_instances_per_host": 0, "max_impacted_members": 2}
        nova = {"anti_affinity_group": True, "max_instances_per_host": 1, "max_impacted_members": 1}
        for group_id, name, seconds, limits in (
            (self.group, "doctor_nonha_app_group", 2, own),
            (self.ha_group, "doctor_ha_app_group", 4, nova),
        ):
            about = {"group_id": group_id, "group_name": name, "recovery_time": seconds}
            self._change("PUT", f"/instance_group/{group_id}", alike | limits | about)
        for group_id, members in ((self.ha_group, self.ha), (self.group, self.others)):
            for member in members:
                about = {"instance_id": member, "group_id": group_id, "instance_name": f"doctor {member[:4]}"}
                times = {"max_interruption_time": 120, "migration_type": "MIGRATION", "lead_time": 40}
                self._change("PUT", f"/instance/{member}", alike | about | times)

    def stop(self) -> None:
        """Delete the instances, its own group, then the one of Nova."""
        for member in (*self.ha, *self.others):
            self._change("DELETE", f"/instance/{member}")
        for group_id in (self.group, self.ha_group):
            self._change("DELETE", f"/instance_group/{group_id}")

    def receive(self, body: bytes) -> None:
        """Handle an alarm as its handler does: whatever goes wrong is an error to who sent it."""
        traits = json.loads(body.decode())["reason_data"]["event"]["traits"]
        payload = {str(trait[0]): self._decode(str(trait[2])) for trait in traits}
        state = payload["state"]
        self.seen.append(state)
        reply: dict[str, Any] = {}
        match state:
            case "MAINTENANCE":
                reply["instance_ids"] = self._ask_for_instances(payload["instance_ids"])
            case "SCALE_IN":
                self.scaled += 1
                reply["instance_ids"] = [*self.ha, *self.others]
            case "PREPARE_MAINTENANCE" | "PLANNED_MAINTENANCE":
                reply |= self._give_way(payload)
            case "INSTANCE_ACTION_DONE":
                _ = payload["instance_ids"]
                return
            case "MAINTENANCE_COMPLETE":
                pass
            case _:
                raise ClientFailedError(f"unknown state {state}")
        reply |= {"session_id": payload["session_id"], "state": f"ACK_{state}"}
        self.replied.append(self.wire("PUT", payload["reply_url"], reply).status_code)

    def _give_way(self, payload: dict[str, Any]) -> dict[str, Any]:
        if "MIGRATE" not in payload["allowed_actions"]:
            raise ClientFailedError("MIGRATE is not among the allowed actions")
        if payload["instance_ids"][0] == self.active:
            self.active = next(member for member in self.ha if member != self.active)
        return {"instance_action": "MIGRATE"}

    def _ask_for_instances(self, url: str) -> Any:
        answer = self.wire("GET", url)
        if answer.status_code != GOOD:
            raise ClientFailedError(answer.text)
        return answer.json()["instance_ids"]

    def _change(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        answer = self.wire(method, f"{ENDPOINT}{path}", body)
        if answer.status_code not in {GOOD, NO_CONTENT}:
            raise ClientFailedError(answer.text)

    @staticmethod
    def _decode(text: str) -> Any:
        return yaml.safe_load(text.replace("u'", "'")) if "[" in text or "{" in text else text


class DoctorManager(DoctorVnfm):
    """Its older sibling, of dialect A: it asks for the instances, its GET has a body, its reply has a map."""

    def _give_way(self, payload: dict[str, Any]) -> dict[str, Any]:
        if "MIGRATE" not in payload["allowed_actions"]:
            raise ClientFailedError("MIGRATE is not among the allowed actions")
        found = self._ask_for_instances(payload["instance_ids"], payload["session_id"])
        return {"instance_actions": dict.fromkeys(found, "MIGRATE")}

    def _ask_for_instances(self, url: str, session_id: str = "") -> Any:
        answer = self.wire("GET", url, {"session_id": session_id})
        if answer.status_code != GOOD:
            raise ClientFailedError(answer.text)
        return answer.json()["instance_ids"]


@dataclass
class TackerPlugin:
    """Tacker's plug-in: an alarm becomes a request of its own API, then a reply that it repeats until 200.

    :param config: what the VNF's template says of maintenance; nothing in it is looked at.
    """

    wire: Wire
    project: str
    instances: Sequence[str]
    group: str
    endpoint: str = ENDPOINT
    config: dict[str, Any] = field(default_factory=dict)
    is_active: bool = True
    statuses: list[int] = field(default_factory=list)

    NEEDED = frozenset({"instance_ids", "session_id", "state", "reply_url"})
    STATES = (
        "MAINTENANCE",
        "SCALE_IN",
        "MAINTENANCE_COMPLETE",
        "PREPARE_MAINTENANCE",
        "PLANNED_MAINTENANCE",
        "INSTANCE_ACTION_DONE",
    )

    def receive(self, body: bytes) -> None:
        """Take an alarm; refuse what its validation refuses."""
        told = json.loads(body)
        payload = {}
        for name, kind, value in told["reason_data"]["event"]["traits"]:
            is_code = kind == 1 and value and value[0] in "[{"
            payload[name] = ast.literal_eval(value) if is_code else value
        if not payload.keys() >= self.NEEDED or payload["state"] not in self.STATES:
            raise ClientFailedError(f"parameters are lacking: {payload}")
        asks = payload["state"] in {"PREPARE_MAINTENANCE", "PLANNED_MAINTENANCE"}
        if asks and not (type(payload["allowed_actions"]) is list is type(payload["instance_ids"])):
            raise ClientFailedError(f"no list: {payload}")
        data: dict[str, Any] = {}
        if payload["state"] in {"MAINTENANCE", "MAINTENANCE_COMPLETE"}:
            data["instance_ids"] = list(self.instances)
        if asks:
            if payload["instance_ids"][0] not in self.instances:
                raise ClientFailedError("an instance of somebody else")
            data["instance_action"] = self.config.get("migration_type", "MIGRATE")
        data["session_id"] = payload["session_id"]
        data["state"] = f"{'ACK' if self.is_active else 'NACK'}_{payload['state']}"
        self._repeat("PUT", payload["reply_url"], data)

    def put_constraints(self) -> None:
        """Put the instances and the group; each in a thread of its own, so in any order."""
        said = self.config.get
        for instance in self.instances:
            data = {
                "project_id": self.project,
                "instance_id": instance,
                "instance_name": "VDU1",
                "migration_type": said("migration_type", "MIGRATE"),
                "resource_mitigation": said("mitigation_type", True),
                "max_interruption_time": said("max_interruption_time", 120),
                "lead_time": said("lead_time", 120),
                "group_id": self.group,
            }
            self._repeat("PUT", self._url(f"/instance/{instance}"), data)
        data = {
            "group_id": self.group,
            "project_id": self.project,
            "group_name": f"tacker_nonha_app_group_{self.group}",
            "anti_affinity_group": False,
            "max_instances_per_host": 0,
            "resource_mitigation": True,
            "max_impacted_members": said("max_impacted_members", 1),
            "recovery_time": said("recovery_time", 60),
        }
        self._repeat("PUT", self._url(f"/instance_group/{self.group}"), data)

    def delete_constraints(self) -> None:
        """Delete the group, then the instances."""
        self._repeat("DELETE", self._url(f"/instance_group/{self.group}"))
        for instance in self.instances:
            self._repeat("DELETE", self._url(f"/instance/{instance}"))

    def _url(self, path: str) -> str:
        return f"{self.endpoint.rstrip('/')}/{path.strip('/')}"

    def _repeat(self, method: str, url: str, data: dict[str, Any] | None = None) -> None:
        for _ in range(TRIES):
            self.statuses.append(self.wire(method, url, data).status_code)
            if self.statuses[-1] == GOOD:
                return


@dataclass
class FenixAdmin:
    """Who begins a session and asks how it stands, as Doctor's scenario does; with a token of its own."""

    wire: Wire
    url: str = f"{ENDPOINT}/maintenance"

    def start(self, maintenance_at: str, **changes: Any) -> str:
        """Begin a session for every host."""
        data = {
            "hosts": [],
            "state": "MAINTENANCE",
            "maintenance_at": maintenance_at,
            "metadata": {"openstack_version": "Rocky"},
            "workflow": "default",
        }
        return str(self._ask("POST", self.url, data | changes)["session_id"])

    def read_state(self, session_id: str) -> str:
        """Return how a session stands."""
        return str(self._ask("GET", f"{self.url}/{session_id}")["state"])

    def remove(self, session_id: str) -> None:
        """Delete a session."""
        self._ask("DELETE", f"{self.url}/{session_id}")

    def _ask(self, method: str, url: str, data: dict[str, Any] | None = None) -> Any:
        answer = self.wire(method, url, data)
        if answer.status_code != GOOD:
            raise ClientFailedError(answer.text)
        return answer.json()
