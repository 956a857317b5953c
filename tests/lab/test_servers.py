from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from escalator.lab import servers as servers_module
from escalator.lab.errors import LabError
from escalator.lab.servers import Servers, ServerSpec

STATUS_AFTER = {"os-stop": "SHUTOFF", "pause": "PAUSED", "suspend": "SUSPENDED"}


class FakeCloud:
    """Nova, Glance and Neutron as far as servers need them; everything happens at once."""

    def __init__(self) -> None:
        self.servers: dict[str, dict[str, Any]] = {}
        self.orphans: list[str] = []
        self.calls: list[str] = []
        self.boots_into = "ACTIVE"
        self.projects: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)

    def within(self, project: str) -> FakeCloud:
        self.projects.append(project)
        return self

    def get(self, service: str, path: str) -> Any:
        if path.endswith("/allocations"):
            return {"allocations": dict.fromkeys([*self.servers, *self.orphans])}
        if service == "placement":
            return {"resource_providers": [{"uuid": "provider"}]}
        if service == "neutron":
            name = path.partition("name=")[2]
            return {"networks": [] if name == "nowhere" else [{"id": f"id-of-{name}"}]}
        if service == "glance":
            name = path.partition("name=")[2]
            return {"images": [] if name == "nothing" else [{"id": f"id-of-{name}"}]}
        wanted = re.search(r"status=(\w+)", path)
        found = [each for each in self.servers.values() if wanted is None or each["status"] == wanted[1]]
        return {"servers": found}

    def post(self, service: str, path: str, body: dict[str, Any]) -> Any:
        assert service == "nova"
        if path.endswith("/action"):
            action = next(iter(body))
            self.calls.append(action)
            self.servers[path.split("/")[2]]["status"] = STATUS_AFTER[action]
            return {}
        self.bodies.append(body)
        asked = body["server"]
        self.calls.append(f"boot {asked['name']}")
        made = {
            "id": f"id-{next(self._numbers)}",
            "name": asked["name"],
            "status": self.boots_into,
            "locked": False,
            "OS-EXT-SRV-ATTR:host": asked.get("host", "node-01"),
            "OS-EXT-STS:task_state": None,
            "flavor": {"original_name": asked["flavorRef"]},
            "metadata": asked["metadata"],
        }
        self.servers[made["id"]] = made
        return {"server": made}

    def delete(self, service: str, path: str) -> None:
        if service == "placement":
            self.orphans.remove(path.split("/")[2])
            return
        gone = self.servers.pop(path.split("/")[2])
        self.calls.append(f"delete {gone['name']}")


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


@pytest.fixture
def servers(cloud: FakeCloud) -> Servers:
    return Servers(cloud=cloud)  # type: ignore[arg-type]


SPECS = (
    ServerSpec(name="a", host="node-01"),
    ServerSpec(name="b", host="node-02", state="PAUSED"),
    ServerSpec(name="c", host="node-03", state="SHUTOFF", metadata={"lab_migrate": "fail"}),
)


def test_servers_are_booted_and_brought_into_their_states(cloud: FakeCloud, servers: Servers) -> None:
    ids = servers.boot(SPECS)
    assert {name: cloud.servers[key]["status"] for name, key in ids.items()} == {
        "a": "ACTIVE",
        "b": "PAUSED",
        "c": "SHUTOFF",
    }
    assert cloud.servers[ids["c"]]["metadata"] == {"lab_migrate": "fail"}


def test_a_server_is_booted_in_its_project_network_and_group(cloud: FakeCloud, servers: Servers) -> None:
    servers.boot([ServerSpec(name="member", project="vnf-a", network="vnf-net", group="g1"), SPECS[0]])
    member, other = sorted(cloud.bodies, key=lambda body: str(body["server"]["name"]), reverse=True)
    assert member["server"]["networks"] == [{"uuid": "id-of-vnf-net"}]
    assert member["os:scheduler_hints"] == {"group": "g1"}
    assert other["server"]["networks"] == [{"uuid": "id-of-lab-net"}]
    assert "os:scheduler_hints" not in other
    assert sorted(cloud.projects) == ["admin", "vnf-a"]


