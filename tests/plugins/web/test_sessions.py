from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.airflow_home import write_inventory
from tests.plugins.web.conftest import DAGS, FAST, GENERAL, NOW, OURS, SID, Caller, World, ask

from escalator.ledger.ledger import Ledger
from escalator.model.maintenance_session import MaintenanceSession, SessionState
from escalator.model.notice import InstanceAction, NoticeState, Reply

pytestmark = pytest.mark.airflow


def body(**changes: Any) -> dict[str, Any]:
    """Make what OPNFV Doctor's administrator sends, half a minute ahead."""
    whole = {
        "hosts": [],
        "state": "MAINTENANCE",
        "maintenance_at": "2026-11-22 08:00:30",
        "metadata": {},
        "workflow": "vnf",
    }
    return whole | changes


def message_of(answer: Any) -> str:
    return str(answer.json()["error"]["message"])


def test_a_session_of_the_whole_cloud_starts_a_campaign_for_each_domain(
    admin: Caller, world: World, ledger: Ledger
) -> None:
    answer = admin("POST", "/maintenance", body())
    assert answer.status_code == 200
    found = answer.json()
    ((runs, run_id, user),) = world.started
    assert [run.dag_id for run in runs] == found["campaigns"] == list(DAGS)
    assert [run.conf for run in runs] == [{"bundle": "nova-34", "hosts": []}] * 2
    assert run_id == f"maintenance__{found['session_id']}"
    assert user == "somebody of lab"
    session = ledger.notices().session(found["session_id"])
    assert session is not None
    assert session.state is SessionState.MAINTENANCE
    assert session.runs == tuple((dag_id, run_id) for dag_id in DAGS)
    assert session.request["maintenance_at"] == "2026-11-22T08:00:30Z"
    assert session.opened_at == NOW


def test_the_hosts_choose_the_domains(admin: Caller, world: World) -> None:
    assert admin("POST", "/maintenance", body(hosts=["general-001", "general-003"])).status_code == 200
    ((runs, _, _),) = world.started
    assert [(run.dag_id, run.conf["hosts"]) for run in runs] == [(DAGS[0], ["general-001", "general-003"])]


def test_the_metadata_may_carry_our_parameters_and_others_stay_where_they_are(
    admin: Caller, world: World, ledger: Ledger
) -> None:
    metadata = {
        "openstack": "upgrade",
        "max_parallel": 2,
        "mode": "non-smooth",
        "hosts": ["x"],
        "dry_run": True,
    }
    answer = admin("POST", "/maintenance", body(hosts=["general-001"], metadata=metadata))
    assert answer.status_code == 200
    ((runs, _, _),) = world.started
    assert runs[0].conf == {
        "bundle": "nova-34",
        "max_parallel": 2,
        "mode": "non-smooth",
        "dry_run": True,
        "hosts": ["general-001"],
    }
    session = ledger.notices().session(answer.json()["session_id"])
    assert session is not None
    assert session.request["metadata"] == metadata


def test_what_is_not_carried_out_is_said(admin: Caller) -> None:
    answer = admin("POST", "/maintenance", body(download=["a.tgz"], actions=[{"plugin": "dummy"}], later=1))
    assert answer.json()["ignored"] == ["download", "actions"]


