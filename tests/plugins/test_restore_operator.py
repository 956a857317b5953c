from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import make_plan
from tests.events.hearing import Heard
from tests.plugins.airflow_home import DOMAIN
from tests.plugins.conftest import context

from escalator.events.event import About
from escalator.events.teller import Teller
from escalator.ledger.ledger import Ledger
from escalator.model.approval import RestoreWord
from escalator.model.backup import BackupKind, BackupRecord

pytestmark = pytest.mark.airflow
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
HOSTS = ("general-001", "general-002", "general-003")
UPGRADE, RESTORE = (f"{verb}__lab__cell1-az1-general" for verb in ("upgrade", "restore"))
DOCUMENT = {
    "schema": "escalator.bundle/1",
    "name": "nova-34",
    "components": [{"name": "nova-compute", "to": "34.0.0"}],
    "mechanism": {"type": "venv", "venv": "/opt/nova/venv", "package": "nova", "service": "nova-compute"},
}


@pytest.fixture(autouse=True)
def ledger(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a ledger of the test's own, with a run that changed a node after its backup."""
    url = f"sqlite:///{folders}/ledger.db"
    Ledger.create_or_upgrade(url)
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)
    run = Ledger().run(UPGRADE, "run-1")
    plan = make_plan(*HOSTS, campaign=UPGRADE, run_id="run-1", cloud="lab", domain=DOMAIN)
    run.open(plan, dag_id=UPGRADE, bundle_document=DOCUMENT, snapshot_before={}, now=NOW)
    run.remember(HOSTS[0], upgrade_begun=NOW, from_version="33.0.2", leases=("a lease",))
    Ledger().backups().record(
        BackupRecord(
            id="general-001-abc",
            kind=BackupKind.NODE,
            cloud="lab",
            campaign=UPGRADE,
            run_id="run-1",
            bundle="nova-34",
            taken_at=NOW,
            size_bytes=1,
            manifest_sha256="a",
            url="u",
            verified_at=NOW,
            host=HOSTS[0],
            sha256="b",
        )
    )


def make(conf: dict[str, Any], running: int = 0) -> tuple[Any, dict[str, Any]]:
    from escalator_airflow.operators.restore import CheckRestoreOperator

    operator = CheckRestoreOperator(
        task_id="check", procedure="restore", cloud="lab", domain=DOMAIN, hosts=HOSTS
    )
    given = context(conf=conf, run_id="back")
    given["dag_run"].dag_id = RESTORE
    given["ti"].get_dr_count = lambda *, states=(), **_: running if states else 1
    given["ti"].id = "the task"
    return operator, given


def test_the_newest_backup_of_an_upgrade_is_put_back_over_the_run_that_had_the_node_last() -> None:
    operator, given = make({"hosts": [HOSTS[0]]})
    work = operator.find_work(given)
    assert (work.restores.backup, work.undoes.run_id, work.hosts) == ("general-001-abc", "run-1", (HOSTS[0],))
    assert work.bundle_document["components"][0]["to"] == "33.0.2"
    assert work.request.bundle == work.bundle_document["name"] == "nova-34-restored"


@pytest.mark.parametrize(
    ("conf", "running", "words"),
    [
        ({}, 0, "a restore is of one node"),
        ({"hosts": list(HOSTS[:2])}, 0, "a restore is of one node"),
        ({"hosts": [HOSTS[0]], "bundle": "nova-34"}, 0, "leave it out"),
        ({"hosts": [HOSTS[1]]}, 0, "there is no backup of general-002"),
        ({"hosts": [HOSTS[0]]}, 1, "is not known to be over"),
    ],
)
def test_what_cannot_be_put_back_is_refused(conf: dict[str, Any], running: int, words: str) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    operator, given = make(conf, running)
    with pytest.raises(AirflowFailException, match=words):
        operator.execute(given)


def test_a_person_is_asked_with_what_is_lost_and_a_no_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

    from escalator_airflow.operators import questions, restore
    from escalator_airflow.operators.campaign import CheckConditionsOperator

    asked: list[dict[str, Any]] = []
    heard = Heard()
    drafted = SimpleNamespace(
        teller=Teller(about=About(campaign=RESTORE, run_id="back", cloud="lab"), hearers=[heard])
    )
    monkeypatch.setattr(restore.CheckRestoreOperator, "draft", lambda *_: drafted)
    monkeypatch.setattr(questions, "upsert_hitl_detail", lambda **words: asked.append(words))
    monkeypatch.setattr(restore.CheckRestoreOperator, "_look", lambda *_: "lost: /etc/nova/nova.conf")
    monkeypatch.setattr(CheckConditionsOperator, "execute", lambda *_: {"done": True})
    operator, given = make({"hosts": [HOSTS[0]]})
    with pytest.raises(TaskAwaitingInput):
        operator.execute(given)
    (question,) = asked
    assert "general-001-abc" in question["body"]
    assert question["body"].endswith("lost: /etc/nova/nova.conf")
    assert question["defaults"] == [str(RestoreWord.LEAVE)]
    with pytest.raises(AirflowFailException, match="nothing was changed: Leave it as it is, said nobody"):
        operator.hear(given, {})
    event = {"chosen_options": [str(RestoreWord.RESTORE)], "responded_by_user": {"name": "ann"}}
    assert operator.hear(given, event) == {"done": True}
    operator, given = make({"hosts": [HOSTS[0]], "approved": True})
    assert operator.execute(given) == {"done": True}
    assert len(asked) == 1
    assert heard.lines("action", "node", "result", "actor") == [
        ("question", HOSTS[0], None, "escalator"),
        ("answer", HOSTS[0], str(RestoreWord.LEAVE), "nobody in time"),
        ("answer", HOSTS[0], str(RestoreWord.RESTORE), "ann"),
    ]
    assert heard[0].message == question["body"]
