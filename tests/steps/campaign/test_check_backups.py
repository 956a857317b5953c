from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.steps.worlds import World

from escalator.backups.desk import BackupDesk
from escalator.model.bundle import NoMechanism
from escalator.model.inventory_settings import DumpCommand
from escalator.model.verdict import Code, Severity
from escalator.steps.campaign.check_backups import check_backups


def set_store(world: World, url: str) -> None:
    world.backups = BackupDesk(
        url=url, book=world.ledger.backups(), installation="", clock=world.clock, paths_text="/etc/nova"
    )


def test_that_no_store_is_set_is_a_warning(world: World) -> None:
    (found,) = check_backups(world.context())
    assert (found.code, found.met, found.severity) == (Code.BACKUP_MISSING, False, Severity.WARNING)


def test_a_dump_without_a_store_is_in_the_way(world: World) -> None:
    context = world.context()
    dumping = replace(context.inventory, dump=DumpCommand(command="true"))
    (found,) = check_backups(replace(context, inventory=dumping))
    assert (found.code, found.blocks) == (Code.BACKUP_FAILED, True)


def test_a_store_is_tried_and_named_without_its_password(world: World, tmp_path: Path) -> None:
    set_store(world, str(tmp_path))
    (found,) = check_backups(world.context())
    assert (found.code, found.met) == (Code.BACKUP_READY, True)
    assert str(tmp_path) in found.message
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_written_is_in_the_way(world: World, tmp_path: Path) -> None:
    for url in (str(tmp_path / "not-there"), "nosuch://me:hunter2@x/y", "backups"):
        set_store(world, url)
        (found,) = check_backups(world.context())
        assert (found.code, found.blocks) == (Code.BACKUP_FAILED, True)
        assert found.remedy
        assert "hunter2" not in f"{found} {world.backups!r}"


def test_paths_that_cannot_be_saved_are_in_the_way(world: World, tmp_path: Path) -> None:
    set_store(world, str(tmp_path))
    assert world.backups is not None
    for text in ("etc/nova", "/etc:/", "~/x"):
        world.backups = replace(world.backups, paths_text=text)
        (found,) = check_backups(world.context())
        assert (found.code, found.blocks) == (Code.BACKUP_FAILED, True)
        assert "ESCALATOR_BACKUP_PATHS" in found.message


def test_a_bundle_that_changes_nothing_needs_none(world: World) -> None:
    world.bundle = replace(world.bundle, mechanism=NoMechanism())
    assert check_backups(world.context()) == ()