def test_two_bundles_have_to_be_chosen_from(
    admin: Caller, world: World, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(folders / "bundles" / "nova-34.yaml", folders / "bundles" / "second.yaml")
    refused = admin("POST", "/maintenance", body())
    assert refused.status_code == 422
    assert message_of(refused) == (
        "metadata.bundle: the session names no bundle, ESCALATOR_VIM_BUNDLE is not set, "
        f"and the bundle folder {folders / 'bundles'} has 2: nova-34, second"
    )
    assert "set ESCALATOR_VIM_BUNDLE to one of them" in refused.json()["error"]["remedy"]
    monkeypatch.setenv("ESCALATOR_VIM_BUNDLE", "secnod")
    refused = admin("POST", "/maintenance", body())
    assert (refused.status_code, "ESCALATOR_VIM_BUNDLE names 'secnod'" in message_of(refused)) == (422, True)
    assert world.started == []
    monkeypatch.setenv("ESCALATOR_VIM_BUNDLE", "second")
    assert admin("POST", "/maintenance", body()).status_code == 200
    assert admin("POST", "/maintenance", body(metadata={"bundle": "nova-34"})).status_code == 200
    assert [runs[0].conf["bundle"] for runs, _, _ in world.started] == ["second", "nova-34"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"maintenance_at": "2026-11-22 08:00:00"}, "is in the past"),
        ({"maintenance_at": "2026-11-22T10:00:00+02:00"}, "is in the past"),
        ({"maintenance_at": "tomorrow"}, "maintenance_at: must be a date and time in UTC"),
        ({"maintenance_at": 5}, "maintenance_at: must be text"),
        ({"maintenance_at": "0001-01-01 00:00:00+14:00"}, "maintenance_at: must be a date"),
        ({"maintenance_at": None}, "maintenance_at"),
        ({"state": "PLANNED_MAINTENANCE"}, "state: is 'PLANNED_MAINTENANCE'"),
        ({"hosts": ["general-01"]}, "no compute node general-01, did you mean general-001"),
        ({"hosts": "general-001"}, "hosts: must be a list"),
        ({"hosts": ["general-001\n"]}, "line breaks"),
        ({"metadata": {"bundle": "none"}}, "'none' is not known"),
        ({"metadata": {"max_parallel": 3}}, "domain cell1/az1/general has 3 nodes and one must stay in"),
        ({"metadata": {"max_parallel": "2"}}, "max_parallel"),
        ({"metadata": {"max_parallel": 2}}, f"{DAGS[1]}: "),
        ({"metadata": {"window_end": "2020-01-01T00:00:00Z"}}, "window_end"),
        (
            {"metadata": {"window_end": "2026-11-22T08:00:30Z"}},
            "08:00:30 UTC is not after maintenance_at",
        ),
        ({"metadata": []}, "metadata: must be a mapping"),
        ({"workflow": {}}, "workflow: must be text"),
        ({"actions": {}}, "actions: must be a list"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_and_nothing_is_begun(
    admin: Caller, world: World, ledger: Ledger, changes: dict[str, Any], words: str
) -> None:
    answer = admin("POST", "/maintenance", body(**changes))
    assert answer.status_code == 422
    assert words in message_of(answer)
    assert answer.json()["error"]["remedy"]
    assert (world.checked, world.started, ledger.notices().sessions("lab")) == ([], [], ())


def test_what_no_database_keeps_is_refused(admin: Caller, world: World) -> None:
    for value in ("NaN", "Infinity", '"\\ud800"'):
        raw = f'{{"maintenance_at": "2026-11-22 08:00:30", "metadata": {{"a": [{value}]}}}}'
        answer = admin("POST", "/maintenance", content=raw, headers={"Content-Type": "application/json"})
        assert (answer.status_code, world.started) == (422, [])


@pytest.mark.parametrize(("levels", "status"), [(99, 200), (100, 422), (900, 422), (20_000, 400)])
def test_what_is_nested_too_deeply_is_a_fault_of_the_body_and_no_outage(
    admin: Caller, world: World, levels: int, status: int
) -> None:
    raw = f'{{"maintenance_at": "2026-11-22 08:00:30", "metadata": {{"a": {"[" * levels}{"]" * levels}}}}}'
    answer = admin("POST", "/maintenance", content=raw, headers={"Content-Type": "application/json"})
    assert (answer.status_code, len(world.started)) == (status, status == 200)


def test_a_cloud_without_nodes_has_nothing_to_maintain(admin: Caller, folders: Path) -> None:
    write_inventory(folders / "inventory", "lab", {})
    answer = admin("POST", "/maintenance", body())
    assert (answer.status_code, message_of(answer)) == (422, "cloud lab has no compute node")


def test_all_runs_are_looked_at_before_the_first_is_started(
    admin: Caller, world: World, ledger: Ledger
) -> None:
    from escalator_airflow.web.answers import RefusedError

    world.check_error = RefusedError(409, f"the DAG {DAGS[1]} is paused", remedy="unpause it")
    answer = admin("POST", "/maintenance", body())
    assert (answer.status_code, message_of(answer)) == (409, f"the DAG {DAGS[1]} is paused")
    assert [run.dag_id for run in world.checked[0]] == list(DAGS)
    assert (world.started, ledger.notices().sessions("lab")) == ([], ())


@pytest.mark.parametrize("going", [0, 1])
def test_a_start_that_fails_leaves_no_session_unless_it_may_have_begun(
    admin: Caller, world: World, ledger: Ledger, going: int
) -> None:
    world.start_error = RuntimeError("the database is away")
    world.going = going
    answer = admin("POST", "/maintenance", body())
    assert answer.status_code == 503
    listed = ledger.notices().sessions("lab")
    if going == 0:
        assert listed == ()
    else:
        assert [session.state for session in listed] == [SessionState.MAINTENANCE]
        assert listed[0].id in message_of(answer)


def test_a_start_that_is_refused_leaves_no_session(admin: Caller, world: World, ledger: Ledger) -> None:
    from escalator_airflow.web.answers import RefusedError

    world.start_error = RefusedError(422, "no", remedy="x")
    assert admin("POST", "/maintenance", body()).status_code == 422
    assert ledger.notices().sessions("lab") == ()


def test_no_more_sessions_than_may_be(
    admin: Caller, world: World, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCALATOR_VIM_MAX_SESSIONS", "1")
    first = admin("POST", "/maintenance", body()).json()["session_id"]
    refused = admin("POST", "/maintenance", body())
    assert refused.status_code == 509
    assert refused.json()["error"]["title"] == "Too Many Sessions"
    assert len(world.started) == 1
    ledger.notices().set_session_state(first, SessionState.MAINTENANCE_DONE)
    assert admin("POST", "/maintenance", body()).status_code == 200
    monkeypatch.setenv("ESCALATOR_VIM_MAX_SESSIONS", "many")
    assert admin("POST", "/maintenance", body()).status_code == 503


def test_the_list_has_both_names(admin: Caller, session: MaintenanceSession) -> None:
    assert admin("GET", "/maintenance").json() == {"session_id": [session.id], "sessions": [session.id]}


def test_how_a_session_stands(admin: Caller, session: MaintenanceSession, ledger: Ledger) -> None:
    assert admin("GET", f"/maintenance/{SID}").json() == {"session_id": SID, "state": "MAINTENANCE"}
    ledger.notices().set_session_state(session.id, SessionState.MAINTENANCE_FAILED)
    assert admin("GET", f"/maintenance/{SID}").json()["state"] == "MAINTENANCE_FAILED"
    assert admin("GET", "/maintenance/nothing").status_code == 404


def test_a_session_is_not_moved_from_outside(admin: Caller, session: MaintenanceSession) -> None:
    assert admin("PUT", f"/maintenance/{SID}", {"state": session.state}).status_code == 200
    refused = admin("PUT", f"/maintenance/{SID}", {"state": "MAINTENANCE_DONE"})
    assert (refused.status_code, "Airflow" in refused.json()["error"]["remedy"]) == (409, True)
    assert admin("GET", f"/maintenance/{SID}").json()["state"] == "MAINTENANCE"


@pytest.mark.parametrize("state", [SessionState.MAINTENANCE_DONE, SessionState.MAINTENANCE_FAILED])
def test_a_session_that_has_ended_is_deleted_again_and_again(
    admin: Caller, world: World, ledger: Ledger, session: MaintenanceSession, state: SessionState
) -> None:
    world.going = 1  # the task that said so is a task of the run
    ledger.notices().set_session_state(session.id, state)
    for _ in range(2):
        answer = admin("DELETE", f"/maintenance/{SID}")
        assert (answer.status_code, answer.json()) == (200, {})
    assert admin("GET", "/maintenance").json()["sessions"] == []
    assert admin("GET", f"/maintenance/{SID}").status_code == 404


def test_a_session_that_goes_on_is_not_deleted(
    admin: Caller, world: World, session: MaintenanceSession
) -> None:
    world.going = 1
    assert admin("DELETE", f"/maintenance/{SID}").status_code == 409
    assert admin("GET", "/maintenance").json()["sessions"] == [session.id]
    world.going = 0
    assert admin("DELETE", f"/maintenance/{SID}").status_code == 200


def test_the_detail_has_nodes_and_instances(
    admin: Caller, ledger: Ledger, session: MaintenanceSession
) -> None:
    from tests.builders import make_plan

    from escalator.model.campaign import NodeState

    (dag_id, run_id) = session.runs[0]
    before = admin("GET", f"/maintenance/{SID}/detail").json()
    assert before == {
        "session_id": SID,
        "state": "MAINTENANCE",
        "hosts": [],
        "instances": [],
        "plugins": [],
    }
    plan = make_plan("n1", "n2", campaign=dag_id, run_id=run_id, domain=GENERAL, bundle="nova-34")
    run = ledger.run(dag_id, run_id)
    run.open(plan, dag_id=dag_id, bundle_document={}, snapshot_before={}, now=NOW)
    run.set_progress("n1", NodeState.RELEASED, now=NOW)
    ask(ledger, NoticeState.PLANNED_MAINTENANCE, host="n2")
    reply = Reply(
        ack=True, state=NoticeState.PLANNED_MAINTENANCE, actions={"vm-1": InstanceAction.OWN_ACTION}
    )
    ledger.notices().record_reply(SID, OURS, reply, NOW)
    detail = admin("GET", f"/maintenance/{SID}/detail").json()
    assert {host["hostname"]: (host["state"], host["maintained"]) for host in detail["hosts"]} == {
        "n1": ("released", True),
        "n2": ("waiting", False),
    }
    assert detail["instances"][0] == {
        "instance_id": "vm-1",
        "project_id": OURS,
        "host": "n2",
        "project_state": "ACK_PLANNED_MAINTENANCE",
        "action": "OWN_ACTION",
    }
    assert detail["instances"][1]["action"] is None


def test_the_domains_here_are_those_of_the_dags() -> None:
    from escalator.model.naming import make_dag_id

    assert tuple(make_dag_id("upgrade", "lab", domain) for domain in (GENERAL, FAST)) == DAGS
