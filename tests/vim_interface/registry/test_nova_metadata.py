from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vim_interface.registry.clouds import make_guest, make_home

from escalator.vim_interface.registry import add_ha_groups_of
from escalator.vim_interface.registry.nova_metadata import NovaMetadata

WORDS = st.sampled_from(["", " ", "a", "b", "active", "standby", "member", "king"])


def marked(server_id: str, group: str, role: str = "", **changes: Any) -> Any:
    metadata = {"ha_group": group, **({"ha_role": role} if role else {})}
    return make_guest(server_id, metadata=metadata, **changes)


def test_servers_of_one_project_with_the_same_word_are_a_group() -> None:
    snapshot = make_home(marked("1", "sbc", "active"), marked("2", "sbc", "standby"), make_guest("3"))
    found = add_ha_groups_of(snapshot, (NovaMetadata(),))
    (group,) = found.ha_groups
    assert (group.id, group.mode, group.members, group.tolerated) == (
        "sbc@p",
        "active-standby",
        ("1", "2"),
        1,
    )
    assert [s.ha_role for s in found.servers] == ["active", "standby", None]


def test_the_same_word_in_another_project_is_another_group() -> None:
    found = add_ha_groups_of(
        make_home(
            marked("1", "sbc"),
            marked("2", "sbc", project_id="q"),
        ),
        (NovaMetadata(),),
    )
    assert {g.id: g.members for g in found.ha_groups} == {"sbc@p": ("1",), "sbc@q": ("2",)}


def test_group_without_active_and_standby_is_load_balanced() -> None:
    found = add_ha_groups_of(make_home(marked("1", "web"), marked("2", "web", "king")), (NovaMetadata(),))
    assert found.ha_groups[0].mode == "load-balanced"
    assert {s.ha_role for s in found.servers} == {"member"}


def test_role_without_a_group_is_nothing() -> None:
    snapshot = make_home(make_guest("1", metadata={"ha_role": "active"}))
    assert add_ha_groups_of(snapshot, (NovaMetadata(),)) is snapshot


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"impact_notification_lead_time": "40"}, (40.0, None, "live")),
        ({"impact_notification_lead_time": " 2 m "}, (120.0, None, "live")),
        ({"impact_notification_lead_time": "9 d"}, (86_400.0, None, "live")),
        ({"max_undetectable_interruption_time": "200 ms"}, (0.0, 0.2, "live")),
        ({"max_undetectable_interruption_time": "0"}, (0.0, 0.0, "live")),
        ({"supported_migration_type": "OFFLINE_MIGRATION, LIVE_MIGRATION"}, (0.0, None, "cold")),
        ({"supported_migration_type": "NO_MIGRATION"}, (0.0, None, "live")),  # a wish
    ],
)
def test_constraints_in_the_metadata_are_those_of_the_server(
    metadata: dict[str, str], expected: tuple[float, float | None, str]
) -> None:
    (server,) = add_ha_groups_of(make_home(make_guest("1", metadata=metadata)), (NovaMetadata(),)).servers
    assert (server.lead_seconds, server.max_interruption_seconds, server.migration) == expected


@pytest.mark.parametrize("text", ["soon", "-1", "1e9", "9" * 250, "9" * 250 + " d", "nan", "1 y"])
def test_a_time_that_is_none_is_logged_and_does_not_count(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = make_home(make_guest("1", metadata={"max_undetectable_interruption_time": text}))
    assert add_ha_groups_of(snapshot, (NovaMetadata(),)) is snapshot
    assert "no time" in caplog.text


@given(st.lists(st.tuples(WORDS, WORDS, st.sampled_from(["p", "q"])), max_size=8))
def test_metadata_of_any_words_joins_servers_of_one_project_only(words: list[tuple[str, str, str]]) -> None:
    servers = [
        make_guest(str(number), metadata={"ha_group": group, "ha_role": role}, project_id=project)
        for number, (group, role, project) in enumerate(words)
    ]
    found = add_ha_groups_of(make_home(*servers), (NovaMetadata(),))
    projects = {s.id: s.project_id for s in found.servers}
    members = [member for group in found.ha_groups for member in group.members]
    assert len(members) == len(set(members)) == sum(bool(group.strip()) for group, _, _ in words)
    assert all(len({projects[m] for m in group.members}) == 1 for group in found.ha_groups)
