from __future__ import annotations

import pytest
from tests.builders import make_server

from escalator.model.durations import DEFAULT_DURATIONS
from escalator.model.feature import Feature
from escalator.model.migration_settings import MigrationSettings
from escalator.model.verdict import Severity, Subject, Verdict
from escalator.upgrade_manager.drain.busy_servers import (
    check_settings,
    compute_timeout_seconds,
    count_and_name,
)

GOOD = MigrationSettings(auto_converge=True, post_copy=True, inbound_address="10.1.0.5")
SMALL, LARGE = make_server("small", "a"), make_server("large", "a", memory=64 * 1024)


def say(settings: MigrationSettings, *servers: object) -> tuple[Verdict, ...]:
    return check_settings(settings, servers or (SMALL, LARGE), DEFAULT_DURATIONS, Subject.of_node("a"))


def test_nothing_is_said_of_a_node_that_lets_busy_servers_across() -> None:
    assert say(GOOD) == ()


def test_novas_defaults_are_said_against_the_largest_server() -> None:
    warning, note = say(MigrationSettings())
    assert (warning.severity, note.severity) == (Severity.WARNING, Severity.INFO)
    assert "the move of the largest, large (64 GiB), is aborted after 51200 s" in warning.message
    assert "on_slow_move=force_complete" in (warning.remedy or "")
    assert "live_migration_inbound_addr" in note.message


@pytest.mark.parametrize(
    "settings",
    [
        MigrationSettings(auto_converge=True, inbound_address="x"),
        MigrationSettings(post_copy=True, inbound_address="x"),
        MigrationSettings(timeout_action="force_complete", inbound_address="x"),
    ],
)
def test_any_way_across_will_do(settings: MigrationSettings) -> None:
    assert say(settings) == ()


def test_a_timeout_that_is_shorter_than_a_move_may_take() -> None:
    short = MigrationSettings(post_copy=True, completion_timeout=1, inbound_address="x")
    (verdict,) = say(short)
    assert "live_migration_completion_timeout=1 " in verdict.message
    assert "2 server(s) (large, small)" in verdict.message


def test_post_copy_and_vgpus_do_not_go_together() -> None:
    graphics = make_server("gpu", "a", features=frozenset({Feature.VGPU}))
    (verdict,) = say(GOOD, graphics)
    assert "post-copy is permitted" in verdict.message


def test_cold_moves_do_not_care() -> None:
    assert say(MigrationSettings(), make_server("off", "a", vm_state="stopped")) == ()


def test_novas_timeout_grows_with_memory_and_may_be_none() -> None:
    assert compute_timeout_seconds(MigrationSettings(), 512) == 1600
    assert compute_timeout_seconds(MigrationSettings(), 8192) == 6400
    assert compute_timeout_seconds(MigrationSettings(completion_timeout=0), 8192) is None
    (verdict, _) = say(MigrationSettings(completion_timeout=0))
    assert "no timeout ends the move of the largest" in verdict.message
    assert count_and_name([SMALL]) == "1 server(s) (small)"
