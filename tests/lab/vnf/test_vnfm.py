from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.lab.vnf.fake_escalator import PROJECT, SESSION, FakeEscalator, alarm, post
from tests.lab.vnf.processes import free_port, running, wait_answer

from escalator.lab.processes import wait_until
from escalator.lab.vnf.guest import Guest, GuestSettings
from escalator.lab.vnf.json_server import call
from escalator.lab.vnf.service_log import ServiceLog, read_events

SERVICE = "127.0.64.1"
ONE, TWO = "127.0.64.11", "127.0.64.12"


@pytest.fixture
def escalator() -> Iterator[FakeEscalator]:
    made = FakeEscalator()
    yield made
    made.stop()


@pytest.fixture
def guests(tmp_path: Path) -> Iterator[list[Guest]]:
    port = free_port(SERVICE)
    made = []
    for own, peer in ((ONE, TWO), (TWO, ONE)):
        settings = GuestSettings(
            name=f"m-{own[-1]}",
            server=f"id-{own[-1]}",
            own=(own, port),
            service=(SERVICE, port),
            peer=f"http://{peer}:{port}",
        )
        made.append(Guest(settings, ServiceLog(tmp_path / "guests.jsonl", settings.name)))
    for guest in made:
        guest.start(active=guest is made[0])
    yield made
    for guest in made:
        guest.stop()


class Manager:
    """A manager as a process."""

    def __init__(self, escalator: FakeEscalator, guests: list[Guest], folder: Path) -> None:
        self.escalator, self.folder = escalator, folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config: dict[str, Any] = {
            "name": "vnfm",
            "listen": f"127.0.0.1:{self.port}",
            "log": str(folder / "vnfm.jsonl"),
            "account": {
                "auth_url": f"{escalator.url}/v3",
                "username": "vnf-a",
                "password": "secret",
                "project": "vnf-a",
            },
            "members": [
                {
                    "id": guest.settings.server,
                    "name": guest.settings.name,
                    "url": "http://{}:{}".format(*guest.settings.own),
                }
                for guest in guests
            ],
            "groups": [{"group_id": "g1", "project_id": PROJECT}],
            "instances": [{"instance_id": "id-1", "project_id": PROJECT, "group_id": "g1"}],
        }
        self.process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def run(self, *words: object) -> Iterator[None]:
        path = self.folder / "vnfm.json"
        path.write_text(json.dumps(self.config))
        with running("vnfm", "--config", path, *words) as self.process:
            wait_answer(f"{self.url}/health")
            yield

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in read_events([self.folder / "vnfm.jsonl"]) if event["event"] == name]


@pytest.fixture
def manager(escalator: FakeEscalator, guests: list[Guest], tmp_path: Path) -> Manager:
    return Manager(escalator, guests, tmp_path)


def roles(guests: list[Guest]) -> list[str]:
    return [guest.role for guest in guests]


def planned(escalator: FakeEscalator, dialect: str, instance: str = "id-1", **more: Any) -> dict[str, Any]:
    """Return the message that a node with this instance is next, as the dialect has it."""
    match dialect:
        case "a":
            escalator.instance_ids = [instance]
            return alarm(escalator.payload("PLANNED_MAINTENANCE", **more))
        case "b":
            reply_url = f"{escalator.url}/v1/maintenance/{SESSION}/{PROJECT}/{instance}"
            payload = escalator.payload(
                "PLANNED_MAINTENANCE", **{"instance_ids": [instance], "reply_url": reply_url, **more}
            )
            return alarm(payload)
    return escalator.payload("PLANNED_MAINTENANCE", **{"instance_ids": [instance], **more})


EXPECTED = {
    "a": {"instance_actions": {"id-1": "OWN_ACTION"}},
    "b": {"instance_action": "OWN_ACTION"},
    "webhook": {"instance_actions": {"id-1": "OWN_ACTION"}},
}


