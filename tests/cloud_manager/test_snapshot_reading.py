from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.cloud_manager.whole_cloud import (
    CANDIDATES,
    HOSTS,
    MIGRATIONS,
    Read,
    inventories,
    migration,
    server,
    service,
    summaries,
)

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.model.errors import InvalidRequestError, TransientError
from escalator.model.feature import Feature
from escalator.model.inventory_settings import AggregateRules


def test_four_nodes_of_one_kind_take_ten_calls_then_eight(read: Read, counter: CallCounter) -> None:
    read()
    assert counter.total == 10
    read()
    assert counter.total == 10 + 8


@pytest.mark.parametrize(("there", "most", "calls"), [(3, 1000, 1), (25, 1000, 2), (25, 10, 3), (30, 10, 4)])
def test_server_groups_are_read_to_their_end_whatever_the_server_gives_at_once(
    read: Read, whole: Any, there: int, most: int, calls: int
) -> None:
    groups = [{"id": f"g-{n:02d}", "name": "g", "policy": "affinity", "members": []} for n in range(there)]
    path = "/compute/v2.1/os-server-groups"

    def cut(asked: Any) -> tuple[int, Any] | None:
        if asked.path != path:
            return None
        begin, limit = int(asked.query["offset"][0]), int(asked.query["limit"][0])
        return 200, {"server_groups": groups[begin : begin + min(limit, most)]}

    whole.first = cut
    assert len(read().server_groups) == there
    assert len(whole.requests_of("GET", path)) == calls


def test_each_kind_of_machine_is_read_once(read: Read, whole: Any, counter: CallCounter) -> None:
    two = summaries(HOSTS)
    for host in HOSTS[2:]:
        two["provider_summaries"][f"rp-{host}"]["resources"]["VCPU"]["capacity"] = 128
        whole.tell("GET", f"/placement/resource_providers/rp-{host}/inventories", inventories(ratio=8.0))
    whole.tell("GET", CANDIDATES, two)
    nodes = read().nodes
    assert [n.inventory["VCPU"].allocation_ratio for n in nodes] == [4.0, 4.0, 8.0, 8.0]
    assert counter.total == 11


def test_provider_that_goes_away_takes_nothing_from_its_kind(read: Read, whole: Any) -> None:
    path = "/placement/resource_providers/rp-node-01/inventories"
    whole.tell("GET", path, (404, {"errors": [{"detail": "No resource provider"}]}))
    nodes = read().nodes
    assert [bool(n.inventory) for n in nodes] == [False, True, True, True]


def test_three_thousand_servers_take_two_calls_more_and_none_for_one(
    read: Read, whole: Any, counter: CallCounter
) -> None:
    read()
    before = counter.total

    def paged(asked: Any) -> tuple[int, Any] | None:
        if asked.path != "/compute/v2.1/servers/detail" or "soft_deleted" in asked.query:
            return None
        begin = int(asked.query.get("marker", ["0"])[0])
        page = [server(number) for number in range(begin, begin + 1000)]
        link = {"rel": "next", "href": f"http://x/servers/detail?marker={begin + 1000}"}
        return 200, {"servers": page, "servers_links": [link] if begin < 2000 else []}

    whole.first = paged
    servers = read().servers
    assert len({s.id for s in servers}) == 3000
    assert {s.metadata["ha_group"] for s in servers} == {"web"}
    assert counter.total - before == 8 + 2


def test_agents_and_ports_are_one_call_more_each(read: Read, whole: Any, counter: CallCounter) -> None:
    read()
    before = counter.total
    agent = {"id": "a", "binary": "neutron-ovs", "host": "node-02", "alive": False, "admin_state_up": True}
    whole.tell("GET", "/network/v2.0/agents", {"agents": [agent, {**agent, "host": "node-01"}]})
    found = read(with_agents=True).agents
    assert [(a.host, a.alive) for a in found] == [("node-01", False), ("node-02", False)]
    assert counter.total - before == 10


@pytest.mark.parametrize("status", [403, 404])
def test_agents_that_may_not_be_listed_are_none(read: Read, whole: Any, status: int) -> None:
    whole.tell("GET", "/network/v2.0/agents", (status, {"NeutronError": {"message": "no"}}))
    assert read(with_agents=True).agents == ()


def test_cloud_without_neutron_has_no_agents(read: Read, whole: Any) -> None:
    del whole.services["network"]
    assert read(with_agents=True).agents == ()
    assert not [asked for asked in whole.asked if "agents" in asked.path]


def offering(newest: int) -> Callable[[Any], tuple[int, Any] | None]:
    """Return what a Nova does whose newest microversion is that one."""

    def first(asked: Any) -> tuple[int, Any] | None:
        if asked.path == "/compute/v2.1/":
            return 200, {"version": {"id": "v2.1", "min_version": "2.1", "version": f"2.{newest}"}}
        words = (asked.microversion or "").split()
        if words[:1] == ["compute"] and int(words[1].split(".")[1]) > newest:
            time.sleep(0.02)  # let the calls at its side be refused too
            return 406, {"computeFault": {"message": "not supported"}}
        return None

    return first


