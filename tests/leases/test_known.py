from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.leases.conftest import Look
from tests.steps.fake_records import START
from tests.steps.worlds import NODE, QuickRun, World

from escalator.leases.known import find_known_leases
from escalator.model.errors import InvalidRequestError
from escalator.model.known_lease import LeaseOwner
from escalator.model.lease import LeaseMark, LeasePhase
from escalator.model.node_facts import FactChanges, Proof
from escalator.model.run_life import RunLife

PROOF = Proof(version="34.0.0", at=START)
EARLIER = "escalator:upgrade__lab__gone:0123456789ab:0123456789abcdef max_parallel=1 upgrade to nova-33"


def test_a_lease_that_the_ledger_has_word_for_word_is_ours(world: World, look: Look) -> None:
    world.take()
    known = look(RunLife.RUNNING)
    assert (known.owner, known.run_id, known.life) == (LeaseOwner.OURS, world.plan.run_id, RunLife.RUNNING)
    assert (known.campaign, known.unproved) == (world.plan.campaign, False)
    assert known.since == START  # as its node's progress says: the lease itself does not


@pytest.mark.parametrize(
    ("life", "mark", "orphaned"),
    [
        (RunLife.RUNNING, None, False),
        (RunLife.NOT_ASKED, None, False),
        (RunLife.FINISHED, None, True),
        (RunLife.DELETED, None, True),
        (RunLife.DELETED, LeaseMark.HELD, False),
    ],
)
def test_a_lease_that_counts_is_orphaned_when_its_run_is_known_to_be_over(
    world: World, look: Look, life: RunLife, mark: LeaseMark | None, *, orphaned: bool
) -> None:
    world.take(mark=mark)
    assert look(life).orphaned is orphaned


def test_a_word_that_somebody_added_makes_it_another_text_of_our_run(world: World, look: Look) -> None:
    lease = world.take()
    world.cloud.person_disables(NODE, f"{lease.render()} do not touch")
    known = look(RunLife.FINISHED)
    assert (known.owner, known.run_id) == (LeaseOwner.ALTERED, world.plan.run_id)


def test_a_lease_of_another_installation_is_not_taken_for_our_run_of_the_same_name(
    world: World, look: Look
) -> None:
    theirs = replace(world.plan, installation="feedbeef").lease(NODE).render()
    world.cloud.person_disables(NODE, theirs)
    known = look(RunLife.FINISHED)
    assert (known.owner, known.installation) == (LeaseOwner.ANOTHER, "feedbeef")
    assert (known.run_id, known.life, known.orphaned) == (None, RunLife.NOT_ASKED, False)


def test_a_lease_with_our_id_that_the_ledger_does_not_know(world: World, look: Look) -> None:
    lost = replace(world.plan, run_id="lost", installation=world.ledger.installation()).lease(NODE)
    world.cloud.person_disables(NODE, replace(lost, since=START - timedelta(hours=1)).render())
    known = look(RunLife.FINISHED)
    assert (known.owner, known.run_id, known.orphaned) == (LeaseOwner.UNKNOWN, None, False)
    assert known.since == START - timedelta(hours=1)


def test_a_lease_of_an_earlier_release(world: World, look: Look) -> None:
    world.cloud.person_disables(NODE, EARLIER)
    known = look(RunLife.FINISHED)
    assert (known.owner, known.installation, known.unproved) == (LeaseOwner.EARLIER, "earlier", True)
    ours = world.plan.lease(NODE)
    old = f"escalator:{ours.campaign}:{ours.run}:0123456789abcdef max_parallel=1 upgrade to nova-34"
    world.cloud.person_disables(NODE, old)
    known = look(RunLife.FINISHED)
    assert (known.owner, known.run_id, known.orphaned) == (LeaseOwner.EARLIER, world.plan.run_id, True)


@pytest.mark.parametrize(
    ("phase", "facts", "unproved"),
    [
        (LeasePhase.ADMITTED, {}, False),
        (LeasePhase.DRAINING, {"drain_started": START}, False),
        (LeasePhase.UPGRADING, {"upgrade_begun": START}, True),
        (LeasePhase.UPGRADING, {}, True),  # a ledger that was rolled back
        (LeasePhase.UPGRADING, {"upgrade_begun": START, "verified": PROOF}, True),
        (LeasePhase.ADMITTED, {"upgrade_begun": START}, True),
        (LeasePhase.VERIFIED, {"upgrade_begun": START}, True),
        (LeasePhase.VERIFIED, {"upgrade_begun": START, "verified": PROOF}, False),
    ],
)
def test_only_what_lease_and_ledger_agree_on_is_proved(
    world: World, look: Look, phase: LeasePhase, facts: FactChanges, *, unproved: bool
) -> None:
    world.take(phase=phase)
    world.recorded.remember(NODE, **facts)
    assert look(RunLife.FINISHED).unproved is unproved


def test_airflow_is_asked_once_for_a_run_and_not_at_all_without_a_lease(world: World) -> None:
    asked: list[tuple[str, str]] = []

    def answer(dag_id: str, run_id: str) -> RunLife:
        asked.append((dag_id, run_id))
        return RunLife.RUNNING

    for host in world.hosts:
        world.take(host)
    services = [world.service(host) for host in world.hosts]
    assert len(find_known_leases(services, world.ledger, answer)) == 3
    assert asked == [(world.plan.campaign, world.plan.run_id)]
    reasonless, broken = (replace(services[0], disabled_reason=reason) for reason in (None, "broken fan"))
    assert find_known_leases([reasonless, broken], world.ledger, answer) == ()


def test_facts_that_cannot_be_read_prove_nothing(
    world: World, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.take()

    def unreadable(*_: object) -> None:
        raise InvalidRequestError("facts of node-01 cannot be read")

    monkeypatch.setattr(QuickRun, "facts", unreadable)
    known = look(RunLife.FINISHED)
    assert (known.owner, known.unproved) == (LeaseOwner.ALTERED, True)


def test_services_of_one_host_with_one_reason_are_each_named(world: World) -> None:
    world.take()
    found = find_known_leases([world.service()] * 2, world.ledger, lambda _dag_id, _run_id: RunLife.DELETED)
    assert [known.host for known in found] == [NODE, NODE]
