from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.ledger.conftest import HOSTS, NOW, Open

from escalator.ledger.ledger import Ledger
from escalator.ledger.run import CampaignRun
from escalator.model.campaign import CampaignPlan, NodeState, Step
from escalator.model.errors import ConflictError, NotFoundError, SupersededError
from escalator.model.order import Order, Verb
from escalator.orders.judging import Accepted, Asked, Ground, judge_order
from escalator.orders.rules import decide_by_orders

NODE = HOSTS[0]


def give(run: CampaignRun, verb: Verb, host: str | None = None) -> Order:
    asked = Asked(verb=verb, host=host, by="ann", reason="smoke \0", confirmed=(host or "",) * 2)
    return run.orders().insert(asked, judge=judge_order, now=NOW).order


def test_an_order_is_kept_word_for_word(run: CampaignRun) -> None:
    order = give(run, Verb.PAUSE)
    assert run.orders().read() == (order,) == run.view().orders
    assert (order.by, order.reason, order.at, order.effective_at) == ("ann", "smoke \\x00", NOW, NOW)
    assert len(order.plan_hash) == 64


def test_the_plans_own_fingerprint_is_kept_with_it(
    ledger: Ledger, plan: CampaignPlan, open_campaign: Open
) -> None:
    open_campaign(ledger, replace(plan, run_id="marked", fingerprint="ab12"))
    assert give(ledger.run(plan.campaign, "marked"), Verb.PAUSE).plan_hash == "ab12"


def test_nothing_is_written_of_an_order_that_is_refused(run: CampaignRun) -> None:
    give(run, Verb.PAUSE)
    with pytest.raises(ConflictError):
        give(run, Verb.PAUSE)
    assert [order.verb for order in run.orders().read()] == [Verb.PAUSE]


def test_a_run_that_was_never_opened_takes_none(ledger: Ledger) -> None:
    run = ledger.run("c", "none")
    assert run.orders().read() == ()
    with pytest.raises(NotFoundError):
        give(run, Verb.PAUSE)


def test_who_claims_first_is_in_flight_and_who_orders_first_keeps_it_in(run: CampaignRun) -> None:
    attempt = run.begin_step(NODE, Step.ADMIT, try_number=1, now=NOW)
    assert run.orders().claim(NODE, attempt, decide=decide_by_orders) is None
    seen: list[Ground] = []

    def judge(asked: Asked, ground: Ground) -> Accepted:
        seen.append(ground)
        return judge_order(asked, ground)

    asked = Asked(verb=Verb.STOP, by="ann", reason="smoke")
    given = run.orders().insert(asked, judge=judge, now=NOW)
    assert given.ground.in_flight == (NODE,) == seen[0].in_flight
    assert NODE not in given.ground.waiting
    other = run.begin_step(HOSTS[1], Step.ADMIT, try_number=1, now=NOW)
    decision = run.orders().claim(HOSTS[1], other, decide=decide_by_orders)
    assert decision is not None
    assert "ann ordered stop" in decision.message
    assert run.facts(HOSTS[1]).claim is None


def test_a_superseded_attempt_claims_nothing(run: CampaignRun) -> None:
    old = run.begin_step(NODE, Step.ADMIT, try_number=1, now=NOW)
    run.begin_step(NODE, Step.ADMIT, try_number=2, now=NOW)
    with pytest.raises(SupersededError):
        run.orders().claim(NODE, old, decide=decide_by_orders)
    assert run.facts(NODE).claim is None


def test_what_took_effect_stays_so(run: CampaignRun) -> None:
    run.set_progress(NODE, NodeState.CHECKED, now=NOW)
    order = give(run, Verb.HOLD, NODE)
    assert (order.in_flight, order.effective_at) == (True, None)
    later = NOW + timedelta(minutes=1)
    run.orders().take_effect(later, host=NODE, verbs=(Verb.SKIP,))
    assert run.orders().read()[0].effective_at is None
    run.orders().take_effect(later, host=NODE)
    run.orders().take_effect(later + timedelta(minutes=1), host=NODE)
    assert run.orders().read()[0].effective_at == later
