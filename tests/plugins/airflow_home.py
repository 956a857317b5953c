"""An Airflow home of the tests' own; to be asked for before anything of Airflow is imported."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

NOW = "2026-11-22T08:00:00+00:00"
DOMAIN = "cell1/az1/general"
PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "escalator_plugin.py"


def variables(home: Path) -> dict[str, str]:
    """Return the environment of an Airflow that lives in a folder, with nothing of the machine's."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",  # tests write DAGs of the same id anew
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "ESCALATOR_HOME": str(home / "escalator"),
    }


@cache
def own_home() -> Path:
    """Make the home once a process and point Airflow to it."""
    home = Path(tempfile.mkdtemp(prefix="escalator-airflow-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(variables(home))
    (home / "plugins").mkdir()
    shutil.copy(PLUGIN, home / "plugins")
    return home


def write_inventory(folder: Path, cloud: str, domains: dict[str, int]) -> Path:
    """Write the inventory of a cloud with so many nodes in each domain."""
    nodes = [
        {
            "host": f"{domain.rpartition('/')[2]}-{number:03d}",
            "domain": domain,
            "address": f"192.0.2.{number % 256}",
        }
        for domain, count in domains.items()
        for number in range(1, count + 1)
    ]
    document = {
        "schema": "escalator.inventory/1",
        "cloud": cloud,
        "taken_at": NOW,
        "nodes": nodes,
        "cloud_conn_id": "the_cloud",
        "ssh_conn_id": "the_nodes",
    }
    path = folder / f"{cloud}.json"
    path.write_text(json.dumps(document))
    return path
