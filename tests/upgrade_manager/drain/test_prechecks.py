from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOW, make_server
from tests.upgrade_manager.clouds import few

from escalator.model.cloud import Migration, MigrationStatus
from escalator.model.verdict import Code, Severity, SubjectType
from escalator.upgrade_manager.drain.prechecks import (
    FILTERS,
    MOVABLE_STATES,
    PASSING,
    ServerContext,
    are_settled,
    check_server,
    check_servers,
    find_ongoing,
)


def migration(of: str, status: MigrationStatus, *, source: str = "a", dest: str | None = "b") -> Migration:
    return Migration(
        id=7,
        uuid="m-7",
        server_id=of,
        type="live-migration",
        status=status,
        source_host=source,
        dest_host=dest,
        created_at=NOW,
    )


@pytest.mark.parametrize("state", ["active", "paused", "stopped", "shelved_offloaded", "deleted"])
def test_nothing_in_the_way(state: str) -> None:
    assert check_server(make_server("s", "a", vm_state=state)) == ()


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("suspended", Code.SERVER_SUSPENDED),
        ("rescued", Code.SERVER_RESCUED),
        ("error", Code.SERVER_ERROR),
        ("resized", Code.SERVER_UNCONFIRMED_RESIZE),
        ("building", Code.SERVER_BUSY),
        ("shelved", Code.SERVER_BUSY),
        ("soft-delete", Code.SERVER_SOFT_DELETED),
        ("", Code.SERVER_UNKNOWN_STATE),
        ("crashed", Code.SERVER_UNKNOWN_STATE),
    ],
)
def test_states_that_nova_does_not_move(state: str, code: Code) -> None:
    (verdict,) = check_server(make_server("s", "a", vm_state=state))
    assert verdict.code is code
    assert verdict.blocks
    assert verdict.remedy
    assert str(verdict.subject) == "server s (id-s)"


@pytest.mark.parametrize(
    ("state", "task"),
    [
        ("active", "deleting"),
        ("active", "image_snapshot"),
        ("active", "resize_prep"),
        ("error", "deleting"),
        ("rescued", "unrescuing"),
        ("building", "spawning"),
        ("shelved", "shelving_offloading"),
        ("shelved_offloaded", "spawning"),
    ],
)
def test_a_busy_server_passes_whatever_its_state_is_now(state: str, task: str) -> None:
    (verdict,) = check_server(make_server("s", "a", vm_state=state, task_state=task, migration="none"))[:1]
    assert (verdict.code, verdict.severity) == (Code.SERVER_BUSY, Severity.WARNING)
    assert task in verdict.message
    idle = check_server(make_server("s", "a", vm_state=state, migration="none"))
    assert any(v.blocks for v in idle) == (state != "shelved_offloaded")


def test_a_server_in_no_known_state_blocks_even_when_it_is_busy() -> None:
    assert any(v.blocks for v in check_server(make_server("s", "a", vm_state="odd", task_state="deleting")))
    assert check_server(make_server("s", "a", task_state="deleting"))[0].code is Code.SERVER_BUSY
    assert check_server(make_server("s", "a", vm_state="deleted", task_state="deleting")) != ()


def test_a_locked_server_is_only_noted() -> None:
    (verdict,) = check_server(make_server("s", "a", locked=True))
    assert (verdict.code, verdict.severity) == (Code.SERVER_LOCKED, Severity.INFO)


@pytest.mark.parametrize(
    ("how", "state", "blocked"),
    [
        ("none", "active", True),
        ("cold", "paused", True),
        ("cold", "active", False),
        ("cold", "stopped", False),
        ("live", "paused", False),
    ],
)
def test_servers_that_must_not_move(*, how: str, state: str, blocked: bool) -> None:
    codes = [v.code for v in check_server(make_server("s", "a", migration=how, vm_state=state))]
    assert codes == ([Code.SERVER_PINNED] if blocked else [])


def test_all_findings_at_once_and_in_order() -> None:
    servers = [
        make_server("z", "a", vm_state="error", locked=True),
        make_server("b", "a", vm_state="suspended"),
        make_server("ok", "a"),
        make_server("y", "a", task_state="powering-off"),
    ]
    verdicts = check_servers(servers)
    assert [(v.subject.name, v.code) for v in verdicts] == [
        ("b", Code.SERVER_SUSPENDED),
        ("y", Code.SERVER_BUSY),
        ("z", Code.SERVER_ERROR),
        ("z", Code.SERVER_LOCKED),
    ]


