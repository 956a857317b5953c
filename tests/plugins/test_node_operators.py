from __future__ import annotations

import traceback
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import make_plan
from tests.events.hearing import Heard
from tests.plugins.conftest import context

from escalator.events.teller import Teller
from escalator.model.campaign import Step
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.errors import LoginRefusedError, SupersededError, TransientError
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.steps.running.giving_way import Ended
from escalator.steps.running.results import StepResult

pytestmark = pytest.mark.airflow


@pytest.fixture
def module(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    assert airflow_home
    from escalator_airflow.operators import node

    monkeypatch.setattr(node, "open_campaign", lambda dag_id, run_id, **_: (dag_id, run_id))
    monkeypatch.setattr(node, "find_question", lambda _campaign, _host: "")
    monkeypatch.setattr(node, "find_crossing_question", lambda _campaign, _host: "")
    return node


@pytest.fixture
def admit(module: Any) -> Any:
    return module.AdmitOperator(task_id="admit", host="node-01")


def decide(
    module: Any, monkeypatch: pytest.MonkeyPatch, admission: Admission, code: Code = Code.ADMITTED
) -> list[Any]:
    asked: list[Any] = []

    def run_admit(campaign: object, host: str, *, try_number: int) -> AdmissionDecision:
        asked.append((campaign, host, try_number))
        return AdmissionDecision(host=host, admission=admission, code=code, message="the reason")

    monkeypatch.setattr(module, "run_admit", run_admit)
    return asked


def test_admit_starts_in_the_triggerer_and_resumes_in_the_pool_of_one(admit: Any) -> None:
    from importlib import import_module

    assert admit.start_from_trigger is True
    assert admit.pool == "escalator_admission"
    arguments = admit.start_trigger_args
    path, name = arguments.trigger_cls.rsplit(".", 1)
    trigger = getattr(import_module(path), name)(**arguments.trigger_kwargs)
    assert trigger.host == "node-01"
    assert callable(getattr(admit, arguments.next_method))
    assert arguments.timeout is None


@pytest.mark.parametrize("entry", ["execute", "take"])
def test_a_node_that_is_admitted_goes_on(
    admit: Any, module: Any, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    asked = decide(module, monkeypatch, Admission.ADMIT)
    getattr(admit, entry)(context(try_number=4))
    assert asked == [(("upgrade__lab__cell1-az1-general", "run-1"), "node-01", 4)]


@pytest.mark.parametrize("admission", [Admission.SKIP, Admission.STOP])
def test_a_node_for_which_waiting_is_vain_is_skipped(
    admit: Any, module: Any, monkeypatch: pytest.MonkeyPatch, admission: Admission
) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    decide(module, monkeypatch, admission)
    with pytest.raises(AirflowSkipException, match="the reason"):
        admit.take(context())


def test_a_held_node_fails_without_another_try(
    admit: Any, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    decide(module, monkeypatch, Admission.HOLD)
    with pytest.raises(AirflowFailException, match="the reason"):
        admit.take(context())


def test_the_loser_of_a_race_goes_back_to_wait_for_a_while_of_its_own(
    admit: Any, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    decide(module, monkeypatch, Admission.WAIT)
    pauses = set()
    for _ in range(5):
        with pytest.raises(TaskDeferred) as deferred:
            admit.take(context())
        assert deferred.value.method_name == "take"
        assert deferred.value.trigger.host == "node-01"  # type: ignore[attr-defined]
        pauses.add(deferred.value.trigger.pause_seconds)  # type: ignore[attr-defined]
    assert len(pauses) > 1
    assert all(1 <= pause <= 5 for pause in pauses)


def test_a_node_that_refuses_the_login_asks_again_after_a_minute(
    admit: Any, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    decide(module, monkeypatch, Admission.WAIT, Code.NODE_UNREACHABLE)
    with pytest.raises(TaskDeferred) as deferred:
        admit.take(context())
    assert deferred.value.trigger.pause_seconds == 60  # type: ignore[attr-defined]


def run(
    module: Any,
    monkeypatch: pytest.MonkeyPatch,
    answer: StepResult | BaseException,
    step: Step = Step.MIGRATE,
    **ti: Any,
) -> tuple[str, list[Any]]:
    asked: list[Any] = []

    def run_step(_campaign: object, host: str, step: Step, **fields: Any) -> Ended:
        asked.append(SimpleNamespace(host=host, step=step, **fields))
        if isinstance(answer, BaseException):
            raise answer
        return Ended(result=answer)

    monkeypatch.setattr(module, "run_or_give_way", run_step)
    operator = module.NodeStepOperator(task_id="t", host="node-01", step=step.value)
    return operator.execute(context(**ti)), asked


def test_a_step_that_is_done_says_so(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    message, (asked,) = run(module, monkeypatch, StepResult(message="3 moved"))
    assert message == "3 moved"
    assert (asked.host, asked.step, asked.try_number) == ("node-01", Step.MIGRATE, 1)


@pytest.mark.parametrize(("try_number", "last"), [(1, False), (3, False), (4, True)])
def test_the_last_try_is_known(
    module: Any, monkeypatch: pytest.MonkeyPatch, try_number: int, *, last: bool
) -> None:
    _, (asked,) = run(module, monkeypatch, StepResult(), try_number=try_number, max_tries=3)
    assert asked.last_try is last


@pytest.mark.parametrize("outcome", [Outcome.HELD, Outcome.FAILED])
@pytest.mark.parametrize("step", [Step.PRECHECK, Step.VERIFY, Step.RELEASE])
def test_a_held_or_failed_node_fails_the_task_for_good(
    module: Any, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, step: Step
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match=f"node-01 {outcome}: why"):
        run(module, monkeypatch, StepResult(outcome=outcome, message="why"), step)


def test_nothing_to_do_is_a_skip_but_not_of_release(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    skipped = StepResult(outcome=Outcome.SKIPPED, message="nothing")
    with pytest.raises(AirflowSkipException, match="nothing"):
        run(module, monkeypatch, skipped)
    assert run(module, monkeypatch, skipped, Step.RELEASE)[0] == "nothing"


def test_what_another_try_may_mend_is_raised_as_it_is(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransientError, match="503"):
        run(module, monkeypatch, TransientError("503"))


@pytest.mark.parametrize("kind", [TransientError, LoginRefusedError])
def test_what_another_try_may_mend_shows_no_way_through_libraries(
    module: Any, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> Ended:
        try:
            {}["deep in a library"]
        except KeyError as exc:
            raise kind("no route to node-01") from exc

    monkeypatch.setattr(module, "run_or_give_way", fail)
    operator = module.NodeStepOperator(task_id="t", host="node-01", step="verify")
    with pytest.raises(kind) as caught:
        operator.execute(context())
    shown = "".join(traceback.format_exception(caught.value))
    assert "no route to node-01" in shown
    assert "deep in a library" not in shown
    assert "in fail" not in shown


def test_a_superseded_attempt_is_not_tried_again(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="older"):
        run(module, monkeypatch, SupersededError("older"))


def test_a_step_that_is_ended_from_outside_is_recorded_as_hung_and_not_tried_again(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

    monkeypatch.setattr(
        module,
        "record_hang",
        lambda _campaign, host, step, try_number: f"{step} of {host} hangs ({try_number})",
    )
    with pytest.raises(AirflowFailException, match="migrate of node-01 hangs"):
        run(module, monkeypatch, AirflowTaskTimeout("too long"))


def test_a_release_that_is_ended_from_outside_is_tried_again(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowTaskTimeout

    with pytest.raises(AirflowTaskTimeout):
        run(module, monkeypatch, AirflowTaskTimeout("too long"), Step.RELEASE)


@pytest.mark.parametrize(("step", "known"), [(Step.RELEASE, {Step.MIGRATE: "failed"}), (Step.MIGRATE, {})])
def test_release_is_told_how_the_steps_before_it_stand(
    module: Any, monkeypatch: pytest.MonkeyPatch, step: Step, known: dict[Step, str]
) -> None:
    monkeypatch.setattr(module, "read_step_states", lambda _context, _task: {Step.MIGRATE: "failed"})
    _, (asked,) = run(module, monkeypatch, StepResult(), step)
    assert asked.states == known


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.SKIPPED])
def test_who_gave_a_node_back_asks_whether_the_campaign_goes_on(
    module: Any, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    """Also where an attempt before gave it back, and was cut off before it could ask."""
    from airflow.sdk.exceptions import TaskAwaitingInput

    from escalator_airflow.operators import questions

    asked: list[dict[str, Any]] = []
    heard = Heard()
    campaign = SimpleNamespace(teller=Teller.of_plan(make_plan("node-01"), [heard]))
    monkeypatch.setattr(module, "open_campaign", lambda *_, **__: campaign)
    monkeypatch.setattr(module, "find_question", lambda _campaign, host: f"{host} is back")
    monkeypatch.setattr(module, "find_patience", lambda _campaign: timedelta(hours=1))
    monkeypatch.setattr(questions, "upsert_hitl_detail", lambda **fields: asked.append(fields))
    given_back = StepResult(outcome=outcome, message="given back")
    with pytest.raises(TaskAwaitingInput) as waits:
        run(module, monkeypatch, given_back, Step.RELEASE, id="ti-1")
    assert (waits.value.method_name, waits.value.timeout) == ("hear_approval", timedelta(hours=1))
    (question,) = asked
    assert (question["ti_id"], question["body"]) == ("ti-1", "node-01 is back")
    assert question["options"] == ["Go on", "No further node"]
    assert question["defaults"] == ["No further node"]
    assert heard.lines("action", "node", "step", "message") == [
        ("question", "node-01", "release", "node-01 is back")
    ]


@pytest.mark.parametrize("step", [Step.VERIFY, Step.RELEASE])
def test_nobody_is_asked_after_another_step_or_a_node_that_is_left_out(
    module: Any, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    monkeypatch.setattr(module, "find_question", lambda _campaign, host: f"{host} is back")
    if step is Step.VERIFY:
        assert run(module, monkeypatch, StepResult(message="good"), step)[0] == "good"
    else:
        with pytest.raises(AirflowFailException):
            run(module, monkeypatch, StepResult(outcome=Outcome.FAILED, message="left out"), step)


@pytest.mark.parametrize(
    ("event", "heard"),
    [
        ({"chosen_options": ["Go on"], "responded_by_user": {"id": "7", "name": "ops"}}, (True, "ops")),
        (
            {"chosen_options": ["No further node"], "responded_by_user": {"id": "7", "name": "ops"}},
            (False, "ops"),
        ),
        ({"chosen_options": ["No further node"], "responded_by_user": None, "timedout": True}, (False, "")),
        ({}, (False, "")),
    ],
)
def test_what_was_answered_is_kept_with_who_said_it(
    module: Any, monkeypatch: pytest.MonkeyPatch, event: dict[str, Any], heard: tuple[bool, str]
) -> None:
    kept: list[tuple[bool, str]] = []

    def note(_campaign: object, host: str, *, go_on: bool, by: str) -> str:
        assert host == "node-01"
        kept.append((go_on, by))
        return "said"

    monkeypatch.setattr(module, "record_answer", note)
    operator = module.NodeStepOperator(task_id="t", host="node-01", step="release")
    assert operator.hear_approval(context(), event) == "said"
    assert kept == [heard]


class Desk:
    """Stands in for the desk: the answers come at once, or do not."""

    def __init__(self, *, at_once: bool) -> None:
        self.at_once = at_once
        self.waited_for: list[str] = []

    def wait_at_once(self, host: str, *_: object) -> bool:
        self.waited_for.append(host)
        return self.at_once


def ask(module: Any, monkeypatch: pytest.MonkeyPatch, desk: Desk | None, *answers: StepResult) -> list[str]:
    """Run switchover; return how each run of the step ended."""
    left, ended = list(answers), []

    def run_step(*_: object, **__: object) -> Ended:
        ended.append(str(left[0].outcome))
        return Ended(result=left.pop(0))

    campaign = SimpleNamespace(desk=desk, clock=None, sleep=None)
    monkeypatch.setattr(module, "open_campaign", lambda *_, **__: campaign)
    monkeypatch.setattr(module, "run_or_give_way", run_step)
    module.NodeStepOperator(task_id="t", host="node-01", step="switchover").execute(context())
    return ended


WAITING = StepResult(outcome=Outcome.WAITING, message="waits for the answer of sbc")


def test_managers_that_answer_at_once_are_acted_on_in_the_same_task(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(at_once=True)
    assert ask(module, monkeypatch, desk, WAITING, StepResult(message="switched")) == ["waiting", "ok"]
    assert desk.waited_for == ["node-01"]


@pytest.mark.parametrize("desk", [Desk(at_once=False), None])
def test_other_managers_are_waited_for_without_a_worker(
    module: Any, monkeypatch: pytest.MonkeyPatch, desk: Desk | None
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    from escalator_airflow.triggers.answers import AnswerTrigger

    with pytest.raises(TaskDeferred) as deferred:
        ask(module, monkeypatch, desk, WAITING)
    assert isinstance(deferred.value.trigger, AnswerTrigger)
    assert deferred.value.method_name == "resume"


def test_a_node_that_gave_way_is_not_waited_for_in_its_worker(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    desk = Desk(at_once=True)
    refused = StepResult(outcome=Outcome.WAITING, code=Code.VNF_REFUSED, message="refused")
    with pytest.raises(TaskDeferred):
        ask(module, monkeypatch, desk, refused)
    assert desk.waited_for == []


def test_who_asks_twice_waits_for_the_second_answer_without_a_worker(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    desk = Desk(at_once=True)
    with pytest.raises(TaskDeferred):
        ask(module, monkeypatch, desk, WAITING, WAITING)
    assert desk.waited_for == ["node-01"]
