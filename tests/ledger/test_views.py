"""What decisions look back at: returns of nodes, servers that move twice, finished steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.ledger.conftest import NOW

from escalator.ledger.ledger import Ledger
from escalator.model.campaign import CampaignPlan, NodeState, Step
from escalator.model.durations import History, MoveSample
from escalator.model.moves import MoveMethod, MoveRecord
from escalator.model.step import Outcome

if TYPE_CHECKING:
    from tests.ledger.conftest import Open

RUN = ("upgrade__lab", "run-1")
OTHER = ("upgrade__lab", "run-2")
SAMPLES = {"cloud": "lab", "bundle": "nova-34"}


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def step(
    ledger: Ledger, run: tuple[str, str], host: str, step: Step, ended: float, result: str = "ok"
) -> None:
    attempt = ledger.begin_step(*run, host, step, try_number=1, now=NOW)
    ledger.finish_step(attempt, result=Outcome(result), now=later(ended))


def move(ledger: Ledger, to_host: str, ended: float, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "server_id": "web",
        "server_name": "web",
        "from_host": "node-02",
        "to_host": to_host,
        "method": MoveMethod.LIVE,
        "succeeded": True,
        "started_at": NOW,
        "ended_at": later(ended),
        "migration": f"{to_host}-{ended}",
    }
    ledger.record_move(*RUN, "node-02", MoveRecord(**(fields | changes)))


def test_the_last_return_of_a_node_counts_whichever_campaign_had_it(
    opened: Ledger, plan: CampaignPlan, open_campaign: Open
) -> None:
    open_campaign(opened, replace(plan, run_id="run-2"))
    for run, host, seconds in ((OTHER, "node-01", 50), (RUN, "node-01", 90), (RUN, "node-02", 10)):
        opened.put_fact(*run, host, "released_at", later(seconds).isoformat())
    opened.put_fact(*RUN, "node-03", "restarted_at", later(70).isoformat())
    back = {"node-01": later(90), "node-02": later(10)}
    assert opened.view(*RUN).given_back == back
    assert opened.view("never", "opened").given_back == back


def test_the_owners_count_as_told_when_the_campaign_begins(opened: Ledger) -> None:
    assert opened.view(*RUN).noticed_at == NOW
    assert opened.view("never", "opened").noticed_at is None


def test_moves_to_nodes_that_were_pending_then_count_as_moved_twice(opened: Ledger) -> None:
    step(opened, RUN, "node-01", Step.VERIFY, 100)
    move(opened, "node-01", 50)  # before it was upgraded
    move(opened, "node-01", 150)  # after
    move(opened, "node-03", 150)  # still to be upgraded
    move(opened, "node-09", 150)  # no target
    move(opened, "node-03", 160, succeeded=False)
    assert opened.view(*RUN).moved_twice == {"cell1/nova/none": 2}


def test_moves_to_nodes_that_will_not_be_upgraded_do_not_count_as_moved_twice(opened: Ledger) -> None:
    opened.set_progress(*RUN, "node-01", NodeState.HELD, now=later(100))
    opened.put_fact(*RUN, "node-03", "from_version", "34.0.0")
    move(opened, "node-01", 50)  # it could still have been upgraded
    move(opened, "node-01", 150)
    move(opened, "node-03", 150)  # ran the target before the campaign
    assert opened.view(*RUN).moved_twice == {"cell1/nova/none": 1}


def test_without_moves_nothing_is_moved_twice(opened: Ledger) -> None:
    assert opened.view(*RUN).moved_twice == {}


def test_history_has_the_steps_that_ended_well_newest_first(
    opened: Ledger, plan: CampaignPlan, open_campaign: Open
) -> None:
    open_campaign(opened, replace(plan, run_id="run-2"))
    for run, seconds, result in ((RUN, 10, "ok"), (OTHER, 20, "ok"), (OTHER, 30, "failed")):
        step(opened, run, "node-01", Step.UPGRADE, seconds, result)
    step(opened, RUN, "node-02", Step.VERIFY, 5)
    opened.begin_step(*RUN, "node-03", Step.UPGRADE, try_number=1, now=NOW)
    assert opened.history(**SAMPLES) == History(steps={Step.UPGRADE: [20, 10], Step.VERIFY: [5]}, nodes=3)


def test_history_is_of_one_bundle_and_one_cloud(
    opened: Ledger, plan: CampaignPlan, open_campaign: Open
) -> None:
    for number, change in enumerate(({"bundle": "nova-35"}, {"cloud": "other"})):
        run = replace(plan, run_id=f"other-{number}", request=replace(plan.request, **change))
        open_campaign(opened, run)
        step(opened, (run.campaign, run.run_id), "node-01", Step.UPGRADE, 7)
    assert opened.history(**SAMPLES) == History()
    assert opened.history(cloud="other", bundle="nova-34").nodes == 1


def test_history_knows_the_memory_of_moved_servers_from_the_drain_plan(opened: Ledger) -> None:
    moves = [{"server_id": "web", "memory_mib": 2048}, {"server_id": "adopted", "memory_mib": 0}]
    opened.put_fact(*RUN, "node-02", "drain_plan", {"schema_version": 1, "moves": moves})
    move(opened, "node-01", 12)
    move(opened, "node-01", 14, server_id="adopted")
    move(opened, "node-01", 16, server_id="unplanned")
    move(opened, "node-01", 99, succeeded=False)
    assert opened.history(**SAMPLES).moves == (MoveSample(memory_mib=2048, seconds=12),)


def test_how_nodes_stand_can_be_asked_alone(opened: Ledger) -> None:
    opened.set_progress(*RUN, "node-01", NodeState.HELD, now=NOW)
    assert opened.nodes(*RUN) == opened.view(*RUN).nodes
    assert opened.nodes("never", "opened") == ()


def test_returns_in_another_cloud_do_not_count(
    opened: Ledger, plan: CampaignPlan, open_campaign: Open
) -> None:
    elsewhere = replace(plan, run_id="run-2", request=replace(plan.request, cloud="another"))
    open_campaign(opened, elsewhere)
    opened.put_fact(*OTHER, "node-01", "released_at", later(50).isoformat())
    assert opened.view(*RUN).given_back == {}
    assert opened.view(*OTHER).given_back == {"node-01": later(50)}
