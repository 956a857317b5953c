"""Clients of OpenStack Fenix work with us as they are: each of their habits, against the app itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from tests.plugins.web.conftest import DAGS, NOW, OURS, Caller, World
from tests.plugins.web.fenix_clients import (
    ENDPOINT,
    ClientFailedError,
    DoctorManager,
    DoctorVnfm,
    FenixAdmin,
    TackerPlugin,
    Wire,
)
from tests.vim_interface.servers import Request, answer, serving

from escalator.ledger.ledger import Ledger
from escalator.model.maintenance_session import MaintenanceSession, SessionState
from escalator.model.notice import InstanceAction, Notice, NoticeRecord, NoticeState
from escalator.model.vnfm import Vnfm, VnfmKind
from escalator.vim_interface.delivery.courier import Courier, make_body
from escalator.vim_interface.delivery.credentials import Credentials
from escalator.vim_interface.registry.vnfms import Vnfms

pytestmark = pytest.mark.airflow
HA_GROUP = "2f6f1e4b-37b8-4ac9-8f0d-2a3d8b6d7a01"
OTHER_GROUP = "9e2f58b3-3d6f-4d1f-b0f6-0a3f7d6c5b02"
VMS = tuple(f"{n * 8}-{n * 4}-4111-8111-{n * 12}" for n in "1234")
AT = f"{NOW + timedelta(seconds=30):%Y-%m-%d %H:%M:%S}"
METADATA = {"openstack_version": "34", "note": "it's {new} [here]"}


@pytest.fixture
def doctor(client: Any) -> DoctorVnfm:
    return DoctorVnfm(Wire(client, "vnfm"), OURS, ha=VMS[:2], others=VMS[2:], ha_group=HA_GROUP)


@pytest.fixture
def manager(client: Any) -> DoctorManager:
    return DoctorManager(Wire(client, "vnfm"), OURS, ha=VMS[:2], others=VMS[2:], ha_group=HA_GROUP)


@pytest.fixture
def tacker(client: Any) -> TackerPlugin:
    return TackerPlugin(Wire(client, "vnfm"), OURS, instances=VMS, group=OTHER_GROUP)


@pytest.fixture
def boss(client: Any) -> FenixAdmin:
    return FenixAdmin(Wire(client, "admin"))


@pytest.fixture
def tell(ledger: Ledger, session: MaintenanceSession) -> Callable[..., bytes]:
    """Queue a notice and return the body that is posted: of the whole project, or of the first server."""

    def make(kind: VnfmKind, state: NoticeState, **changes: Any) -> bytes:
        asks = state in {NoticeState.PREPARE_MAINTENANCE, NoticeState.PLANNED_MAINTENANCE}
        is_one = state is NoticeState.INSTANCE_ACTION_DONE or (asks and kind is VnfmKind.FENIX_B)
        words: dict[str, Any] = {
            "session_id": session.id,
            "vnfm": "client",
            "project_id": OURS,
            "state": state,
            "host": "n" if asks else None,
            "instance_ids": VMS[:1] if is_one else VMS,
            "instance_id": VMS[0] if is_one else None,
            "actions_at": NOW + timedelta(minutes=6),
            "reply_at": None if state is NoticeState.INSTANCE_ACTION_DONE else NOW + timedelta(minutes=5),
            "metadata": METADATA,
        }
        (record,) = ledger.notices().queue([Notice(**words | changes)], NOW)
        ledger.notices().claim_due(session.id, NOW, lease_seconds=60)
        return make_body(record, vnfm_of(kind, "http://client.example/maintenance"), ENDPOINT)

    return make


def vnfm_of(kind: VnfmKind, url: str) -> Vnfm:
    return Vnfm(id="client", cloud="lab", kind=kind, projects=(OURS,), url=url)


def find(ledger: Ledger, session: MaintenanceSession, state: NoticeState) -> NoticeRecord:
    (record,) = ledger.notices().find(session.id, state=state)
    return record


# -- OPNFV Doctor


def test_doctor_puts_its_constraints_and_deletes_them(doctor: DoctorVnfm, ledger: Ledger) -> None:
    doctor.start()
    book = ledger.constraints()
    known = book.instance("lab", VMS[0])
    assert known is not None
    assert (known.group_id, known.lead_seconds, known.max_interruption_seconds) == (HA_GROUP, 40, 120)
    assert known.migration_types == ("MIGRATE",)
    assert len(book.instances("lab")) == len(VMS)
    doctor.stop()
    assert book.instances("lab") == book.groups("lab") == ()


def test_doctor_that_was_killed_comes_back_with_another_group(doctor: DoctorVnfm, ledger: Ledger) -> None:
    """The group that is none of Nova's has a fresh id at every start, and its old name."""
    doctor.start()
    again = replace(doctor)
    again.start()
    known = ledger.constraints().instance("lab", VMS[2])
    assert known is not None
    assert known.group_id == again.group != doctor.group
    again.stop()


