"""What the ledger remembers of a run, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document
from escalator.ledger.run import CampaignRun
from escalator.model.campaign import CampaignPlan, LedgerView, LeftOut, NodeProgress, NodeState, Step
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.errors import InvalidRequestError, NotFoundError, SupersededError
from escalator.model.lease import LeaseMark
from escalator.model.moves import MoveMethod, MoveRecord
from escalator.model.node_facts import NodeFacts, Proof
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


def test_an_opened_campaign_is_there_with_all_its_nodes_waiting(run: CampaignRun, plan: CampaignPlan) -> None:
    assert run.plan() == plan
    assert run.document(Document.BUNDLE) == {"name": "nova-34"}
    assert run.document(Document.SNAPSHOT_BEFORE) == {"cloud": "lab"}
    assert run.document(Document.SNAPSHOT_AFTER) is None
    assert run.view() == LedgerView(
        nodes=tuple(NodeProgress(host=host, since=NOW) for host in ("node-02", "node-01", "node-03")),
        noticed_at=NOW,
    )


def test_nodes_that_a_plan_leaves_out_are_skipped_from_the_start(
    ledger: Ledger, plan: CampaignPlan, open_campaign: Open
) -> None:
    left_out = LeftOut(host="node-04", code=Code.SERVER_ERROR, message="left out: vm-1 is in ERROR")
    planned = replace(plan, run_id="run-skip", left_out=(left_out,))
    assert open_campaign(ledger, planned) == planned
    progress = ledger.run(plan.campaign, "run-skip").progress("node-04")
    assert (progress.state, progress.code) == (NodeState.SKIPPED, Code.SERVER_ERROR)
    assert progress.message == left_out.message


def test_opening_again_keeps_the_first_plan_and_the_progress(
    ledger: Ledger, run: CampaignRun, plan: CampaignPlan, open_campaign: Open
) -> None:
    run.set_progress(HOST, NodeState.MIGRATING, now=later())
    other = replace(plan, hosts=("node-09",))
    assert open_campaign(ledger, other, bundle_document={"name": "other"}, now=later()) == plan
    assert run.plan() == plan
    assert run.document(Document.BUNDLE) == {"name": "nova-34"}
    assert run.progress(HOST).state is NodeState.MIGRATING
    assert len(run.view().nodes) == 3


def test_a_run_that_was_never_opened_is_empty_to_read_and_refused_to_write(ledger: Ledger) -> None:
    run = ledger.run(*RUN)
    assert run.plan() is None
    assert run.view() == LedgerView()
    assert run.progress(HOST) == NodeProgress(host=HOST)
    assert run.steps() == run.moves() == ()
    assert run.facts(HOST) == NodeFacts()
    assert run.document(Document.REPORT) is None
    for write in (
        lambda: run.set_progress(HOST, NodeState.HELD, now=NOW),
        lambda: run.begin_step(HOST, Step.ADMIT, try_number=1, now=NOW),
        lambda: run.record_move(HOST, move()),
        lambda: run.remember(HOST, version="34.0.0"),
        lambda: run.set_document(Document.REPORT, {}),
    ):
        with pytest.raises(NotFoundError, match="not in the ledger"):
            write()


def test_a_document_is_replaced_by_a_later_one(run: CampaignRun) -> None:
    for body in ({"n": 1}, {"n": 2, "text": "\0 \ud800 ü"}):
        run.set_document(Document.SNAPSHOT_AFTER, body)
        assert run.document(Document.SNAPSHOT_AFTER) == body


def test_a_document_that_is_not_json_is_refused(run: CampaignRun) -> None:
    with pytest.raises(InvalidRequestError):
        run.set_document(Document.REPORT, {"n": float("nan")})


def test_progress_keeps_since_while_the_state_does(run: CampaignRun) -> None:
    mark = LeaseMark.FAILED
    run.set_progress(HOST, NodeState.FAILED, now=NOW, code=Code.CANARY_FAILED, message="a", mark=mark)
    run.set_progress(HOST, NodeState.FAILED, now=later(), code=Code.CANARY_FAILED, message="b", mark=mark)
    assert run.progress(HOST) == NodeProgress(
        host=HOST, state=NodeState.FAILED, code=Code.CANARY_FAILED, message="b", since=NOW, mark=mark
    )
    run.set_progress(HOST, NodeState.ADMITTED, now=later())
    assert run.progress(HOST) == NodeProgress(host=HOST, state=NodeState.ADMITTED, since=later())


def test_a_node_outside_the_plan_can_be_recorded(run: CampaignRun) -> None:
    run.set_progress("node-99", NodeState.SKIPPED, now=NOW)
    assert run.view().of("node-99").state is NodeState.SKIPPED


def test_runs_do_not_mix(ledger: Ledger, run: CampaignRun, plan: CampaignPlan, open_campaign: Open) -> None:
    open_campaign(ledger, replace(plan, run_id="run-2"))
    other = ledger.run("upgrade__lab", "run-2")
    other.set_progress(HOST, NodeState.HELD, now=NOW)
    other.record_move(HOST, move())
    assert run.progress(HOST).state is NodeState.WAITING
    assert run.moves() == ()
    assert len(other.moves()) == 1


def test_the_fence_counts_over_all_steps_of_a_node_and_a_newer_attempt_supersedes(run: CampaignRun) -> None:
    first = run.begin_step(HOST, Step.MIGRATE, try_number=1, now=NOW)
    run.check_fence(first)
    second = run.begin_step(HOST, Step.RELEASE, try_number=1, now=later())
    other = run.begin_step("node-02", Step.ADMIT, try_number=1, now=later())
    assert (first.fence, second.fence, other.fence) == (1, 2, 1)
    run.check_fence(second)
    run.check_fence(other)
    with pytest.raises(SupersededError, match="superseded by attempt 2"):
        run.check_fence(first)


def test_a_superseded_attempt_cannot_set_progress_but_may_record_its_end(run: CampaignRun) -> None:
    old = run.begin_step(HOST, Step.UPGRADE, try_number=1, now=NOW)
    new = run.begin_step(HOST, Step.UPGRADE, try_number=2, now=NOW)
    run.set_progress(HOST, NodeState.UPGRADED, now=NOW, attempt=new)
    with pytest.raises(SupersededError):
        run.set_progress(HOST, NodeState.FAILED, now=later(), attempt=old)
    run.finish_step(old, result="failed", now=later(), message="cut off")
    assert run.progress(HOST).state is NodeState.UPGRADED
    assert run.steps()[0].result is Outcome.FAILED


def test_an_attempt_that_ended_with_its_process_is_closed_by_the_next_one_on_its_node(
    run: CampaignRun,
) -> None:
    killed = run.begin_step(HOST, Step.MIGRATE, try_number=1, now=NOW)
    elsewhere = run.begin_step("node-02", Step.ADMIT, try_number=1, now=NOW)
    done = run.begin_step(HOST, Step.MIGRATE, try_number=2, now=later())
    run.finish_step(done, result="ok", now=later())
    first, other, second = run.steps()
    assert (first.result, first.code, first.ended_at) == (Outcome.FAILED, Code.CUT_OFF, later())
    assert "found by migrate, try 2" in first.message
    assert (first.known_end, second.known_end) == (None, later())
    assert (other.result, other.fence) == (None, elsewhere.fence)
    run.finish_step(killed, result="held", now=later(), message="late, but its own word")
    assert run.steps()[0].known_end == later()


def test_what_nothing_follows_on_is_closed_once(run: CampaignRun) -> None:
    run.begin_step(HOST, Step.ADMIT, try_number=1, now=NOW)
    run.begin_step("node-02", Step.ADMIT, try_number=1, now=NOW)
    assert run.close_steps(found_by="conclude", now=later()) == 2
    assert run.close_steps(found_by="conclude", now=later()) == 0
    assert {step.code for step in run.steps()} == {Code.CUT_OFF}


def test_steps_are_recorded_from_begin_to_end(run: CampaignRun) -> None:
    attempt = run.begin_step(HOST, Step.MIGRATE, try_number=3, now=NOW)
    (running,) = run.steps()
    assert (running.result, running.ended_at, running.try_number) == (None, None, 3)
    run.finish_step(
        attempt,
        result="held",
        code=Code.MIGRATION_HUNG,
        message="bad \0 text",
        now=later(),
        api_calls=17,
        details={"moved": 3, "at": NOW},
    )
    (ended,) = run.steps()
    assert (ended.host, ended.step, ended.fence) == (HOST, Step.MIGRATE, attempt.fence)
    assert (ended.result, ended.code, ended.message) == ("held", Code.MIGRATION_HUNG, "bad \\x00 text")
    assert (ended.begun_at, ended.ended_at, ended.api_calls) == (NOW, later(), 17)
    assert ended.details == {"moved": 3, "at": NOW.isoformat()}


def test_a_result_that_is_none_is_refused(run: CampaignRun) -> None:
    attempt = run.begin_step(HOST, Step.ADMIT, try_number=1, now=NOW)
    with pytest.raises(InvalidRequestError, match="'fine'"):
        run.finish_step(attempt, result="fine", now=NOW)


def test_an_attempt_that_is_not_recorded_is_not_found(run: CampaignRun) -> None:
    attempt = replace(run.begin_step(HOST, Step.ADMIT, try_number=1, now=NOW), id=999_999)
    with pytest.raises(NotFoundError):
        run.check_fence(attempt)
    with pytest.raises(NotFoundError):
        run.finish_step(attempt, result="ok", now=NOW)


def test_a_move_with_a_migration_is_recorded_once_and_keeps_its_interruption(run: CampaignRun) -> None:
    run.record_move(HOST, move())
    run.record_move(HOST, move(interruption_ms=None, message="seen again"))
    assert run.moves() == (move(message="seen again"),)
    run.record_move(HOST, move(interruption_ms=50.0))
    assert run.moves() == (move(interruption_ms=50.0),)


def test_moves_without_a_migration_are_all_kept(run: CampaignRun) -> None:
    failed = move(
        migration=None, succeeded=False, to_host=None, code=Code.NO_DESTINATION, interruption_ms=None
    )
    run.record_move(HOST, failed)
    run.record_move("node-02", failed)
    assert run.moves() == (failed, failed)
    assert run.moves(HOST) == (failed,)
    assert run.moves("node-03") == ()


def test_waiting_reasons_are_written_when_they_change_and_only_for_waiting_nodes(run: CampaignRun) -> None:
    run.set_progress("node-03", NodeState.MIGRATING, now=NOW)
    decisions = {host: waits(host) for host in (HOST, "node-03")}
    decisions["node-02"] = AdmissionDecision(
        host="node-02", admission=Admission.ADMIT, code=Code.ADMITTED, message="go"
    )
    assert run.note_waiting(decisions, later()) == 1
    assert run.note_waiting(decisions, later(120)) == 0
    assert run.progress(HOST) == NodeProgress(
        host=HOST, code=Code.PARALLEL_LIMIT, message="1 of 1 out", since=later()
    )
    assert run.progress("node-03").code is None
    assert run.progress("node-02").code is None
    assert run.note_waiting({HOST: waits(HOST, Code.CAPACITY, "no room")}, later(180)) == 1
    assert run.progress(HOST).code is Code.CAPACITY


def test_a_wait_counts_from_when_its_code_was_first_the_reason(run: CampaignRun) -> None:
    run.set_progress(HOST, NodeState.WAITING, code=Code.PARALLEL_LIMIT, now=NOW)
    run.note_waiting({HOST: waits(HOST, Code.CAPACITY, "no room for 3")}, later(10))
    run.note_waiting({HOST: waits(HOST, Code.CAPACITY, "no room for 2")}, later(20))
    run.set_progress(HOST, NodeState.WAITING, code=Code.CAPACITY, message="no room for 1", now=later(30))
    assert run.progress(HOST).since == later(10)
    run.set_progress(HOST, NodeState.WAITING, code=Code.PARALLEL_LIMIT, now=later(40))
    assert run.progress(HOST).since == later(40)


def test_facts_are_kept_per_node_and_field(run: CampaignRun) -> None:
    run.remember(HOST, version="33.0.2", from_version="33.0.2", agents=())
    run.remember(HOST, version="34.0.0", restarted_at=NOW)
    run.remember("node-02", move_slowness=1.5)
    assert run.facts(HOST) == NodeFacts(version="34.0.0", from_version="33.0.2", agents=(), restarted_at=NOW)
    assert run.facts("node-02") == NodeFacts(move_slowness=1.5)
    assert run.facts("node-03") == NodeFacts()


def test_a_fact_that_is_set_to_none_is_forgotten_and_the_others_stay(run: CampaignRun) -> None:
    run.remember(HOST, verified=Proof(version="34.0.0", at=NOW), upgrade_begun=NOW)
    run.remember(HOST, verified=None)
    assert run.facts(HOST) == NodeFacts(upgrade_begun=NOW)


def test_facts_are_remembered_all_of_them_or_none(run: CampaignRun) -> None:
    run.remember(HOST, version="33.0.2")
    with pytest.raises(InvalidRequestError, match="no zone"):
        run.remember(HOST, version="34.0.0", restarted_at=NOW.replace(tzinfo=None))
    assert run.facts(HOST) == NodeFacts(version="33.0.2")


def test_one_fact_of_all_nodes_is_read_by_host(run: CampaignRun) -> None:
    run.remember("node-02", version="34.0.0", from_version="33.0.2", move_slowness=0.5)
    run.remember("node-01", version="33.0.2")
    run.remember("node-03", version=None)
    assert list(run.versions().items()) == [("node-01", "33.0.2"), ("node-02", "34.0.0")]
    assert run.versions_before() == {"node-02": "33.0.2"}
    assert run.find_behind() == frozenset()
    run.remember("node-02", behind=("qemu 1:7.2-1",))
    assert run.find_behind() == {"node-02"}
    run.remember("node-02", behind=())
    assert run.find_behind() == frozenset()
    assert run.move_slowness() == {"node-02": 0.5}


def test_times_come_back_aware_in_utc_and_naive_ones_are_refused(run: CampaignRun) -> None:
    eastern = NOW.astimezone(timezone(timedelta(hours=5)))
    run.set_progress(HOST, NodeState.CHECKED, now=eastern)
    since = run.progress(HOST).since
    assert since == NOW
    assert since is not None
    assert since.utcoffset() == timedelta(0)
    with pytest.raises(InvalidRequestError, match="no zone"):
        run.set_progress(HOST, NodeState.HELD, now=NOW.replace(tzinfo=None))
    assert run.progress(HOST).state is NodeState.CHECKED


def test_a_plan_of_another_schema_version_is_refused(ledger: Ledger, run: CampaignRun) -> None:
    with ledger._database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE escalator_campaign SET plan = '{\"schema_version\": 99}'")
    with pytest.raises(InvalidRequestError, match="99"):
        run.plan()


UTC_TIMES = st.datetimes(timezones=st.just(UTC))
st.register_type_strategy(datetime, UTC_TIMES)
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@given(plan=st.from_type(CampaignPlan))
def test_any_plan_comes_back_exactly(ledger: Ledger, open_campaign: Open, plan: CampaignPlan) -> None:
    number = len(ledger.campaigns(limit=1000))
    hosts = tuple(f"node-{number:02d}" for number, _ in enumerate(plan.hosts))
    left_out = tuple(replace(node, host=f"odd-{n}", message="odd") for n, node in enumerate(plan.left_out))
    request = replace(plan.request, cloud="lab")  # a name: what has a NUL was refused before
    plan = replace(
        plan, campaign="any", run_id=f"run-{number}", hosts=hosts, left_out=left_out, request=request
    )
    assert open_campaign(ledger, plan) == plan
    assert ledger.run("any", plan.run_id).plan() == plan


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
def test_any_move_comes_back_exactly(run: CampaignRun, record: MoveRecord) -> None:
    run.record_move(HOST, record)
    assert record in run.moves(HOST)