def test_an_image_that_there_is_not_is_refused(cloud: FakeCloud, servers: Servers) -> None:
    servers.boot([ServerSpec(name="member", image="guest")])
    assert cloud.bodies[0]["server"]["imageRef"] == "id-of-guest"
    with pytest.raises(LabError, match="no image nothing"):
        servers.boot([ServerSpec(name="member", image="nothing")])


def test_a_network_that_there_is_not_is_refused(servers: Servers) -> None:
    with pytest.raises(LabError, match="no network nowhere"):
        servers.boot([ServerSpec(name="member", network="nowhere")])


def test_servers_are_deleted_by_their_ids(cloud: FakeCloud, servers: Servers) -> None:
    ids = servers.boot(SPECS)
    servers.delete({ids["a"], ids["b"]})
    assert [each["name"] for each in cloud.servers.values()] == ["c"]


def test_what_is_as_specified_is_left_alone(cloud: FakeCloud, servers: Servers) -> None:
    before = servers.ensure(SPECS)
    cloud.calls.clear()
    assert servers.ensure(SPECS) == before
    assert cloud.calls == []


def test_fresh_replaces_all(cloud: FakeCloud, servers: Servers) -> None:
    before = servers.ensure(SPECS)
    after = servers.ensure(SPECS, fresh=True)
    assert set(after) == set(before)
    assert not set(after.values()) & set(before.values())
    assert set(cloud.servers) == set(after.values())


@pytest.mark.parametrize(
    "change",
    [
        {"status": "ACTIVE"},
        {"OS-EXT-SRV-ATTR:host": "node-04"},
        {"OS-EXT-STS:task_state": "migrating"},
        {"metadata": {"more": "1"}},
        {"locked": True},
        {"flavor": {"original_name": "m1.large"}},
    ],
)
def test_what_differs_is_replaced(cloud: FakeCloud, servers: Servers, change: dict[str, Any]) -> None:
    before = servers.ensure(SPECS)
    cloud.servers[before["b"]].update(change)
    cloud.calls.clear()
    after = servers.ensure(SPECS)
    assert (after["a"], after["c"]) == (before["a"], before["c"])
    assert after["b"] != before["b"]
    assert cloud.calls == ["delete b", "boot b", "pause"]


def test_what_is_not_specified_is_deleted(cloud: FakeCloud, servers: Servers) -> None:
    servers.boot([*SPECS, ServerSpec(name="stranger")])
    servers.ensure(SPECS)
    assert sorted(each["name"] for each in cloud.servers.values()) == ["a", "b", "c"]
    servers.ensure(())
    assert cloud.servers == {}


def test_what_a_failed_migration_left_in_placement_is_freed(cloud: FakeCloud, servers: Servers) -> None:
    cloud.orphans = ["migration-1", "deleted-server"]
    ids = servers.ensure(SPECS)
    assert cloud.orphans == []
    assert set(ids.values()) == set(cloud.servers)


def test_a_server_that_does_not_boot_is_told(cloud: FakeCloud, servers: Servers) -> None:
    cloud.boots_into = "ERROR"
    with pytest.raises(LabError, match="a: ERROR"):
        servers.boot(SPECS[:1])


def test_waiting_for_a_server_ends(
    cloud: FakeCloud, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers_module, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(servers_module, "POLL_SECONDS", 0.01)
    cloud.boots_into = "BUILD"
    with pytest.raises(LabError, match="a: BUILD"):
        servers.boot(SPECS[:1])


def test_a_state_that_does_not_exist_is_refused(servers: Servers) -> None:
    with pytest.raises(LabError, match="cannot be brought into ASLEEP"):
        servers.boot([ServerSpec(name="a", state="ASLEEP")])