@pytest.mark.parametrize(
    ("vm_state", "task_state"),
    [
        ("shelved_offloaded", "spawning"),
        ("active", "image_snapshot"),
        ("active", "resize_prep"),
        ("error", "deleting"),
        ("rescued", "unrescuing"),
        ("suspended", "resuming"),
        ("building", "spawning"),
    ],
)
def test_what_is_being_done_with_a_server_may_pass_whatever_state_it_comes_from(
    vm_state: str, task_state: str
) -> None:
    of_nova = {"active": "live"}.get(vm_state, "none")  # as a server is read from a cloud
    server = make_server("s", "a", vm_state=vm_state, task_state=task_state, migration=of_nova)
    (verdict,) = check_server(server)
    assert verdict.code in PASSING
    assert task_state in verdict.message


def test_of_a_server_in_no_state_to_move_the_state_is_said_once() -> None:
    (verdict,) = check_server(make_server("s", "a", vm_state="error", migration="none"))
    assert verdict.code is Code.SERVER_ERROR


@pytest.mark.parametrize(
    ("kind", "status", "abort"),
    [
        ("live-migration", MigrationStatus.RUNNING, True),
        ("live-migration", MigrationStatus.QUEUED, True),
        ("live-migration", MigrationStatus.POST_MIGRATING, False),
        ("migration", MigrationStatus.MIGRATING, False),
        ("resize", MigrationStatus.POST_MIGRATING, False),
    ],
)
def test_only_a_live_migration_before_its_end_is_to_be_aborted(
    kind: str, status: MigrationStatus, *, abort: bool
) -> None:
    (verdict,) = check_servers([make_server("s", "a")], [replace(migration("id-s", status), type=kind)])
    assert ("openstack server migration abort" in str(verdict.remedy)) is abort
    assert (f"Nova does not abort a {kind}" in str(verdict.remedy)) is not abort


def test_an_unfinished_migration_of_a_server() -> None:
    mover = make_server("s", "a")
    (verdict,) = check_servers([mover], [migration("id-s", MigrationStatus.RUNNING)])
    assert (verdict.code, verdict.subject.id) == (Code.MIGRATION_UNFINISHED, "id-s")
    assert check_servers([mover], [migration("id-s", MigrationStatus.COMPLETED)]) == ()


def test_a_resize_that_waits_is_told_once() -> None:
    resized = make_server("s", "a", vm_state="resized")
    verdicts = check_servers([resized], [migration("id-s", MigrationStatus.FINISHED)])
    assert [v.code for v in verdicts] == [Code.SERVER_UNCONFIRMED_RESIZE]
    verdicts = check_servers([resized], [migration("id-s", MigrationStatus.CONFIRMING)])
    assert [v.code for v in verdicts] == [Code.SERVER_UNCONFIRMED_RESIZE, Code.MIGRATION_UNFINISHED]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (MigrationStatus.FINISHED, Code.SERVER_UNCONFIRMED_RESIZE),
        (MigrationStatus.POST_MIGRATING, Code.MIGRATION_UNFINISHED),
    ],
)
@pytest.mark.parametrize(("source", "dest"), [("a", "b"), ("b", "a"), ("a", None)])
def test_migrations_of_servers_elsewhere_hold_the_node(
    status: MigrationStatus, code: Code, source: str, dest: str | None
) -> None:
    passing = migration("elsewhere", status, source=source, dest=dest)
    (verdict,) = check_servers([], [passing], host="a")
    assert verdict.code is code
    assert verdict.subject.type is SubjectType.MIGRATION
    assert check_servers([make_server("s", "a")], [passing]) == (verdict,)


def test_migrations_that_do_not_touch_the_node_do_not_matter() -> None:
    far = migration("elsewhere", MigrationStatus.RUNNING, source="x", dest=None)
    assert check_servers([make_server("s", "a")], [far]) == ()
    assert check_servers([], [far], host="a") == ()
    assert check_servers([make_server("s", None)], [far]) == ()
    assert check_servers([], [migration("elsewhere", MigrationStatus.ERROR)], host="a") == ()


@given(
    st.text(max_size=12), st.none() | st.text(max_size=5), st.sampled_from(["live", "cold", "none", "odd"])
)
@few
def test_every_state_gets_an_answer(state: str, task: str | None, how: str) -> None:
    drawn = make_server("s", "a", vm_state=state, task_state=task, migration=how)
    verdicts = check_server(drawn)
    gone = state in {"deleted", "shelved_offloaded"} and task is None
    fine = gone or (state in MOVABLE_STATES and how != "none")
    if state not in {"paused", "deleted", "shelved_offloaded"}:
        assert fine == (not any(v.blocks for v in verdicts))
    assert (task is not None) == any(v.code is Code.SERVER_BUSY for v in verdicts if not v.blocks)
    assert all(v.remedy and v.subject.id == "id-s" for v in verdicts)


