"""What the ledger remembers, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document
from escalator.model.campaign import CampaignPlan, LedgerView, NodeProgress, NodeState, Step
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.errors import InvalidRequestError, NotFoundError, SupersededError
from escalator.model.lease import LeaseMark
from escalator.model.moves import MoveMethod, MoveRecord
from escalator.model.step import Outcome
from escalator.model.verdict import Code

if TYPE_CHECKING:
    from tests.ledger.conftest import Open

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
RUN = ("upgrade__lab", "run-1")
HOST = "node-01"


def later(seconds: float = 60) -> datetime:
    return NOW + timedelta(seconds=seconds)


def move(**changes: object) -> MoveRecord:
    record = MoveRecord(
        server_id="4a1",
        server_name="web-1",
        from_host=HOST,
        to_host="node-02",
        method=MoveMethod.LIVE,
        succeeded=True,
        started_at=NOW,
        ended_at=later(9.5),
        migration="mig-1",
        interruption_ms=41.5,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def waits(host: str, code: Code = Code.PARALLEL_LIMIT, message: str = "1 of 1 out") -> AdmissionDecision:
    return AdmissionDecision(host=host, admission=Admission.WAIT, code=code, message=message)


def test_an_opened_campaign_is_there_with_all_its_nodes_waiting(opened: Ledger, plan: CampaignPlan) -> None:
    assert opened.plan(*RUN) == plan
    assert opened.document(*RUN, Document.BUNDLE) == {"name": "nova-34"}
    assert opened.document(*RUN, Document.SNAPSHOT_BEFORE) == {"cloud": "lab"}
    assert opened.document(*RUN, Document.SNAPSHOT_AFTER) is None
    assert opened.view(*RUN) == LedgerView(
        nodes=tuple(NodeProgress(host=host, since=NOW) for host in ("node-02", "node-01", "node-03")),
        noticed_at=NOW,
    )


def test_opening_again_keeps_the_first_plan_and_the_progress(
    opened: Ledger, plan: CampaignPlan, open_campaign: Open
) -> None:
    opened.set_progress(*RUN, HOST, NodeState.MIGRATING, now=later())
    other = replace(plan, hosts=("node-09",))
    assert open_campaign(opened, other, bundle_document={"name": "other"}, now=later()) == plan
    assert opened.plan(*RUN) == plan
    assert opened.document(*RUN, Document.BUNDLE) == {"name": "nova-34"}
    assert opened.progress(*RUN, HOST).state is NodeState.MIGRATING
    assert len(opened.view(*RUN).nodes) == 3


def test_a_run_that_was_never_opened_is_empty_to_read_and_refused_to_write(ledger: Ledger) -> None:
    assert ledger.plan(*RUN) is None
    assert ledger.view(*RUN) == LedgerView()
    assert ledger.progress(*RUN, HOST) == NodeProgress(host=HOST)
    assert ledger.steps(*RUN) == ledger.moves(*RUN) == ()
    assert ledger.fact(*RUN, HOST, "key") is None
    assert ledger.document(*RUN, Document.REPORT) is None
    for write in (
        lambda: ledger.set_progress(*RUN, HOST, NodeState.HELD, now=NOW),
        lambda: ledger.begin_step(*RUN, HOST, Step.ADMIT, try_number=1, now=NOW),
        lambda: ledger.record_move(*RUN, HOST, move()),
        lambda: ledger.put_fact(*RUN, HOST, "key", 1),
        lambda: ledger.set_document(*RUN, Document.REPORT, {}),
    ):
        with pytest.raises(NotFoundError, match="not in the ledger"):
            write()


def test_a_document_is_replaced_by_a_later_one(opened: Ledger) -> None:
    for body in ({"n": 1}, {"n": 2, "text": "\0 \ud800 ü"}):
        opened.set_document(*RUN, Document.SNAPSHOT_AFTER, body)
        assert opened.document(*RUN, Document.SNAPSHOT_AFTER) == body


def test_a_document_that_is_not_json_is_refused(opened: Ledger) -> None:
    with pytest.raises(InvalidRequestError):
        opened.set_document(*RUN, Document.REPORT, {"n": float("nan")})


def test_progress_keeps_since_while_the_state_does(opened: Ledger) -> None:
    mark = LeaseMark.FAILED
    opened.set_progress(
        *RUN, HOST, NodeState.FAILED, now=NOW, code=Code.CANARY_FAILED, message="a", mark=mark
    )
    opened.set_progress(
        *RUN, HOST, NodeState.FAILED, now=later(), code=Code.CANARY_FAILED, message="b", mark=mark
    )
    assert opened.progress(*RUN, HOST) == NodeProgress(
        host=HOST, state=NodeState.FAILED, code=Code.CANARY_FAILED, message="b", since=NOW, mark=mark
    )
    opened.set_progress(*RUN, HOST, NodeState.ADMITTED, now=later())
    assert opened.progress(*RUN, HOST) == NodeProgress(host=HOST, state=NodeState.ADMITTED, since=later())


def test_a_node_outside_the_plan_can_be_recorded(opened: Ledger) -> None:
    opened.set_progress(*RUN, "node-99", NodeState.SKIPPED, now=NOW)
    assert opened.view(*RUN).of("node-99").state is NodeState.SKIPPED


def test_runs_do_not_mix(opened: Ledger, plan: CampaignPlan, open_campaign: Open) -> None:
    open_campaign(opened, replace(plan, run_id="run-2"))
    opened.set_progress("upgrade__lab", "run-2", HOST, NodeState.HELD, now=NOW)
    opened.record_move("upgrade__lab", "run-2", HOST, move())
    assert opened.progress(*RUN, HOST).state is NodeState.WAITING
    assert opened.moves(*RUN) == ()
    assert len(opened.moves("upgrade__lab", "run-2")) == 1


def test_the_fence_counts_over_all_steps_of_a_node_and_a_newer_attempt_supersedes(opened: Ledger) -> None:
    first = opened.begin_step(*RUN, HOST, Step.MIGRATE, try_number=1, now=NOW)
    opened.check_fence(first)
    second = opened.begin_step(*RUN, HOST, Step.RELEASE, try_number=1, now=later())
    other = opened.begin_step(*RUN, "node-02", Step.ADMIT, try_number=1, now=later())
    assert (first.fence, second.fence, other.fence) == (1, 2, 1)
    opened.check_fence(second)
    opened.check_fence(other)
    with pytest.raises(SupersededError, match="superseded by attempt 2"):
        opened.check_fence(first)


def test_a_superseded_attempt_cannot_set_progress_but_may_record_its_end(opened: Ledger) -> None:
    old = opened.begin_step(*RUN, HOST, Step.UPGRADE, try_number=1, now=NOW)
    new = opened.begin_step(*RUN, HOST, Step.UPGRADE, try_number=2, now=NOW)
    opened.set_progress(*RUN, HOST, NodeState.UPGRADED, now=NOW, attempt=new)
    with pytest.raises(SupersededError):
        opened.set_progress(*RUN, HOST, NodeState.FAILED, now=later(), attempt=old)
    opened.finish_step(old, result="failed", now=later(), message="cut off")
    assert opened.progress(*RUN, HOST).state is NodeState.UPGRADED
    assert opened.steps(*RUN)[0].result is Outcome.FAILED


def test_steps_are_recorded_from_begin_to_end(opened: Ledger) -> None:
    attempt = opened.begin_step(*RUN, HOST, Step.MIGRATE, try_number=3, now=NOW)
    (running,) = opened.steps(*RUN)
    assert (running.result, running.ended_at, running.try_number) == (None, None, 3)
    opened.finish_step(
        attempt,
        result="held",
        code=Code.MIGRATION_HUNG,
        message="bad \0 text",
        now=later(),
        api_calls=17,
        details={"moved": 3, "at": NOW},
    )
    (ended,) = opened.steps(*RUN)
    assert (ended.host, ended.step, ended.fence) == (HOST, Step.MIGRATE, attempt.fence)
    assert (ended.result, ended.code, ended.message) == ("held", Code.MIGRATION_HUNG, "bad \\x00 text")
    assert (ended.begun_at, ended.ended_at, ended.api_calls) == (NOW, later(), 17)
    assert ended.details == {"moved": 3, "at": NOW.isoformat()}


def test_a_result_that_is_none_is_refused(opened: Ledger) -> None:
    attempt = opened.begin_step(*RUN, HOST, Step.ADMIT, try_number=1, now=NOW)
    with pytest.raises(InvalidRequestError, match="'fine'"):
        opened.finish_step(attempt, result="fine", now=NOW)


def test_an_attempt_that_is_not_recorded_is_not_found(opened: Ledger) -> None:
    attempt = replace(opened.begin_step(*RUN, HOST, Step.ADMIT, try_number=1, now=NOW), id=999_999)
    with pytest.raises(NotFoundError):
        opened.check_fence(attempt)
    with pytest.raises(NotFoundError):
        opened.finish_step(attempt, result="ok", now=NOW)


def test_a_move_with_a_migration_is_recorded_once_and_keeps_its_interruption(opened: Ledger) -> None:
    opened.record_move(*RUN, HOST, move())
    opened.record_move(*RUN, HOST, move(interruption_ms=None, message="seen again"))
    assert opened.moves(*RUN) == (move(message="seen again"),)
    opened.record_move(*RUN, HOST, move(interruption_ms=50.0))
    assert opened.moves(*RUN) == (move(interruption_ms=50.0),)


def test_moves_without_a_migration_are_all_kept(opened: Ledger) -> None:
    failed = move(
        migration=None, succeeded=False, to_host=None, code=Code.NO_DESTINATION, interruption_ms=None
    )
    opened.record_move(*RUN, HOST, failed)
    opened.record_move(*RUN, "node-02", failed)
    assert opened.moves(*RUN) == (failed, failed)
    assert opened.moves(*RUN, HOST) == (failed,)
    assert opened.moves(*RUN, "node-03") == ()


def test_waiting_reasons_are_written_when_they_change_and_only_for_waiting_nodes(opened: Ledger) -> None:
    opened.set_progress(*RUN, "node-03", NodeState.MIGRATING, now=NOW)
    decisions = {host: waits(host) for host in (HOST, "node-03")}
    decisions["node-02"] = AdmissionDecision(
        host="node-02", admission=Admission.ADMIT, code=Code.ADMITTED, message="go"
    )
    assert opened.note_waiting(*RUN, decisions, later()) == 1
    assert opened.note_waiting(*RUN, decisions, later(120)) == 0
    assert opened.progress(*RUN, HOST) == NodeProgress(
        host=HOST, code=Code.PARALLEL_LIMIT, message="1 of 1 out", since=NOW
    )
    assert opened.progress(*RUN, "node-03").code is None
    assert opened.progress(*RUN, "node-02").code is None
    assert opened.note_waiting(*RUN, {HOST: waits(HOST, Code.CAPACITY, "no room")}, later(180)) == 1
    assert opened.progress(*RUN, HOST).code is Code.CAPACITY


def test_facts_are_kept_per_node_and_key(opened: Ledger) -> None:
    opened.put_fact(*RUN, HOST, "versions", {"nova-compute": "33.0.2"})
    opened.put_fact(*RUN, HOST, "versions", {"nova-compute": "34.0.0"})
    opened.put_fact(*RUN, HOST, "enabled", value=False)
    opened.put_fact(*RUN, "node-02", "versions", [1, None])
    assert opened.fact(*RUN, HOST, "versions") == {"nova-compute": "34.0.0"}
    assert opened.fact(*RUN, HOST, "enabled") is False
    assert opened.fact(*RUN, "node-02", "versions") == [1, None]
    assert opened.fact(*RUN, HOST, "unknown") is None


def test_the_list_of_campaigns_counts_nodes_newest_first(
    opened: Ledger, plan: CampaignPlan, open_campaign: Open
) -> None:
    open_campaign(opened, replace(plan, run_id="run-2"), now=later())
    opened.set_progress(*RUN, HOST, NodeState.FAILED, now=NOW)
    newest, oldest = opened.campaigns()
    assert (newest.run_id, newest.nodes) == ("run-2", {NodeState.WAITING: 3})
    assert (oldest.run_id, oldest.opened_at) == ("run-1", NOW)
    assert oldest.nodes == {NodeState.WAITING: 2, NodeState.FAILED: 1}
    assert (oldest.bundle, oldest.target_version, oldest.dag_id) == (
        "nova-34",
        "34.0.0",
        "upgrade__lab__domain",
    )
    assert [item.run_id for item in opened.campaigns(limit=1)] == ["run-2"]


def test_times_come_back_aware_in_utc_and_naive_ones_are_refused(opened: Ledger) -> None:
    eastern = NOW.astimezone(timezone(timedelta(hours=5)))
    opened.set_progress(*RUN, HOST, NodeState.CHECKED, now=eastern)
    since = opened.progress(*RUN, HOST).since
    assert since == NOW
    assert since is not None
    assert since.utcoffset() == timedelta(0)
    with pytest.raises(InvalidRequestError, match="no zone"):
        opened.set_progress(*RUN, HOST, NodeState.HELD, now=NOW.replace(tzinfo=None))
    assert opened.progress(*RUN, HOST).state is NodeState.CHECKED


def test_a_plan_of_another_schema_version_is_refused(opened: Ledger) -> None:
    with opened._database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE escalator_campaign SET plan = '{\"schema_version\": 99}'")
    with pytest.raises(InvalidRequestError, match="99"):
        opened.plan(*RUN)


UTC_TIMES = st.datetimes(timezones=st.just(UTC))
st.register_type_strategy(datetime, UTC_TIMES)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@given(plan=st.from_type(CampaignPlan))
def test_any_plan_comes_back_exactly(ledger: Ledger, open_campaign: Open, plan: CampaignPlan) -> None:
    number = len(ledger.campaigns(limit=1000))
    hosts = tuple(f"node-{number:02d}" for number, _ in enumerate(plan.hosts))
    plan = replace(plan, campaign="any", run_id=f"run-{number}", hosts=hosts)
    assert open_campaign(ledger, plan) == plan
    assert ledger.plan("any", plan.run_id) == plan


@FEW
@given(
    record=st.builds(
        MoveRecord,
        server_id=WORDS,
        server_name=WORDS,
        from_host=WORDS,
        to_host=st.none() | WORDS,
        migration=st.uuids().map(str),
        message=WORDS,
        interruption_ms=st.none() | st.floats(0, 1e9),
    )
)
def test_any_move_comes_back_exactly(opened: Ledger, record: MoveRecord) -> None:
    opened.record_move(*RUN, HOST, record)
    assert record in opened.moves(*RUN, HOST)
