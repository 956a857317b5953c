"""SCALE_IN: managers are asked for room when capacity asks for it, with a number, and never for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.managers import (
    Script,
    ScriptedManagers,
    keep_silent,
    read_session_state,
    register,
)
from tests.steps.worlds import BUNDLE_DOCUMENT, NODE, World

from escalator.model.campaign import OnBlocked
from escalator.model.decisions import Admission
from escalator.model.errors import InvalidRequestError, PlanInfeasibleError
from escalator.model.maintenance_session import SessionState
from escalator.model.notice import NoticeRecord, NoticeState, Reply
from escalator.model.verdict import Code
from escalator.model.vnfm import OnSilence
from escalator.steps.campaign.announce import Announcement, announce, conclude_session
from escalator.steps.campaign.check_conditions import check
from escalator.vim_interface.registry.vnfms import Vnfms

BIG, MEMBER, OTHER = 60_000, 40_000, 25_000


@pytest.fixture
def cramped(world: World) -> World:
    """A server that has no place elsewhere, as members of a VNF are in the way on both other nodes."""
    return fill(world)


def fill(world: World) -> World:
    world.boot("big", memory_mib=BIG)
    world.boot("m1", "node-02", memory_mib=MEMBER)
    world.boot("m2", "node-03", memory_mib=MEMBER)
    world.pairs = (("m1", "m2"),)
    return world


def answering(world: World, *, gone: str | None = None, ack: bool = True) -> Script:
    """Agree to all but SCALE_IN, which is answered as told, after a server is gone."""

    def answer(record: NoticeRecord) -> Reply:
        asked = record.notice.state is NoticeState.SCALE_IN
        if asked and gone is not None:
            world.cloud.delete(gone)
        return Reply(ack=ack or not asked, state=record.notice.state)

    return answer


def silent_to_scale_in(record: NoticeRecord) -> Reply | None:
    return None if record.notice.state is NoticeState.SCALE_IN else Reply(ack=True, state=record.notice.state)


def look(managers: ScriptedManagers) -> Announcement:
    """Announce, and let the triggerer deliver what is due, as long as somebody is waited for."""
    for _ in range(9):
        said = announce(managers.world.context())
        desk = managers.world.desk
        assert desk is not None
        if not (said.waits and managers.deliver_due(desk.session_id)):
            return said
    raise AssertionError("it asks for ever")


def asked(managers: ScriptedManagers) -> list[NoticeRecord]:
    return [record for record in managers.got if record.notice.state is NoticeState.SCALE_IN]


def test_where_nobody_is_registered_the_cloud_is_not_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world)
    managers = register(world, answering(world))
    assert managers.world.desk is not None
    world.desk = replace(managers.world.desk, vnfms=Vnfms())
    monkeypatch.setattr(world.cloud, "fetch_snapshot", None)
    assert announce(world.context()) == Announcement(told=0)


def test_nobody_is_asked_while_there_is_room(world: World) -> None:
    fill(world)
    world.cloud.delete("big")
    managers = register(world, answering(world))
    assert look(managers) == Announcement(told=1)
    assert asked(managers) == []
    assert read_session_state(managers) is SessionState.START_MAINTENANCE


def test_a_lack_of_room_asks_with_the_number_and_the_room_that_comes_is_used(cramped: World) -> None:
    managers = register(cramped, answering(cramped, gone="m1"))
    managers.answering = False
    look(managers)
    managers.answer(cramped.desk.session_id)  # type: ignore[union-attr]
    said = look(managers)
    assert said.waits == ("m",)
    assert read_session_state(managers) is SessionState.SCALE_IN
    (record,) = asked(managers)
    assert record.notice.metadata == {
        "bundle": "nova-34",
        "scale_in_instances": "1",
        "scale_in_vcpus": "1",
        "scale_in_ram_mib": str(MEMBER),
    }
    assert record.notice.instance_ids == ("big", "m1", "m2")
    managers.answer(cramped.desk.session_id)  # type: ignore[union-attr]
    assert look(managers) == Announcement(told=1)
    assert len(asked(managers)) == 1
    assert read_session_state(managers) is SessionState.START_MAINTENANCE
    cramped.plan = replace(cramped.plan, hosts=(NODE,))
    assert cramped.admit().admission is Admission.ADMIT


def test_who_agrees_and_gives_nothing_is_asked_a_second_time_and_no_more(cramped: World) -> None:
    managers = register(cramped, answering(cramped))
    said = look(managers)
    assert said.waits == ()
    assert said.findings == (f"[capacity] after SCALE_IN there is no room for the servers of {NODE}",)
    assert [record.notice.round for record in asked(managers)] == [0, 10_000]
    assert look(managers) == said
    assert len(asked(managers)) == 2
    assert read_session_state(managers) is SessionState.START_MAINTENANCE


def test_who_refuses_is_not_asked_again_and_the_campaign_goes_on(cramped: World) -> None:
    managers = register(cramped, answering(cramped, ack=False))
    said = look(managers)
    assert said.findings[0] == "[vnf_refused] VNF manager m (project ) refused SCALE_IN"
    assert len(asked(managers)) == 1
    assert cramped.admit().code is not Code.ADMITTED
    assert cramped.admit("node-02").admission is Admission.ADMIT


@pytest.mark.parametrize("policy", list(OnSilence))
def test_silence_meets_its_policy_when_the_deadline_is_over(cramped: World, policy: OnSilence) -> None:
    managers = register(cramped, silent_to_scale_in, session_reply_seconds=20.0, on_silence=policy)
    assert look(managers).waits == ("m",)
    cramped.clock.sleep(21.0)
    if policy is OnSilence.FAIL:
        with pytest.raises(InvalidRequestError, match="did not answer SCALE_IN"):
            announce(cramped.context())
        return
    assert look(managers).findings[0] == "[vnf_silent] VNF manager m (project ) did not answer SCALE_IN"
    assert len(asked(managers)) == 1


def test_servers_that_nobody_manages_are_not_asked_for(cramped: World) -> None:
    managers = register(cramped, keep_silent, projects=("another",))
    assert look(managers) == Announcement(told=0)
    assert asked(managers) == []


def test_who_was_asked_to_scale_in_is_told_of_the_end(cramped: World) -> None:
    managers = register(cramped, answering(cramped, gone="m1"))
    look(managers)
    conclude_session(cramped.context(), done=True)
    managers.deliver_due(cramped.desk.session_id)  # type: ignore[union-attr]
    ends = [r for r in managers.got if r.notice.state is NoticeState.MAINTENANCE_COMPLETE]
    assert len(ends) == 1


# before: the check lets such a campaign begin, and no other one


@pytest.fixture
def unopened(make_world: MakeWorld) -> World:
    world = make_world()
    world.plan = replace(world.plan, run_id=f"{world.plan.run_id}-scale", hosts=())
    return fill(world)


def ask_all(world: World, **changes: Any) -> World:
    world.plan = replace(world.plan, request=replace(world.plan.request, **changes))
    return world


def test_a_campaign_that_lacks_what_vnfs_can_give_begins_with_a_warning(unopened: World) -> None:
    register(unopened, keep_silent)
    plan, report = check(unopened.context(), BUNDLE_DOCUMENT, known_hosts=unopened.hosts)
    assert set(plan.hosts) == set(unopened.hosts)
    (found,) = [c for c in report.unmet if c.code is Code.CAPACITY]
    assert not found.blocks
    assert found.subject.id == NODE
    assert found.remedy is not None
    assert "asked to scale in by 1 server of project" in found.remedy
    assert unopened.recorded.plan() == plan


def test_such_a_node_is_not_left_out_either(unopened: World) -> None:
    register(unopened, keep_silent)
    ask_all(unopened, on_blocked=OnBlocked.SKIP)
    plan, _ = check(unopened.context(), BUNDLE_DOCUMENT, known_hosts=unopened.hosts)
    assert plan.left_out == ()


def test_a_campaign_of_that_node_alone_begins_too(unopened: World) -> None:
    """Its manager has no server on the node but one that cannot be scaled in: it is of the same project."""
    register(unopened, keep_silent)
    ask_all(unopened, hosts=(NODE,))
    plan, _ = check(unopened.context(), BUNDLE_DOCUMENT, known_hosts=unopened.hosts)
    assert plan.hosts == (NODE,)


@pytest.mark.parametrize("case", ["no manager", "another project", "no group", "not enough"])
def test_what_no_manager_can_mend_is_refused_as_before(unopened: World, case: str) -> None:
    projects = ("another",) if case == "another project" else ("",)
    if case != "no manager":
        register(unopened, keep_silent, projects=projects)
    if case == "no group":
        unopened.pairs = ()
    if case == "not enough":
        unopened.boot("m3", "node-02", memory_mib=OTHER)
        unopened.boot("m4", "node-03", memory_mib=OTHER)
    with pytest.raises(PlanInfeasibleError) as refused:
        check(unopened.context(), BUNDLE_DOCUMENT, known_hosts=unopened.hosts)
    assert Code.CAPACITY in {verdict.code for verdict in refused.value.blockers}


def test_something_else_in_the_way_is_refused_as_before(unopened: World) -> None:
    register(unopened, keep_silent)
    unopened.boot("broken", vm_state="error")
    with pytest.raises(PlanInfeasibleError) as refused:
        check(unopened.context(), BUNDLE_DOCUMENT, known_hosts=unopened.hosts)
    assert {verdict.code for verdict in refused.value.blockers} == {Code.SERVER_ERROR}
