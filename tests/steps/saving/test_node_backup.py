"""A node is saved once a run, before anything on it is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import pytest
from tests.backups.conftest import SECRET, FakeNode
from tests.steps.worlds import NODE, World

from escalator.backups.desk import BackupDesk
from escalator.backups.files import LocalFiles
from escalator.model.bundle import HookTime, NoMechanism, RebootPolicy
from escalator.model.campaign import NodeState, Step
from escalator.model.errors import EscalatorError, TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.campaign.conclude import conclude
from escalator.steps.saving.node_backup import PAUSES_SECONDS

Save = Callable[[], FakeNode]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "store"
    place.mkdir()
    return place


@pytest.fixture
def node(world: World, folder: Path) -> FakeNode:
    """The node that gives its archive; its campaign has a store."""
    world.backups = BackupDesk(
        url=str(folder),
        book=world.ledger.backups(),
        installation=world.plan.installation,
        clock=world.clock,
        paths_text="/etc/nova",
    )
    node = FakeNode()
    cast("Any", world.nodes[NODE]).stream_as_root = node.stream_as_root
    world.admit()
    return node


def list_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def find_saved(world: World) -> list[str]:
    return [record.id for record in world.ledger.backups().of_run(world.plan.campaign, world.plan.run_id)]


def test_a_node_is_saved_before_its_bundle_is_laid_down(world: World, node: FakeNode, folder: Path) -> None:
    asked: list[bool] = []
    world.nodes[NODE].stage = lambda _version: asked.append(bool(find_saved(world)))  # type: ignore[method-assign,assign,return-value]
    assert world.run(Step.PRECHECK).outcome is Outcome.OK
    assert asked == [True]
    (saved,) = find_saved(world)
    assert list_files(folder) == [f"{saved}.json", f"{saved}.tar.gz"]
    assert node.asked == 1


def test_once_is_enough_however_often_the_step_runs(world: World, node: FakeNode) -> None:
    for _ in range(3):
        world.run(Step.PRECHECK)
    world.run_up_to(Step.UPGRADE)
    world.run(Step.PRECHECK)
    assert node.asked == 1


def test_killed_at_any_write_the_next_attempt_saves_it(
    world: World, node: FakeNode, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored and not recorded: the same place is written again."""
    monkeypatch.setattr(
        type(world.ledger.backups()), "record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        world.run(Step.PRECHECK)
    before = list_files(folder)
    assert (len(before), find_saved(world)) == (2, [])
    monkeypatch.undo()
    world.run(Step.PRECHECK)
    assert (list_files(folder), len(find_saved(world)), node.asked) == (before, 1, 2)


def test_a_node_that_cannot_be_saved_is_given_back_as_it_was(world: World, node: FakeNode) -> None:
    node.exit_code = 2
    world.boot("web")
    result = world.run(Step.PRECHECK)
    assert (result.outcome, result.code) == (Outcome.HELD, Code.BACKUP_FAILED)
    assert "tar ended with exit code 2" in result.message
    assert world.progress().state is NodeState.HELD
    assert not world.nodes[NODE].staged
    assert find_saved(world) == []
    world.run(Step.RELEASE)
    assert world.enabled()


def test_a_store_that_is_not_there_holds_the_node_before_it_is_asked(
    world: World, node: FakeNode, folder: Path
) -> None:
    folder.rmdir()
    result = world.run(Step.PRECHECK)
    assert (result.outcome, result.code, node.asked) == (Outcome.HELD, Code.BACKUP_FAILED, 0)
    assert "there is no such folder" in result.message


def test_paths_that_cannot_be_saved_hold_the_node_before_it_is_asked(world: World, node: FakeNode) -> None:
    assert world.backups is not None
    world.backups = replace(world.backups, paths_text="/etc/nova:etc/neutron")
    result = world.run(Step.PRECHECK)
    assert (result.outcome, result.code, node.asked) == (Outcome.HELD, Code.BACKUP_FAILED, 0)
    assert "ESCALATOR_BACKUP_PATHS: etc/neutron cannot be saved" in result.message


def test_trouble_that_may_pass_is_left_to_another_attempt(world: World, node: FakeNode) -> None:
    node.fault = TransientError("the connection is lost")
    with pytest.raises(TransientError):
        world.run(Step.PRECHECK)
    node.fault = None
    assert world.run(Step.PRECHECK).outcome is Outcome.OK
    node.fault = TransientError("the connection is lost")
    assert len(find_saved(world)) == 1


def test_a_store_that_does_not_answer_is_asked_again_for_a_minute(
    world: World, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[EscalatorError] = []

    def create(files: LocalFiles, path: str) -> IO[bytes]:
        if faults:
            raise faults.pop()
        return made(files, path)

    made = LocalFiles.create
    monkeypatch.setattr(LocalFiles, "create", create)
    away = TransientError("it does not answer", code=Code.BACKUP_FAILED)
    faults += [away] * 4
    began = world.clock.now
    result = world.run(Step.PRECHECK)
    assert (result.outcome, result.code, node.asked) == (Outcome.HELD, Code.BACKUP_FAILED, 0)
    assert (world.clock.now - began).total_seconds() == sum(PAUSES_SECONDS)
    faults += [away] * 3
    assert world.run(Step.PRECHECK).outcome is Outcome.OK
    assert len(find_saved(world)) == 1


def test_none_is_taken_of_a_node_that_was_changed_already(world: World, node: FakeNode) -> None:
    world.recorded.remember(NODE, upgrade_begun=world.clock())
    world.run(Step.PRECHECK)
    assert (node.asked, find_saved(world)) == (0, [])


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"mechanism": NoMechanism()}, 0),
        ({"mechanism": NoMechanism(), "reboot": RebootPolicy.ALWAYS}, 1),
        ({"mechanism": NoMechanism(), "hooks": {HookTime.POST: ("true",)}}, 1),
        ({"mechanism": NoMechanism(), "hooks": {HookTime.VERIFY: ("true",)}}, 0),
    ],
)
def test_what_changes_nothing_needs_no_backup(
    world: World, node: FakeNode, changes: dict[str, Any], asked: int
) -> None:
    world.bundle = replace(world.bundle, **changes)
    world.run(Step.PRECHECK)
    assert node.asked == asked


def test_without_a_store_no_node_is_asked(world: World) -> None:
    world.admit()
    assert world.run(Step.PRECHECK).outcome is Outcome.OK
    assert world.ledger.backups().of_run(world.plan.campaign, world.plan.run_id) == ()


def test_no_content_is_in_log_ledger_or_result(
    world: World, node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    result = world.run(Step.PRECHECK)
    del node
    secret = SECRET.decode()
    steps = repr(world.recorded.steps())
    assert secret not in caplog.text + repr(result) + steps + repr(world.facts())
    assert "saved as node-01-" in caplog.text


def test_the_report_names_it(world: World, node: FakeNode, tmp_path: Path) -> None:
    world.run_up_to(Step.RELEASE)
    report = json.loads(conclude(world.context(), tmp_path / "reports").paths.json.read_text())
    (row,) = report["backups"]
    assert (row["host"], [row["id"]], node.asked) == (NODE, find_saved(world), 1)
    assert "password" not in json.dumps(report)
