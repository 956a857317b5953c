from __future__ import annotations

from dataclasses import replace

from tests.builders import make_cloud, make_pair, make_server, make_target

from escalator.model.cloud import CloudSnapshot
from escalator.upgrade_manager.state.lead_times import find_longest_lead, list_lead_seconds
from escalator.upgrade_manager.state.memberships import Memberships


def paired(group_lead: float, own_lead: float) -> CloudSnapshot:
    group, (one, two) = make_pair("db", "a", "b", lead_seconds=group_lead)
    return make_cloud(
        [make_target("a"), make_target("b")],
        [replace(one, lead_seconds=own_lead), two, make_server("alone", "a", lead_seconds=7.0)],
        ha_groups=(group,),
    )


def test_the_longer_of_its_own_and_its_groups_lead_time_counts() -> None:
    for group_lead, own_lead, longest in ((60.0, 0.0, 60.0), (60.0, 90.0, 90.0), (0.0, 90.0, 90.0)):
        snapshot = paired(group_lead, own_lead)
        assert list_lead_seconds(snapshot, snapshot.servers)["id-db-a"] == longest


def test_servers_without_a_lead_time_have_none() -> None:
    snapshot = paired(0.0, 0.0)
    assert list_lead_seconds(snapshot, snapshot.servers) == {"id-alone": 7.0}


def test_those_that_are_ready_do_not_count() -> None:
    snapshot = paired(60.0, 90.0)
    memberships = Memberships(snapshot)
    servers = snapshot.servers_on("a")

    def longest(*ready: str) -> tuple[float, str] | None:
        found = find_longest_lead(memberships, servers, ready)
        return None if found is None else (found.seconds, found.whose)

    assert longest() == (90.0, "server db-a")
    assert longest("id-db-a") == (7.0, "server alone")
    assert longest("id-db-a", "id-alone") is None
