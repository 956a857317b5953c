from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.builders import make_cloud, make_node, make_server

from escalator.model.cloud import CloudSnapshot, HaGroup, Server, ServerGroup
from escalator.upgrade_manager.feasibility import scale_in
from escalator.upgrade_manager.feasibility.alternatives import Trial
from escalator.upgrade_manager.feasibility.scale_in import find_scale_in


def found(
    snapshot: CloudSnapshot, *hosts: str, scalable: Iterable[str] | None = None, members_stay: bool = True
) -> list[str]:
    trial = Trial(hosts=hosts, members_stay=members_stay)
    ids = {server.id for server in snapshot.servers} if scalable is None else set(scalable)
    return sorted(s.name for s in find_scale_in(trial, snapshot, trial.find_sequence(snapshot), ids))


def group(name: str, servers: Iterable[Server], **fields: object) -> HaGroup:
    known = {"id": name, "mode": "load-balanced", "members": tuple(server.id for server in servers)}
    return HaGroup(**known | fields)  # type: ignore[arg-type]


def filled(*members: Server, **fields: object) -> CloudSnapshot:
    """A cloud in which a server of 8 GiB has no place on two nodes of 10 GiB, where members are."""
    big = make_server("big", "a", memory=8192)
    nodes = [make_node("a"), make_node("b", memory=10240), make_node("c", memory=10240)]
    return make_cloud(nodes, [big, *members], ha_groups=(group("web", members, **fields),))


MEMBERS = (
    make_server("b1", "b", memory=1500),
    make_server("b2", "b", memory=1500),
    make_server("c1", "c", memory=1500),
    make_server("c2", "c", memory=3000),
)


def test_the_fewest_members_that_make_room_are_named() -> None:
    assert found(filled(*MEMBERS), "a") == ["c2"]
    assert found(filled(*MEMBERS[:3]), "a") == []


def test_where_nothing_is_stuck_nobody_has_to_go() -> None:
    assert found(make_cloud([make_node("a"), make_node("b")], [make_server("s", "a")]), "a") == []


def test_only_those_go_whose_manager_can_be_asked() -> None:
    assert found(filled(*MEMBERS), "a", scalable={"id-c1"}) == []
    assert found(filled(*MEMBERS), "a", scalable={"id-c1", "id-c2"}) == ["c2"]
    assert found(filled(*MEMBERS), "a", scalable=()) == []


def test_a_group_keeps_what_must_be_preserved() -> None:
    assert found(filled(*MEMBERS, min_preserved=3), "a") == ["c2"]
    assert found(filled(*MEMBERS, min_preserved=4), "a") == []


def test_several_groups_give_together_what_none_gives_alone() -> None:
    one, other = MEMBERS[:2]
    small = make_server("b3", "b", memory=100)
    kept = make_server("kept", "c", memory=9000)
    snapshot = make_cloud(
        [make_node("a"), make_node("b", memory=10240), make_node("c", memory=10240)],
        [make_server("big", "a", memory=9500), one, other, small, kept],
        server_groups=(
            ServerGroup(id="x", policy="soft-affinity", members=(one.id, "id-of-x")),
            ServerGroup(id="y", policy="soft-affinity", members=(other.id, "id-of-y")),
            ServerGroup(id="z", policy="soft-affinity", members=(small.id, "id-of-z")),
        ),
    )
    assert found(snapshot, "a") == ["b1", "b2"]


def test_what_is_no_lack_of_room_is_nothing_to_scale_in_for() -> None:
    servers = [make_server("one", "a"), make_server("two", "b")]
    apart = ServerGroup(id="web", policy="anti-affinity", members=("id-one", "id-two"))
    snapshot = make_cloud([make_node("a"), make_node("b")], servers, server_groups=(apart,))
    assert found(snapshot, "a") == []


def test_of_many_targets_few_servers_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_in, "_EXACT", 0)
    (name,) = found(filled(*MEMBERS), "a")
    assert name in {"b1", "b2", "c2"}
