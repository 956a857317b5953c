from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.vim_interface.registry.clouds import make_guest, make_home

from escalator.ledger.ledger import Ledger
from escalator.model.cloud import CloudSnapshot
from escalator.model.constraints import GroupConstraints, InstanceConstraints
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.vim_interface.registry import add_ha_groups_of, load_ha_sources
from escalator.vim_interface.registry.nova_metadata import NovaMetadata
from escalator.vim_interface.registry.pushed import (
    PushedConstraints,
    find_pushed_constraints,
    read_pushed_constraints,
)

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def member(instance_id: str, group_id: str | None = "g", project_id: str = "p", **words: Any) -> Any:
    return InstanceConstraints(project_id=project_id, instance_id=instance_id, group_id=group_id, **words)


def group(group_id: str = "g", project_id: str = "p", **words: Any) -> GroupConstraints:
    return GroupConstraints(project_id=project_id, group_id=group_id, **words)


def pushed(*constraints: Any) -> PushedConstraints:
    return PushedConstraints(
        of_instances=tuple(c for c in constraints if isinstance(c, InstanceConstraints)),
        of_groups=tuple(c for c in constraints if isinstance(c, GroupConstraints)),
    )


def seen(snapshot: CloudSnapshot, *constraints: Any) -> CloudSnapshot:
    return add_ha_groups_of(snapshot, (pushed(*constraints),))


def test_instances_that_name_a_group_are_its_members_with_its_limits() -> None:
    found = seen(
        make_home(make_guest("1"), make_guest("2"), make_guest("3")),
        group(max_impacted={0: 1}, min_preserved={0: 0}, recovery_seconds=4),
        member("1", lead_seconds=40),
        member("2", lead_seconds=120),
    )
    (ours,) = found.ha_groups
    assert (ours.id, ours.mode, ours.members) == ("g", "load-balanced", ("1", "2"))
    assert (ours.tolerated, ours.recovery_seconds, ours.lead_seconds) == (1, 4, 120)
    assert [(s.ha_group, s.ha_role) for s in found.servers] == [
        ("g", "member"),
        ("g", "member"),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("most", "least", "tolerated"),
    [
        ({0: 2}, {}, 2),
        ({0: 2, 3: 1}, {}, 1),
        ({4: 3}, {}, 1),  # nothing is said of this size: the strictest
        ({}, {0: 1}, 2),
        ({}, {3: 3}, 0),
        ({0: 3}, {0: 2}, 1),
        ({0: 0}, {}, 0),
        ({}, {}, 1),
    ],
)
def test_limits_are_those_of_the_size(most: Any, least: Any, tolerated: int) -> None:
    found = seen(
        make_home(*map(make_guest, "123")),
        group(max_impacted=most, min_preserved=least),
        *map(member, "123"),
    )
    assert found.ha_groups[0].tolerated == tolerated


def test_roles_in_the_metadata_make_a_pair() -> None:
    guests = [
        make_guest("1", metadata={"ha_role": "active"}),
        make_guest("2", metadata={"ha_role": "standby"}),
    ]
    found = seen(make_home(*guests), group(), member("1"), member("2"))
    assert found.ha_groups[0].mode == "active-standby"
    assert [server.ha_role for server in found.servers] == ["active", "standby"]


@pytest.mark.parametrize(
    ("words", "method"),
    [((), "live"), (("MIGRATE",), "live"), (("LIVE_MIGRATE",), "live"), (("OWN_ACTION",), "live")],
)
def test_each_member_is_moved_as_its_manager_wants(words: tuple[str, ...], method: str) -> None:
    found = seen(make_home(make_guest("1"), make_guest("2")), member("1", migration_types=words), member("2"))
    assert [server.migration for server in found.servers] == [method, "live"]


def test_a_server_that_is_off_is_not_moved_live() -> None:
    off = make_guest("1", vm_state="stopped", migration="cold")
    found = seen(make_home(off), member("1", migration_types=("LIVE_MIGRATE",)))
    assert found.servers[0].migration == "none"


def test_a_group_that_was_not_put_has_the_strictest_limit() -> None:
    assert seen(make_home(*map(make_guest, "12")), member("1"), member("2")).ha_groups[0].tolerated == 1


def test_an_instance_without_a_group_and_a_group_without_one_are_nothing() -> None:
    snapshot = make_home(make_guest("1", metadata={"ha_group": "web"}))
    assert seen(snapshot, member("1", None), group("empty")) is snapshot


def test_an_instance_without_a_group_has_its_own_constraints() -> None:
    snapshot = make_home(make_guest("1"), make_guest("2", vm_state="stopped", migration="cold"))
    found = seen(
        snapshot,
        member("1", None, lead_seconds=40.0, max_interruption_seconds=0.5, migration_types=("OWN_ACTION",)),
        member("2", None, migration_types=("LIVE_MIGRATE",)),
    )
    assert found.ha_groups == ()
    one, two = found.servers
    assert (one.lead_seconds, one.max_interruption_seconds, one.migration) == (40.0, 0.5, "live")
    assert (two.lead_seconds, two.max_interruption_seconds, two.migration) == (0.0, None, "none")