@pytest.mark.parametrize("dialect", ["a", "b", "webhook"])
def test_a_good_one_switches_its_pair_and_answers_inside_the_handler(
    manager: Manager, escalator: FakeEscalator, guests: list[Guest], dialect: str
) -> None:
    with manager.run("--dialect", dialect):
        assert post(manager.url, planned(escalator, dialect)) == 200
        assert roles(guests) == ["standby", "active"]
        ((_, path, body),) = escalator.replies
        assert body == {"session_id": SESSION, "state": "ACK_PLANNED_MAINTENANCE", **EXPECTED[dialect]}
        assert path.endswith("/id-1") == (dialect == "b")
        assert post(manager.url, planned(escalator, dialect)) == 200
        assert roles(guests) == ["standby", "active"], "a standby that leaves needs no switch"
    (received, again) = manager.events("received")
    assert received["body"] == again["body"]
    assert [event["switched"] for event in manager.events("switched")] == [True, False]
    assert [event["status"] for event in manager.events("replied")] == [200, 200]


@pytest.mark.parametrize("state", ["MAINTENANCE", "SCALE_IN", "MAINTENANCE_COMPLETE"])
def test_what_is_about_the_session_is_agreed_to_with_the_instances(
    manager: Manager, escalator: FakeEscalator, guests: list[Guest], state: str
) -> None:
    escalator.instance_ids = ["id-1", "id-2"]
    with manager.run("--dialect", "b", "--behaviour", "nack"):
        assert post(manager.url, alarm(escalator.payload(state, allowed_actions=[]))) == 200
    ((_, _, body),) = escalator.replies
    assert body == {"session_id": SESSION, "state": f"ACK_{state}", "instance_ids": ["id-1", "id-2"]}
    assert roles(guests) == ["active", "standby"]


def test_the_ill_behaved(manager: Manager, escalator: FakeEscalator, guests: list[Guest]) -> None:
    with manager.run("--dialect", "a", "--behaviour", "silent"):
        assert post(manager.url, planned(escalator, "a")) == 200
        assert escalator.replies == []

        change(manager, "nack")
        post(manager.url, planned(escalator, "a"))
        assert states(escalator) == ["NACK_PLANNED_MAINTENANCE"]

        change(manager, "liar")
        post(manager.url, planned(escalator, "a"))
        assert states(escalator)[1:] == ["ACK_PLANNED_MAINTENANCE"]
        assert roles(guests) == ["active", "standby"]

        change(manager, "nack-once")
        for _ in range(2):
            post(manager.url, planned(escalator, "a"))
        assert states(escalator)[2:] == ["NACK_PLANNED_MAINTENANCE", "ACK_PLANNED_MAINTENANCE"]
        assert roles(guests) == ["standby", "active"]


def test_a_slow_one_takes_its_time_and_a_late_one_answers_after_the_deadline(
    manager: Manager, escalator: FakeEscalator
) -> None:
    with manager.run("--dialect", "b", "--behaviour", "slow", "--seconds", "0.5"):
        begun = time.monotonic()
        post(manager.url, planned(escalator, "b"))
        assert time.monotonic() - begun >= 0.5
        change(manager, "late", seconds=0.3)
        deadline = datetime.now(UTC) + timedelta(seconds=1.2)
        post(manager.url, planned(escalator, "b", reply_at=f"{deadline:%Y-%m-%d %H:%M:%S}"))
        whole_second = deadline.replace(microsecond=0)
        assert escalator.replies[-1][0] >= (whole_second + timedelta(seconds=0.3)).timestamp()


def test_one_that_dies_does_so_in_mid_negotiation(
    manager: Manager, escalator: FakeEscalator, guests: list[Guest]
) -> None:
    with manager.run("--dialect", "a", "--behaviour", "dies"):
        assert manager.process is not None
        with pytest.raises(OSError, match=r"."):
            post(manager.url, planned(escalator, "a"))
        assert manager.process.wait(timeout=30) == 9
    assert escalator.replies == []
    assert roles(guests) == ["active", "standby"]
    assert len(manager.events("received")) == 1


