from __future__ import annotations

from typing import Any

import pytest
from tests.vim_interface.wire.notices import BASE, PROJECT_URL, SERVER, SESSION, make_notice, make_record

from escalator.model.errors import InvalidRequestError
from escalator.model.notice import InstanceAction, NoticeEvent, NoticeState
from escalator.model.vnfm import ManagerRole, Vnfm, VnfmKind
from escalator.vim_interface.wire.payloads import is_known_to, make_payload

FENIX = (VnfmKind.FENIX_A, VnfmKind.FENIX_B)
OF_A_PROJECT = (NoticeState.MAINTENANCE, NoticeState.SCALE_IN, NoticeState.MAINTENANCE_COMPLETE)
ASKING = (NoticeState.PREPARE_MAINTENANCE, NoticeState.PLANNED_MAINTENANCE)
FENIX_STATES = {*OF_A_PROJECT, *ASKING, NoticeState.INSTANCE_ACTION_DONE}
SCALING = {NoticeState.SCALE_LOCK, NoticeState.SCALE_UNLOCK}


def payload(kind: VnfmKind, state: NoticeState = NoticeState.PLANNED_MAINTENANCE, **changes: Any) -> Any:
    return make_payload(make_record(make_notice(state, **changes)), kind, f"{BASE}/")


def manager(kind: VnfmKind, **changes: Any) -> Vnfm:
    return Vnfm(id="one", cloud="lab", kind=kind, url="http://v.example/", projects=("p1",), **changes)


def test_every_field_of_dialect_a() -> None:
    assert payload(VnfmKind.FENIX_A, metadata={"openstack_version": "34"}) == {
        "service": "escalator",
        "project_id": "p1",
        "instance_ids": PROJECT_URL,
        "allowed_actions": ["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"],
        "state": "PLANNED_MAINTENANCE",
        "actions_at": "2026-11-28 12:30:05",
        "reply_at": "2026-11-28 12:20:00",
        "session_id": SESSION,
        "metadata": {"openstack_version": "34"},
        "reply_url": PROJECT_URL,
    }


@pytest.mark.parametrize("state", ASKING)
def test_dialect_b_is_asked_for_one_instance_and_replies_for_it(state: NoticeState) -> None:
    made = payload(VnfmKind.FENIX_B, state)
    assert (made["instance_ids"], made["reply_url"]) == ([SERVER], f"{PROJECT_URL}/{SERVER}")
    assert "MIGRATE" in made["allowed_actions"]
    assert payload(VnfmKind.FENIX_B, state, instance_ids=("x", "y"), instance_id="y")["instance_ids"] == ["y"]


@pytest.mark.parametrize("kind", FENIX)
@pytest.mark.parametrize("state", OF_A_PROJECT)
def test_what_is_for_a_whole_project_has_an_address_for_instances(kind: VnfmKind, state: NoticeState) -> None:
    made = payload(kind, state, instance_ids=("a", "b"))
    assert made["instance_ids"] == made["reply_url"] == PROJECT_URL
    assert made["allowed_actions"] == []


@pytest.mark.parametrize("kind", VnfmKind)
def test_action_that_is_done_names_its_server(kind: VnfmKind) -> None:
    made = payload(kind, NoticeState.INSTANCE_ACTION_DONE, actions_at=None, reply_at=None)
    assert made["instance_ids"] == [SERVER]
    assert (made["actions_at"], made["reply_at"], made["allowed_actions"]) == (None, None, [])
    assert made["reply_url"] == PROJECT_URL


def test_webhook_gets_real_lists_and_the_node() -> None:
    made = payload(VnfmKind.WEBHOOK, instance_ids=("a", "b"))
    assert (made["instance_ids"], made["host"], made["reply_url"]) == (["a", "b"], "compute-1", PROJECT_URL)
    assert payload(VnfmKind.WEBHOOK, NoticeState.SCALE_LOCK)["state"] == "SCALE_LOCK"


def test_actions_that_a_notice_names_hold() -> None:
    made = payload(VnfmKind.FENIX_A, allowed_actions=(InstanceAction.MIGRATE,))
    assert made["allowed_actions"] == ["MIGRATE"]


def test_two_servers_are_no_notice_of_dialect_b() -> None:
    with pytest.raises(InvalidRequestError, match="must be about one server, not 2"):
        payload(VnfmKind.FENIX_B, instance_ids=("a", "b"))


@pytest.mark.parametrize("kind", FENIX)
@pytest.mark.parametrize("state", sorted(set(NoticeState) - FENIX_STATES))
def test_state_that_a_client_of_fenix_does_not_know_is_not_made(kind: VnfmKind, state: NoticeState) -> None:
    with pytest.raises(InvalidRequestError, match=f"does not know maintenance.scheduled with state {state}"):
        payload(kind, state)


@pytest.mark.parametrize("kind", VnfmKind)
def test_event_of_a_node_has_its_own_fields(kind: VnfmKind) -> None:
    made = payload(kind, NoticeState.IN_MAINTENANCE, event=NoticeEvent.HOST)
    assert made == {
        "service": "escalator",
        "project_id": "p1",
        "session_id": SESSION,
        "host": "compute-1",
        "state": "IN_MAINTENANCE",
    }


def test_names_in_addresses_are_quoted() -> None:
    made = payload(VnfmKind.FENIX_A, project_id="a/../b?c")
    assert made["reply_url"] == f"{BASE}/maintenance/{SESSION}/a%2F..%2Fb%3Fc"


@pytest.mark.parametrize("kind", VnfmKind)
def test_manager_knows_what_can_be_made_for_it(kind: VnfmKind) -> None:
    """What ``is_known_to`` allows is made, for every state and both roles."""
    for role in ManagerRole:
        for event in NoticeEvent:
            for state in NoticeState:
                vnfm = manager(kind, role=role, scale_lock=kind is VnfmKind.WEBHOOK)
                if is_known_to(vnfm, event, state):
                    assert payload(kind, state, event=event)["state"] == state


def test_nfvo_is_told_of_nodes_and_a_vnfm_of_its_instances() -> None:
    nfvo = manager(VnfmKind.WEBHOOK, role=ManagerRole.NFVO, scale_lock=True)
    known = {s for s in NoticeState if is_known_to(nfvo, NoticeEvent.HOST, s)}
    assert known == {NoticeState.IN_MAINTENANCE, NoticeState.MAINTENANCE_COMPLETE}
    assert not any(is_known_to(nfvo, NoticeEvent.SCHEDULED, state) for state in NoticeState)
    vnfm = manager(VnfmKind.FENIX_A)
    assert {s for s in NoticeState if is_known_to(vnfm, NoticeEvent.SCHEDULED, s)} == FENIX_STATES
    assert not any(is_known_to(vnfm, NoticeEvent.HOST, state) for state in NoticeState)


@pytest.mark.parametrize("scale_lock", [True, False])
def test_lock_of_scaling_is_for_a_webhook_that_knows_it(scale_lock: bool) -> None:  # noqa: FBT001
    vnfm = manager(VnfmKind.WEBHOOK, scale_lock=scale_lock)
    assert [is_known_to(vnfm, NoticeEvent.SCHEDULED, state) for state in SCALING] == [scale_lock] * 2
