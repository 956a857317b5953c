"""The servers (guests) of the lab: boot them, bring them into a state, restore the standard set."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from escalator.lab.bootstrap import IMAGE, NETWORK
from escalator.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from escalator.lab.api import Cloud

POLL_SECONDS = 0.6
WAIT_SECONDS = 180.0
PARALLEL = 4
_FIRST_WITH_STATES = 6
_ACTIONS: Mapping[str, Mapping[str, Any]] = {
    "SHUTOFF": {"os-stop": None},
    "PAUSED": {"pause": None},
    "SUSPENDED": {"suspend": None},
    "RESCUE": {"rescue": None},
    "VERIFY_RESIZE": {"migrate": None},
    "ERROR": {"os-resetState": {"state": "error"}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """A server to boot.

    :param name: of the server.
    :param host: the node that it shall be on; None lets the scheduler choose.
    :param flavor: m1.tiny (512 MiB), m1.small (2 GiB) or m1.large (8 GiB).
    :param state: its status in the end: ACTIVE, SHUTOFF, PAUSED, SUSPENDED, RESCUE, VERIFY_RESIZE or ERROR.
    :param metadata: of the server; orders faults.
    :param network: name of the network that its port is in.
    :param image: name of its image.
    :param project: name of its project.
    :param group: id of its server group; None: it is in none.
    """

    name: str
    host: str | None = None
    flavor: str = "m1.tiny"
    state: str = "ACTIVE"
    metadata: Mapping[str, str] = field(default_factory=dict)
    network: str = NETWORK
    image: str = IMAGE
    project: str = "admin"
    group: str | None = None


def standard_set(hosts: tuple[str, ...], count: int) -> tuple[ServerSpec, ...]:
    """Return the servers of a new lab, spread over the nodes; of six, one is SHUTOFF and one PAUSED."""
    states = {4: "SHUTOFF", 5: "PAUSED"} if count >= _FIRST_WITH_STATES else {}
    return tuple(
        ServerSpec(
            name=f"web-{number + 1:02d}",
            host=hosts[number % len(hosts)],
            flavor="m1.small" if number % 2 == 0 else "m1.tiny",
            state=states.get(number % _FIRST_WITH_STATES, "ACTIVE"),
        )
        for number in range(count)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The servers of one cloud.

    :param cloud: the cloud, as its administrator.
    """

    cloud: Cloud

    def fetch(self) -> list[dict[str, Any]]:
        """Read all servers of all projects, by name."""
        found = self.cloud.get("nova", "/servers/detail?all_tenants=1")["servers"]
        return sorted(found, key=lambda server: str(server["name"]))

    def fetch_one(self, server_id: str) -> dict[str, Any]:
        """Read one server."""
        return dict(self.cloud.get("nova", f"/servers/{server_id}")["server"])

    def boot(self, specs: Iterable[ServerSpec]) -> dict[str, str]:
        """Boot servers and bring each into its state.

        :return: the ids by name.
        :raises LabError: when one does not get there.
        """
        wanted = {spec.name: spec for spec in specs}
        if not wanted:
            return {}
        images = self._find("glance", "/v2", "image", {spec.image for spec in wanted.values()})
        networks = self._find("neutron", "/v2.0", "network", {spec.network for spec in wanted.values()})
        projects = {name: self.cloud.within(name) for name in {spec.project for spec in wanted.values()}}
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            created = pool.map(
                lambda spec: _create(
                    projects[spec.project], spec, images[spec.image], networks[spec.network]
                ),
                wanted.values(),
            )
            ids = dict(zip(wanted, created, strict=True))
            self.wait_for({ids[name]: "ACTIVE" for name in wanted})
            changing = {ids[name]: spec.state for name, spec in wanted.items() if spec.state != "ACTIVE"}
            list(pool.map(lambda item: self._bring_into(*item), changing.items()))
        self.wait_for(changing)
        return ids

    def ensure(self, specs: Iterable[ServerSpec], *, fresh: bool = False) -> dict[str, str]:
        """Make the cloud hold these servers and no others; those that are as specified are left alone.

        A second run finds them all and does nothing.

        :param fresh: replace those too that are as specified.
        :return: the ids by name.
        :raises LabError: when one does not get there.
        """
        wanted = {spec.name: spec for spec in specs}
        found = self.fetch()
        kept = {
            server["name"]: str(server["id"])
            for server in found
            if not fresh and server["name"] in wanted and _is_as_specified(server, wanted[server["name"]])
        }
        others = {server["id"] for server in found} - set(kept.values())
        self._delete(others)
        booted = self.boot(spec for name, spec in wanted.items() if name not in kept)
        self.wait_gone(others)
        self._delete_orphans({*kept.values(), *booted.values()})
        return kept | booted

    def order_deletion(self) -> set[str]:
        """Order the deletion of all servers and return their ids; a node that is off does it later."""
        found = self._ids()
        self._delete(found)
        return found

    def delete(self, ids: set[str]) -> None:
        """Delete servers and wait until they are gone; those that are gone already are fine."""
        self._delete(ids)
        self.wait_gone(ids)

    def _delete(self, ids: set[str]) -> None:
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            list(pool.map(lambda server_id: self.cloud.delete("nova", f"/servers/{server_id}"), ids))

    def wait_gone(self, ids: set[str]) -> None:
        """Wait until servers are gone.

        :raises LabError: naming those that are not in time.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while left := ids & self._ids():
            if time.monotonic() > deadline:
                raise LabError(f"servers were not deleted: {', '.join(sorted(left))}")
            time.sleep(POLL_SECONDS)

    def _delete_orphans(self, ids: set[str]) -> None:
        """Free what failed migrations have left behind in Placement: allocations of no server that exists."""
        providers = self.cloud.get("placement", "/resource_providers")["resource_providers"]
        for provider in providers:
            path = f"/resource_providers/{provider['uuid']}/allocations"
            for consumer in self.cloud.get("placement", path)["allocations"]:
                if consumer not in ids:
                    self.cloud.delete("placement", f"/allocations/{consumer}")

    def wait_for(self, statuses: Mapping[str, str]) -> None:
        """Wait until servers (by id) have a status and no task.

        The short list is asked for until all have the status: the detailed one costs two calls to Neutron.

        :raises LabError: when one ends in ERROR unasked, or time runs out.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        for status in dict.fromkeys(statuses.values()):
            wanted = {key for key, value in statuses.items() if value == status}
            while not wanted <= self._ids(status):
                self._refuse_failure(wanted if status != "ERROR" else set(), deadline)
                time.sleep(POLL_SECONDS)
        while any(_has_task(server) for server in self.fetch() if server["id"] in statuses):
            self._refuse_failure(set(), deadline)
            time.sleep(POLL_SECONDS)

    def _refuse_failure(self, wanted: set[str], deadline: float) -> None:
        failed = wanted & self._ids("ERROR") if wanted else set()
        if failed or time.monotonic() > deadline:
            told = [
                f"{server['name']}: {server['status']} {server.get('fault', '')}" for server in self.fetch()
            ]
            raise LabError(f"servers are not as they should be: {'; '.join(told)}")

    def _ids(self, status: str | None = None) -> set[str]:
        query = "" if status is None else f"&status={status}"
        return {
            server["id"] for server in self.cloud.get("nova", f"/servers?all_tenants=1{query}")["servers"]
        }

    def act(self, server_id: str, action: Mapping[str, Any]) -> None:
        """Order an action on a server."""
        self.cloud.post("nova", f"/servers/{server_id}/action", dict(action))

    def _find(self, service: str, version: str, kind: str, names: Iterable[str]) -> dict[str, str]:
        """Return the ids of what a service has, by name."""
        ids = {}
        for name in names:
            found = self.cloud.get(service, f"{version}/{kind}s?name={name}")[f"{kind}s"]
            if not found:
                raise LabError(f"there is no {kind} {name}", "name one that there is")
            ids[name] = str(found[0]["id"])
        return ids

    def _bring_into(self, server_id: str, state: str) -> None:
        if state not in _ACTIONS:
            raise LabError(
                f"a server cannot be brought into {state}", f"choose ACTIVE, {', '.join(_ACTIONS)}"
            )
        self.act(server_id, _ACTIONS[state])


def _create(cloud: Cloud, spec: ServerSpec, image: str, network: str) -> str:
    server = {
        "name": spec.name,
        "imageRef": image,
        "flavorRef": spec.flavor,
        "networks": [{"uuid": network}],
        "metadata": dict(spec.metadata),
    }
    if spec.host is not None:
        server["host"] = spec.host
    hints = {} if spec.group is None else {"os:scheduler_hints": {"group": spec.group}}
    return str(cloud.post("nova", "/servers", {"server": server, **hints})["server"]["id"])


def _is_as_specified(server: Mapping[str, Any], spec: ServerSpec) -> bool:
    return (
        server["status"] == spec.state
        and not _has_task(server)
        and not server["locked"]
        and spec.host in (None, server["OS-EXT-SRV-ATTR:host"])
        and server["flavor"]["original_name"] == spec.flavor
        and server["metadata"] == dict(spec.metadata)
    )


def _has_task(server: Mapping[str, Any]) -> bool:
    return server["OS-EXT-STS:task_state"] is not None