def test_a_reply_that_is_refused_is_sent_again_and_an_old_token_renewed(
    manager: Manager, escalator: FakeEscalator
) -> None:
    with manager.run("--dialect", "a"):
        assert wait_until(lambda: "instance/id-1" in escalator.constraints, timeout_seconds=30)
        escalator.expire_tokens()
        escalator.refusals = 1
        post(manager.url, planned(escalator, "a"))
    assert [event["status"] for event in manager.events("replied")] == [503, 200]


@pytest.mark.parametrize(
    "break_it",
    [
        {"state": "SOMETHING_NEW"},
        {"instance_ids": ["id-1"]},  # dialect A wants a URL
        {"session_id": ""},
    ],
)
def test_what_it_does_not_know_crashes_it_and_it_never_answers(
    manager: Manager, escalator: FakeEscalator, break_it: dict[str, Any]
) -> None:
    with manager.run("--dialect", "a"):
        assert post(manager.url, planned(escalator, "a", **break_it)) == 500
        assert post(manager.url, ["no", "object"]) == 500
        assert post(manager.url, {"reason_data": {}}) == 500
    assert escalator.replies == []
    assert len(manager.events("crashed")) == 3


def test_dialect_b_reads_a_list_of_one_with_migrate_allowed(
    manager: Manager, escalator: FakeEscalator
) -> None:
    with manager.run("--dialect", "b"):
        for wrong in ({"instance_ids": ["a", "b"]}, {"instance_ids": "http://x/"}, {"allowed_actions": []}):
            assert post(manager.url, planned(escalator, "b", **wrong)) == 500
    assert escalator.replies == []


def test_what_wants_no_reply_gets_none(manager: Manager, escalator: FakeEscalator) -> None:
    with manager.run("--dialect", "a"):
        done = escalator.payload("INSTANCE_ACTION_DONE", instance_ids=["id-1"], reply_url="")
        assert post(manager.url, alarm(done)) == 200
        host = {"state": "IN_MAINTENANCE", "host": "node-01", "session_id": SESSION, "project_id": PROJECT}
        assert post(manager.url, alarm(host, "maintenance.host")) == 200
    assert escalator.replies == []
    assert [event["state"] for event in manager.events("received")] == [
        "INSTANCE_ACTION_DONE",
        "IN_MAINTENANCE",
    ]


def test_who_does_not_show_the_secret_is_refused(manager: Manager, escalator: FakeEscalator) -> None:
    manager.config["authorization"] = "Basic eDp5"
    with manager.run("--dialect", "a"):
        assert post(manager.url, planned(escalator, "a")) == 401
        assert post(manager.url, planned(escalator, "a"), {"Authorization": "Basic eDp5"}) == 200
    assert len(escalator.replies) == 1


def test_constraints_are_put_groups_first_when_the_catalogue_has_the_service_and_deleted_at_the_end(
    manager: Manager, escalator: FakeEscalator
) -> None:
    escalator.registered = False
    with ExitStack() as stack:
        stack.enter_context(manager.run("--dialect", "a"))
        time.sleep(0.5)
        assert escalator.constraints == {}
        escalator.registered = True
        assert wait_until(lambda: len(escalator.constraints) == 2, timeout_seconds=30)
        assert escalator.constraints["instance_group/g1"] == {"group_id": "g1", "project_id": PROJECT}
    put, deleted = escalator.order[:2], escalator.order[2:]
    assert put == ["PUT instance_group/g1", "PUT instance/id-1"]
    assert deleted == ["DELETE instance/id-1", "DELETE instance_group/g1"]
    assert escalator.constraints == {}


def change(manager: Manager, behaviour: str, **more: Any) -> None:
    assert call("POST", f"{manager.url}/behaviour", {"behaviour": behaviour, **more}).status == 200


def states(escalator: FakeEscalator) -> list[str]:
    return [body["state"] for _, _, body in escalator.replies]
