from importlib.metadata import version
from pathlib import Path

import pytest

from escalator.airflow_stack import postgres, template
from escalator.airflow_stack.template import Template, read_ledger_head


def add_migration(include: Path, name: str, text: str = "") -> None:
    folder = include / "escalator" / "ledger" / "migrations" / "versions"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def test_the_ledgers_head_changes_with_every_migration(tmp_path: Path) -> None:
    assert read_ledger_head(tmp_path) == "none"
    add_migration(tmp_path, "0001_first.py", "a")
    first = read_ledger_head(tmp_path)
    assert read_ledger_head(tmp_path) == first
    add_migration(tmp_path, "0002_second.py")
    second = read_ledger_head(tmp_path)
    add_migration(tmp_path, "0001_first.py", "b")
    assert len({"none", first, second, read_ledger_head(tmp_path)}) == 4


def test_a_template_is_kept_for_one_version_of_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template, "find_binaries", lambda: Path("/usr/lib/postgresql/15/bin"))
    kept = Template(home=tmp_path, include=tmp_path)
    assert kept.key == f"airflow-{version('apache-airflow')}-pg15-none"
    assert kept.folder.is_relative_to(tmp_path)


def test_the_newest_postgresql_is_chosen_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in ("9", "15", "16"):
        (tmp_path / number / "bin").mkdir(parents=True)
    for number in ("9", "15"):
        (tmp_path / number / "bin" / "initdb").touch()
    monkeypatch.setattr(postgres, "BINARIES", tmp_path)
    assert postgres.find_binaries() == tmp_path / "15" / "bin"


def test_a_missing_postgresql_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "BINARIES", tmp_path)
    with pytest.raises(postgres.StackError, match="not installed"):
        postgres.find_binaries()
