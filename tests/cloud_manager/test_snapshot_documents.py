from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import make_cloud, make_node, make_server

from escalator.cloud_manager.snapshots import (
    compute_snapshot_digest,
    snapshot_from_document,
    snapshot_to_document,
    write_snapshot,
)
from escalator.model.cloud import (
    CloudSnapshot,
    HaGroup,
    Migration,
    MigrationStatus,
    NetworkAgent,
    Node,
    ResourceInventory,
    Server,
    ServerGroup,
    ServiceState,
    ServiceStatus,
)
from escalator.model.digest import compute_digest
from escalator.model.errors import InvalidRequestError
from escalator.model.feature import Feature

WORDS = st.text("abcdef-0123", min_size=1, max_size=6)
MAYBE = st.none() | WORDS
AMOUNTS = st.dictionaries(WORDS, st.integers(0, 10**9), max_size=3)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
INVENTORIES = st.builds(
    ResourceInventory,
    total=st.integers(0, 10**9),
    reserved=st.integers(0, 100),
    allocation_ratio=st.floats(0.0, 16.0),
    max_unit=st.none() | st.integers(0, 99),
)
NODES = st.builds(
    Node,
    host=WORDS,
    domain=WORDS,
    cell=WORDS,
    zone=WORDS,
    aggregates=st.lists(WORDS, max_size=2).map(tuple),
    service_id=MAYBE,
    hypervisor_hostname=MAYBE,
    provider_id=MAYBE,
    state=st.sampled_from(ServiceState),
    status=st.sampled_from(ServiceStatus),
    disabled_reason=MAYBE,
    forced_down=st.booleans(),
    upgraded=st.booleans(),
    target=st.booleans(),
    inventory=st.dictionaries(WORDS, INVENTORIES, max_size=2),
    usage=AMOUNTS,
    traits=st.frozensets(WORDS, max_size=2),
    versions=st.dictionaries(WORDS, WORDS, max_size=2),
)
SERVERS = st.builds(
    Server,
    id=WORDS,
    name=WORDS,
    host=MAYBE,
    vm_state=WORDS,
    task_state=MAYBE,
    locked=st.booleans(),
    resources=AMOUNTS,
    required_traits=st.frozensets(WORDS, max_size=2),
    pinned_zone=MAYBE,
    migration=st.sampled_from(["live", "cold", "none"]),
    server_group=MAYBE,
    ha_group=MAYBE,
    ha_role=st.sampled_from([None, "active", "standby", "member"]),
)
MIGRATIONS = st.builds(
    Migration,
    id=st.integers(1, 99),
    uuid=WORDS,
    server_id=WORDS,
    type=st.just("live-migration"),
    status=st.sampled_from(MigrationStatus),
    source_host=WORDS,
    dest_host=MAYBE,
    created_at=MOMENTS,
    updated_at=st.none() | MOMENTS,
)
SNAPSHOTS = st.builds(
    CloudSnapshot,
    cloud=WORDS,
    taken_at=MOMENTS,
    nodes=st.lists(NODES, max_size=3, unique_by=lambda n: n.host).map(
        lambda nodes: tuple(sorted(nodes, key=lambda n: n.host))
    ),
    servers=st.lists(SERVERS, max_size=3, unique_by=lambda s: s.id).map(
        lambda servers: tuple(sorted(servers, key=lambda s: (s.name, s.id)))
    ),
    migrations=st.lists(MIGRATIONS, max_size=2).map(tuple),
    server_groups=st.lists(
        st.builds(
            ServerGroup,
            id=WORDS,
            policy=WORDS,
            members=st.lists(WORDS, max_size=2).map(tuple),
            max_server_per_host=st.integers(1, 9),
        ),
        max_size=2,
    ).map(tuple),
    ha_groups=st.lists(
        st.builds(
            HaGroup,
            id=WORDS,
            mode=st.sampled_from(["active-standby", "load-balanced", "none"]),
            members=st.lists(WORDS, max_size=2).map(tuple),
            max_impacted=st.none() | st.integers(0, 9),
            min_preserved=st.none() | st.integers(0, 9),
            recovery_seconds=st.floats(0, 1000),
            lead_seconds=st.floats(0, 1000),
        ),
        max_size=2,
    ).map(tuple),
    agents=st.lists(
        st.builds(
            NetworkAgent,
            id=WORDS,
            binary=WORDS,
            host=WORDS,
            alive=st.booleans(),
            admin_state_up=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
)

SMALL: dict[str, Any] = {
    "schema": "escalator.snapshot/1",
    "cloud": "lab",
    "taken_at": "2026-11-22T08:00:00Z",
    "nodes": [
        {
            "host": "node-01",
            "domain": "cell1/az1/general",
            "inventory": {"VCPU": {"total": 16, "reserved": 0, "allocation_ratio": 4.0}},
        }
    ],
    "servers": [{"id": "s", "name": "web-1", "host": "node-01", "vm_state": "active"}],
}


@settings(max_examples=60, deadline=None)
@given(SNAPSHOTS)
def test_what_is_written_is_read_back(snapshot: CloudSnapshot) -> None:
    document = snapshot_to_document(snapshot)
    assert snapshot_from_document(json.loads(json.dumps(document))) == snapshot
    written = io.StringIO()
    write_snapshot(snapshot, written)
    assert json.loads(written.getvalue()) == document
    assert compute_snapshot_digest(snapshot) == compute_digest(document)


def test_left_out_keys_take_their_defaults() -> None:
    snapshot = snapshot_from_document(SMALL)
    node, server = snapshot.nodes[0], snapshot.servers[0]
    assert (node.cell, node.zone, node.state, node.status) == ("cell1", "nova", "up", "enabled")
    assert node.inventory["VCPU"].capacity == 64
    assert (server.migration, server.power_state, server.locked) == ("live", "running", False)
    assert snapshot.migrations == ()


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    document: Any = json.loads(json.dumps(SMALL))
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return document  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (
            ("schema",),
            "escalator.snapshot/2",
            "schema: is 'escalator.snapshot/2', this release reads escalator.snapshot/1",
        ),
        (("taken_at",), "2026-11-22T08:00:00", "taken_at: must be a time with its offset"),
        (("nodes",), {}, "nodes: must be a list, not a mapping"),
        (("nodes", 0), 7, "nodes[0]: must be a mapping, not 7"),
        (("nodes", 0, "host"), 7, "nodes[0].host: must be text, not 7"),
        (("nodes", 0, "colour"), "red", "nodes[0].colour: is not known"),
        (("nodes", 0, "state"), "sideways", "nodes[0].state: is 'sideways', must be one of up, down"),
        (("nodes", 0, "state"), None, "nodes[0].state: must be one of up, down, not null"),
        (("nodes", 0, "upgraded"), "yes", "nodes[0].upgraded: must be true or false, not 'yes'"),
        (("nodes", 0, "usage"), {"VCPU": -1}, "nodes[0].usage.VCPU: must be at least 0, not -1"),
        (("nodes", 0, "traits"), "A", "nodes[0].traits: must be a list, not 'A'"),
        (
            ("nodes", 0, "inventory", "VCPU", "total"),
            True,
            "nodes[0].inventory.VCPU.total: must be a whole number, not true",
        ),
        (("nodes", 0, "inventory", "VCPU", "allocation_ratio"), "4", "allocation_ratio: must be a number"),
        (("nodes", 0, "inventory", "VCPU", "size"), 1, "nodes[0].inventory.VCPU.size: is not known"),
        (
            ("servers", 0, "migration"),
            "fast",
            "servers[0].migration: is 'fast', must be one of live, cold, none",
        ),
        (
            ("servers", 0, "ha_role"),
            "king",
            "servers[0].ha_role: is 'king', must be one of active, standby, member",
        ),
        (("ha_groups",), [{"id": "h"}], "ha_groups[0].mode: is required"),
        (("weather",), "fine", "weather: is not known"),
        (("nodes",), [SMALL["nodes"][0]] * 2, "nodes: 'node-01' is there more than once"),
    ],
)
def test_fault_is_named_with_its_path(path: tuple[str | int, ...], value: Any, fault: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        snapshot_from_document(changed(path, value))
    assert fault in caught.value.message


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (
            ("nodes", 0, "inventory", "VCPU", "total"),
            10**400,
            "VCPU.total: must be at most 1000000000000000, not a very",
        ),
        (
            ("nodes", 0, "inventory", "VCPU", "allocation_ratio"),
            10**400,
            "allocation_ratio: is too large a number",
        ),
        (
            ("nodes", 0, "inventory", "VCPU", "allocation_ratio"),
            1e40,
            "allocation_ratio: must be at most 1e+39",
        ),
        (
            ("nodes", 0, "inventory", "VCPU", "allocation_ratio"),
            float("nan"),
            "allocation_ratio: must be a number, not nan",
        ),
        (
            ("nodes", 0, "inventory", "VCPU", "reserved"),
            float("inf"),
            "VCPU.reserved: must be a whole number, not inf",
        ),
        (("nodes", 0, "usage"), {"VCPU": 10**16}, "nodes[0].usage.VCPU: must be at most"),
        (
            ("servers", 0, "resources"),
            {"VCPU": 1.5},
            "servers[0].resources.VCPU: must be a whole number, not 1.5",
        ),
        (
            ("servers", 0, "resources"),
            {"VCPU": True},
            "servers[0].resources.VCPU: must be a whole number, not true",
        ),
        (
            ("ha_groups",),
            [{"id": "h", "mode": "none", "lead_seconds": 1e300}],
            "ha_groups[0].lead_seconds: must be at",
        ),
    ],
)
def test_number_that_nothing_can_reckon_with_is_refused(
    path: tuple[str | int, ...], value: Any, fault: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        snapshot_from_document(changed(path, value))
    assert fault in caught.value.message


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        snapshot_from_document(changed(("servers", 0, "name"), "web-\ud800"))
    assert "servers[0].name: 'web-\\ud800' is no text: it has half a character" in caught.value.message


def test_key_that_is_near_a_known_one_is_pointed_at() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        snapshot_from_document({**changed(("servers", 0, "vmstate"), "x"), "server": []})
    assert "servers[0].vmstate: is not known, did you mean vm_state?" in caught.value.message
    assert "server: is not known, did you mean servers?" in caught.value.message


def test_doubles_are_named_beside_the_faults_of_the_same_items() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        snapshot_from_document(
            changed(("servers",), [{"id": "s"}, {"id": "s", "name": "s", "vm_state": "x"}])
        )
    for fault in ("servers[0].name: is required", "servers: 's' is there more than once"):
        assert fault in caught.value.message


def test_minimal_items_are_those_of_the_model() -> None:
    document = changed(("ha_groups",), [{"id": "h", "mode": "none"}])
    document["nodes"] = [{"host": "n", "domain": "d"}]
    document["server_groups"] = [{"id": "g", "policy": "affinity"}]
    document["servers"] = [{"id": "s", "name": "s", "vm_state": "active"}]
    snapshot = snapshot_from_document(document)
    assert snapshot.nodes == (Node(host="n", domain="d"),)
    assert snapshot.servers == (Server(id="s", name="s", host=None, vm_state="active"),)
    assert snapshot.server_groups == (ServerGroup(id="g", policy="affinity"),)
    assert snapshot.ha_groups == (HaGroup(id="h", mode="none"),)


def test_the_rules_of_a_server_group_stand_where_nova_has_them() -> None:
    group = {"id": "g", "policy": "anti-affinity", "members": [], "rules": {"max_server_per_host": 3}}
    snapshot = snapshot_from_document(changed(("server_groups",), [group]))
    assert snapshot.server_groups == (ServerGroup(id="g", policy="anti-affinity", max_server_per_host=3),)
    assert snapshot_to_document(snapshot)["server_groups"] == [group]
    for rules in ({"max_server_per_host": 0}, {"max_servers": 1}, {"max_server_per_host": "3"}):
        with pytest.raises(InvalidRequestError, match=r"server_groups\[0\]\.rules\.max_server"):
            snapshot_from_document(changed(("server_groups",), [{**group, "rules": rules}]))


def test_what_servers_have_in_common_is_kept_once() -> None:
    servers = [
        {"id": key, "name": key, "vm_state": "active", "resources": {"VCPU": 2}, "required_traits": ["A"]}
        for key in ("s", "t")
    ]
    one, other = snapshot_from_document(json.loads(json.dumps(changed(("servers",), servers)))).servers
    assert one.vm_state is other.vm_state
    assert one.resources is other.resources
    assert one.required_traits is other.required_traits


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        snapshot_from_document({"schema": "escalator.snapshot/1", "nodes": [{}], "servers": [{"name": 1}]})
    for fault in (
        "cloud: is required",
        "taken_at: is required",
        "nodes[0].host: is required",
        "nodes[0].domain: is required",
        "servers[0].id: is required",
        "servers[0].name: must be text, not 1",
    ):
        assert fault in caught.value.message


def test_document_that_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="document: must be a mapping, not a list"):
        snapshot_from_document([])  # type: ignore[arg-type]


def test_features_and_forbidden_traits_are_written_when_there_are_some() -> None:
    features = frozenset({Feature.VTPM, Feature.SRIOV_PORT})
    snapshot = make_cloud(
        [make_node("a")],
        [
            make_server("s", "a", features=features, forbidden_traits=frozenset({"SLOW"})),
            make_server("t", "a"),
        ],
    )
    document = snapshot_to_document(snapshot)
    first, second = document["servers"]
    assert (first["features"], first["forbidden_traits"]) == (["sriov_port", "vtpm"], ["SLOW"])
    assert not {"features", "forbidden_traits"} & set(second)
    assert snapshot_from_document(document) == snapshot
    first["features"] = ["wings"]
    with pytest.raises(InvalidRequestError, match=r"servers\[0\]\.features"):
        snapshot_from_document(document)
