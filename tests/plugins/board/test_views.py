from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.plugins.board.conftest import DAG, READS, bearer, open_run

from escalator.ledger.ledger import Ledger

pytestmark = pytest.mark.airflow


def find_views(home: Path) -> dict[str, str]:
    """Return the address of each of the plugin's views by where Airflow shows it."""
    assert home.is_dir()
    from escalator_plugin import EscalatorPlugin

    return {view["destination"]: view["href"] for view in EscalatorPlugin.external_views}


def test_airflow_leads_to_the_board_from_its_navigation_and_from_each_run(airflow_home: Path) -> None:
    views = find_views(airflow_home)
    assert set(views) == {"nav", "dag_run"}
    assert not any(href.startswith(("/", "http")) for href in views.values())  # below Airflow's own path


def test_what_they_lead_to_is_there(client: Any, ledger: Ledger, airflow_home: Path) -> None:
    open_run(ledger, "node-01", run_id="run-1")
    for href in find_views(airflow_home).values():
        path = href.replace("{DAG_ID}", DAG).replace("{RUN_ID}", "run-1")
        assert client.get(f"/{path}", headers=bearer(READS)).status_code == 200
