from __future__ import annotations

import os
from pathlib import Path

import pytest

from escalator.model.errors import InvalidRequestError
from escalator_airflow.sharing import find_sharing, record_sharing

pytestmark = pytest.mark.airflow
POSTGRES = "postgresql+psycopg2://airflow:hidden-word@db/airflow"


@pytest.mark.parametrize(
    ("executor", "database", "reason"),
    [
        ("LocalExecutor", "sqlite:////home/a/airflow.db", None),
        ("LocalExecutor", "airflow-db-not-allowed:///", None),
        ("LocalExecutor", "", None),
        ("LocalExecutor", POSTGRES, "Airflow's database is postgresql"),
        ("LocalExecutor", "mysql://a@db/airflow", "Airflow's database is mysql"),
        ("CeleryExecutor", "airflow-db-not-allowed:///", "Airflow's executor is CeleryExecutor"),
        ("LocalExecutor,k:airflow.x.kubernetes_executor.KubernetesExecutor", "", "KubernetesExecutor"),
    ],
)
def test_several_components_are_known_by_executor_or_database(
    executor: str, database: str, reason: str | None
) -> None:
    found = find_sharing(executor, database)
    assert found == reason or (found is not None and reason is not None and found.endswith(reason))
    assert "hidden-word" not in str(found)


def test_the_note_is_taken_from_airflow_once_and_inherited(
    airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert airflow_home
    monkeypatch.setenv("ESCALATOR_SHARED", "x")  # so that it is restored
    monkeypatch.delenv("ESCALATOR_SHARED")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    assert record_sharing() == os.environ["ESCALATOR_SHARED"] == "Airflow's executor is CeleryExecutor"
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    assert record_sharing() == "Airflow's executor is CeleryExecutor"


def test_the_folders_of_a_plugin_refuse_and_name_everything_that_lacks(
    airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert airflow_home
    from escalator_airflow.settings import inventory_dir

    monkeypatch.setenv("ESCALATOR_SHARED", "Airflow's executor is CeleryExecutor")
    for name in ("ESCALATOR_HOME", "ESCALATOR_LEDGER_URL", "ESCALATOR_INVENTORY_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidRequestError, match="ESCALATOR_LEDGER_URL and ESCALATOR_INVENTORY_DIR are"):
        inventory_dir()
    monkeypatch.setenv("ESCALATOR_HOME", "/srv/escalator")
    assert inventory_dir() == Path("/srv/escalator/inventory")
