"""A session and notices of it, for tests and the processes that they start."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.builders import NOW

from escalator.model.maintenance_session import MaintenanceSession, SessionState
from escalator.model.notice import InstanceAction, Notice, NoticeState, Reply

SESSION = MaintenanceSession(
    id="5e55",
    cloud="lab",
    state=SessionState.MAINTENANCE,
    opened_at=NOW,
    runs=(("upgrade__lab", "run-1"),),
    request={"hosts": [], "metadata": {"é": 1}},
)
DUE = NOW + timedelta(minutes=5)
LATER = NOW + timedelta(seconds=90)
PLANNED = Notice(
    session_id=SESSION.id,
    vnfm="sbc-vnfm",
    project_id="project-1",
    state=NoticeState.PLANNED_MAINTENANCE,
    host="node-01",
    instance_ids=("s1", "s2"),
    allowed_actions=(InstanceAction.MIGRATE, InstanceAction.OWN_ACTION),
    actions_at=DUE,
    reply_at=DUE,
    metadata={"openstack_version": "34.0.0"},
)
TOLD = replace(PLANNED, state=NoticeState.INSTANCE_ACTION_DONE, reply_at=None, instance_id="s1")
ACK = Reply(
    ack=True,
    state=NoticeState.PLANNED_MAINTENANCE,
    actions={"s1": InstanceAction.OWN_ACTION, "s2": InstanceAction.LIVE_MIGRATE},
)
