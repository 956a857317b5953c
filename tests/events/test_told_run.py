from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.builders import NOW
from tests.events.hearing import Heard, open_told_run

from escalator.events.told_run import ToldRun
from escalator.model.approval import ApprovalAnswer
from escalator.model.campaign import NodeState, Step
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.errors import SupersededError
from escalator.model.interruption import Gap, ProbeMethod
from escalator.model.lease import Lease, LeasePhase
from escalator.model.moves import MoveMethod, MoveRecord
from escalator.model.node_facts import RebootOrder
from escalator.model.step import Outcome
from escalator.model.verdict import Code

NODE = "node-01"


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def run(tmp_path: Path, heard: Heard) -> ToldRun:
    run = open_told_run(tmp_path, heard)
    assert heard.lines("action", "result", "actor") == [("campaign_opened", "opened", "ops")]
    heard.clear()
    return run


def test_step_is_told_when_it_begins_and_when_it_ends(run: ToldRun, heard: Heard) -> None:
    attempt = run.begin_step(NODE, Step.VERIFY, try_number=2, now=NOW)
    run.finish_step(
        attempt,
        result=Outcome.FAILED,
        now=NOW + timedelta(seconds=12),
        code=Code.AGENT_DOWN,
        message="an agent is down",
        api_calls=4,
        details={"request_id": "req-7"},
    )
    assert heard.lines("action", "step", "attempt", "result", "code", "request_id", "seconds") == [
        ("step_begun", "verify", 2, None, None, None, None),
        ("step_ended", "verify", 2, "failed", "agent_down", "req-7", 12.0),
    ]
    assert heard[-1].details == {"api_calls": 4}


def test_state_is_told_when_it_is_another(run: ToldRun, heard: Heard) -> None:
    for message in ("3 server(s) to move", "2 server(s) to move"):
        run.set_progress(NODE, NodeState.MIGRATING, now=NOW, message=message)
    run.set_progress(NODE, NodeState.HELD, now=NOW, code=Code.NODE_NOT_EMPTY)
    assert heard.lines("action", "result", "code") == [
        ("node_state", "migrating", None),
        ("node_state", "held", "node_not_empty"),
    ]


def test_what_a_superseded_attempt_says_is_not_told(run: ToldRun, heard: Heard) -> None:
    old = run.begin_step(NODE, Step.MIGRATE, try_number=1, now=NOW)
    run.begin_step(NODE, Step.MIGRATE, try_number=2, now=NOW)
    heard.clear()
    with pytest.raises(SupersededError):
        run.set_progress(NODE, NodeState.EMPTY, now=NOW, attempt=old)
    assert heard == []


def test_reason_to_wait_is_told_when_it_is_another(run: ToldRun, heard: Heard) -> None:
    for message, code in (("a", Code.CAPACITY), ("b", Code.CAPACITY), ("c", Code.WINDOW_CLOSED)):
        decision = AdmissionDecision(host=NODE, admission=Admission.WAIT, code=code, message=message)
        run.note_waiting({NODE: decision}, NOW)
    assert heard.lines("action", "result", "code", "message") == [
        ("decision", "wait", "capacity", "a"),
        ("decision", "wait", "window_closed", "c"),
    ]


def test_move_is_told_with_its_server_and_its_time(run: ToldRun, heard: Heard) -> None:
    move = MoveRecord(
        server_id="4d3c",
        server_name="web-1",
        from_host=NODE,
        to_host="node-02",
        method=MoveMethod.LIVE,
        succeeded=True,
        started_at=NOW,
        ended_at=NOW + timedelta(seconds=17),
        migration="m-1",
    )
    run.record_move(NODE, move)
    assert heard.lines("action", "object_type", "object_id", "result", "seconds") == [
        ("move", "server", "4d3c", "arrived", 17.0)
    ]
    assert heard[0].details == {"method": "live", "from": NODE, "to": "node-02", "migration": "m-1"}


def test_lease_is_told_once_it_is_written_and_when_it_is_given_back(run: ToldRun, heard: Heard) -> None:
    lease = Lease.of(campaign="c", run_id="r", host=NODE)
    before, after = lease.render(), lease.at(LeasePhase.DRAINING).render()
    run.remember(NODE, leases=(before, after))
    run.remember(NODE, leases=(after,))
    run.remember(NODE, leases=(lease.at(LeasePhase.DRAINING).renewed().render(),))
    run.remember(NODE, released_at=NOW)
    run.set_progress(NODE, NodeState.RELEASED, now=NOW)
    assert heard.lines("action", "result") == [
        ("lease", "DRAINING"),
        ("lease", "given back"),
        ("node_state", "released"),
    ]


def test_reboot_and_answer_are_told(run: ToldRun, heard: Heard) -> None:
    order = RebootOrder(boot_id="b1", ordered_at=NOW, answered_at=NOW)
    back = RebootOrder(boot_id="b1", ordered_at=NOW, answered_at=NOW, back_at=NOW + timedelta(seconds=90))
    run.remember(NODE, reboot=order)
    run.remember(NODE, reboot=back)
    run.remember(NODE, reboot=None)
    run.remember(NODE, approval=ApprovalAnswer(go_on=False, by="anna", at=NOW))
    assert heard.lines("action", "result", "actor", "seconds") == [
        ("reboot", "ordered", "escalator", None),
        ("reboot", "back", "escalator", 90.0),
        ("answer", "No further node", "anna", None),
    ]


def test_gap_over_its_limit_is_told_once_however_long_it_grows(run: ToldRun, heard: Heard) -> None:
    def gap(seconds: float) -> Gap:
        return Gap(
            cloud="lab",
            campaign=run.campaign,
            run_id=run.run_id,
            host=NODE,
            group="sbc",
            address="10.0.0.1",
            method=ProbeMethod.ICMP,
            started_at=NOW,
            seconds=seconds,
            cause="no answer",
        )

    for seconds in (0.4, 1.4, 2.4):
        run.gaps().record(gap(seconds))
    assert heard.lines("action", "object_type", "object_id", "result", "code", "seconds") == [
        ("interruption", "ha_group", "sbc", "over the limit", "interruption_switch", 1.4)
    ]
    assert [found.seconds for found in run.gaps().of_run(run.campaign, run.run_id)] == [2.4]
