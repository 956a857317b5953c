"""Switchover: managers are asked first; what they answer decides who is moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.steps.fake_records import KilledError
from tests.steps.managers import ScriptedManagers, acting, keep_silent, refuse, register
from tests.steps.worlds import NEW, NODE, World

from escalator.model.campaign import NodeState, Step
from escalator.model.moves import Agreement
from escalator.model.node_facts import PersonWord
from escalator.model.notice import InstanceAction
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.model.vnfm import OnSilence, VnfmKind
from escalator.steps.campaign.announce import announce
from escalator.vim_interface.registry.vnfms import Vnfms


@pytest.fixture
def loaded(world: World) -> World:
    """A node with two servers of a managed project."""
    world.boot("a")
    world.boot("b")
    return world


def through_switchover(world: World, host: str = NODE) -> None:
    world.admit(host)
    world.run(Step.PRECHECK, host)


def test_who_acts_himself_gets_no_call_of_nova_and_his_servers_stay(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    through_switchover(loaded)
    assert managers.hear().result.outcome is Outcome.OK
    for step in (Step.MIGRATE, Step.UPGRADE, Step.VERIFY, Step.RELEASE):
        loaded.run(step)
    assert loaded.progress().state is NodeState.RELEASED
    assert loaded.nodes[NODE].running == NEW
    assert {loaded.cloud.guests[name].host for name in "ab"} == {NODE}
    assert loaded.moves() == ()
    assert managers.told() == [("PLANNED_MAINTENANCE", NODE)]


def test_a_step_waits_where_it_is_for_who_answers_at_once_and_no_longer(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    through_switchover(loaded)
    assert loaded.turn(Step.SWITCHOVER, NODE).result.outcome is Outcome.WAITING
    desk, began = loaded.desk, loaded.clock()
    assert desk is not None
    assert desk.wait_at_once(NODE, loaded.clock, loaded.clock.sleep) is False
    assert timedelta(seconds=5) <= loaded.clock() - began < timedelta(seconds=6)

    def sleep(seconds: float) -> None:
        loaded.clock.sleep(seconds)
        managers.deliver_due(desk.session_id)

    began = loaded.clock()
    assert desk.wait_at_once(NODE, loaded.clock, sleep) is True
    assert loaded.clock() - began < timedelta(seconds=1)
    assert loaded.turn(Step.SWITCHOVER, NODE).result.outcome is Outcome.OK


def test_who_wants_a_move_gets_it_and_is_told_of_each(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.MIGRATE))
    through_switchover(loaded)
    managers.hear()
    loaded.run(Step.MIGRATE)
    assert len(loaded.moves()) == 2
    assert managers.told() == [("PLANNED_MAINTENANCE", NODE), *[("INSTANCE_ACTION_DONE", NODE)] * 2]


def test_who_was_moved_is_told_although_the_step_was_killed_before_it_could(
    loaded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    managers = register(loaded, acting(InstanceAction.MIGRATE))
    through_switchover(loaded)
    managers.hear()

    def be_killed(_: object) -> None:
        raise KilledError

    monkeypatch.setattr("escalator.steps.migrate.tell_of_done", be_killed)
    with pytest.raises(KilledError):
        loaded.run(Step.MIGRATE)
    monkeypatch.undo()
    assert len(loaded.moves()) == 2
    del loaded.cloud.guests["b"]  # its owner deleted it meanwhile
    for _ in range(2):
        assert loaded.run(Step.MIGRATE).outcome is Outcome.OK
        assert managers.told() == [("PLANNED_MAINTENANCE", NODE), ("INSTANCE_ACTION_DONE", NODE)]


def test_moves_of_an_earlier_life_of_the_node_are_told_of_once(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.MIGRATE))
    through_switchover(loaded)
    managers.hear()
    loaded.run(Step.MIGRATE)
    loaded.cloud.guests["a"].host = NODE  # somebody moved it back; the node begins anew
    managers.scripts["m"] = acting(InstanceAction.OWN_ACTION)
    through_switchover(loaded)
    managers.hear()
    loaded.run(Step.MIGRATE)
    assert [state for state, _ in managers.told()].count("INSTANCE_ACTION_DONE") == 2


def test_a_member_that_would_stay_is_moved_when_its_manager_says_so(loaded: World) -> None:
    loaded.pairs = (("a", "c"),)
    loaded.boot("c", "node-02")
    managers = register(loaded, acting(InstanceAction.MIGRATE))
    through_switchover(loaded)
    assert loaded.drain_plan().staying == ("a",)
    managers.hear()
    assert loaded.drain_plan().staying == ()
    loaded.run(Step.MIGRATE)
    assert loaded.cloud.guests["a"].host != NODE


def test_in_dialect_b_each_server_is_asked_for_and_has_an_answer_of_its_own(loaded: World) -> None:
    managers = register(loaded, keep_silent, kind=VnfmKind.FENIX_B)
    managers.scripts["m"] = lambda record: acting(
        InstanceAction.OWN_ACTION if record.notice.instance_id == "a" else InstanceAction.LIVE_MIGRATE
    )(record)
    through_switchover(loaded)
    managers.hear()
    assert loaded.facts().agreement == Agreement(stays=("a",), leaves=("b",))


def test_it_waits_for_the_answer_and_goes_on_with_it(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    managers.answering = False
    through_switchover(loaded)
    waiting = managers.hear().result
    assert waiting.outcome is Outcome.WAITING
    assert waiting.message.startswith("waits for the answer of m, until ")
    assert loaded.progress().state is NodeState.CHECKED
    assert managers.hear().result.outcome is Outcome.WAITING
    assert len(managers.got) == 1
    managers.answering = True
    assert managers.hear().result.outcome is Outcome.OK
    assert loaded.facts().agreement == Agreement(stays=("a", "b"))


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [(OnSilence.MIGRATE, Outcome.OK), (OnSilence.HOLD, Outcome.HELD), (OnSilence.FAIL, Outcome.FAILED)],
)
def test_silence_ends_at_the_deadline_that_was_told_however_often_it_is_run(
    loaded: World, policy: OnSilence, outcome: Outcome
) -> None:
    managers = register(loaded, keep_silent, on_silence=policy, reply_seconds=100.0)
    through_switchover(loaded)
    begun = loaded.clock()
    assert managers.hear().result.outcome is Outcome.WAITING
    loaded.clock.sleep(99.0 - (loaded.clock() - begun).total_seconds())
    assert managers.hear().result.outcome is Outcome.WAITING
    loaded.clock.sleep(2.0)
    result = managers.hear().result
    assert result.outcome is outcome
    assert "did not answer PLANNED_MAINTENANCE" in result.message
    assert len(managers.got) == 1
    if policy is OnSilence.MIGRATE:
        assert loaded.run(Step.MIGRATE).outcome is Outcome.OK
        assert len(loaded.moves()) == 2
    else:
        assert result.code is Code.VNF_SILENT
        loaded.run(Step.RELEASE)
        assert loaded.moves() == ()


def test_a_node_that_is_held_for_silence_is_given_back_as_it_was(loaded: World) -> None:
    managers = register(loaded, keep_silent, on_silence=OnSilence.HOLD, reply_seconds=1.0)
    through_switchover(loaded)
    managers.hear()
    loaded.clock.sleep(2.0)
    managers.hear()
    loaded.run(Step.RELEASE)
    assert loaded.enabled()
    assert loaded.progress().state is NodeState.HELD


def end_others(world: World) -> None:
    for host in world.hosts:
        if host != NODE:
            world.recorded.set_progress(host, NodeState.RELEASED, now=world.clock())


def refused(world: World) -> ScriptedManagers:
    managers = register(world, refuse)
    through_switchover(world)
    turn = managers.hear()
    assert (turn.result.outcome, turn.result.code) == (Outcome.WAITING, Code.VNF_REFUSED)
    assert turn.question == ""
    return managers


def test_a_refused_node_is_given_back_and_waits_for_the_others(loaded: World) -> None:
    managers = refused(loaded)
    assert loaded.enabled()
    assert (loaded.progress().state, loaded.progress().code) == (NodeState.HELD, Code.VNF_REFUSED)
    loaded.recorded.set_progress("node-02", NodeState.MIGRATING, now=loaded.clock())
    loaded.clock.sleep(24 * 3600.0)
    assert managers.hear().result.outcome is Outcome.WAITING
    assert len(managers.got) == 1
    assert loaded.enabled()


def test_it_is_asked_for_again_at_the_end_and_goes_when_its_manager_agrees(loaded: World) -> None:
    managers = refused(loaded)
    managers.scripts["m"] = acting(InstanceAction.OWN_ACTION)
    end_others(loaded)
    assert managers.hear().result.outcome is Outcome.WAITING, "managers have their rest"
    loaded.clock.sleep(61.0)
    assert managers.hear().result.outcome is Outcome.OK
    assert not loaded.enabled()
    assert [record.notice.round for record in managers.got] == [0, 1]
    for step in (Step.MIGRATE, Step.UPGRADE, Step.VERIFY, Step.RELEASE):
        loaded.run(step)
    assert loaded.progress().state is NodeState.RELEASED


@pytest.mark.parametrize("word", list(PersonWord))
def test_the_second_refusal_asks_a_person_whose_word_counts(loaded: World, word: PersonWord) -> None:
    managers = refused(loaded)
    end_others(loaded)
    loaded.clock.sleep(61.0)
    turn = managers.hear()
    assert "node-01 was refused 2 times" in turn.question
    assert loaded.enabled()
    again = managers.hear()
    assert again.question == turn.question, "a second run asks the same"
    assert len(managers.got) == 2
    loaded.recorded.remember(NODE, person_word=word)
    loaded.clock.sleep(61.0)
    turn = managers.hear()
    match word:
        case PersonWord.LEAVE:
            assert turn.result.outcome is Outcome.HELD
            assert loaded.enabled()
        case PersonWord.MOVE:
            assert turn.result.outcome is Outcome.OK
            assert loaded.facts().agreement == Agreement(leaves=("a", "b"))
        case PersonWord.ASK_AGAIN:
            assert "node-01 was refused 3 times" in turn.question
            assert len(managers.got) == 3


def test_nobody_is_silent_who_was_never_asked(loaded: World) -> None:
    """The triggerer, which alone sends what is asked, is away for longer than the deadline."""
    managers = register(loaded, acting(InstanceAction.OWN_ACTION), reply_seconds=300.0)
    through_switchover(loaded)
    for _ in range(2):
        assert loaded.turn(Step.SWITCHOVER).result.outcome is Outcome.WAITING
        loaded.clock.sleep(301.0)
    assert managers.got == []
    assert managers.hear().result.outcome is Outcome.OK
    assert loaded.facts().agreement == Agreement(stays=("a", "b"))


def test_who_is_asked_late_has_the_whole_time_to_answer(loaded: World) -> None:
    managers = register(loaded, keep_silent, reply_seconds=300.0)
    through_switchover(loaded)
    loaded.turn(Step.SWITCHOVER)
    loaded.clock.sleep(3600.0)
    assert managers.hear().result.outcome is Outcome.WAITING
    loaded.clock.sleep(299.0)
    assert managers.hear().result.outcome is Outcome.WAITING
    loaded.clock.sleep(2.0)
    assert "did not answer" in managers.hear().result.message


@pytest.mark.parametrize("end", ["given back", "begun anew"])
def test_what_nobody_waits_for_any_more_is_not_asked(loaded: World, end: str) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    through_switchover(loaded)
    loaded.turn(Step.SWITCHOVER)
    if end == "given back":
        loaded.run(Step.RELEASE)
        desk = loaded.desk
        assert desk is not None
        managers.deliver_due(desk.session_id)
        assert managers.got == []
    else:
        through_switchover(loaded)
        managers.hear()
        assert [record.notice.round for record in managers.got] == [1]


def test_a_manager_that_is_registered_no_more_holds_the_node(loaded: World) -> None:
    managers = register(loaded, keep_silent, reply_seconds=10.0)
    through_switchover(loaded)
    managers.hear()
    assert loaded.desk is not None
    loaded.desk = replace(loaded.desk, vnfms=Vnfms())
    loaded.clock.sleep(11.0)
    result = loaded.turn(Step.SWITCHOVER).result
    assert (result.outcome, result.code) == (Outcome.HELD, Code.VNF_UNREGISTERED)
    loaded.run(Step.RELEASE)
    assert loaded.enabled()
    through_switchover(loaded)
    assert loaded.turn(Step.SWITCHOVER).result.outcome is Outcome.OK, "its servers have no manager now"


def test_a_deadline_overrides_a_refusal(loaded: World) -> None:
    managers = register(loaded, refuse, nack_deadline_seconds=30.0)
    through_switchover(loaded)
    managers.hear()
    end_others(loaded)
    loaded.clock.sleep(61.0)
    result = managers.hear().result
    assert result.outcome is Outcome.OK
    assert loaded.facts().agreement == Agreement(leaves=("a", "b"))


def test_a_node_that_begins_its_life_anew_is_asked_about_anew(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    for _ in range(2):
        through_switchover(loaded)
        managers.hear()
    assert [record.notice.round for record in managers.got] == [0, 1]


def test_a_server_that_came_after_the_question_is_moved(loaded: World) -> None:
    managers = register(loaded, acting(InstanceAction.OWN_ACTION))
    managers.answering = False
    through_switchover(loaded)
    managers.hear()
    loaded.boot("late")
    managers.answering = True
    managers.hear()
    loaded.run(Step.MIGRATE)
    assert [move.server_id for move in loaded.moves()] == ["late"]


def test_the_deadline_is_a_time_of_day(loaded: World) -> None:
    managers = register(loaded, keep_silent, reply_seconds=100.0)
    through_switchover(loaded)
    at = loaded.clock()
    managers.hear()
    due = managers.got[0].notice.reply_at
    assert due is not None
    assert timedelta(seconds=99) < due - at < timedelta(seconds=102)


def test_a_lead_time_counts_from_when_its_manager_was_told(loaded: World) -> None:
    managers = register(loaded, keep_silent)
    opened = loaded.recorded.view().noticed_at
    loaded.clock.sleep(50.0)
    announce(loaded.context())
    desk = loaded.desk
    assert desk is not None
    loaded.clock.sleep(50.0)
    managers.deliver_due(desk.session_id)
    told = loaded.recorded.view().noticed_at
    assert opened is not None
    assert told is not None
    assert (told - opened).total_seconds() >= 100


def test_the_report_names_who_was_silent(loaded: World) -> None:
    managers = register(loaded, keep_silent, reply_seconds=1.0)
    through_switchover(loaded)
    managers.hear()
    loaded.clock.sleep(2.0)
    managers.hear()
    (run,) = (s for s in loaded.recorded.steps() if s.details.get("troubles"))
    assert [trouble["code"] for trouble in run.details["troubles"]] == ["vnf_silent"]
