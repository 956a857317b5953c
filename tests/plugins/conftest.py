"""What the tests of the Airflow layer share: Airflow's home, folders of our own, a ledger."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tests.plugins.airflow_home import DOMAIN, own_home, write_inventory

if TYPE_CHECKING:
    from escalator.ledger.ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    return own_home()


@pytest.fixture(scope="session")
def ledger_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    from escalator.ledger.ledger import Ledger

    url = f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db"
    Ledger.create_or_upgrade(url)
    return url


@pytest.fixture
def folders(airflow_home: Path, tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Inventory, bundles, reports and ledger of one test."""
    assert airflow_home.is_dir()
    (tmp_path / "inventory").mkdir()
    write_inventory(tmp_path / "inventory", "lab", {DOMAIN: 3})
    (tmp_path / "bundles").mkdir()
    shutil.copy(ROOT / "include" / "bundles" / "nova-34.yaml", tmp_path / "bundles")
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path / "inventory"))
    monkeypatch.setenv("ESCALATOR_BUNDLE_DIR", str(tmp_path / "bundles"))
    monkeypatch.setenv("ESCALATOR_REPORT_DIR", str(tmp_path / "reports"))
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", ledger_url)
    return tmp_path


@pytest.fixture(scope="session")
def fresh_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger, to be copied."""
    from escalator.ledger.ledger import Ledger

    path = tmp_path_factory.mktemp("fresh") / "ledger.db"
    Ledger.create_or_upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def ledger(folders: Path, fresh_ledger: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger of the test's own."""
    from escalator.ledger.ledger import Ledger

    shutil.copy(fresh_ledger, folders / "ledger.db")
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", f"sqlite:///{folders / 'ledger.db'}")
    return Ledger()


def context(
    *,
    conf: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    run_id: str = "run-1",
    run_type: str = "manual",
    **ti: Any,
) -> dict[str, Any]:
    """Make the context of a task of one run."""
    run = SimpleNamespace(
        dag_id="upgrade__lab__cell1-az1-general",
        run_id=run_id,
        run_type=run_type,
        conf=conf or {},
        run_after=datetime(2026, 11, 22, 8, tzinfo=UTC),
        data_interval_start=None,
        data_interval_end=None,
    )
    return {
        "dag_run": run,
        "params": params or {},
        "ti": SimpleNamespace(**{"try_number": 1, "max_tries": 3, **ti}),
    }
