import sys
from pathlib import Path

import pytest

from escalator.airflow_stack.components import Component, ComponentName
from escalator.airflow_stack.credentials import Credentials
from escalator.airflow_stack.environment import (
    compute_fingerprint,
    make_component_environment,
    select_inherited,
)
from escalator.airflow_stack.settings import StackSettings

CREDENTIALS = Credentials(
    admin_password="a",
    jwt_secret="j",
    fernet_key="f",
    api_secret="s",
    simple_auth_file=Path("/s/simple-auth.json"),
)


def environment_of(settings: StackSettings, **outside: str) -> dict[str, str]:
    return make_component_environment(
        settings,
        CREDENTIALS,
        database_url="postgresql+psycopg2://db",
        ledger_url="ledger",
        environment=outside,
    )


def test_folders_are_those_of_the_checkout(tmp_path: Path) -> None:
    found = environment_of(StackSettings(home=tmp_path, checkout=Path("/src")))
    assert found["AIRFLOW__CORE__DAGS_FOLDER"] == "/src/dags"
    assert found["AIRFLOW__CORE__PLUGINS_FOLDER"] == "/src/plugins"
    assert found["PYTHONPATH"] == "/src/include"
    assert found["AIRFLOW_HOME"].startswith(str(tmp_path))


def test_everything_listens_on_loopback_and_on_the_instances_ports(tmp_path: Path) -> None:
    found = environment_of(StackSettings(home=tmp_path, instance=3))
    assert found["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert found["AIRFLOW__API__PORT"] == "21350"
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:21350/execution/"


def test_settings_of_another_airflow_do_not_leak_in(tmp_path: Path) -> None:
    outside = {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW_CONN_LAB": "other",
        "PGPASSWORD": "x",
        "PYTHONPATH": "/other",
        "PATH": "/bin",
    }
    assert select_inherited(outside) == {"PATH": "/bin"}
    found = environment_of(StackSettings(home=tmp_path), **outside)
    assert found["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "AIRFLOW__CORE__UNIT_TEST_MODE" not in found


def test_extra_variables_have_the_last_word(tmp_path: Path) -> None:
    extra = {"ESCALATOR_INVENTORY_DIR": "/inv", "ESCALATOR_LEDGER_URL": "mine"}
    found = environment_of(StackSettings(home=tmp_path, extra_env=extra))
    assert found["ESCALATOR_INVENTORY_DIR"] == "/inv"
    assert found["ESCALATOR_LEDGER_URL"] == "mine"
    assert environment_of(StackSettings(home=tmp_path))["ESCALATOR_LEDGER_URL"] == "ledger"


def test_the_home_is_said_aloud_and_the_note_of_another_airflow_does_not_leak_in(tmp_path: Path) -> None:
    found = environment_of(StackSettings(home=tmp_path), ESCALATOR_SHARED="x", ESCALATOR_HOME="/srv/e")
    assert found["ESCALATOR_HOME"] == "/srv/e"
    assert "ESCALATOR_SHARED" not in found
    assert environment_of(StackSettings(home=tmp_path))["ESCALATOR_HOME"] == str(Path.home() / ".escalator")


@pytest.mark.parametrize(
    "changed",
    [
        {"parallelism": 4},
        {"extra_env": {"A": "1"}},
        {"checkout": Path("/x")},
        {"python": Path("/x/bin/python")},
        {"heartbeat_timeout_seconds": 60},
    ],
)
def test_the_fingerprint_tells_settings_apart(changed: dict[str, object]) -> None:
    assert compute_fingerprint(StackSettings(**changed)) != compute_fingerprint(StackSettings())  # type: ignore[arg-type]
    assert compute_fingerprint(StackSettings()) == compute_fingerprint(StackSettings())


def test_components_run_in_the_environment_that_is_named(tmp_path: Path) -> None:
    settings = StackSettings(home=tmp_path, python=Path("/srv/airflow/bin/python"))
    part = Component.of(settings, ComponentName.TRIGGERER)
    assert part.command[:4] == ("/srv/airflow/bin/python", "-m", "airflow", "triggerer")
    assert Component.of(StackSettings(home=tmp_path), ComponentName.TRIGGERER).python == Path(sys.executable)
