"""Announce: managers hear of the campaign before the first node goes, and of its end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.steps.managers import ScriptedManagers, acting, keep_silent, refuse, register
from tests.steps.worlds import World

from escalator.model.errors import InvalidRequestError
from escalator.model.maintenance_session import SessionState
from escalator.model.notice import InstanceAction, NoticeState, Reply
from escalator.model.vnfm import OnSilence
from escalator.steps.campaign.announce import Announcement, announce, conclude_session


@pytest.fixture
def loaded(world: World) -> World:
    world.boot("a")
    world.boot("b", "node-02")
    return world


def state(managers: ScriptedManagers) -> SessionState | None:
    desk = managers.world.desk
    assert desk is not None
    found = desk.notices.session(desk.session_id)
    return found.state if found else None


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
    assert state(managers) is SessionState.MAINTENANCE
    assert told(managers) == Announcement(told=1)
    assert [record.notice.instance_ids for record in managers.got] == [("a", "b")]
    assert state(managers) is SessionState.START_MAINTENANCE


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
    assert state(managers) is wanted


def test_who_was_silent_is_told_of_the_end_and_nobody_waits_for_him(loaded: World) -> None:
    managers = register(loaded, keep_silent, session_reply_seconds=20.0)
    told(managers)
    loaded.clock.sleep(30.0)
    announce(loaded.context())
    assert conclude_session(loaded.context(), done=True).waits == ()
    assert [r.notice.state for r in managers.got][-1] is NoticeState.MAINTENANCE_COMPLETE
    assert state(managers) is SessionState.MAINTENANCE_DONE


def test_the_last_run_of_a_session_tells_the_end_and_one_that_failed_fails_it(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    told(managers)
    desk = loaded.desk
    assert desk is not None
    other = ("upgrade__lab__other", "run-1")
    session = desk.notices.session(desk.session_id)
    assert session is not None
    desk.notices.open_session(replace(session, runs=(other,)))
    managers.going_on.add(other)
    assert ended(managers, done=False).told == 0
    assert state(managers) is SessionState.MAINTENANCE_FAILED
    managers.going_on.clear()
    assert ended(managers).told == 1
    assert state(managers) is SessionState.MAINTENANCE_FAILED
