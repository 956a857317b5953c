from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_type_hints

import pytest

from escalator.model.moves import DrainPlan
from escalator.model.node_facts import FactChanges, NodeFacts, Proof, UnreadablePlan
from escalator.model.stops import PlannedStop

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def test_every_fact_can_be_remembered_and_forgotten() -> None:
    facts, changes = get_type_hints(NodeFacts), get_type_hints(FactChanges)
    expected = {**facts, "drain_plan": DrainPlan | None, "last_migration": int | None}
    assert changes == expected
    assert list(changes) == list(facts)


@pytest.mark.parametrize("name", ["drain_started", "upgrade_begun", "restarted_at"])
def test_a_node_is_touched_by_a_drain_and_by_an_upgrade(name: str) -> None:
    assert replace(NodeFacts(), **{name: NOW}).touched


def test_the_lease_and_the_proof_touch_nothing() -> None:
    facts = NodeFacts(leased_at=NOW, released_at=NOW, verified=Proof(version="34.0.0", at=NOW), agents=())
    assert not facts.touched


def test_of_a_plan_that_is_not_read_nobody_knows_what_cannot_be_moved() -> None:
    plan = DrainPlan(host="a", staying=("s",), stopping=(PlannedStop(server_id="s", server_name="s"),))
    assert NodeFacts(drain_plan=plan).unmovable == {"s"}
    assert NodeFacts(drain_plan=UnreadablePlan(why="newer")).unmovable == frozenset()
    assert NodeFacts().unmovable == frozenset()