def test_a_project_puts_constraints_for_its_own_instances_only() -> None:
    found = seen(make_home(make_guest("1", project_id="q")), member("1", None, lead_seconds=40.0))
    assert found.servers[0].lead_seconds == 0.0


def test_no_project_keeps_a_campaign_waiting_for_more_than_a_day() -> None:
    found = seen(
        make_home(make_guest("1"), make_guest("2")),
        member("1", None, lead_seconds=1e9),
        member("2", lead_seconds=1e9),
    )
    assert [found.servers[0].lead_seconds, found.ha_groups[0].lead_seconds] == [86_400.0, 86_400.0]


def test_a_second_look_changes_nothing() -> None:
    guests = [make_guest(each, metadata={"supported_migration_type": "OFFLINE_MIGRATION"}) for each in "12"]
    constraints = pushed(member("1", None, lead_seconds=40.0, max_interruption_seconds=0.0))
    once = add_ha_groups_of(make_home(*guests), (constraints, NovaMetadata()))
    assert add_ha_groups_of(once, (constraints, NovaMetadata())) == once


def test_each_constraint_is_that_of_the_first_source_that_says_it(tmp_path: Path) -> None:
    named = {
        "schema": "escalator.vnf/1",
        "name": "sbc",
        "groups": [
            {
                "id": "of-file",
                "mode": "none",
                "members": [{"id": "1"}],
                "supported_migration_type": ["OFFLINE_MIGRATION"],
                "max_undetectable_interruption_time": "200 ms",
            }
        ],
    }
    (tmp_path / "sbc.yaml").write_text(json.dumps(named))
    metadata = {
        "impact_notification_lead_time": "90 s",
        "max_undetectable_interruption_time": "3",
        "supported_migration_type": "LIVE_MIGRATION",
    }
    guests = [make_guest(each, metadata=metadata) for each in "123"]
    of_managers = pushed(
        member("1", None, lead_seconds=40.0, max_interruption_seconds=2.0),
        member("2", None, max_interruption_seconds=0.0),
    )
    found = add_ha_groups_of(make_home(*guests), load_ha_sources(tmp_path, pushed=of_managers))
    assert [(s.migration, s.lead_seconds, s.max_interruption_seconds) for s in found.servers] == [
        ("cold", 40.0, 0.2),
        ("live", 90.0, 0.0),
        ("live", 90.0, 1.0),
    ]


def test_a_member_that_the_cloud_does_not_have_stays_one() -> None:
    assert seen(make_home(make_guest("1")), member("1"), member("2")).ha_groups[0].members == ("1", "2")


def test_a_project_speaks_for_its_own_servers_only(caplog: pytest.LogCaptureFixture) -> None:
    snapshot = make_home(make_guest("1"), make_guest("2", project_id="q"))
    found = seen(snapshot, member("1"), member("2"))
    assert found.ha_groups[0].members == ("1",)
    assert found.servers[1].ha_group is None
    assert "belongs to project q" in caplog.text


def test_a_group_keeps_its_id_whoever_else_uses_it() -> None:
    snapshot = make_home(make_guest("1"), make_guest("2", project_id="a"))
    found = seen(snapshot, group(max_impacted={0: 0}), member("1"), member("2", project_id="a"))
    assert {g.id: (g.members, g.tolerated) for g in found.ha_groups} == {"g": (("1",), 0), "g@a": (("2",), 1)}


def test_files_come_first_then_managers_then_metadata(tmp_path: Path) -> None:
    named = {
        "schema": "escalator.vnf/1",
        "name": "sbc",
        "groups": [{"id": "of-file", "mode": "load-balanced", "members": [{"id": "1"}]}],
    }
    (tmp_path / "sbc.yaml").write_text(json.dumps(named))
    guests = [make_guest(each, metadata={"ha_group": "web"}) for each in "123"]
    sources = load_ha_sources(tmp_path, pushed=pushed(group(), member("1"), member("2")))
    found = add_ha_groups_of(make_home(*guests), sources)
    assert [server.ha_group for server in found.servers] == ["of-file", "g", "web@p"]


def test_what_was_put_is_read_from_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)
    assert find_pushed_constraints("lab") is None
    assert not (tmp_path / "ledger.db").exists()
    book = Ledger.create_or_upgrade(url).constraints()
    book.put_group("lab", group(), NOW)
    book.put_instance("lab", member("1"), NOW)
    book.put_instance("elsewhere", member("2"), NOW)
    assert find_pushed_constraints("lab") == pushed(group(), member("1"))
    assert read_pushed_constraints(book, "elsewhere") == pushed(member("2"))


def test_a_ledger_that_cannot_be_read_is_no_ledger_without_constraints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    (tmp_path / "ledger.db").write_text("no database")
    with pytest.raises(EscalatorError, match="ledger"):
        find_pushed_constraints("lab")
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", "mysql://x")
    with pytest.raises(InvalidRequestError):
        find_pushed_constraints("lab")
