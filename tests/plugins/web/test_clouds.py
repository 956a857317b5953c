from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.airflow_home import write_inventory
from tests.plugins.web.conftest import GENERAL, NOW

from escalator.cloud_manager.token_check import TokenFacts
from escalator.inventory.inventory_file import read_inventory
from escalator.model.errors import InvalidRequestError

pytestmark = pytest.mark.airflow
CONNECTION = {
    "conn_type": "openstack",
    "host": "http://127.0.0.1:9/identity/v3",
    "login": "admin",
    "password": "secret",
    "extra": json.dumps({"OS_PROJECT_ID": "p", "OS_PROJECT_DOMAIN_ID": "default"}),
}


def test_the_inventories_say_which_clouds_there_are(folders: Path) -> None:
    from escalator_airflow.web.answers import RefusedError
    from escalator_airflow.web.clouds import find_inventory

    assert find_inventory("lab").cloud == "lab"
    for name in ("nowhere", "..", ".", "../inventory/lab", ""):
        with pytest.raises(RefusedError) as caught:
            find_inventory(name)
        assert caught.value.status == 404
    write_inventory(folders / "inventory", "lab", {GENERAL: 7})
    assert len(find_inventory("lab").nodes) == 7
    (folders / "inventory" / "broken.json").write_text("{")
    with pytest.raises(InvalidRequestError):
        find_inventory("broken")


def test_the_connection_is_that_of_the_cloud_and_waits_for_nobody(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from escalator_airflow.web.clouds import CALL_TIMEOUT_SECONDS, open_cloud

    assert folders.is_dir()
    monkeypatch.setenv("AIRFLOW_CONN_THE_CLOUD", json.dumps(CONNECTION))
    opened: Any = open_cloud("the_cloud")
    assert opened.session.auth.auth_url == CONNECTION["host"]
    assert float(opened.config.config["api_timeout"]) == CALL_TIMEOUT_SECONDS
    with pytest.raises(Exception, match="isn't defined"):
        open_cloud("another")


def test_one_connection_serves_till_its_credentials_are_refused(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from escalator_airflow.web import clouds

    opened: list[str] = []
    answers: list[Any] = []
    facts = TokenFacts(user="u", project_id="p", roles=frozenset(), expires_at=NOW + timedelta(days=100_000))

    def connect(conn_id: str) -> Any:
        opened.append(conn_id)
        return object()

    def fetch(_connection: Any, _token: str) -> TokenFacts:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(clouds, "fetch_token_facts", fetch)
    inventory = read_inventory(folders / "inventory" / "lab.json")
    found = clouds.Clouds(connect)
    answers += [facts, facts, InvalidRequestError("refused"), facts]
    assert found.find_facts(inventory, "a") is found.find_facts(inventory, "a") is facts
    assert len(answers) == 3
    assert found.find_facts(inventory, "b") is facts
    assert opened == ["the_cloud"]
    with pytest.raises(InvalidRequestError):
        found.find_facts(inventory, "c")
    assert found.find_facts(inventory, "c") is facts
    assert opened == ["the_cloud"] * 2
