from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import make_cloud, make_node
from tests.plugins.conftest import context

from escalator.cloud_manager.snapshots import snapshot_from_document
from escalator.model.check_report import CheckReport, Condition
from escalator.model.durations import Quantiles
from escalator.model.errors import TransientError
from escalator.model.verdict import Code, Severity, Subject, SubjectType
from escalator.upgrade_manager.conditions.rollback import check_rollback
from escalator.upgrade_manager.conditions.upgrade import check_upgrade

pytestmark = pytest.mark.airflow
HOSTS = ("general-001", "general-002", "general-003")
SEEN = make_cloud([make_node(host, versions={"qemu": "1:7.2"}) for host in HOSTS])
NODE = Subject(type=SubjectType.NODE, id="general-001")


def condition(code: Code, severity: Severity, *, met: bool = False) -> Condition:
    return Condition(
        code=code, met=met, severity=severity, subject=NODE, message=f"{code} it is", remedy="mend it"
    )


GOOD = condition(Code.SYSTEM_NORMAL, Severity.INFO, met=True)
WARNING = condition(Code.SERVICE_DOWN, Severity.WARNING)
BLOCKER = condition(Code.CAPACITY, Severity.BLOCKER)


class Judge:
    """Stands for the look at the cloud; remembers what it was asked."""

    def __init__(self, *conditions: Condition, fault: Exception | None = None) -> None:
        self.report = CheckReport(conditions=conditions, expected=Quantiles(p50=60, p90=120))
        self.fault = fault
        self.asked: Any = None

    def __call__(self, campaign: Any, hosts: Any, *, look: object) -> Any:
        self.asked = (campaign, tuple(hosts), look)
        if self.fault is not None:
            raise self.fault
        return SimpleNamespace(report=self.report, snapshot=SEEN)


def run(monkeypatch: pytest.MonkeyPatch, judge: Judge, run_id: str = "run-1", **asked: Any) -> Any:
    from escalator_airflow.operators import check_cloud as check

    monkeypatch.setattr(check, "make_context", lambda record, **_: record.plan)
    monkeypatch.setattr(check, "judge", judge)
    operator = check.CheckOperator(task_id="check_conditions", cloud="lab", hosts=HOSTS)
    return operator.execute(context(params={"bundle": "nova-34", **asked}, run_id=run_id))


def test_a_check_that_is_met_leaves_its_report(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = run(monkeypatch, Judge(GOOD, WARNING))
    document = json.loads(Path(answer["report"]).read_text())
    assert Path(answer["report"]).is_relative_to(folders / "reports")
    assert (document["schema"], document["met"]) == ("escalator.check/1", True)
    assert [c["code"] for c in document["conditions"]] == ["system_normal", "service_down"]
    assert answer["met"] is True
    beside = Path(answer["report"]).with_name("snapshot.json")
    assert snapshot_from_document(json.loads(beside.read_text())) == SEEN


def test_one_that_is_not_met_fails_with_one_message_and_leaves_its_report(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException) as failed:
        run(monkeypatch, Judge(GOOD, WARNING, BLOCKER))
    assert str(failed.value).startswith("The conditions are not met: node general-001: capacity it is")
    assert "service_down" not in str(failed.value)
    (path,) = (folders / "reports").rglob("check.json")
    assert json.loads(path.read_text())["met"] is False


def test_every_condition_is_readable_in_the_log(
    folders: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    assert folders
    with caplog.at_level(logging.INFO, "escalator"), pytest.raises(AirflowFailException):
        run(monkeypatch, Judge(GOOD, WARNING, BLOCKER))
    levels = {r.getMessage().split()[0]: r.levelname for r in caplog.records if "it is" in r.getMessage()}
    assert levels == {"blocker": "ERROR", "warning": "WARNING", "met": "INFO"}
    assert "-> mend it" in caplog.text


def test_the_whole_cloud_or_some_nodes_and_the_way_back_are_asked_about(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folders
    judge = Judge(GOOD)
    run(monkeypatch, judge)
    draft, hosts, look = judge.asked
    assert (hosts, look) == (HOSTS, check_upgrade)
    assert (draft.campaign, draft.target_version) == ("upgrade__lab__cell1-az1-general", "34.0.0")
    run(monkeypatch, judge, hosts=["general-002"], rollback=True, mode="non-smooth", max_parallel=2)
    draft, hosts, look = judge.asked
    assert (hosts, look) == (("general-002",), check_rollback)
    assert (draft.request.mode, draft.request.max_parallel) == ("non-smooth", 2)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"hosts": ["general-009"]}, "general-009"),
        ({"bundle": "nova-99"}, "nova-99"),
        ({"max_parallel": 3}, "impossible"),
        ({"dry_run": True}, "dry_run"),
    ],
)
def test_a_wrong_request_is_refused_before_any_look(
    folders: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], said: str
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    assert folders
    judge = Judge(GOOD)
    with pytest.raises(AirflowFailException, match="Refused, nothing was looked at") as refused:
        run(monkeypatch, judge, **asked)
    assert said in str(refused.value)
    assert judge.asked is None


def test_a_cloud_that_is_away_is_another_try(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folders
    with pytest.raises(TransientError):
        run(monkeypatch, Judge(fault=TransientError("HTTP 503")))
