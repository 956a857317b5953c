"""The calls of clients that spoke to OpenStack Fenix, as they are: Tacker's plug-in, Doctor's VNFM."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.plugins.web.conftest import NOW, OURS, Caller, World

from escalator.ledger.ledger import Ledger
from escalator.model.maintenance_session import SessionState
from escalator.model.notice import InstanceAction, Notice, NoticeState

pytestmark = pytest.mark.airflow
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
HA_GROUP = "2f6f1e4b-37b8-4ac9-8f0d-2a3d8b6d7a01"
OTHER_GROUP = "9e2f58b3-3d6f-4d1f-b0f6-0a3f7d6c5b02"
VMS = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")


def put(caller: Caller, path: str, data: dict[str, Any]) -> int:
    """Send a body as ``requests.put(url, data=json.dumps(data), headers=headers)`` does."""
    status: int = caller("PUT", path, content=json.dumps(data), headers=JSON).status_code
    return status


def notify(ledger: Ledger, session_id: str, state: NoticeState, **changes: Any) -> None:
    words: dict[str, Any] = {
        "session_id": session_id,
        "vnfm": "client",
        "project_id": OURS,
        "state": state,
        "instance_ids": VMS,
        "reply_at": NOW + timedelta(minutes=5),
    }
    ledger.notices().queue([Notice(**(words | changes))], NOW)
    ledger.notices().claim_due(session_id, NOW, lease_seconds=60)


def begin(admin: Caller) -> str:
    """Begin a session as Doctor's administrator does."""
    body = {
        "hosts": [],
        "state": "MAINTENANCE",
        "maintenance_at": f"{NOW + timedelta(seconds=30):%Y-%m-%d %H:%M:%S}",
        "metadata": {"openstack_version": "x"},
        "workflow": "vnf",
    }
    answer = admin("POST", "/maintenance", content=json.dumps(body), headers=JSON)
    assert answer.status_code == 200
    return str(answer.json()["session_id"])


def test_a_session_of_doctor_from_its_constraints_to_its_end(
    admin: Caller, vnfm: Caller, ledger: Ledger, world: World
) -> None:
    group = {
        "group_id": HA_GROUP,
        "project_id": OURS,
        "group_name": "doctor_ha_app_group",
        "anti_affinity_group": True,
        "max_instances_per_host": 1,
        "max_impacted_members": 1,
        "recovery_time": 4,
        "resource_mitigation": True,
    }
    spread = {"anti_affinity_group": False, "max_instances_per_host": 0, "group_id": OTHER_GROUP}
    assert put(vnfm, f"/instance_group/{OTHER_GROUP}", group | spread) == 200
    assert put(vnfm, f"/instance_group/{HA_GROUP}", group) == 200
    for vm in VMS:
        instance = {
            "instance_id": vm,
            "project_id": OURS,
            "group_id": HA_GROUP,
            "instance_name": "doctor_ha_app_1",
            "max_interruption_time": 120,
            "migration_type": "MIGRATION",
            "resource_mitigation": True,
            "lead_time": 40,
        }
        assert put(vnfm, f"/instance/{vm}", instance) == 200
    session = begin(admin)
    url = f"/maintenance/{session}/{OURS}"

    notify(ledger, session, NoticeState.MAINTENANCE)
    asked = vnfm("GET", url, headers=JSON)
    assert (asked.status_code, asked.json()) == (200, {"instance_ids": list(VMS)})
    reply = {"instance_ids": list(VMS), "session_id": session, "state": "ACK_MAINTENANCE"}
    assert put(vnfm, url, reply) == 200

    notify(ledger, session, NoticeState.SCALE_IN)
    reply = {"instance_ids": list(VMS[:1]), "session_id": session, "state": "ACK_SCALE_IN"}
    assert put(vnfm, url, reply) == 200

    notify(
        ledger, session, NoticeState.PLANNED_MAINTENANCE, host="n", instance_ids=VMS[:1], instance_id=VMS[0]
    )
    reply = {"instance_action": "MIGRATE", "session_id": session, "state": "ACK_PLANNED_MAINTENANCE"}
    assert put(vnfm, f"{url}/{VMS[0]}", reply) == 200
    (record,) = ledger.notices().find(session, state=NoticeState.PLANNED_MAINTENANCE)
    assert record.reply is not None
    assert record.reply.actions == {VMS[0]: InstanceAction.MIGRATE}

    notify(ledger, session, NoticeState.MAINTENANCE_COMPLETE)
    assert put(vnfm, url, {"session_id": session, "state": "ACK_MAINTENANCE_COMPLETE"}) == 200

    world.going = 1
    assert admin("GET", f"/maintenance/{session}", headers=JSON).json()["state"] == "MAINTENANCE"
    ledger.notices().set_session_state(session, SessionState.MAINTENANCE_DONE)
    assert admin("GET", f"/maintenance/{session}", headers=JSON).json()["state"] == "MAINTENANCE_DONE"
    assert admin("DELETE", f"/maintenance/{session}", headers=JSON).status_code == 200
    for path in (
        *(f"/instance/{vm}" for vm in VMS),
        f"/instance_group/{OTHER_GROUP}",
        f"/instance_group/{HA_GROUP}",
    ):
        assert vnfm("DELETE", path, headers=JSON).status_code in {200, 204}


