"""What a snapshot says, beside what openstacksdk's own proxies say of the same cloud."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from escalator.cloud_manager.api import COMPUTE_MICROVERSIONS, find_api
from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.cloud_manager.owners import fetch_group_owner, fetch_server_owner
from escalator.cloud_manager.snapshots import snapshot_from_document, snapshot_to_document
from escalator.lab.lab import Lab
from escalator.lab.servers import ServerSpec
from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import InvalidRequestError
from escalator.upgrade_manager.state.domains import domain_of
from escalator.upgrade_manager.versions.microversions import find_majors
from escalator.vim_interface.registry import add_ha_groups_of, load_ha_sources

pytestmark = pytest.mark.lab
SPECS = (
    ServerSpec(name="s-active", host="node-01"),
    ServerSpec(name="s-off", host="node-01", state="SHUTOFF", flavor="m1.small"),
    ServerSpec(name="s-paused", host="node-02", state="PAUSED"),
)


def opened(lab: Lab) -> tuple[Cloud, CallCounter]:
    counter = CallCounter()
    credentials = CloudCredentials.from_clouds_yaml("lab", path=lab.settings.run / "clouds.yaml")
    return Cloud(connect(credentials, counter), counter), counter


def taken(cloud: Cloud) -> CloudSnapshot:
    return cloud.fetch_snapshot("lab", domain_of=domain_of)


def place_of(lab: Lab, host: str) -> tuple[str, str]:
    """Return the zone and the aggregate that the lab puts a node into."""
    if lab.settings.zones == 1:
        return "az1", "general"
    zone = lab.settings.hosts.index(host) % lab.settings.zones + 1
    return f"az{zone}", f"general-{zone}"


def test_snapshot_agrees_with_nova_and_placement(empty_lab: Lab) -> None:
    ids = empty_lab.servers.boot(SPECS)
    cloud, counter = opened(empty_lab)
    snapshot = taken(cloud)
    assert counter.total <= 10  # the token, eight lists, one kind of machine
    first = counter.total
    assert taken(cloud).servers == snapshot.servers
    assert counter.total - first <= 8

    path = empty_lab.settings.run / "clouds.yaml"
    sdk = connect(CloudCredentials.from_clouds_yaml("lab", path=path), CallCounter())
    services = {s.host: s for s in sdk.compute.services(binary="nova-compute")}
    assert {n.host: (n.state, n.status, n.zone) for n in snapshot.nodes} == {
        host: (s.state, s.status, s.availability_zone) for host, s in services.items()
    }
    for node in snapshot.nodes:
        assert node.provider_id is not None
        provider = sdk.placement.get_resource_provider(node.provider_id)
        assert provider.name == node.hypervisor_hostname
        there = {i.resource_class: i for i in sdk.placement.resource_provider_inventories(provider)}
        assert {
            name: (i.total, i.reserved, i.allocation_ratio, i.max_unit) for name, i in node.inventory.items()
        } == {name: (i.total, i.reserved, i.allocation_ratio, i.max_unit) for name, i in there.items()}
        assert node.traits == set(
            sdk.placement.get(f"/resource_providers/{provider.id}/traits", microversion="1.6").json()[
                "traits"
            ]
        )
        assert dict(node.usage) == cloud_usage(snapshot, node.host)
        zone, aggregate = place_of(empty_lab, node.host)
        assert (node.domain, node.aggregates) == (f"cell1/{zone}/{aggregate}", (aggregate,))
    servers = {s.id: s for s in sdk.compute.servers(details=True, all_projects=True)}
    assert {s.id: (s.name, s.vm_state, s.host) for s in snapshot.servers} == {
        i: (s.name, s.vm_state, s.compute_host) for i, s in servers.items()
    }
    assert {s.name: s.power_state for s in snapshot.servers} == {
        "s-active": "running",
        "s-off": "shutdown",
        "s-paused": "paused",
    }
    assert {s.id for s in cloud.fetch_servers("node-01")} == {ids["s-active"], ids["s-off"]}
    assert cloud.fetch_servers("node-03") == ()
    assert {s.id: fetch_server_owner(sdk, s.id) for s in snapshot.servers} == {
        s.id: s.project_id for s in snapshot.servers
    }
    assert fetch_server_owner(sdk, "vm-1") is None


def cloud_usage(snapshot: CloudSnapshot, host: str) -> dict[str, int]:
    """Add up the servers: without moves, Placement has allocated exactly that."""
    usage = {"VCPU": 0, "MEMORY_MB": 0, "DISK_GB": 0}
    for server in snapshot.servers_on(host):
        usage = {name: amount + server.resources.get(name, 0) for name, amount in usage.items()}
    return usage


def test_document_of_a_real_cloud_is_read_back(lab: Lab) -> None:
    snapshot = taken(opened(lab)[0])
    assert len(snapshot.nodes) == len(lab.settings.hosts)
    assert snapshot_from_document(json.loads(json.dumps(snapshot_to_document(snapshot)))) == snapshot


def test_more_servers_cost_no_more_calls(empty_lab: Lab) -> None:
    cloud, counter = opened(empty_lab)
    taken(cloud)
    before = counter.total
    taken(cloud)
    without = counter.total - before
    empty_lab.servers.boot([ServerSpec(name=f"many-{n}") for n in range(6)])
    before = counter.total
    assert len(taken(cloud).servers) == 6
    assert counter.total - before == without


def test_agents_are_those_that_neutron_lists(lab: Lab) -> None:
    cloud, counter = opened(lab)
    taken(cloud)
    before = counter.total
    found = cloud.fetch_snapshot("lab", domain_of=domain_of, with_agents=True).agents
    assert counter.total - before <= 10
    path = lab.settings.run / "clouds.yaml"
    sdk = connect(CloudCredentials.from_clouds_yaml("lab", path=path), CallCounter())
    listed = {a.id: (a.binary, a.host, a.is_alive) for a in sdk.network.agents()}
    assert {a.id: (a.binary, a.host, a.alive) for a in found} == listed


def test_the_control_plane_tells_its_release_and_the_lab_has_one_cell(lab: Lab) -> None:
    cloud, _ = opened(lab)
    control = cloud.fetch_snapshot("lab", domain_of=domain_of, with_control_plane=True).control_plane
    assert control is not None
    assert find_majors(control.highest) == (34, 34)
    assert control.apart == ()


def test_the_rules_of_server_groups_are_read(empty_lab: Lab) -> None:
    cloud, _ = opened(empty_lab)
    compute = cloud._reader._compute
    rules = {"max_server_per_host": 3}
    asked = {"name": "three a node", "policy": "anti-affinity", "rules": rules}
    made = compute.post("/os-server-groups", {"server_group": asked})["server_group"]
    try:
        (group,) = (g for g in taken(cloud).server_groups if g.id == made["id"])
        assert (group.policy, group.max_server_per_host) == ("anti-affinity", 3)
        connection = cloud._connection
        assert fetch_group_owner(connection, group.id) == connection.current_project_id
    finally:
        compute.delete(f"/os-server-groups/{made['id']}")


def test_ha_groups_come_from_metadata_and_from_a_file(empty_lab: Lab, tmp_path: Path) -> None:
    roles = {"db-1": "active", "db-2": "standby"}
    ids = empty_lab.servers.boot(
        [
            *(ServerSpec(name=n, metadata={"ha_group": "db", "ha_role": r}) for n, r in roles.items()),
            ServerSpec(name="web-1"),
            ServerSpec(name="web-2"),
        ]
    )
    snapshot = taken(opened(empty_lab)[0])
    project = snapshot.servers[0].project_id
    group = {"id": "web", "mode": "load-balanced", "members": [{"name": "web-*"}]}
    document = {"schema": "escalator.vnf/1", "name": "web", "project_id": project, "groups": [group]}
    (tmp_path / "web.yaml").write_text(json.dumps(document))
    found = add_ha_groups_of(snapshot, load_ha_sources(tmp_path))
    assert {g.id: (g.mode, set(g.members)) for g in found.ha_groups} == {
        f"db@{project}": ("active-standby", {ids["db-1"], ids["db-2"]}),
        "web": ("load-balanced", {ids["web-1"], ids["web-2"]}),
    }
    assert {s.name: s.ha_role for s in found.servers} == {**roles, "web-1": "member", "web-2": "member"}


def test_microversions_that_calls_are_written_for_are_offered(lab: Lab) -> None:
    path = lab.settings.run / "clouds.yaml"
    sdk = connect(CloudCredentials.from_clouds_yaml("lab", path=path), CallCounter())
    offered = sdk.compute.get("/").json()["version"]["version"]
    newest = tuple(map(int, offered.split(".")))
    assert newest >= tuple(map(int, COMPUTE_MICROVERSIONS[0].split(".")))
    with pytest.raises(InvalidRequestError, match=rf"offers microversions 2\.1 to {offered}, .* for 2\.999"):
        find_api(sdk, "compute").get("/os-services", microversion="2.999")
