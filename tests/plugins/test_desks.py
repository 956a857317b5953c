from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.builders import make_plan

from escalator.ledger.ledger import Ledger
from escalator.model.errors import InvalidRequestError

pytestmark = pytest.mark.airflow
VNFMS = """\
schema: escalator.vnfms/1
vnfms:
  - {id: sbc, cloud: lab, kind: fenix-b, url: "http://vnfm.example/maintenance", projects: [p1]}
"""


@pytest.fixture
def inventory(airflow_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert airflow_home
    url = f"sqlite:///{tmp_path}/ledger.db"
    Ledger.create_or_upgrade(url)
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)
    monkeypatch.setenv("ESCALATOR_INVENTORY_DIR", str(tmp_path))
    monkeypatch.delenv("ESCALATOR_VIM_TRANSPORT", raising=False)
    monkeypatch.delenv("AIRFLOW__API__BASE_URL", raising=False)
    monkeypatch.setenv("ESCALATOR_VIM_URL", "")
    return tmp_path


@pytest.mark.parametrize("said", ["", "airflow.example/vim", "ftp://airflow.example/vim", "http:///vim"])
def test_managers_that_could_not_answer_are_not_told(
    inventory: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    from escalator_airflow.desks import make_desk

    monkeypatch.setenv("ESCALATOR_VIM_URL", said)
    plan = make_plan("n1", campaign="upgrade__lab")
    assert make_desk(plan).managers() == {}  # nobody is registered: no address is needed
    (inventory / "vnfms.yaml").write_text(VNFMS)
    with pytest.raises(InvalidRequestError, match="no address that they could answer at") as caught:
        make_desk(plan)
    assert "ESCALATOR_VIM_URL" in caught.value.remedy


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"ESCALATOR_VIM_URL": "https://airflow.example/vim"}, "https://airflow.example/vim"),
        ({"AIRFLOW__API__BASE_URL": "http://airflow.example:8080/"}, "http://airflow.example:8080/vim"),
    ],
    ids=str,
)
def test_the_address_is_the_one_that_is_said_else_airflows_own(
    inventory: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, Any], url: str
) -> None:
    from escalator_airflow.desks import find_vim_url, make_desk

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (inventory / "vnfms.yaml").write_text(VNFMS)
    assert find_vim_url() == url
    assert list(make_desk(make_plan("n1", campaign="upgrade__lab")).managers()) == ["sbc"]