def test_constraints_of_tacker_come_in_any_order_and_with_the_commas_of_its_sample(
    vnfm: Caller, ledger: Ledger
) -> None:
    """Each request of Tacker's has a thread of its own; its sample file says ``recovery_time: 60,``."""
    instance = {
        "project_id": OURS,
        "instance_id": VMS[0],
        "instance_name": "VDU1",
        "migration_type": "MIGRATE",
        "resource_mitigation": "True,",
        "max_interruption_time": 120,
        "lead_time": "120,",
        "group_id": OTHER_GROUP,
    }
    group = {
        "group_id": OTHER_GROUP,
        "project_id": OURS,
        "group_name": "tacker_nonha_app_group_x",
        "anti_affinity_group": False,
        "max_instances_per_host": 0,
        "resource_mitigation": True,
        "max_impacted_members": 1,
        "recovery_time": "60,",
    }
    assert put(vnfm, f"/instance/{VMS[0]}", instance) == 200
    assert put(vnfm, f"/instance_group/{OTHER_GROUP}", group) == 200
    put_instance, put_group = (
        ledger.constraints().instance("lab", VMS[0]),
        ledger.constraints().group("lab", OTHER_GROUP),
    )
    assert put_instance is not None
    assert (put_instance.lead_seconds, put_instance.mitigation) == (120, True)
    assert put_group is not None
    assert put_group.recovery_seconds == 60
    assert vnfm("DELETE", f"/instance_group/{OTHER_GROUP}", headers=JSON).status_code == 200
    assert vnfm("DELETE", f"/instance/{VMS[0]}", headers=JSON).status_code == 200


def test_replies_of_tacker(admin: Caller, vnfm: Caller, ledger: Ledger) -> None:
    """It takes nothing but 200 for an answer, and sends again what it has sent till it gets it."""
    session = begin(admin)
    url = f"/maintenance/{session}/{OURS}"
    notify(ledger, session, NoticeState.MAINTENANCE)
    reply: dict[str, Any] = {"instance_ids": list(VMS), "session_id": session, "state": "ACK_MAINTENANCE"}
    assert [put(vnfm, url, reply) for _ in range(5)] == [200] * 5
    notify(
        ledger, session, NoticeState.PLANNED_MAINTENANCE, host="n", instance_ids=VMS[:1], instance_id=VMS[0]
    )
    reply = {"instance_action": "OWN_ACTION", "session_id": session, "state": "NACK_PLANNED_MAINTENANCE"}
    assert put(vnfm, f"{url}/{VMS[0]}", reply) == 200
    notify(ledger, session, NoticeState.MAINTENANCE_COMPLETE)
    assert put(vnfm, url, {"session_id": "", "state": "ACK_MAINTENANCE_COMPLETE"}) == 200