@pytest.mark.parametrize(
    "state",
    [
        NoticeState.MAINTENANCE,
        NoticeState.SCALE_IN,
        NoticeState.PREPARE_MAINTENANCE,
        NoticeState.PLANNED_MAINTENANCE,
        NoticeState.MAINTENANCE_COMPLETE,
    ],
)
def test_doctor_reads_and_answers_every_state(
    doctor: DoctorVnfm, tell: Any, ledger: Ledger, session: MaintenanceSession, state: NoticeState
) -> None:
    doctor.receive(tell(VnfmKind.FENIX_B, state))
    assert doctor.replied == [200]
    reply = find(ledger, session, state).reply
    assert reply is not None
    assert (reply.ack, reply.state) == (True, state)


def test_doctor_switches_over_and_lets_us_move_the_server(
    doctor: DoctorVnfm, tell: Any, ledger: Ledger, session: MaintenanceSession
) -> None:
    doctor.receive(tell(VnfmKind.FENIX_B, NoticeState.PLANNED_MAINTENANCE))
    assert doctor.active == VMS[1]
    reply = find(ledger, session, NoticeState.PLANNED_MAINTENANCE).reply
    assert reply is not None
    assert reply.actions == {VMS[0]: InstanceAction.MIGRATE}


def test_doctor_reads_what_was_done_and_says_nothing(doctor: DoctorVnfm, tell: Any) -> None:
    doctor.receive(tell(VnfmKind.FENIX_B, NoticeState.INSTANCE_ACTION_DONE, reply_at=None))
    assert (doctor.seen, doctor.replied) == (["INSTANCE_ACTION_DONE"], [])


def test_doctor_answers_before_our_post_has_returned(
    doctor: DoctorVnfm, ledger: Ledger, session: MaintenanceSession
) -> None:
    seen: list[bool] = []

    def act(handler: BaseHTTPRequestHandler, request: Request) -> None:
        doctor.receive(request.body)
        record = find(ledger, session, NoticeState.MAINTENANCE)
        seen.append(record.reply is not None and record.tries == 1)
        answer(200, b"OK")(handler, request)

    asked = Notice(
        session_id=session.id,
        vnfm="client",
        project_id=OURS,
        state=NoticeState.MAINTENANCE,
        instance_ids=VMS,
        reply_at=NOW + timedelta(minutes=5),
    )
    ledger.notices().queue([asked], NOW)
    with serving(act) as receiver:
        registry = Vnfms(vnfms=(vnfm_of(VnfmKind.FENIX_B, f"{receiver.url}/maintenance"),))
        base_url = ENDPOINT.removesuffix("/lab/v1")
        courier = Courier(ledger.notices(), registry, lambda _: Credentials(), base_url, lambda: NOW)
        assert courier.deliver_due(session.id) == 1
        assert courier.finish(10)
        assert courier.deliver_due(session.id) == 0
    assert (seen, doctor.replied) == ([True], [200])


