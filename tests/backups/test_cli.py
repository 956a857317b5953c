"""``escalator backups`` over a real ledger and a store in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.backups.conftest import OF, SECRET, FakeNode
from tests.builders import NOW, make_plan

from escalator import cli as escalator
from escalator.backups.keeper import BackupKeeper
from escalator.ledger.ledger import Ledger
from escalator.model.backup import BackupRecord
from escalator.system_support.backup.contents import BackupWish

Type = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ledger(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    url = f"sqlite:///{tmp_path}/ledger.db"
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)
    monkeypatch.setenv("ESCALATOR_BACKUP_URL", str(folder))
    return Ledger.create_or_upgrade(url)


@pytest.fixture
def saved(ledger: Ledger, keeper: BackupKeeper) -> tuple[BackupRecord, ...]:
    """Four backups of a node, the newest first; the oldest one's run is not over."""
    runs = ("run-1", "run-2", "run-3", "run-4")
    plan = replace(make_plan("node-01"), campaign=OF.campaign, run_id="run-1")
    ledger.run(OF.campaign, "run-1").open(
        plan, dag_id=OF.campaign, bundle_document={}, snapshot_before={}, now=NOW
    )
    for day, run_id in enumerate(runs):
        made = replace(keeper, clock=lambda day=day: NOW + timedelta(days=day))
        ledger.backups().record(made.save_node(replace(OF, run_id=run_id), FakeNode(), BackupWish()))
    return ledger.backups().list_all()


@pytest.fixture
def type_in(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> Type:
    del ledger

    def run(*words: str) -> tuple[int, str, str]:
        code = escalator.main(["backups", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_list_has_a_line_for_each(type_in: Type, saved: tuple[BackupRecord, ...]) -> None:
    code, out, _ = type_in("list", "--cloud", "lab", "--host", "node-01")
    assert (code, [line.split()[0] for line in out.splitlines()[:-1]]) == (0, [one.id for one in saved])
    assert out.splitlines()[-1].startswith("4 backup(s), ")
    document = json.loads(type_in("list", "--json")[1])
    assert document["schema"] == "escalator.backups/1"
    assert document["backups"][0]["id"] == saved[0].id
    assert type_in("list", "--host", "other")[1] == "0 backup(s), 0 B\n"


def test_what_is_in_one_is_shown_without_its_content(type_in: Type, saved: tuple[BackupRecord, ...]) -> None:
    code, out, _ = type_in("show", saved[0].id)
    assert (code, "/etc/nova" in out, "1, 1 of them in no source" in out) == (0, True, True)
    assert SECRET.decode() not in out
    assert json.loads(type_in("show", saved[0].id, "--json")[1])["schema"] == "escalator.backup/1"


def test_verify_reads_all_and_names_what_is_not_whole(
    type_in: Type, saved: tuple[BackupRecord, ...], folder: Path, ledger: Ledger
) -> None:
    code, out, _ = type_in("verify")
    assert (code, out.splitlines()[-1]) == (0, "4 of 4 backup(s) whole")
    found = ledger.backups().find(saved[1].id)
    assert found is not None
    assert found.verified_at > saved[1].verified_at
    (folder / f"lab/node-01/{saved[0].id}.tar.gz").write_bytes(b"spoilt")
    (folder / f"lab/node-01/{saved[1].id}.tar.gz").unlink()
    code, out, err = type_in("verify")
    assert (code, out.splitlines()[-1]) == (1, "2 of 4 backup(s) whole")
    assert f"{saved[0].id}: " in err
    assert "is not there" in err
    assert type_in("verify", saved[2].id)[0] == 0


def test_prune_keeps_the_newest_and_what_is_needed(
    type_in: Type, saved: tuple[BackupRecord, ...], folder: Path, ledger: Ledger
) -> None:
    code, out, _ = type_in("prune", "--keep", "2", "--dry-run")
    assert (code, len(ledger.backups().list_all())) == (0, 4)
    assert "1 backup(s) would be deleted, 1 old one(s) kept" in out
    code, out, _ = type_in("prune", "--keep", "2")
    assert (code, "kept: the way of node-01 is not at its end" in out) == (0, True)
    left = [record.id for record in ledger.backups().list_all()]
    assert left == [saved[0].id, saved[1].id, saved[3].id]
    assert sorted({path.name.split(".")[0] for path in folder.rglob("*.*")}) == sorted(left)
    assert type_in("prune", "--keep", "2")[1].splitlines()[-1] == "0 backup(s) deleted, 1 old one(s) kept"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("show", "other"), "there is no backup other"),
        (("verify", "other"), "there is no backup other"),
        (("prune", "--keep", "0"), "0 backups of each node cannot be kept"),
    ],
)
def test_bad_input_is_said_in_two_lines(type_in: Type, words: tuple[str, ...], why: str) -> None:
    code, _, err = type_in(*words)
    assert (code, len(err.splitlines())) == (2, 2)
    assert why in err


def test_what_needs_the_store_says_when_there_is_none(
    type_in: Type, saved: tuple[BackupRecord, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ESCALATOR_BACKUP_URL")
    code, _, err = type_in("show", saved[0].id)
    assert (code, "ESCALATOR_BACKUP_URL is not set" in err) == (2, True)
    assert type_in("list")[0] == 0
    monkeypatch.setenv("ESCALATOR_BACKUP_URL", "/another/store")
    assert "which is not in /another/store" in type_in("show", saved[0].id)[2]
