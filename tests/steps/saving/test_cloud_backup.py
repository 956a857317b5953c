"""What a campaign may change of the cloud is kept once, at its start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.builders import make_cloud, make_node, make_server
from tests.steps.worlds import NODE, World

from escalator.backups.desk import BackupDesk
from escalator.backups.proving import read_manifest
from escalator.model.backup import BackupKind
from escalator.model.errors import EscalatorError
from escalator.model.inventory_settings import DumpCommand
from escalator.steps.saving.cloud_backup import save_cloud

SNAPSHOT = make_cloud(
    [make_node(NODE, traits=frozenset({"HW_CPU_X86_AVX"})), make_node("node-02")],
    [
        make_server("a", NODE, project_id="p-1"),
        make_server("b", NODE, project_id="p-1"),
        make_server("c", "node-02", project_id="p-2"),
    ],
)


@pytest.fixture
def asked(world: World, tmp_path: Path) -> list[list[str]]:
    """The projects that the cloud was asked for; the campaign has a store."""
    calls: list[list[str]] = []

    def fetch(projects: Iterable[str]) -> dict[str, object]:
        calls.append(sorted(projects))
        return {"services": [{"host": NODE}], "aggregates": [], "quotas": {"p-1": {}}, "unread": []}

    cast("Any", world.cloud).fetch_kept_state = fetch
    world.backups = BackupDesk(
        url=str(tmp_path), book=world.ledger.backups(), installation="i", clock=world.clock
    )
    return calls


def save(world: World, **changes: Any) -> None:
    context = world.context(replace(world.plan, request=replace(world.plan.request, **changes)))
    save_cloud(context, SNAPSHOT, (NODE,))


def test_it_is_kept_once_with_what_placement_has_of_each_node(world: World, asked: list[list[str]]) -> None:
    save(world)
    save(world)
    assert asked == [["p-1"]]
    assert world.backups is not None
    (record,) = world.backups.book.of_run(world.plan.campaign, world.plan.run_id)
    assert (record.kind, record.host) == (BackupKind.CLOUD, "")
    document = read_manifest(world.backups.keeper.store, record)
    assert (document["services"], document["quotas"]) == ([{"host": NODE}], {"p-1": {}})
    assert [node["host"] for node in document["nodes"]] == [NODE, "node-02"]
    assert document["nodes"][0]["traits"] == ["HW_CPU_X86_AVX"]
    assert document["nodes"][0]["inventory"]


def test_the_place_of_a_dump_is_kept_and_one_that_fails_is_in_the_way(
    world: World, asked: list[list[str]]
) -> None:
    def save_with(command: str) -> None:
        context = world.context()
        inventory = replace(context.inventory, dump=DumpCommand(command=command))
        save_cloud(replace(context, inventory=inventory), SNAPSHOT, (NODE,))

    assert world.backups is not None
    with pytest.raises(EscalatorError, match="the databases were not dumped"):
        save_with("exit 1")
    assert world.backups.book.of_run(world.plan.campaign, world.plan.run_id) == ()
    save_with("echo s3://dumps/$DUMP_BACKUP")
    (record,) = world.backups.book.of_run(world.plan.campaign, world.plan.run_id)
    document = read_manifest(world.backups.keeper.store, record)
    assert document["dump"] == {"said": f"s3://dumps/{record.id}"}
    assert len(asked) == 2


def test_nothing_is_read_for_a_dry_run_or_without_a_store(world: World, asked: list[list[str]]) -> None:
    save(world, dry_run=True)
    world.backups = None
    save(world)
    assert asked == []


def test_a_store_that_cannot_keep_it_is_in_the_way(
    world: World, asked: list[list[str]], tmp_path: Path
) -> None:
    tmp_path.rmdir()
    with pytest.raises(EscalatorError, match="there is no such folder"):
        save(world)
    assert asked == [["p-1"]]