def test_doctors_older_manager_asks_with_a_body_and_answers_with_a_map(
    manager: DoctorManager, tell: Any, ledger: Ledger, session: MaintenanceSession
) -> None:
    manager.receive(tell(VnfmKind.FENIX_A, NoticeState.MAINTENANCE))
    manager.receive(tell(VnfmKind.FENIX_A, NoticeState.PLANNED_MAINTENANCE))
    assert manager.replied == [200, 200]
    reply = find(ledger, session, NoticeState.PLANNED_MAINTENANCE).reply
    assert reply is not None
    assert reply.actions == dict.fromkeys(VMS, InstanceAction.MIGRATE)


def test_doctors_administrator_starts_asks_and_deletes(
    boss: FenixAdmin, world: World, ledger: Ledger
) -> None:
    started = boss.start(AT)
    assert boss.read_state(started) == "MAINTENANCE"
    assert [run.dag_id for run in world.started[0][0]] == list(DAGS)
    ledger.notices().set_session_state(started, SessionState.MAINTENANCE_DONE)
    assert boss.read_state(started) == "MAINTENANCE_DONE"
    boss.remove(started)
    with pytest.raises(ClientFailedError, match="no maintenance session"):
        boss.read_state(started)


def test_doctors_administrator_needs_a_token_here(client: Any) -> None:
    """Fenix asked for none at first; nothing is anonymous here."""
    with pytest.raises(ClientFailedError, match="X-Auth-Token"):
        FenixAdmin(Wire(client, None)).start(AT)


# -- Tacker


@pytest.mark.parametrize("state", TackerPlugin.STATES)
def test_tacker_finds_what_it_needs_in_every_state_and_reads_200_at_once(
    tacker: TackerPlugin, tell: Any, state: str
) -> None:
    """It replies to INSTANCE_ACTION_DONE too, for which nobody asks, and would repeat it five times."""
    tacker.receive(tell(VnfmKind.FENIX_B, NoticeState(state)))
    assert tacker.statuses == [200]


def test_tackers_reply_to_what_was_done_changes_nothing(
    tacker: TackerPlugin, tell: Any, ledger: Ledger, session: MaintenanceSession
) -> None:
    tacker.receive(tell(VnfmKind.FENIX_B, NoticeState.INSTANCE_ACTION_DONE))
    assert find(ledger, session, NoticeState.INSTANCE_ACTION_DONE).reply is None


def test_tacker_may_say_what_it_said_before(tacker: TackerPlugin, tell: Any) -> None:
    body = tell(VnfmKind.FENIX_B, NoticeState.MAINTENANCE)
    for _ in range(5):
        tacker.receive(body)
    assert tacker.statuses == [200] * 5


def test_tacker_refuses_while_its_vnf_is_not_active(
    tacker: TackerPlugin, tell: Any, ledger: Ledger, session: MaintenanceSession
) -> None:
    tacker.is_active = False
    tacker.receive(tell(VnfmKind.FENIX_B, NoticeState.PLANNED_MAINTENANCE))
    reply = find(ledger, session, NoticeState.PLANNED_MAINTENANCE).reply
    assert reply is not None
    assert not reply.ack
    tacker.receive(tell(VnfmKind.FENIX_B, NoticeState.INSTANCE_ACTION_DONE))
    assert tacker.statuses == [200, 200]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"recovery_time": "60,", "lead_time": "120,", "mitigation_type": "True,"},
        {"migration_type": "OWN_ACTION,", "max_interruption_time": "120,"},
        {"recovery_time": None, "max_impacted_members": None, "lead_time": None, "migration_type": None},
        {"mitigation_type": None, "max_interruption_time": None},
        {"recovery_time": 2.5, "lead_time": 0},
    ],
    ids=str,
)
def test_tacker_hands_on_what_a_template_says(
    tacker: TackerPlugin, ledger: Ledger, config: dict[str, Any]
) -> None:
    """The sample of its documents has commas; a key without a value is null."""
    tacker.config = config
    tacker.put_constraints()
    assert tacker.statuses == [200] * (len(VMS) + 1)
    group = ledger.constraints().group("lab", OTHER_GROUP)
    known = ledger.constraints().instance("lab", VMS[0])
    assert group is not None
    assert known is not None
    assert group.recovery_seconds == {"60,": 60, None: 0, 2.5: 2.5}[config.get("recovery_time", "60,")]
    assert known.lead_seconds == {"120,": 120, None: 0, 0: 0}[config.get("lead_time", "120,")]


