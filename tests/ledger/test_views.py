"""What decisions look back at: returns of nodes, servers that move twice, finished steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.ledger.conftest import NOW

from escalator.ledger.ledger import Ledger
from escalator.ledger.run import CampaignRun
from escalator.model.approval import ApprovalAnswer
from escalator.model.campaign import CampaignPlan, NodeState, Step
from escalator.model.durations import History, MoveSample
from escalator.model.interruption import Breach, Gap, InterruptionLimit, ProbeMethod
from escalator.model.moves import DrainPlan, MoveMethod, MoveRecord, PlannedMove
from escalator.model.step import Outcome

if TYPE_CHECKING:
    from tests.ledger.conftest import Open

OTHER = ("upgrade__lab", "run-2")
SAMPLES = {"cloud": "lab", "bundle": "nova-34"}


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def step(run: CampaignRun, host: str, step: Step, ended: float, result: str = "ok") -> None:
    attempt = run.begin_step(host, step, try_number=1, now=NOW)
    run.finish_step(attempt, result=Outcome(result), now=later(ended))


def move(run: CampaignRun, to_host: str, ended: float, **changes: Any) -> None:
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
    run.record_move("node-02", MoveRecord(**(fields | changes)))


def test_the_last_return_of_a_node_counts_whichever_campaign_had_it(
    ledger: Ledger, run: CampaignRun, plan: CampaignPlan, open_campaign: Open
) -> None:
    open_campaign(ledger, replace(plan, run_id="run-2"))
    other = ledger.run(*OTHER)
    for owner, host, seconds in ((other, "node-01", 50), (run, "node-01", 90), (run, "node-02", 10)):
        owner.remember(host, released_at=later(seconds))
    run.remember("node-03", restarted_at=later(70))
    back = {"node-01": later(90), "node-02": later(10)}
    assert run.view().given_back == back
    assert ledger.run("never", "opened").view().given_back == back


def test_the_owners_count_as_told_when_the_campaign_begins(ledger: Ledger, run: CampaignRun) -> None:
    assert run.view().noticed_at == NOW
    assert ledger.run("never", "opened").view().noticed_at is None


def test_moves_to_nodes_that_were_pending_then_count_as_moved_twice(run: CampaignRun) -> None:
    step(run, "node-01", Step.VERIFY, 100)
    move(run, "node-01", 50)  # before it was upgraded
    move(run, "node-01", 150)  # after
    move(run, "node-03", 150)  # still to be upgraded
    move(run, "node-09", 150)  # no target
    move(run, "node-03", 160, succeeded=False)
    assert run.view().moved_twice == {"cell1/nova/none": 2}


def test_moves_to_nodes_that_will_not_be_upgraded_do_not_count_as_moved_twice(run: CampaignRun) -> None:
    run.set_progress("node-01", NodeState.HELD, now=later(100))
    run.remember("node-03", from_version="34.0.0")
    move(run, "node-01", 50)  # it could still have been upgraded
    move(run, "node-01", 150)
    move(run, "node-03", 150)  # ran the target before the campaign
    assert run.view().moved_twice == {"cell1/nova/none": 1}


def test_without_moves_nothing_is_moved_twice(run: CampaignRun) -> None:
    assert run.view().moved_twice == {}


def test_history_has_the_steps_that_ended_well_newest_first(
    ledger: Ledger, run: CampaignRun, plan: CampaignPlan, open_campaign: Open
) -> None:
    open_campaign(ledger, replace(plan, run_id="run-2"))
    other = ledger.run(*OTHER)
    for owner, seconds, result in ((run, 10, "ok"), (other, 20, "ok"), (other, 30, "failed")):
        step(owner, "node-01", Step.UPGRADE, seconds, result)
    step(run, "node-02", Step.VERIFY, 5)
    run.begin_step("node-03", Step.UPGRADE, try_number=1, now=NOW)
    assert run.history(**SAMPLES) == History(steps={Step.UPGRADE: [20, 10], Step.VERIFY: [5]}, nodes=3)


def test_history_is_of_one_bundle_and_one_cloud(
    ledger: Ledger, run: CampaignRun, plan: CampaignPlan, open_campaign: Open
) -> None:
    for number, change in enumerate(({"bundle": "nova-35"}, {"cloud": "other"})):
        another = replace(plan, run_id=f"other-{number}", request=replace(plan.request, **change))
        open_campaign(ledger, another)
        step(ledger.run(another.campaign, another.run_id), "node-01", Step.UPGRADE, 7)
    assert run.history(**SAMPLES) == History()
    assert run.history(cloud="other", bundle="nova-34").nodes == 1


def test_history_knows_the_memory_of_moved_servers_from_the_drain_plan(run: CampaignRun) -> None:
    moves = tuple(
        PlannedMove(
            server_id=name, server_name=name, method=MoveMethod.LIVE, destinations=(), memory_mib=memory_mib
        )
        for name, memory_mib in (("web", 2048), ("adopted", 0))
    )
    run.remember("node-02", drain_plan=DrainPlan(host="node-02", moves=moves))
    move(run, "node-01", 12)
    move(run, "node-01", 14, server_id="adopted")
    move(run, "node-01", 16, server_id="unplanned")
    move(run, "node-01", 99, succeeded=False)
    assert run.history(**SAMPLES).moves == (MoveSample(memory_mib=2048, seconds=12),)


def test_how_nodes_stand_can_be_asked_alone(ledger: Ledger, run: CampaignRun) -> None:
    run.set_progress("node-01", NodeState.HELD, now=NOW)
    assert run.nodes() == run.view().nodes
    assert ledger.run("never", "opened").nodes() == ()


def test_returns_in_another_cloud_do_not_count(
    ledger: Ledger, run: CampaignRun, plan: CampaignPlan, open_campaign: Open
) -> None:
    elsewhere = replace(plan, run_id="run-2", request=replace(plan.request, cloud="another"))
    open_campaign(ledger, elsewhere)
    ledger.run(*OTHER).remember("node-01", released_at=later(50))
    assert run.view().given_back == {}
    assert ledger.run(*OTHER).view().given_back == {"node-01": later(50)}


def gap(run_id: str = "run-1", group: str = "sbc", *, at: float = 0.0, seconds: float = 0.5) -> Gap:
    return Gap(
        cloud="lab",
        campaign="upgrade__lab",
        run_id=run_id,
        host="node-01",
        group=group,
        address=f"{group}:{at}",
        method=ProbeMethod.TCP,
        started_at=later(at),
        seconds=seconds,
    )


def test_a_service_that_was_interrupted_for_too_long_is_a_breach_of_its_run(
    ledger: Ledger, run: CampaignRun, plan: CampaignPlan, open_campaign: Open
) -> None:
    open_campaign(ledger, replace(plan, run_id="run-2"))
    run.gaps().record(gap(at=10))
    run.gaps().record(gap("run-2", at=20, seconds=1.5))
    run.gaps().record(gap("run-2", "web", at=20, seconds=400))
    assert run.view().breaches == ()
    run.gaps().record(gap(at=30, seconds=1.1))
    assert run.view().breaches == (Breach(group="sbc", limit=InterruptionLimit.SWITCH, seconds=1.1),)


def test_what_the_vnf_bears_is_kept_with_its_gap(run: CampaignRun) -> None:
    run.gaps().record(replace(gap("run-1", at=10, seconds=0.3), limit_seconds=0.2))
    run.gaps().record(replace(gap("run-1", at=10, seconds=0.4), limit_seconds=0.2))
    assert [g.limit_seconds for g in run.gaps().of_run(run.campaign, run.run_id)] == [0.2]
    (breach,) = run.view().breaches
    assert (breach.seconds, breach.own_seconds) == (0.4, 0.2)


def test_the_year_of_a_service_is_summed_over_all_runs_up_to_the_last_gap(run: CampaignRun) -> None:
    year = 365 * 86400.0
    run.gaps().record(gap("run-0", at=-year - 1, seconds=500))
    run.gaps().record(gap("run-0", at=-year + 10, seconds=299.8))
    assert run.view().breaches == ()
    run.gaps().record(gap(at=0))
    (breach,) = run.view().breaches
    assert (breach.limit, round(breach.seconds, 1)) == (InterruptionLimit.YEAR, 300.3)


def test_what_people_answered_after_nodes_is_seen(run: CampaignRun) -> None:
    answer = ApprovalAnswer(go_on=False, by="ops", at=NOW)
    run.remember("node-01", approval=answer)
    run.remember("node-02", version="34.0.0")
    assert run.view().approvals == {"node-01": answer}
