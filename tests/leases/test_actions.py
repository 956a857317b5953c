from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.builders import make_switch
from tests.leases.conftest import Look
from tests.steps.worlds import NODE, World

from escalator.leases.actions import mark_lease_failed, release_lease
from escalator.model.campaign import NodeState, Step
from escalator.model.errors import LeaseLostError, SupersededError, TransientError
from escalator.model.known_lease import KnownLease, LeaseOwner
from escalator.model.lease import LeaseMark, LeasePhase
from escalator.model.run_life import RunLife
from escalator.model.verdict import Code

WHO = "ann@deploy"


def release(world: World, known: KnownLease) -> str:
    return release_lease(world.cloud, world.ledger, known, who=WHO, now=world.clock())  # type: ignore[arg-type]


def mark(world: World, known: KnownLease) -> str:
    return mark_lease_failed(world.cloud, world.ledger, known, who=WHO, now=world.clock())  # type: ignore[arg-type]


def test_a_node_is_given_back_and_the_ledger_says_by_whom(world: World, look: Look) -> None:
    world.take()
    world.begin(Step.ADMIT).progress(NodeState.ADMITTED)
    said = release(world, look(RunLife.DELETED))
    assert world.enabled()
    assert said == f"{NODE} is enabled: given back by hand by {WHO} at 2026-11-22 08:00Z"
    progress = world.progress()
    assert (progress.state, progress.code) == (NodeState.HELD, Code.CUT_OFF)
    assert WHO in progress.message
    assert world.facts().released_at == world.clock()


def test_a_marked_lease_counts_no_more_and_says_who_and_when(world: World, look: Look) -> None:
    world.take(phase=LeasePhase.UPGRADING)
    mark(world, look(RunLife.DELETED))
    known = look(RunLife.DELETED)
    assert not world.enabled()
    assert (known.counts, known.owner) == (False, LeaseOwner.OURS)
    assert (known.lease.mark, known.lease.phase) == (LeaseMark.FAILED, LeasePhase.UPGRADING)
    assert known.lease.words.startswith(f"[cut_off] marked by hand by {WHO} at 2026-11-22 08:00Z")
    progress = world.progress()
    assert (progress.state, progress.mark) == (NodeState.FAILED, LeaseMark.FAILED)


@pytest.mark.parametrize("act", [release, mark])
def test_words_that_came_after_the_look_are_not_written_over(world: World, look: Look, act: object) -> None:
    lease = world.take()
    known = look(RunLife.DELETED)
    changed = f"{lease.render()} do not touch"
    world.cloud.person_disables(NODE, changed)
    with pytest.raises(LeaseLostError):
        act(world, known)  # type: ignore[operator]
    assert world.service().disabled_reason == changed


def test_what_is_left_of_the_run_is_refused_its_writes(world: World, look: Look) -> None:
    world.take()
    left = world.begin(Step.MIGRATE)
    release(world, look(RunLife.DELETED))
    with pytest.raises(SupersededError):
        left.ensure_current()


def test_a_lease_of_an_earlier_release_is_marked_in_its_own_form(world: World, look: Look) -> None:
    earlier = "escalator:upgrade__lab__gone:0123456789ab:0123456789abcdef max_parallel=1 upgrade to nova-33"
    world.cloud.person_disables(NODE, earlier)
    known = look(RunLife.FINISHED)
    mark(world, known)
    after = look(RunLife.FINISHED)
    assert known.lease.same_holder(after.lease)
    assert after.reason.startswith(
        "escalator:upgrade__lab__gone:0123456789ab:0123456789abcdef:FAILED [cut_off] "
    )
    assert after.lease.mark is LeaseMark.FAILED


@pytest.mark.parametrize("act", [release, mark])
def test_what_a_switchover_changed_is_named_with_who_restores_it(
    world: World, look: Look, act: Callable[[World, KnownLease], str]
) -> None:
    world.take()
    switch = make_switch(
        campaign=world.plan.campaign,
        run_id=world.plan.run_id,
        host=NODE,
        begun_at=world.clock(),
        found={"weights": {"p": {"m": 5}}},
    )
    book = world.ledger.switches()
    book.begin(switch)
    book.begin(replace(switch, host="node-02"))
    said = act(world, look(RunLife.DELETED)).splitlines()
    who = f"while the node is enabled, {NODE}.release of run {world.plan.run_id} restores that: clear it, or "
    assert said[1:] == [
        "not restored: HA group web, by octavia: found was {'weights': {'p': {'m': 5}}}",
        who + "restore it by hand",
    ]


def test_what_is_restored_is_not_named(world: World, look: Look) -> None:
    world.take()
    assert len(release(world, look(RunLife.DELETED)).splitlines()) == 1


def test_a_node_that_the_run_put_on_maintenance_is_taken_off_it(world: World, look: Look) -> None:
    world.masakari.add(NODE)
    world.admit()
    assert world.masakari.is_on(NODE)
    said = release(world, look(RunLife.DELETED))
    assert not world.masakari.is_on(NODE)
    assert said.endswith("\nit is off maintenance in Masakari")
    flag = world.facts().maintenance
    assert flag is not None
    assert flag.cleared_at == world.clock()


def test_a_masakari_that_does_not_answer_then_is_named(world: World, look: Look) -> None:
    world.masakari.add(NODE)
    world.admit()
    world.masakari.errors = [TransientError("HTTP 503")]
    said = release(world, look(RunLife.DELETED))
    assert world.enabled()
    assert "on maintenance in Masakari still: HTTP 503" in said