def test_older_cloud_is_read_by_calls_that_are_refused_side_by_side(read: Read, whole: Any) -> None:
    whole.first = offering(95)
    assert len(read().nodes) == 4


def test_cloud_outside_the_range_is_refused_with_both_ranges(read: Read, whole: Any) -> None:
    whole.first = offering(60)
    with pytest.raises(
        InvalidRequestError,
        match=r"compute offers microversions 2\.1 to 2\.60, .* for 2\.98 or 2\.96 or 2\.90",
    ):
        read()
    whole.first = offering(86)
    with pytest.raises(InvalidRequestError, match=r"microversions 2\.1 to 2\.86"):
        read()


def test_pinned_zone_is_read_where_the_cloud_shows_it(read: Read, whole: Any) -> None:
    pages = {"servers": [{**server(1), "pinned_availability_zone": "az1"}, server(2)]}

    def first(asked: Any) -> tuple[int, Any] | None:
        wanted = asked.path == "/compute/v2.1/servers/detail" and "soft_deleted" not in asked.query
        return (200, pages) if wanted else None

    whole.first = first
    assert [s.pinned_zone for s in read().servers] == ["az1", None]


def test_nodes_are_put_together(read: Read) -> None:
    snapshot = read(
        target_version="34.0.0", node_versions={"node-02": "34.0.0", "node-01": "33.0.2"}, targets=["node-01"]
    )
    node = snapshot.node("node-02")
    assert node is not None
    assert (node.domain, node.aggregates) == ("cell1/az1/az1/fast", ("az1", "fast"))
    assert (node.provider_id, node.hypervisor_hostname) == ("rp-node-02", "node-02.example")
    assert node.usage == {"VCPU": 3, "MEMORY_MB": 512}
    assert node.free() == {"VCPU": 61, "MEMORY_MB": 3488}
    assert node.inventory["VCPU"].max_unit == 16
    assert node.versions == {"nova-compute": "34.0.0", "hypervisor": "8.2.0"}
    assert [n.host for n in snapshot.nodes if n.upgraded] == ["node-02"]
    assert [n.host for n in snapshot.nodes if n.target] == ["node-01"]


def test_cell_is_what_the_caller_knows(read: Read) -> None:
    """Of a node that a caller who knows of cells does not know, the cell is not guessed."""
    assert [node.cell for node in read().nodes] == ["cell1"] * 4
    snapshot = read(cells={"node-01": "cell2"})
    assert [node.cell for node in snapshot.nodes] == ["cell2", "unknown", "unknown", "unknown"]


def test_inventory_that_changed_is_read_again(read: Read, whole: Any) -> None:
    read()
    path = "/placement/resource_providers/rp-node-01/inventories"
    whole.tell("GET", path, inventories(ratio=8.0))
    changed = summaries(HOSTS)
    changed["provider_summaries"]["rp-node-01"]["resources"]["VCPU"]["capacity"] = 128
    whole.tell("GET", CANDIDATES, changed)
    node = read().node("node-01")
    assert node is not None
    assert node.inventory["VCPU"].allocation_ratio == 8.0
    assert len(whole.requests_of("GET", path)) == 2


def test_full_node_is_read_by_itself(read: Read, whole: Any) -> None:
    whole.tell("GET", CANDIDATES, summaries(HOSTS[1:]))
    whole.tell(
        "GET", "/placement/resource_providers/rp-node-01/usages", {"usages": {"VCPU": 8, "MEMORY_MB": 4000}}
    )
    whole.tell("GET", "/placement/resource_providers/rp-node-01/traits", {"traits": ["COMPUTE_NODE"]})
    node = read().node("node-01")
    assert node is not None
    assert node.free() == {"VCPU": 56, "MEMORY_MB": 0}
    assert node.traits == {"COMPUTE_NODE"}


def test_node_without_hypervisor_or_provider_has_no_room(read: Read, whole: Any) -> None:
    whole.tell("GET", "/compute/v2.1/os-hypervisors/detail", {"hypervisors": []})
    node = read().node("node-01")
    assert node is not None
    assert (node.provider_id, node.inventory, node.free()) == (None, {}, {})


def test_cell_that_is_down_is_said_first(read: Read, whole: Any) -> None:
    partial = {"binary": "nova-compute", "host": "node-02", "status": "UNKNOWN"}
    whole.tell("GET", "/compute/v2.1/os-services", {"services": [service("node-01"), partial]})
    whole.tell("GET", MIGRATIONS, (500, {"computeFault": {"message": "TypeError"}}))
    with pytest.raises(TransientError, match="cannot reach its cell"):
        read()


def test_only_unfinished_migrations_are_kept(read: Read, whole: Any) -> None:
    whole.tell(
        "GET", MIGRATIONS, {"migrations": [migration(3, "running"), migration(2), migration(1, "error")]}
    )
    assert [m.id for m in read().migrations] == [3]
    assert len(whole.requests_of("GET", MIGRATIONS)) == 1


