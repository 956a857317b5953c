"""What the cloud does not let a user read: named by a check, the end of a step, never guessed."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cloud_manager.whole_cloud import CANDIDATES, HOSTS, MIGRATIONS, Read, migration, server

from escalator.cloud_manager.snapshots import snapshot_from_document, snapshot_to_document
from escalator.model.errors import ForbiddenError
from escalator.model.unread import CloudPart

REFUSED = (403, {"forbidden": {"message": "Policy doesn't allow it"}})
LISTS = {
    CloudPart.SERVICES: "/compute/v2.1/os-services",
    CloudPart.AGGREGATES: "/compute/v2.1/os-aggregates",
    CloudPart.HYPERVISORS: "/compute/v2.1/os-hypervisors/detail",
    CloudPart.PLACEMENT: CANDIDATES,
    CloudPart.SERVER_GROUPS: "/compute/v2.1/os-server-groups",
    CloudPart.SERVERS: "/compute/v2.1/servers/detail",
    CloudPart.MIGRATIONS: MIGRATIONS,
    CloudPart.AGENTS: "/network/v2.0/agents",
    CloudPart.PORTS: "/network/v2.0/ports",
}


def refuse(whole: Any, *parts: CloudPart) -> None:
    for part in (CloudPart.AGENTS, CloudPart.PORTS):
        whole.tell("GET", LISTS[part], {part.value: []})
    for part in parts:
        whole.tell("GET", LISTS[part], REFUSED)


@pytest.mark.parametrize("part", LISTS)
def test_a_check_names_each_list_that_it_may_not_read_and_goes_on(
    read: Read, whole: Any, part: CloudPart
) -> None:
    refuse(whole, part)
    snapshot = read(with_agents=True, may_lack=True)
    (unread,) = snapshot.unread
    assert unread.part is part
    assert "HTTP 403: Policy doesn't allow it" in unread.message
    assert [node.host for node in snapshot.nodes] == list(HOSTS)
    document = snapshot_to_document(snapshot)
    assert snapshot_from_document(document).unread == snapshot.unread


def test_what_is_shown_in_part_is_named_to_a_user_who_is_no_administrator(read: Read, whole: Any) -> None:
    refuse(whole)
    whole.roles = ["upgrade_reader"]
    found = read(with_agents=True, may_lack=True).unread
    assert [(unread.part, unread.partly) for unread in found] == [
        (CloudPart.SERVER_GROUPS, True),
        (CloudPart.PORTS, True),
        (CloudPart.AGENTS, True),
    ]
    refuse(whole, CloudPart.SERVER_GROUPS)
    by_part = {u.part: u.partly for u in read(with_agents=True, may_lack=True).unread}
    assert by_part == {CloudPart.SERVER_GROUPS: False, CloudPart.PORTS: True, CloudPart.AGENTS: True}


def test_a_migration_whose_host_is_hidden_is_no_migration_of_another_node(read: Read, whole: Any) -> None:
    refuse(whole)
    hidden = migration(1, "running") | {"source_compute": None, "dest_compute": None}
    whole.tell("GET", MIGRATIONS, {"migrations": [hidden]})
    (unread,) = read(may_lack=True).unread
    assert (unread.part, unread.partly) == (CloudPart.MIGRATIONS, False)
    with pytest.raises(ForbiddenError, match="from which host"):
        read()
    whole.tell("GET", MIGRATIONS, {"migrations": [migration(1) | {"source_compute": None}]})
    assert read().migrations == ()


@pytest.mark.parametrize("part", sorted(LISTS.keys() - {CloudPart.AGENTS, CloudPart.PORTS}))
def test_a_step_is_ended_by_a_list_that_it_may_not_read(read: Read, whole: Any, part: CloudPart) -> None:
    refuse(whole, part)
    with pytest.raises(ForbiddenError, match="HTTP 403"):
        read(with_agents=True)


def test_a_cloud_without_services_has_the_nodes_of_its_hypervisors(read: Read, whole: Any) -> None:
    zoned = {"name": "fast", "hosts": ["node-02"], "availability_zone": "az9"}
    whole.tell("GET", LISTS[CloudPart.AGGREGATES], {"aggregates": [zoned]})
    refuse(whole, CloudPart.SERVICES)
    nodes = read(may_lack=True).nodes
    assert [(node.host, node.zone, node.state.value) for node in nodes] == [
        (host, "az9" if host == "node-02" else "nova", "up") for host in HOSTS
    ]
    assert nodes[0].inventory["VCPU"].total == 16


def test_without_the_names_of_nodes_everything_that_is_refused_is_said_at_once(
    read: Read, whole: Any
) -> None:
    refuse(whole, CloudPart.SERVICES, CloudPart.HYPERVISORS, CloudPart.SERVER_GROUPS)
    with pytest.raises(ForbiddenError) as caught:
        read(may_lack=True)
    for words in ("services: ", "hypervisors: ", "server_groups: "):
        assert words in caught.value.message


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"OS-EXT-SRV-ATTR:host": None}, "on which hosts"),
        ({"flavor": {"vcpus": 1, "ram": 1, "disk": 1}}, "extra"),
    ],
)
def test_what_nova_leaves_away_of_servers_is_not_guessed(
    read: Read, whole: Any, changes: dict[str, Any], what: str
) -> None:
    """No host in an answer would look like a server on no node."""
    record = {key: value for key, value in (server(1) | changes).items() if value is not None}
    whole.tell("GET", LISTS[CloudPart.SERVERS], {"servers": [record]})
    with pytest.raises(ForbiddenError, match=what):
        read()
    (unread,) = read(may_lack=True).unread
    assert unread.part is CloudPart.SERVERS
