from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import ROOT

from escalator.model.errors import InvalidRequestError
from escalator.settings import places

SEVERAL = {"ESCALATOR_SHARED": "Airflow's database is postgresql"}


def test_folders_are_those_of_the_environment_else_below_home() -> None:
    named = {"ESCALATOR_INVENTORY_DIR": "/i", "ESCALATOR_REPORT_DIR": "/r"}
    assert (places.find_inventory_dir(named), places.find_report_dir(named)) == (Path("/i"), Path("/r"))
    home = {"ESCALATOR_HOME": "/srv/e"}
    assert places.find_inventory_dir(home) == Path("/srv/e/inventory")
    assert places.find_report_dir(home) == Path("/srv/e/reports")
    assert places.find_home({}) == Path.home() / ".escalator"


def test_no_users_own_inventory_stands_in_where_components_must_agree() -> None:
    with pytest.raises(InvalidRequestError, match="ESCALATOR_INVENTORY_DIR is not set"):
        places.find_inventory_dir(SEVERAL)
    assert places.find_inventory_dir(SEVERAL | {"ESCALATOR_HOME": "/srv/e"}) == Path("/srv/e/inventory")


def test_bundles_and_vnf_files_are_found_beside_the_package_of_a_checkout() -> None:
    assert places.find_own_bundle_dir() == ROOT / "include" / "bundles"
    assert places.find_own_vnf_dir() == ROOT / "include" / "vnfs"
    assert places.find_own_schema_dir() == ROOT / "include" / "schemas"
    assert places.find_playbook_dir({}) == ROOT / "include" / "playbooks"
    assert places.find_playbook_dir({"ESCALATOR_PLAYBOOK_DIR": "/srv/playbooks"}) == Path("/srv/playbooks")


def test_an_installed_package_has_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever plugins and DAG files were copied to: the package alone says where its bundles are."""
    (tmp_path / "escalator" / "bundles").mkdir(parents=True)
    (tmp_path / "bundles").mkdir()
    monkeypatch.setattr(places, "_PACKAGE", tmp_path / "escalator")
    assert places.find_own_bundle_dir() == tmp_path / "escalator" / "bundles"