def test_filters_give_one_verdict_or_none() -> None:
    fine = make_server("s", "a")
    assert [check(fine, ServerContext()) for check in FILTERS] == [None] * len(FILTERS)


def test_two_reads_agree_on_who_is_there_whatever_the_owners_do() -> None:
    one, two = make_server("one", "a"), make_server("two", "a")
    assert are_settled([one, two], [two, replace(one, locked=True)])
    assert not are_settled([one, two], [one])
    assert are_settled([one], [replace(one, task_state="image_snapshot")])
    assert are_settled([one], [replace(one, vm_state="paused")])
    assert are_settled([], [])


def _moving(status: MigrationStatus, seconds_ago: float, kind: str = "live-migration") -> Migration:
    written = NOW - timedelta(seconds=seconds_ago)
    return Migration(
        id=1,
        uuid="m-1",
        server_id="id-web",
        type=kind,
        status=status,
        source_host="a",
        dest_host="b",
        created_at=written,
        updated_at=written,
    )


@pytest.mark.parametrize(
    "status", [MigrationStatus.QUEUED, MigrationStatus.PREPARING, MigrationStatus.RUNNING]
)
def test_a_record_that_a_dead_compute_left_is_stale_once_its_server_rests(status: str) -> None:
    assert find_ongoing([_moving(MigrationStatus(status), 61)], [make_server("web", "a")], NOW) == ()


@pytest.mark.parametrize(
    ("migration", "task"),
    [
        (_moving(MigrationStatus.RUNNING, 59), None),
        (_moving(MigrationStatus.RUNNING, 3600), "migrating"),
        (_moving(MigrationStatus.POST_MIGRATING, 3600), None),
        (_moving(MigrationStatus.FINISHED, 3600, "migration"), None),
        (_moving(MigrationStatus.MIGRATING, 3600, "migration"), None),
    ],
)
def test_what_may_still_write_goes_on(migration: Migration, task: str | None) -> None:
    assert find_ongoing([migration], [make_server("web", "a", task_state=task)], NOW) == (migration,)


def test_a_migration_of_a_server_that_is_not_known_goes_on() -> None:
    migration = _moving(MigrationStatus.RUNNING, 3600)
    assert find_ongoing([migration], [], NOW) == (migration,)
    assert find_ongoing([_moving(MigrationStatus.RUNNING, MONTHS)], [], NOW) == ()


MONTHS = 200 * 86400
COLD = [MigrationStatus.FINISHED, MigrationStatus.MIGRATING, MigrationStatus.CONFIRMING]


@pytest.mark.parametrize("kind", ["migration", "resize", "evacuation"])
@pytest.mark.parametrize("status", COLD)
@pytest.mark.parametrize("state", ["active", "stopped", "shelved_offloaded"])
def test_an_old_record_of_a_server_at_rest_blocks_nothing(
    kind: str, status: MigrationStatus, state: str
) -> None:
    server = make_server("web", "a", vm_state=state)
    record = _moving(status, MONTHS, kind)
    assert find_ongoing([record], [server], NOW) == ()
    for of_its_owner in ("image_backup", "shelving_image_uploading"):
        assert find_ongoing([record], [replace(server, task_state=of_its_owner)], NOW) == ()
    for busy in (replace(server, task_state="resize_prep"), replace(server, vm_state="resized")):
        assert find_ongoing([record], [busy], NOW) == (record,)
    for odd in ("error", "building", "unheard-of"):
        assert find_ongoing([record], [replace(server, vm_state=odd)], NOW) == (record,)


@pytest.mark.parametrize("kind", ["live-migration", "migration", "resize", "evacuation"])
def test_only_of_a_live_migration_it_says_that_it_can_be_aborted(kind: str) -> None:
    record = replace(migration("id-s", MigrationStatus.RUNNING), type=kind)
    for servers in ([make_server("s", "a")], []):
        (verdict,) = check_servers(servers, [record], host="a")
        assert ("or abort it" in str(verdict.remedy)) == (kind == "live-migration")


def test_a_migration_that_ended_does_not_go_on() -> None:
    assert (
        find_ongoing(
            [_moving(MigrationStatus.COMPLETED, 1)], [make_server("web", "a", task_state="migrating")], NOW
        )
        == ()
    )
