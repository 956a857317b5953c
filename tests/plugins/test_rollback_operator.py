from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.builders import make_plan
from tests.plugins.airflow_home import DOMAIN
from tests.plugins.conftest import context

from escalator.ledger.ledger import Ledger

pytestmark = pytest.mark.airflow
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
HOSTS = ("general-001", "general-002", "general-003")
UPGRADE, ROLLBACK = (f"{verb}__lab__cell1-az1-general" for verb in ("upgrade", "rollback"))
DOCUMENT = {
    "schema": "escalator.bundle/1",
    "name": "nova-34",
    "components": [{"name": "nova-compute", "to": "34.0.0"}],
    "mechanism": {"type": "venv", "venv": "/opt/nova/venv", "package": "nova", "service": "nova-compute"},
    "rollback": {"supported": True},
}


def find_work(asked: dict[str, Any], hosts: tuple[str, ...] = HOSTS, running: int = 0) -> Any:
    from escalator_airflow.operators.rollback import CheckRollbackOperator

    operator = CheckRollbackOperator(
        task_id="check", procedure="rollback", cloud="lab", domain=DOMAIN, hosts=hosts
    )
    given = context(conf=asked, run_id="back")
    given["dag_run"].dag_id = ROLLBACK
    given["ti"].get_dr_count = lambda *, states=(), **_: running if states else 1
    return operator.find_work(given)


@pytest.fixture(autouse=True)
def ledger(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a ledger of the test's own."""
    url = f"sqlite:///{folders}/ledger.db"
    Ledger.create_or_upgrade(url)
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)


def upgraded(run_id: str, **before: str) -> None:
    """Record a run that changed the nodes which had something before."""
    run = Ledger().run(UPGRADE, run_id)
    plan = make_plan(*HOSTS, campaign=UPGRADE, run_id=run_id, cloud="lab", domain=DOMAIN)
    run.open(plan, dag_id=UPGRADE, bundle_document=DOCUMENT, snapshot_before={}, now=NOW)
    for host, version in before.items():
        run.remember(host.replace("_", "-"), upgrade_begun=NOW, from_version=version, released_at=NOW)


def refusal(asked: dict[str, Any], **changes: Any) -> str:
    from escalator.model.errors import InvalidRequestError

    with pytest.raises(InvalidRequestError) as refused:
        find_work(asked, **changes)
    return str(refused.value)


def test_the_last_run_that_changed_a_node_is_taken_back() -> None:
    upgraded("first", general_001="32.0.0")
    upgraded("second", general_001="33.0.2", general_002="33.0.2")
    upgraded("idle")
    work = find_work({})
    assert (work.undoes.campaign, work.undoes.run_id) == (UPGRADE, "second")
    assert sorted(work.hosts) == ["general-001", "general-002"]
    assert work.request.hosts == work.hosts
    assert work.bundle_document["components"][0]["to"] == "33.0.2"
    assert work.request.bundle == work.bundle_document["name"] != "nova-34"
    named = find_work({"run_id": "first", "max_parallel": 2})
    assert (named.undoes.run_id, named.hosts, named.request.max_parallel) == ("first", ("general-001",), 2)


def test_what_cannot_be_taken_back_is_refused_with_a_reason() -> None:
    assert f"no run of {UPGRADE} changed any node" in refusal({})
    assert "run gone of" in refusal({"run_id": "gone"})
    upgraded("mixed", general_001="33.0.2", general_002="32.0.0")
    assert "do not go back to the same version" in refusal({})
    assert "general-003" in refusal({"hosts": ["general-003"]})
    assert find_work({"hosts": ["general-002"]}).bundle_document["components"][0]["to"] == "32.0.0"
    gone = refusal({"hosts": ["general-002"]}, hosts=("general-002", "general-001")[1:])
    assert "general-002" in gone


def test_a_run_that_still_goes_on_is_not_taken_back() -> None:
    upgraded("manual__1", general_001="33.0.2")
    assert "is not known to be over (running)" in refusal({}, running=1)
    assert find_work({}).undoes.run_id == "manual__1"


def started_by_the_run(running: int, run_type: str = "operator_triggered") -> Any:
    from escalator_airflow.operators.rollback import CheckRollbackOperator

    operator = CheckRollbackOperator(
        task_id="check", procedure="rollback", cloud="lab", domain=DOMAIN, hosts=HOSTS
    )
    given = context(conf={"run_id": "manual__1", "hosts": ["general-003"]}, run_id="back", run_type=run_type)
    given["dag_run"].dag_id = ROLLBACK
    given["ti"].get_dr_count = lambda *, states=(), **_: running if states else 1
    return operator.execute(given)


def test_a_rollback_that_its_run_began_waits_for_the_end_of_that_run() -> None:
    from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

    upgraded("manual__1", general_001="33.0.2")
    with pytest.raises(TaskDeferred) as deferred:
        started_by_the_run(running=1)
    assert deferred.value.method_name == "resume"
    told = deferred.value.trigger.serialize()[1]
    assert (told["dag_id"], told["run_ids"]) == (UPGRADE, ["manual__1"])
    assert [str(state) for state in told["states"]] == ["success", "failed"]
    with pytest.raises(AirflowFailException, match="did not change general-003"):
        started_by_the_run(running=0)
    with pytest.raises(AirflowFailException, match="Refused, nothing was changed"):
        started_by_the_run(running=1, run_type="manual")
