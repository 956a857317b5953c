"""Announce: managers hear of the campaign before the first node goes, and of its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.steps.managers import (
    PROJECT,
    Script,
    ScriptedManagers,
    acting,
    keep_silent,
    read_session_state,
    refuse,
    register,
)
from tests.steps.worlds import NODE, World

from escalator.model.campaign import NodeState
from escalator.model.decisions import Admission
from escalator.model.errors import InvalidRequestError
from escalator.model.maintenance_session import MaintenanceSession, SessionState
from escalator.model.notice import InstanceAction, NoticeState, Reply
from escalator.model.run_life import RunLife
from escalator.model.step import Step
from escalator.model.verdict import Code
from escalator.model.vnfm import OnSilence
from escalator.steps.campaign.announce import Announcement, announce, conclude_session, end_session
from escalator.vim_interface.desk import VimDesk
from escalator.vim_interface.registry.vnfms import Vnfms


@pytest.fixture
def loaded(world: World) -> World:
    world.boot("a")
    world.boot("b", "node-02")
    return world


def told(managers: ScriptedManagers) -> Announcement:
    """Announce, deliver, and look again."""
    announce(managers.world.context())
    deliver(managers)
    return announce(managers.world.context())


def ended(managers: ScriptedManagers, *, done: bool = True) -> Announcement:
    conclude_session(managers.world.context(), done=done)
    deliver(managers)
    return conclude_session(managers.world.context(), done=done)


def deliver(managers: ScriptedManagers) -> None:
    desk = managers.world.desk
    assert desk is not None
    managers.deliver_due(desk.session_id)


def test_without_managers_there_is_nothing_to_say(loaded: World) -> None:
    assert announce(loaded.context()) == Announcement(told=0)
    assert conclude_session(loaded.context(), done=True) == Announcement(told=0)


def test_each_project_is_told_once_of_all_its_servers_and_the_session_starts(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    first = announce(loaded.context())
    assert first.waits == ("m",)
    assert read_session_state(managers) is SessionState.MAINTENANCE
    assert told(managers) == Announcement(told=1)
    assert [record.notice.instance_ids for record in managers.got] == [("a", "b")]
    assert read_session_state(managers) is SessionState.START_MAINTENANCE


@pytest.mark.parametrize("policy", list(OnSilence))
def test_silence_holds_nobody_up_after_the_deadline_but_where_it_is_to_fail(
    loaded: World, policy: OnSilence
) -> None:
    managers = register(loaded, keep_silent, session_reply_seconds=20.0, on_silence=policy)
    assert told(managers).waits == ("m",)
    loaded.clock.sleep(30.0)
    if policy is OnSilence.FAIL:
        with pytest.raises(InvalidRequestError, match="did not answer MAINTENANCE"):
            announce(loaded.context())
        return
    said = announce(loaded.context())
    assert said.waits == ()
    assert said.findings == ("[vnf_silent] VNF manager m (project ) did not answer MAINTENANCE",)


def test_nobody_is_silent_who_was_never_told(loaded: World) -> None:
    """The triggerer is away for longer than the deadline; the policy is to fail."""
    managers = register(
        loaded,
        acting(InstanceAction.OWN_ACTION),
        session_reply_seconds=20.0,
        on_silence=OnSilence.FAIL,
    )
    for _ in range(2):
        assert announce(loaded.context()).waits == ("m",)
        loaded.clock.sleep(30.0)
    assert told(managers) == Announcement(told=1)


def test_a_refusal_is_a_finding(loaded: World) -> None:
    managers = register(loaded, lambda r: Reply(ack=False, state=r.notice.state))
    assert told(managers).findings == ("[vnf_refused] VNF manager m (project ) refused MAINTENANCE",)


@pytest.mark.parametrize("done", [True, False])
def test_the_end_is_told_and_its_answer_waited_for(loaded: World, *, done: bool) -> None:
    managers = register(loaded, refuse)
    told(managers)
    assert conclude_session(loaded.context(), done=done).waits == ("m",)
    assert ended(managers, done=done).waits == ()
    assert [r.notice.state for r in managers.got] == [
        NoticeState.MAINTENANCE,
        NoticeState.MAINTENANCE_COMPLETE,
    ]
    wanted = SessionState.MAINTENANCE_DONE if done else SessionState.MAINTENANCE_FAILED
    assert read_session_state(managers) is wanted


def test_who_was_silent_is_told_of_the_end_and_nobody_waits_for_him(loaded: World) -> None:
    managers = register(loaded, keep_silent, session_reply_seconds=20.0)
    told(managers)
    loaded.clock.sleep(30.0)
    announce(loaded.context())
    assert conclude_session(loaded.context(), done=True).waits == ()
    assert [r.notice.state for r in managers.got][-1] is NoticeState.MAINTENANCE_COMPLETE
    assert read_session_state(managers) is SessionState.MAINTENANCE_DONE


OTHER = ("upgrade__lab__other", "run-1")


def share(managers: ScriptedManagers) -> VimDesk:
    """Let the session have another run, which goes on; return the desk of that one."""
    desk = managers.world.desk
    assert desk is not None
    session = desk.notices.session(desk.session_id)
    assert session is not None
    desk.notices.open_session(replace(session, runs=(OTHER,)))
    managers.going_on.add(OTHER)
    return replace(desk, run=OTHER)


def test_the_last_run_of_a_session_tells_the_end_and_one_that_failed_fails_it(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    told(managers)
    first, second = loaded.desk, share(managers)
    assert ended(managers, done=False).told == 0
    assert read_session_state(managers) is SessionState.MAINTENANCE_FAILED
    loaded.desk = second
    assert ended(managers).told == 1
    assert read_session_state(managers) is SessionState.MAINTENANCE_FAILED
    loaded.desk = first
    assert ended(managers).told == 1, "a person cleared it: nobody is told again"
    assert [r.notice.state for r in managers.got].count(NoticeState.MAINTENANCE_COMPLETE) == 1
    assert read_session_state(managers) is SessionState.MAINTENANCE_DONE


def alone(world: World) -> None:
    """Let the campaign be about the first node only: nobody else goes first."""
    world.plan = replace(world.plan, hosts=(NODE,))


def test_actions_come_after_the_lead_time_of_a_server_without_a_group(loaded: World) -> None:
    loaded.leads = {"a": 3000.0}
    managers = register(loaded, keep_silent, session_reply_seconds=20.0)
    told(managers)
    notice = managers.got[0].notice
    assert notice.actions_at == managers.got[0].made_at + timedelta(seconds=3000)


@pytest.mark.parametrize("script", [keep_silent, lambda r: Reply(ack=False, state=r.notice.state)])
def test_who_is_not_ready_is_given_his_whole_lead_time_and_others_go_before(
    loaded: World, script: Script
) -> None:
    loaded.leads = {"a": 300.0}
    managers = register(loaded, script, session_reply_seconds=20.0)
    told(managers)
    at = managers.got[0].delivered_at or managers.got[0].made_at
    loaded.clock.sleep(30.0)
    announce(loaded.context())
    assert loaded.admit().admission is Admission.WAIT
    assert loaded.admit("node-02").admission is Admission.ADMIT
    loaded.run(Step.RELEASE, "node-02")
    alone(loaded)
    loaded.clock.sleep(299.0 - (loaded.clock() - at).total_seconds())
    assert loaded.admit().code is Code.HA_NOTICE
    loaded.clock.sleep(2.0)
    assert loaded.admit().admission is Admission.ADMIT


def test_who_says_that_he_is_ready_ends_his_lead_time(loaded: World) -> None:
    loaded.leads = {"a": 300.0}
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    assert told(managers).waits == ()
    assert loaded.admit().admission is Admission.ADMIT


def test_a_server_with_a_lead_time_and_no_manager_is_given_all_of_it(loaded: World) -> None:
    loaded.leads = {"a": 300.0}
    managers = register(loaded, acting(InstanceAction.OWN_ACTION), projects=("another",))
    assert told(managers) == Announcement(told=0)
    alone(loaded)
    assert loaded.admit().code is Code.HA_NOTICE
    loaded.clock.sleep(301.0)
    assert loaded.admit().admission is Admission.ADMIT


def test_a_node_that_is_asked_about_gives_its_managers_their_lead_time(loaded: World) -> None:
    loaded.leads = {"a": 400.0}
    managers = register(loaded, acting(InstanceAction.OWN_ACTION), reply_seconds=20.0)
    told(managers)
    loaded.admit()
    loaded.run(Step.PRECHECK)
    managers.scripts["m"] = keep_silent
    managers.hear()
    asked = managers.got[-1]
    assert asked.notice.state is NoticeState.PLANNED_MAINTENANCE
    assert asked.notice.reply_at == asked.made_at + timedelta(seconds=400)


def ask_for(world: World, moment: datetime) -> None:
    """Open the session as a POST does, for a moment."""
    desk = world.desk
    assert desk is not None
    desk.notices.open_session(
        MaintenanceSession(
            id=desk.session_id,
            cloud="lab",
            state=SessionState.MAINTENANCE,
            opened_at=world.clock(),
            runs=(desk.run,),
            request={"maintenance_at": moment.isoformat().replace("+00:00", "Z")},
        )
    )


def test_a_session_begins_at_the_moment_that_it_was_asked_for(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION), session_reply_seconds=60.0)
    moment = loaded.clock() + timedelta(hours=5)
    ask_for(loaded, moment)
    assert told(managers) == Announcement(told=1, not_before=moment)
    assert managers.got[0].notice.actions_at == moment
    assert read_session_state(managers) is SessionState.MAINTENANCE
    loaded.clock.sleep((moment - loaded.clock()).total_seconds() - 1.0)
    assert announce(loaded.context()).not_before == moment
    loaded.clock.sleep(1.0)
    assert announce(loaded.context()) == Announcement(told=1)
    assert read_session_state(managers) is SessionState.START_MAINTENANCE
    assert len(managers.got) == 1


def test_a_moment_before_the_earliest_one_changes_nothing(loaded: World) -> None:
    loaded.leads = {"a": 3000.0}
    managers = register(loaded, keep_silent, session_reply_seconds=60.0)
    ask_for(loaded, loaded.clock() + timedelta(seconds=30))
    told(managers)
    assert managers.got[0].notice.actions_at == managers.got[0].made_at + timedelta(seconds=3000)
    loaded.clock.sleep(61.0)
    assert announce(loaded.context()).not_before is None


def test_the_moment_is_waited_for_where_nobody_is_told(loaded: World) -> None:
    register(loaded, keep_silent, projects=("another",))
    moment = loaded.clock() + timedelta(hours=5)
    ask_for(loaded, moment)
    assert announce(loaded.context()) == Announcement(told=0, not_before=moment)


def test_in_a_dry_run_nobody_is_told(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    loaded.plan = loaded.make_plan("dry", dry_run=True)
    assert told(managers) == Announcement(told=0)
    assert managers.got == []


@pytest.mark.parametrize("life", list(RunLife))
def test_a_run_that_says_nothing_is_over_when_airflow_says_so(loaded: World, life: RunLife) -> None:
    """Queued or running it goes on; marked failed or deleted, nobody concludes it."""
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    told(managers)
    share(managers)
    loaded.find_life = lambda *_: life
    assert ended(managers).told == (1 if life.is_over else 0)
    wanted = SessionState.MAINTENANCE_FAILED if life.is_over else SessionState.START_MAINTENANCE
    assert read_session_state(managers) is wanted


def test_a_run_that_left_nodes_for_the_next_window_has_ended(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    told(managers)
    second = share(managers)
    for host in loaded.hosts:
        loaded.recorded.set_progress(host, NodeState.WAITING, code=Code.WINDOW_CLOSED, now=loaded.clock())
    assert ended(managers).told == 0
    loaded.desk = second
    loaded.find_life = lambda *_: RunLife.RUNNING
    assert ended(managers).told == 1
    assert read_session_state(managers) is SessionState.MAINTENANCE_DONE


def test_a_session_of_which_one_run_was_refused_stays_failed(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    announce(loaded.context())
    refused = share(managers)
    end_session(refused, loaded.clock(), loaded.find_life, failed=True)
    deliver(managers)
    assert announce(loaded.context()).waits == ()
    assert read_session_state(managers) is SessionState.MAINTENANCE_FAILED
    assert ended(managers).told == 1
    assert read_session_state(managers) is SessionState.MAINTENANCE_FAILED


def test_a_run_that_was_refused_last_tells_what_the_others_began(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    told(managers)
    refused = share(managers)
    assert ended(managers).told == 0
    said = end_session(refused, loaded.clock(), loaded.find_life, failed=True, asks=False)
    assert (said.told, said.waits) == (1, ())
    assert managers.got[-1].notice.state is NoticeState.MAINTENANCE_COMPLETE
    assert read_session_state(managers) is SessionState.MAINTENANCE_FAILED


def test_each_run_of_a_session_tells_the_projects_of_its_own_servers(
    loaded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``a`` is on the node of the first run; ``b``, of its project, and ``c`` are on nodes of the second."""
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    loaded.boot("c", "node-03")
    fetch = loaded.cloud.fetch_snapshot

    def fetch_with_other(*args: Any, **kwargs: Any) -> Any:
        snapshot = fetch(*args, **kwargs)
        servers = [replace(s, project_id="other") if s.id == "c" else s for s in snapshot.servers]
        return replace(snapshot, servers=tuple(servers))

    monkeypatch.setattr(loaded.cloud, "fetch_snapshot", fetch_with_other)
    first_plan, first = replace(loaded.plan, hosts=("node-01",)), loaded.desk
    assert first is not None
    vnfm = first.vnfms.vnfms[0]
    first = replace(first, vnfms=Vnfms(vnfms=(replace(vnfm, projects=(PROJECT, "other")),)))
    loaded.plan, loaded.desk = first_plan, first
    told(managers)
    second = replace(share(managers), vnfms=first.vnfms)
    loaded.plan, loaded.desk = replace(first_plan, hosts=("node-02", "node-03")), second
    assert told(managers) == Announcement(told=2)
    assert announce(loaded.context()) == Announcement(told=2)
    assert [(r.notice.project_id, r.notice.instance_ids) for r in managers.got] == [
        (PROJECT, ("a",)),
        (PROJECT, ("b",)),
        ("other", ("c",)),
    ]
    managers.got.clear()
    assert end_session(first, loaded.clock(), loaded.find_life, failed=False).told == 0
    assert ended(managers).told == 2
    assert [(r.notice.project_id, r.notice.instance_ids) for r in managers.got] == [
        (PROJECT, ("a", "b")),
        ("other", ("c",)),
    ]
    assert read_session_state(managers) is SessionState.MAINTENANCE_DONE
