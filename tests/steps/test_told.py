"""What is told of a node's whole way: every line of it fits the schema."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import jsonschema
import pytest
from tests.events.hearing import Heard
from tests.steps.running.test_run_step import switch, waits
from tests.steps.worlds import NODE, World

from escalator.events.event import write_line
from escalator.events.metrics import STEPS_OVERDUE, list_measures
from escalator.events.notes import find_occasion, make_note
from escalator.events.teller import Teller
from escalator.events.told_run import ToldRun
from escalator.events.told_switches import ToldSwitchBook
from escalator.model.campaign import CampaignPlan, Step
from escalator.model.moves import DrainPlan, MoveMethod, PlannedMove
from escalator.model.occasion import Occasion
from escalator.model.verdict import Code
from escalator.schemas import FOLDER
from escalator.steps.running.context import CampaignContext

LIFE = (Step.PRECHECK, Step.SWITCHOVER, Step.MIGRATE, Step.UPGRADE, Step.VERIFY, Step.RELEASE)


@dataclass
class ToldWorld(World):
    """A world whose campaign is told, as that of Airflow is."""

    heard: Heard = field(default_factory=Heard)

    def context(self, plan: CampaignPlan | None = None) -> CampaignContext:
        campaign = super().context(plan)
        teller = Teller.of_plan(campaign.plan, [self.heard])
        ours = campaign.plan
        run = self.ledger.open(lambda database: ToldRun(database, ours.campaign, ours.run_id, teller))
        switches = self.ledger.open(lambda database: ToldSwitchBook(database, teller))
        return replace(campaign, record=replace(campaign.record, run=run), switches=switches, teller=teller)


@pytest.fixture
def told(ledger: Any) -> ToldWorld:
    return ToldWorld(ledger=ledger)


def test_whole_way_of_a_node_is_told(told: ToldWorld) -> None:
    told.boot("web")
    told.admit()
    for step in LIFE:
        told.run(step)
    schema = json.loads((FOLDER / "event.schema.json").read_text())
    for event in told.heard:
        jsonschema.validate(json.loads(write_line(event)), schema)
    lines = told.heard.lines("action", "step", "result")
    ended = [line for line in lines if line[0] == "step_ended"]
    assert ended == [("step_ended", str(step), "ok") for step in (Step.ADMIT, *LIFE)]
    leases = [result for action, _, result in lines if action == "lease"]
    assert leases == ["ADMITTED", "DRAINING", "UPGRADING", "VERIFIED", "given back"]
    assert [result for action, _, result in lines if action == "move"] == ["arrived"]
    states = [result for action, _, result in lines if action == "node_state"]
    assert (states[0], states[-1]) == ("admitted", "released")
    assert {event.node for event in told.heard} == {NODE}


@pytest.mark.parametrize(
    ("step", "occasion"), [(Step.MIGRATE, Occasion.HELD), (Step.UPGRADE, Occasion.FAILED)]
)
def test_people_hear_of_a_step_past_nine_in_ten_and_past_its_hard_limit(
    told: ToldWorld, monkeypatch: pytest.MonkeyPatch, step: Step, occasion: Occasion
) -> None:
    told.boot("web")
    told.admit()
    for before in LIFE[: LIFE.index(step)]:
        told.run(before)
    switch(told, step)
    if step is Step.MIGRATE:
        move = PlannedMove(server_id="a", server_name="web", method=MoveMethod.LIVE, destinations=("n",))
        told.recorded.remember(NODE, drain_plan=DrainPlan(host=NODE, moves=(move,)))
    waits(monkeypatch, step, hours=13)
    told.heard.clear()
    assert told.run(step).code is Code.STEP_HUNG
    told.run(Step.RELEASE)
    notes = [(found, make_note(event, found)) for event in told.heard if (found := find_occasion(event))]
    assert [found for found, _ in notes] == [Occasion.STEP_OVERDUE, occasion, occasion]
    overdue, hung, left_out = (note for _, note in notes)
    assert f"{step} has taken" in overdue.text
    assert "nine in ten take up to" in overdue.text
    assert (hung.event.code, hung.id) == (Code.STEP_HUNG, left_out.id)  # the second goes to nobody who has it
    assert f"{step} hangs: it has taken" in hung.text
    assert "its hard limit is" in hung.text
    late = [m for event in told.heard for m in list_measures(event) if m.metric is STEPS_OVERDUE]
    assert [(m.value, m.tags["step"]) for m in late] == [(1, str(step))]
