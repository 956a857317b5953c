from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import make_plan

from escalator.leases.advice import Action, refuse_action, say_what_to_do
from escalator.model.errors import InvalidRequestError
from escalator.model.known_lease import KnownLease, LeaseOwner
from escalator.model.lease import LeaseMark
from escalator.model.run_life import RunLife

LEASE = replace(make_plan("node-01"), installation="0a0a0a0a").lease("node-01")
OURS = KnownLease(
    host="node-01",
    reason=LEASE.render(),
    lease=LEASE,
    owner=LeaseOwner.OURS,
    campaign="upgrade__lab",
    dag_id="upgrade__lab",
    run_id="run-1",
    life=RunLife.DELETED,
    unproved=False,
)


def known(**changes: object) -> KnownLease:
    return replace(OURS, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("action", Action)
def test_our_lease_whose_run_is_over_may_be_ended(action: Action) -> None:
    for life in (RunLife.DELETED, RunLife.FINISHED):
        one = known(life=life)
        refuse_action(action, one)
        assert "escalator leases release node-01" in say_what_to_do(one)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("foreign", [None, "0a0a0a0a"])
def test_a_run_that_lives_keeps_its_lease_whatever_is_named(action: Action, foreign: str | None) -> None:
    with pytest.raises(InvalidRequestError, match=r"still goes on -> clear node-01\.admit with downstream"):
        refuse_action(action, known(life=RunLife.RUNNING), foreign=foreign, unverified=True)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(
    "changes",
    [
        {"owner": LeaseOwner.ANOTHER, "life": RunLife.NOT_ASKED},
        {"owner": LeaseOwner.UNKNOWN, "life": RunLife.NOT_ASKED},
        {"owner": LeaseOwner.EARLIER},
        {"owner": LeaseOwner.ALTERED},
        {"life": RunLife.NOT_ASKED},
    ],
)
def test_what_may_be_somebody_elses_is_ended_only_by_the_name_of_its_installation(
    action: Action, changes: dict[str, object]
) -> None:
    one = known(**changes)
    with pytest.raises(InvalidRequestError, match="--foreign 0a0a0a0a"):
        refuse_action(action, one)
    with pytest.raises(InvalidRequestError, match="is of installation 0a0a0a0a, not of feedbeef"):
        refuse_action(action, one, foreign="feedbeef")
    refuse_action(action, one, foreign="0a0a0a0a")


def test_a_node_that_is_not_proved_is_given_back_only_when_it_is_said_so() -> None:
    unproved = known(unproved=True)
    with pytest.raises(InvalidRequestError, match=r"never verified: it is not given back -> .*--unverified"):
        refuse_action(Action.RELEASE, unproved)
    refuse_action(Action.RELEASE, unproved, unverified=True)
    refuse_action(Action.MARK_FAILED, unproved)


def test_what_is_marked_failed_is_not_marked_again() -> None:
    marked = known(lease=LEASE.marked(LeaseMark.FAILED, "[cut_off] by hand"))
    with pytest.raises(InvalidRequestError, match="marked FAILED already"):
        refuse_action(Action.MARK_FAILED, marked)
    refuse_action(Action.RELEASE, marked)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"life": RunLife.RUNNING}, "nothing: its run goes on"),
        ({"life": RunLife.NOT_ASKED}, "set ESCALATOR_AIRFLOW_URL"),
        ({"life": RunLife.FINISHED}, "clear node-01.admit with downstream in run run-1, or look at node-01"),
        ({}, "look at node-01, then escalator leases release node-01"),
        ({"unproved": True}, "never verified: escalator leases mark-failed node-01"),
        ({"owner": LeaseOwner.ALTERED}, "somebody changed the words"),
        ({"owner": LeaseOwner.ANOTHER}, "ask the people of installation 0a0a0a0a"),
        ({"owner": LeaseOwner.UNKNOWN}, "the ledger was lost or rolled back, or there is a copy"),
        ({"owner": LeaseOwner.EARLIER}, "finish the campaign with the release that began it"),
        (
            {"unproved": True, "lease": LEASE.marked(LeaseMark.FAILED)},
            "release node-01 --unverified",
        ),
    ],
)
def test_what_to_do_is_something_that_is_not_refused(changes: dict[str, object], words: str) -> None:
    assert words in say_what_to_do(known(**changes))


@pytest.mark.parametrize("owner", [o for o in LeaseOwner if o is not LeaseOwner.OURS])
@pytest.mark.parametrize("mark", [None, *LeaseMark])
@pytest.mark.parametrize("unproved", [True, False])
def test_what_is_advised_for_a_stranger_is_not_refused(
    owner: LeaseOwner, mark: LeaseMark | None, *, unproved: bool
) -> None:
    one = known(owner=owner, life=RunLife.FINISHED, lease=LEASE.marked(mark), unproved=unproved)
    action, host, *options = say_what_to_do(one).split("escalator leases ")[1].split()
    foreign = options[options.index("--foreign") + 1]
    assert (host, foreign) == (one.host, one.installation)
    refuse_action(Action(action), one, foreign=foreign, unverified="--unverified" in options)


def test_a_run_does_not_end_a_lease_in_words_that_are_not_its_own() -> None:
    one = known(owner=LeaseOwner.ALTERED, life=RunLife.RUNNING)
    assert "its run leaves it alone" in say_what_to_do(one)
    with pytest.raises(InvalidRequestError, match=r"still goes on -> somebody changed the words"):
        refuse_action(Action.RELEASE, one)
