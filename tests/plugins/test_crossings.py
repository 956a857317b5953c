from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import make_plan
from tests.events.hearing import Heard
from tests.plugins.conftest import context

from escalator.events.teller import Teller
from escalator.model.approval import CrossWord
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.verdict import Code

pytestmark = pytest.mark.airflow


@pytest.fixture
def module(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    assert airflow_home
    from escalator_airflow.operators import node

    campaign = SimpleNamespace(teller=Teller.of_plan(make_plan("node-01"), [Heard()]))
    monkeypatch.setattr(node, "open_campaign", lambda *_, **__: campaign)
    monkeypatch.setattr(node, "find_crossing_question", lambda _campaign, _host: "")
    return node


@pytest.fixture
def admit(module: Any) -> Any:
    return module.AdmitOperator(task_id="admit", host="node-01")


@pytest.fixture
def admitted(module: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that asked for their leases, and got them."""
    asked: list[str] = []

    def run_admit(_campaign: object, host: str, **_: object) -> AdmissionDecision:
        asked.append(host)
        return AdmissionDecision(host=host, admission=Admission.ADMIT, code=Code.ADMITTED, message="it may")

    monkeypatch.setattr(module, "run_admit", run_admit)
    return asked


@pytest.mark.parametrize("message", ["admit: the node may go", None])
def test_before_a_node_that_cannot_go_back_a_person_is_asked(
    admit: Any, module: Any, admitted: list[str], monkeypatch: pytest.MonkeyPatch, message: str | None
) -> None:
    from airflow.sdk.exceptions import TaskAwaitingInput

    from escalator_airflow.operators import questions

    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(module, "find_crossing_question", lambda _campaign, host: f"{host} is one-way")
    monkeypatch.setattr(module, "find_patience", lambda _campaign: timedelta(hours=1))
    monkeypatch.setattr(questions, "upsert_hitl_detail", lambda **fields: asked.append(fields))
    with pytest.raises(TaskAwaitingInput) as waits:
        admit.take(
            context(id="ti-1", try_number=1), {"host": "node-01", "message": message} if message else {}
        )
    assert (waits.value.method_name, waits.value.timeout) == ("hear_crossing", timedelta(hours=1))
    assert admitted == []
    (question,) = asked
    assert (question["ti_id"], question["body"]) == ("ti-1", "node-01 is one-way")
    assert question["defaults"] == [question["options"][1]]
    admit.take(context(id="ti-1", try_number=1), {"host": "node-01", "message": "skip: it is upgraded"})
    assert len(asked) == len(admitted) == 1


@pytest.mark.parametrize(("option", "go_on"), [(0, True), (1, False), (None, False)])
def test_what_was_said_of_a_node_that_cannot_go_back_is_kept_and_it_asks_for_its_lease(
    admit: Any,
    module: Any,
    admitted: list[str],
    monkeypatch: pytest.MonkeyPatch,
    option: int | None,
    *,
    go_on: bool,
) -> None:
    kept: list[tuple[bool, str]] = []

    def note(_campaign: object, _host: str, *, go_on: bool, by: str) -> str:
        kept.append((go_on, by))
        return "said"

    monkeypatch.setattr(module, "record_crossing", note)
    chosen = [] if option is None else [list(CrossWord)[option]]
    user = {"id": "7", "name": "ops"} if option is not None else None
    admit.hear_crossing(context(), {"chosen_options": chosen, "responded_by_user": user})
    assert kept == [(go_on, "ops" if user else "")]
    assert len(admitted) == 1
