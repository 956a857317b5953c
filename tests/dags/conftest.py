"""A DAG folder as a DAG processor sees it: the project's files, inventories of our own."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.airflow_home import DOMAIN, own_home, write_inventory

ROOT = Path(__file__).resolve().parents[2]
LARGE = "cell1/az1/large"

Parse = Callable[..., Any]


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    return own_home()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Take what the generator logs, also where Airflow sets its own logging up in mid-test."""
    logger = logging.getLogger("escalator_airflow.generate")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.fixture(scope="session")
def database(airflow_home: Path) -> Path:
    """Airflow's database, and the DAG folder that the DAG under test is found in."""
    from airflow.utils.db import initdb

    initdb()
    (airflow_home / "dags").mkdir(exist_ok=True)
    shutil.copy(ROOT / "dags" / "upgrade.py", airflow_home / "dags")
    return airflow_home


@pytest.fixture(scope="session")
def inventories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two domains and one of 250 nodes in one cloud, another cloud, and a file that is broken."""
    folder = tmp_path_factory.mktemp("inventory")
    write_inventory(folder, "lab", {DOMAIN: 4, "cell1/az2/fast+ssd": 2})
    write_inventory(folder, "big", {LARGE: 250})
    (folder / "broken.json").write_text('{"schema": "escalator.inventory/1", "nodes": [')
    return folder


@pytest.fixture(scope="session")
def parse(airflow_home: Path, inventories: Path) -> Iterator[Parse]:
    """Parse the project's DAG folder, all of it or what one DAG needs."""
    assert airflow_home.is_dir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESCALATOR_INVENTORY_DIR", str(inventories))
        patch.setenv("ESCALATOR_BUNDLE_DIR", str(ROOT / "include" / "bundles"))

        def bag(folder: Path = ROOT / "dags", wanted: str | None = None) -> Any:
            from airflow.dag_processing.dagbag import DagBag

            if wanted is not None:
                patch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", wanted)
            try:
                return DagBag(dag_folder=folder, known_pools={"default_pool", "escalator_admission"})
            finally:
                patch.delenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", raising=False)

        yield bag


@pytest.fixture(scope="session")
def dags(parse: Parse) -> dict[str, Any]:
    """Every DAG of the folder, parsed once."""
    return dict(parse().dags)


@pytest.fixture(scope="session")
def dag(dags: dict[str, Any]) -> Any:
    """The DAG of the domain of four nodes."""
    return dags["upgrade__lab__cell1-az1-general"]


@pytest.fixture
def clean_environment(tmp_path: Path, inventories: Path) -> dict[str, str]:
    """The environment of a process of its own that parses DAGs; no file of it is broken."""
    from tests.plugins.airflow_home import variables

    shutil.copytree(inventories, tmp_path / "inventory", ignore=shutil.ignore_patterns("broken.json"))
    shutil.copytree(ROOT / "include" / "bundles", tmp_path / "bundles")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("include", "plugins")),
        "ESCALATOR_INVENTORY_DIR": str(tmp_path / "inventory"),
        "ESCALATOR_BUNDLE_DIR": str(tmp_path / "bundles"),
        **variables(tmp_path),
    }
