from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from tests.ledger.notices import SESSION

from escalator.ledger import schema
from escalator.ledger.cli import main
from escalator.ledger.database import Database, ledger_url, parse_url
from escalator.ledger.ledger import Ledger
from escalator.ledger.tables import HEAD, VERSION_TABLE, Base
from escalator.model.errors import InvalidRequestError, TransientError

if TYPE_CHECKING:
    from tests.ledger.conftest import Cluster


def tables(url: str) -> set[str]:
    return set(sa.inspect(Database(parse_url(url)).engine).get_table_names())


def test_the_url_comes_from_the_environment_or_is_a_file_of_ones_own() -> None:
    assert ledger_url({"ESCALATOR_LEDGER_URL": "sqlite:///x"}) == "sqlite:///x"
    assert ledger_url({"ESCALATOR_HOME": "/srv/e"}) == "sqlite:////srv/e/ledger.db"
    assert ledger_url({}) == f"sqlite:///{Path.home()}/.escalator/ledger.db"
    with pytest.raises(InvalidRequestError, match="ESCALATOR_LEDGER_URL is not set"):
        ledger_url({"ESCALATOR_SHARED": "Airflow's database is postgresql"})


def test_postgresql_without_a_driver_means_psycopg2() -> None:
    assert parse_url("postgresql://u@h/n").drivername == "postgresql+psycopg2"
    assert parse_url("postgres://u@h/n").drivername == "postgresql+psycopg2"


@pytest.mark.parametrize(
    "text",
    ["", "no url", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/n", "postgresql+asyncpg://h/n"],
)
def test_other_databases_are_refused_without_showing_a_password(text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_url(text)
    assert "secret" not in str(caught.value)
    assert "ESCALATOR_LEDGER_URL" in str(caught.value.remedy)


def test_head_is_the_last_migration() -> None:
    assert ScriptDirectory.from_config(schema.make_alembic_config()).get_current_head() == HEAD


def test_the_migrated_schema_is_the_models(url: str) -> None:
    schema.upgrade(url)
    options = {"version_table": VERSION_TABLE, "include_object": schema.is_owned, "compare_type": True}
    with Database(parse_url(url)).engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_go_up_and_down_and_up_again(url: str) -> None:
    schema.upgrade(url)
    assert tables(url) == set(Base.metadata.tables) | {VERSION_TABLE}
    schema.downgrade(url, "base")
    assert tables(url) == {VERSION_TABLE}
    schema.upgrade(url)
    assert Database(parse_url(url)).revision() == HEAD


def test_the_tables_of_the_vim_interface_come_and_go_beside_what_is_there(url: str) -> None:
    schema.upgrade(url)
    installation = Ledger(url).installation()
    Ledger(url).notices().open_session(SESSION)
    schema.downgrade(url, "0002")
    kept = {"installation", "campaign", "document", "node", "step", "move", "fact", "alembic_version"}
    assert tables(url) == {f"escalator_{name}" for name in kept}
    with pytest.raises(InvalidRequestError, match="0002"):
        Ledger(url)
    schema.upgrade(url)
    assert Ledger(url).installation() == installation
    assert Ledger(url).notices().sessions("lab") == ()


def test_tables_of_others_in_the_same_database_are_left_alone(url: str) -> None:
    database = Database(parse_url(url))
    Path(str(database.url.database)).parent.mkdir(parents=True, exist_ok=True)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
    schema.upgrade(url)
    schema.downgrade(url, "base")
    assert "alembic_version" in tables(url)


def test_a_missing_ledger_is_refused_with_the_command_and_not_made(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="no ledger") as caught:
        Ledger(url)
    assert caught.value.remedy == "escalator ledger upgrade"
    if url.startswith("sqlite"):
        assert not Path(url.removeprefix("sqlite:///")).exists()


def test_where_nobody_said_which_ledger_it_is_asked_for_before_a_new_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ESCALATOR_LEDGER_URL", raising=False)
    monkeypatch.setenv("ESCALATOR_HOME", str(tmp_path))
    with pytest.raises(InvalidRequestError, match="no ledger") as caught:
        Ledger()
    assert str(caught.value.remedy).startswith("set ESCALATOR_LEDGER_URL to the ledger that Airflow uses; ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("revision", "remedy"), [("0000", "escalator ledger upgrade"), ("9999", "release")])
def test_another_schema_is_refused_with_what_to_do(url: str, revision: str, remedy: str) -> None:
    schema.upgrade(url)
    with Database(parse_url(url)).engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")  # noqa: S608
    with pytest.raises(InvalidRequestError, match=revision) as caught:
        Ledger(url)
    assert remedy in str(caught.value.remedy)


def test_a_database_that_is_away_is_transient(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="does not answer") as caught:
        Ledger(f"postgresql+psycopg2://u:secret@/n?host={tmp_path}")
    assert "secret" not in str(caught.value)


def test_a_database_that_goes_away_is_transient(cluster: Cluster) -> None:
    ledger = Ledger.create_or_upgrade(cluster.new_schema())
    ledger._database.engine.dispose()
    ledger._database = Database(parse_url("postgresql+psycopg2://ledger@/gone?host=/nonexistent"))
    with pytest.raises(TransientError):
        ledger.campaigns()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("not a database at all " * 100)
    with pytest.raises(InvalidRequestError, match="not a database"):
        Ledger(f"sqlite:///{path}")


def test_sqlite_writes_ahead_waits_and_keeps_its_folder_private(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/home/ledger.db"
    ledger = Ledger.create_or_upgrade(url)
    with ledger._database.engine.connect() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys")
        }
    assert pragma == {"journal_mode": "wal", "busy_timeout": 30_000, "foreign_keys": 1}
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_sqlite_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger.create_or_upgrade(url)
    writer = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert ledger.campaigns() == ()
    writer.execute("ROLLBACK")
    writer.close()


def test_the_command_makes_the_ledger_and_says_what_it_has(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", url, "current"]) == 1
    assert main(["--url", url, "upgrade"]) == 0
    assert main(["--url", url, "current"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "schema none" in lines[0]
    assert f"none -> {HEAD}" in lines[1]
    assert f"schema {HEAD}" in lines[2]
    assert main(["--url", url, "claim"]) == 0
    assert re.search(r"installation [0-9a-f]{8}$", capsys.readouterr().out)


@pytest.mark.parametrize("url", ["mysql://h/n", "junk", "postgresql://h:port/n"])
def test_the_command_refuses_a_bad_url_with_exit_code_2(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--url", url, "upgrade"])
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