def test_tacker_takes_the_action_that_its_template_says(
    tacker: TackerPlugin, tell: Any, ledger: Ledger, session: MaintenanceSession
) -> None:
    tacker.config = {"migration_type": "OWN_ACTION,"}
    tacker.receive(tell(VnfmKind.FENIX_B, NoticeState.PLANNED_MAINTENANCE))
    reply = find(ledger, session, NoticeState.PLANNED_MAINTENANCE).reply
    assert (tacker.statuses, reply and reply.actions) == ([200], {VMS[0]: InstanceAction.OWN_ACTION})


def test_tacker_deletes_the_group_before_its_instances(tacker: TackerPlugin, ledger: Ledger) -> None:
    tacker.endpoint = f"{ENDPOINT}/"
    tacker.put_constraints()
    tacker.delete_constraints()
    assert set(tacker.statuses) == {200}
    assert ledger.constraints().instances("lab") == ledger.constraints().groups("lab") == ()


# -- the documents of Fenix


def test_fenix_documents_a_session_with_downloads_and_actions(boss: FenixAdmin, world: World) -> None:
    download = [{"url": "https://sw.example/one.tar.gz", "size": "200M"}]
    actions = [{"order": 1, "plugin": "prepare", "type": "pre", "metadata": {"upgrade": "one"}}]
    assert boss.start(AT, download=download, actions=actions, workflow="vnf", later={"key": None})
    assert len(world.started) == 1


def test_fenix_lists_sessions_under_two_names(admin: Caller, boss: FenixAdmin) -> None:
    started = boss.start(AT)
    listed = admin("GET", "/maintenance").json()
    assert listed["sessions"] == listed["session_id"] == [started]


def test_a_slash_at_the_end_is_no_other_address(
    client: Any, doctor: DoctorVnfm, tell: Any, session: MaintenanceSession
) -> None:
    """The documents have it behind the addresses of projects; not everyone follows a redirect."""
    tell(VnfmKind.FENIX_A, NoticeState.MAINTENANCE)
    url = f"{ENDPOINT}/maintenance/{session.id}/{OURS}/"
    assert doctor.wire("GET", url).json() == {"instance_ids": list(VMS)}
    assert doctor.wire("GET", f"{url}?notice=1").json() == {"instance_ids": list(VMS)}
    assert doctor.wire("PUT", url, {"state": "ACK_MAINTENANCE"}).status_code == 200
    boss = FenixAdmin(Wire(client, "admin"), url=f"{ENDPOINT}/maintenance/")
    assert boss.start(AT)
    assert doctor.wire("GET", f"{ENDPOINT}/").status_code == 404


def test_a_reply_needs_no_session_id(doctor: DoctorVnfm, tell: Any, session: MaintenanceSession) -> None:
    tell(VnfmKind.FENIX_A, NoticeState.MAINTENANCE)
    url = f"{ENDPOINT}/maintenance/{session.id}/{OURS}"
    for extra in ({"session_id": ""}, {"session_id": None}, {}, {"instance_ids": None}):
        assert doctor.wire("PUT", url, {"state": "ACK_MAINTENANCE", **extra}).status_code == 200
