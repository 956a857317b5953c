from __future__ import annotations

from tests.builders import make_cloud, make_pair, make_server, make_target

from escalator.model.cloud import HaGroup, ServerGroup
from escalator.upgrade_manager.state.memberships import Memberships


def test_either_the_group_or_its_members_may_say_who_belongs() -> None:
    group = HaGroup(id="db", mode="active-standby", members=("id-a",))
    servers = [make_server("a", "n"), make_server("b", "n", ha_group="db", ha_role="standby")]
    found = Memberships(make_cloud([make_target("n")], servers, ha_groups=(group,)))
    assert found.ha_groups["db"].members == ("id-a", "id-b")
    assert found.ha_group_of == {"id-a": "db", "id-b": "db"}
    assert found.is_switchable("id-a")


def test_groups_that_only_servers_name_take_their_mode_from_the_roles() -> None:
    _, members = make_pair("db", "n", "n")
    web = [make_server(f"w{i}", "n", ha_group="web", ha_role="member") for i in range(2)]
    found = Memberships(make_cloud([make_target("n")], [*members, *web]))
    assert {g.id: g.mode for g in found.ha_groups.values()} == {
        "db": "active-standby",
        "web": "load-balanced",
    }
    assert found.ha_groups["db"].tolerated == 1


def test_who_stands_alone_or_in_a_group_of_mode_none_cannot_be_switched() -> None:
    alone = make_server("a", "n", ha_group="solo", ha_role="active")
    loose = HaGroup(id="loose", mode="none", members=("id-b", "id-c"))
    found = Memberships(
        make_cloud(
            [make_target("n")], [alone, make_server("b", "n"), make_server("c", "n")], ha_groups=(loose,)
        )
    )
    assert not found.is_switchable("id-a")
    assert not found.is_switchable("id-b")
    assert not found.is_switchable("nobody")


def test_policies_of_server_groups() -> None:
    group = ServerGroup(id="sg", policy="anti-affinity", members=("id-a",))
    servers = [make_server("a", "n"), make_server("b", "n", server_group="sg"), make_server("c", "n")]
    found = Memberships(make_cloud([make_target("n")], servers, server_groups=(group,)))
    assert found.policy("id-b") == "anti-affinity"
    assert found.server_groups["sg"].members == ("id-a", "id-b")
    assert found.policy("id-c") == ""