def test_with_a_long_past_each_unfinished_status_is_asked_for(read: Read, whole: Any) -> None:
    link = {"rel": "next", "href": "http://x/os-migrations?marker=u-1"}
    ended = {"migrations": [migration(1)], "migrations_links": [link]}
    whole.tell("GET", MIGRATIONS, ended, {"migrations": [migration(9, "queued")]})
    assert {m.id for m in read().migrations} == {9}
    asked = [r.query["status"][0] for r in whole.requests_of("GET", MIGRATIONS)[1:]]
    assert {"queued", "running", "post-migrating", "finished"} <= set(asked)
    assert not {"completed", "error", "failed", "cancelled", "confirmed"} & set(asked)
    assert all("marker" not in r.query for r in whole.requests_of("GET", MIGRATIONS))


def test_empty_node_is_believed_when_its_cell_answers(whole: Any, cloud: Cloud) -> None:
    whole.tell("GET", "/compute/v2.1/os-services", {"services": [service("node-01")]})
    assert cloud.fetch_servers("node-01") == ()
    partial = {"binary": "nova-compute", "host": "node-01", "status": "UNKNOWN"}
    whole.tell("GET", "/compute/v2.1/os-services", {"services": [partial]})
    with pytest.raises(TransientError):
        cloud.fetch_servers("node-01")


def test_what_the_ports_of_servers_say_is_read_with_a_check(read: Read, whole: Any) -> None:
    ports = [
        {"id": "p1", "device_id": "s-0001", "binding:vnic_type": "direct"},
        {"id": "p2", "device_id": "s-0001", "binding:vnic_type": "normal"},
        {"id": "p3", "device_id": "s-0002", "binding:vnic_type": "normal"},
        {"id": "p4", "device_id": "", "binding:vnic_type": "direct"},
    ]
    whole.tell("GET", "/network/v2.0/agents", {"agents": []})
    whole.tell("GET", "/network/v2.0/ports", {"ports": ports})
    whole.tell("GET", "/compute/v2.1/servers/detail", {"servers": [server(1), server(2)]}, {"servers": []})
    whole.first = lambda asked: (200, {"servers": []}) if "soft_deleted" in asked.query else None
    found = read(with_agents=True).servers
    assert [s.features for s in found] == [{Feature.SRIOV_PORT}, frozenset()]
    asked = whole.requests_of("GET", "/network/v2.0/ports")
    assert [a.query["fields"] for a in asked] == [["id", "device_id", "binding:vnic_type"]]


def test_ports_of_a_node_and_a_neutron_that_does_not_tell(whole: Any, cloud: Cloud) -> None:
    vdpa = {"id": "p", "device_id": "s", "binding:vnic_type": "vdpa"}
    whole.tell("GET", "/network/v2.0/ports", {"ports": [vdpa]})
    assert cloud.fetch_port_features("node-01") == {"s": {Feature.VDPA_PORT}}
    assert whole.asked[-1].query["binding:host_id"] == ["node-01"]
    whole.tell("GET", "/network/v2.0/ports", (403, {"NeutronError": {"message": "no"}}))
    assert cloud.fetch_port_features("node-01") == {}


VERSIONS = {"versions": [{"id": "v2.1", "min_version": "2.1", "version": "2.104", "status": "CURRENT"}]}


def test_the_control_plane_is_two_calls_more(read: Read, whole: Any, counter: CallCounter) -> None:
    read()
    before = counter.total
    whole.tell("GET", "/compute/v2.1/", {"version": VERSIONS["versions"][0]})
    control = read(with_control_plane=True).control_plane
    assert control is not None
    assert (control.lowest, control.highest, control.apart) == ("2.1", "2.104", ())
    assert counter.total - before == 8 + 2


def test_hosts_whose_services_have_one_number_are_in_different_cells(read: Read, whole: Any) -> None:
    whole.tell("GET", "/compute/v2.1/", VERSIONS)
    services = [service(host, id=number) for host, number in zip(HOSTS, (3, 4, 3, 7), strict=True)]
    whole.tell("GET", "/compute/v2.1/os-services", {"services": services})
    control = read(with_control_plane=True).control_plane
    assert control is not None
    assert control.apart == (("node-01", "node-03"),)


@pytest.mark.parametrize("answer", [{"versions": []}, {"version": {}}, (404, {}), b"<html>"])
def test_a_control_plane_that_says_nothing_of_itself_is_not_known(
    read: Read, whole: Any, answer: object
) -> None:
    whole.tell("GET", "/compute/v2.1/", answer)
    assert read(with_control_plane=True).control_plane is None


def test_cells_that_are_told_and_aggregates_that_count_make_the_domains(read: Read) -> None:
    rules = AggregateRules(ignore=("fas*",))
    nodes = read(cells={"node-01": "cell2", "node-02": "cell1"}, aggregates=rules).nodes
    assert [node.cell for node in nodes] == ["cell2", "cell1", "unknown", "unknown"]
    assert nodes[1].aggregates == ("az1",)
    assert read().nodes[1].aggregates == ("az1", "fast")
