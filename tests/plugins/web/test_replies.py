from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.plugins.web.conftest import NOW, OURS, SID, THEIRS, Caller, World, ask

from escalator.ledger.ledger import Ledger
from escalator.model.maintenance_session import MaintenanceSession
from escalator.model.notice import InstanceAction, NoticeEvent, NoticeState, Reply

pytestmark = pytest.mark.airflow
HERE = f"/maintenance/{SID}/{OURS}"
PLANNED = {
    "state": "ACK_PLANNED_MAINTENANCE",
    "instance_actions": {"vm-1": "OWN_ACTION", "vm-2": "MIGRATION"},
}


@pytest.fixture(autouse=True)
def _opened(session: MaintenanceSession) -> None:
    assert session.id == SID


def reply_of(ledger: Ledger, state: NoticeState) -> Reply | None:
    (record,) = ledger.notices().find(SID, state=state)
    return record.reply


def test_a_reply_is_taken_once_and_the_same_again_is_as_good(vnfm: Caller, ledger: Ledger) -> None:
    ask(ledger, NoticeState.PLANNED_MAINTENANCE, host="n")
    first, second = vnfm("PUT", HERE, PLANNED), vnfm("PUT", HERE, PLANNED)
    assert (first.status_code, first.json()) == (200, {"outcome": "taken"})
    assert (second.status_code, second.json()) == (200, {"outcome": "repeated"})
    assert reply_of(ledger, NoticeState.PLANNED_MAINTENANCE) == Reply(
        ack=True,
        state=NoticeState.PLANNED_MAINTENANCE,
        actions={"vm-1": InstanceAction.OWN_ACTION, "vm-2": InstanceAction.MIGRATE},
    )


def test_another_answer_comes_too_late(vnfm: Caller, ledger: Ledger) -> None:
    ask(ledger)
    assert vnfm("PUT", HERE, {"state": "NACK_MAINTENANCE"}).status_code == 200
    assert vnfm("PUT", HERE, {"state": "ACK_MAINTENANCE"}).status_code == 409
    kept = reply_of(ledger, NoticeState.MAINTENANCE)
    assert kept is not None
    assert not kept.ack


def test_a_late_answer_is_gone(vnfm: Caller, ledger: Ledger, world: World) -> None:
    ask(ledger)
    world.now = NOW + timedelta(minutes=10)
    answer = vnfm("PUT", HERE, {"state": "ACK_MAINTENANCE"})
    assert (answer.status_code, answer.json()["error"]["title"]) == (410, "Gone")
    assert reply_of(ledger, NoticeState.MAINTENANCE) is None


def test_an_answer_to_what_was_closed_is_late(vnfm: Caller, ledger: Ledger) -> None:
    ledger.notices().close([ask(ledger)], NOW)
    assert vnfm("PUT", HERE, {"state": "ACK_MAINTENANCE"}).status_code == 410


def test_what_nobody_asked_is_not_answered(vnfm: Caller, ledger: Ledger) -> None:
    ask(ledger)
    assert vnfm("PUT", HERE, {"state": "ACK_SCALE_IN"}).status_code == 422
    assert vnfm("PUT", "/maintenance/nothing/" + OURS, {"state": "ACK_MAINTENANCE"}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"state": "ACK"},
        {"state": "ACK_INSTANCE_ACTION_DONE"},
        {"state": "ack_MAINTENANCE"},
        {"state": "ACK_MAINTENANCE\n"},
        {"state": ["ACK_MAINTENANCE"]},
        {"state": "ACK_MAINTENANCE", "session_id": "another"},
        {"state": "ACK_MAINTENANCE", "instance_actions": {"vm-1": "REBOOT"}},
        {"state": "ACK_MAINTENANCE", "instance_actions": {"vm 1": "MIGRATE"}},
        {"state": "ACK_MAINTENANCE", "instance_actions": {"vm-1": "MIGRATE", "foreign": "MIGRATE"}},
        {"state": "ACK_MAINTENANCE", "instance_ids": {"vm-1": 1}},
    ],
    ids=str,
)
def test_a_reply_that_cannot_be_read_answers_nothing(
    vnfm: Caller, ledger: Ledger, body: dict[str, Any]
) -> None:
    ask(ledger)
    answer = vnfm("PUT", HERE, body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]
    assert reply_of(ledger, NoticeState.MAINTENANCE) is None


def test_one_action_for_one_instance(vnfm: Caller, ledger: Ledger) -> None:
    for instance in ("vm-1", "vm-2"):
        ask(
            ledger,
            NoticeState.PLANNED_MAINTENANCE,
            instance_ids=(instance,),
            instance_id=instance,
            host="n",
        )
    body = {"state": "ACK_PLANNED_MAINTENANCE", "instance_action": "LIVE_MIGRATION"}
    assert vnfm("PUT", f"{HERE}/vm-2", body).json() == {"outcome": "taken"}
    assert vnfm("PUT", f"{HERE}/vm-2", body).json() == {"outcome": "repeated"}
    assert vnfm("PUT", f"{HERE}/vm-3", body).status_code == 422
    replies = {record.notice.instance_id: record.reply for record in ledger.notices().find(SID)}
    assert replies["vm-1"] is None
    assert replies["vm-2"] is not None
    assert replies["vm-2"].actions == {"vm-2": InstanceAction.LIVE_MIGRATE}


def test_one_action_and_the_instances_it_is_for(vnfm: Caller, ledger: Ledger) -> None:
    ask(ledger, NoticeState.PLANNED_MAINTENANCE, host="n")
    body = {
        "state": "ACK_PLANNED_MAINTENANCE",
        "instance_action": "MIGRATE",
        "instance_ids": ["vm-1", "vm-2"],
    }
    assert vnfm("PUT", HERE, body).status_code == 200
    reply = reply_of(ledger, NoticeState.PLANNED_MAINTENANCE)
    assert reply is not None
    assert reply.actions == dict.fromkeys(("vm-1", "vm-2"), InstanceAction.MIGRATE)


def test_the_old_word_for_scaling_in(vnfm: Caller, ledger: Ledger) -> None:
    ask(ledger, NoticeState.SCALE_IN)
    assert vnfm("PUT", HERE, {"state": "ACK_DOWN_SCALE"}).status_code == 200


def test_the_instances_are_those_of_the_newest_notice_to_the_project(vnfm: Caller, ledger: Ledger) -> None:
    assert vnfm("GET", HERE).json() == {"instance_ids": []}
    ask(ledger)
    ask(ledger, NoticeState.PLANNED_MAINTENANCE, host="n", instance_ids=("vm-2",))
    ask(ledger, NoticeState.INSTANCE_ACTION_DONE, host="n", instance_ids=("vm-9",), reply_at=None)
    ask(ledger, NoticeState.PLANNED_MAINTENANCE, host="m", instance_ids=("vm-8",), instance_id="vm-8")
    ask(ledger, project_id=THEIRS, instance_ids=("vm-7",))
    ask(ledger, NoticeState.IN_MAINTENANCE, event=NoticeEvent.HOST, instance_ids=(), reply_at=None)
    assert vnfm("GET", HERE).json() == {"instance_ids": ["vm-2"]}


def test_an_answer_to_a_session_off_the_list_counts(vnfm: Caller, ledger: Ledger) -> None:
    ask(ledger)
    ledger.notices().delete_session(SID)
    assert vnfm("PUT", HERE, {"state": "ACK_MAINTENANCE"}).status_code == 200
