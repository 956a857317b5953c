"""What the ledger forgets, and what it keeps however old it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from tests.builders import NOW, make_plan, make_switch
from tests.ledger.notices import SESSION

from escalator.ledger import schema
from escalator.ledger.cli import main
from escalator.ledger.documents import LARGE, make_stored, read_stored
from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document
from escalator.ledger.retention import Retention
from escalator.ledger.run import CampaignRun
from escalator.ledger.tables import FactRow
from escalator.model.campaign import NodeState
from escalator.model.errors import InvalidRequestError
from escalator.model.maintenance_session import SessionState
from escalator.model.stops import RUNNING, ServerStop

Open = Callable[..., Any]
HOST = "node-01"
DAY = timedelta(days=1)
ALL = Retention(age=timedelta(), runs=0)


@pytest.fixture
def past(ledger: Ledger, open_campaign: Open) -> Callable[..., CampaignRun]:
    """Give the ledger a run that ended well so many days ago."""

    def ended(
        run_id: str, days: int = 0, cloud: str = "lab", campaign: str = "campaign", **opened: Any
    ) -> CampaignRun:
        plan = make_plan(HOST, cloud=cloud)
        plan = replace(plan, campaign=campaign, run_id=run_id)
        now = NOW - days * DAY
        open_campaign(ledger, plan, now=now, **opened)
        run = ledger.run(campaign, run_id)
        run.remember(HOST, leases=("escalator:x",), leased_at=now)
        run.remember(HOST, released_at=now + timedelta(minutes=9))
        run.set_progress(HOST, NodeState.RELEASED, now=now)
        run.set_document(Document.REPORT, {})
        return run

    return ended


def forgotten(ledger: Ledger, retention: Retention = ALL) -> list[str]:
    """Prune, and return which runs went."""
    found = ledger.prune(retention, NOW + DAY)
    left = {campaign.run_id for campaign in ledger.campaigns()}
    assert left.isdisjoint(run.run_id for run in found if not run.needed)
    assert left >= {run.run_id for run in found if run.needed}
    return [run.run_id for run in found if not run.needed]


def test_what_is_young_or_among_the_newest_of_its_cloud_stays(
    ledger: Ledger, past: Callable[..., CampaignRun]
) -> None:
    for days in (5, 50, 500, 600):
        past(f"run-{days}", days)
    past("elsewhere", 700, cloud="edge")
    assert forgotten(ledger, Retention(age=100 * DAY, runs=3)) == ["run-600"]
    assert forgotten(ledger, Retention(age=100 * DAY, runs=0)) == ["elsewhere", "run-500"]
    assert forgotten(ledger, Retention(age=10 * DAY, runs=2)) == []


def test_with_a_run_all_that_is_its_own_goes_and_what_others_need_stays(
    ledger: Ledger, past: Callable[..., CampaignRun]
) -> None:
    run, kept = past("old", 9), past("new")
    returned = kept.view().given_back
    assert forgotten(ledger, Retention(age=timedelta(), runs=1)) == ["old"]
    assert run.plan() is None
    assert run.document(Document.REPORT) is None
    assert run.steps() == ()
    assert kept.plan() is not None
    assert kept.view().given_back == returned


def test_when_a_node_was_given_back_outlives_the_run(
    ledger: Ledger, past: Callable[..., CampaignRun]
) -> None:
    past("only")
    assert forgotten(ledger) == ["only"]
    past("next", 9)
    assert ledger.run("campaign", "next").view().given_back == {HOST: NOW + timedelta(minutes=9)}


def unfinished(ledger: Ledger, run: CampaignRun) -> None:
    del ledger
    run.set_progress(HOST, NodeState.MIGRATING, now=NOW)


def leased(ledger: Ledger, run: CampaignRun) -> None:
    del ledger
    run.remember(HOST, leases=("escalator:y",), leased_at=NOW + timedelta(hours=1))
    run.set_progress(HOST, NodeState.FAILED, now=NOW)


def down(ledger: Ledger, run: CampaignRun) -> None:
    del ledger
    stop = ServerStop(server_id="s1", server_name="pin", power_state=RUNNING, noted_at=NOW, asked_at=NOW)
    run.remember(HOST, stops=(stop, replace(stop, server_id="s2", server_name="up", ended_at=NOW)))


def frozen(ledger: Ledger, run: CampaignRun) -> None:
    ledger.quotas().hold("lab", "project", run.campaign, run.run_id)


def switched(ledger: Ledger, run: CampaignRun) -> None:
    ledger.switches().begin(make_switch(campaign=run.campaign, run_id=run.run_id))


def in_session(ledger: Ledger, run: CampaignRun) -> None:
    ledger.notices().open_session(replace(SESSION, runs=((run.campaign, run.run_id),)))


@pytest.mark.parametrize(
    ("needs", "why"),
    [
        (unfinished, "node-01 is not at its end"),
        (leased, "node-01 may still be out"),
        (down, "it alone tells that pin ran before"),
        (frozen, "quotas of project frozen"),
        (switched, "not restored"),
        (in_session, "session has not ended"),
    ],
)
def test_a_run_that_is_needed_stays_and_says_why(
    ledger: Ledger, past: Callable[..., CampaignRun], needs: Callable[[Ledger, CampaignRun], None], why: str
) -> None:
    needs(ledger, past("old"))
    (found,) = ledger.prune(ALL, NOW + DAY)
    assert why in found.needed
    assert [campaign.run_id for campaign in ledger.campaigns()] == ["old"]


def test_a_run_without_a_report_stays(ledger: Ledger, open_campaign: Open) -> None:
    plan = open_campaign(ledger, make_plan(HOST))
    ledger.run(plan.campaign, plan.run_id).set_progress(HOST, NodeState.SKIPPED, now=NOW)
    (found,) = ledger.prune(ALL, NOW + DAY)
    assert "conclude" in found.needed


def test_a_run_that_cannot_be_read_stays_and_the_others_go(
    ledger: Ledger, past: Callable[..., CampaignRun]
) -> None:
    past("of another release", 9)
    with ledger._database.writing() as session:
        session.execute(sa.update(FactRow).where(FactRow.key == "leases").values(value=5))
    past("old", 8)
    assert forgotten(ledger) == ["old"]
    (found,) = ledger.prune(ALL, NOW + DAY)
    assert "cannot be used" in found.needed


def test_a_node_that_a_later_run_gave_back_holds_the_earlier_one_no_longer(
    ledger: Ledger, past: Callable[..., CampaignRun]
) -> None:
    leased(ledger, past("first"))
    past("later", -2)
    assert forgotten(ledger) == ["first"]


NOTHING = {"name": "nova-34", "mechanism": {"type": "none"}}
"""A bundle that brings nothing: no node can say that it went through it."""


def test_a_run_stays_that_alone_tells_that_a_node_went_through_a_bundle_which_brings_nothing(
    ledger: Ledger, past: Callable[..., CampaignRun]
) -> None:
    bundle = make_plan(HOST).request.bundle
    run = past("first", 9, bundle_document=NOTHING)
    past("changed", 8, bundle_document={**NOTHING, "members_stay": True})
    past("elsewhere", 7, cloud="edge", bundle_document=NOTHING)
    assert forgotten(ledger) == []
    (found, *_) = ledger.prune(ALL, NOW + DAY)
    assert "alone tells that node-01" in found.needed
    assert run.released(cloud="lab", bundle=bundle)[-1][:2] == (NOTHING, {HOST})
    past("again", 6, bundle_document=NOTHING)
    assert forgotten(ledger) == ["first"]


def test_a_session_goes_with_its_last_run(ledger: Ledger, past: Callable[..., CampaignRun]) -> None:
    run = past("old")
    in_session(ledger, run)
    ledger.notices().set_session_state(SESSION.id, SessionState.MAINTENANCE_DONE)
    assert forgotten(ledger) == ["old"]
    assert ledger.notices().session(SESSION.id) is None


def test_the_command_says_what_goes_and_a_dry_run_forgets_nothing(
    ledger: Ledger, url: str, past: Callable[..., CampaignRun], capsys: pytest.CaptureFixture[str]
) -> None:
    past("old", 9)
    unfinished(ledger, past("open", 8))
    words = ["--url", url, "prune", "--older-than", "0", "--keep", "0"]
    assert main([*words, "--dry-run"]) == 0
    assert "lab campaign old: would be forgotten\n" in capsys.readouterr().out
    assert len(ledger.campaigns()) == 2
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "kept: the way of node-01 is not at its end" in said
    assert said.endswith("1 run(s) forgotten, 1 old one(s) kept\n")
    assert [campaign.run_id for campaign in ledger.campaigns()] == ["open"]


@pytest.mark.parametrize(("days", "runs"), [(-1, 0), (0, -1), (10**9, 0), (0, 10**30)])
def test_numbers_that_mean_nothing_are_refused(days: int, runs: int) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be kept"):
        Retention.of_days(days, runs=runs)


def test_a_large_document_is_kept_small_and_comes_back_as_it_was(past: Callable[..., CampaignRun]) -> None:
    body = {"servers": [{"id": f"server-{number}", "state": "active"} for number in range(2000)]}
    assert len(str(make_stored(body))) < len(str(body)) / 5
    run = past("old")
    run.set_document(Document.SNAPSHOT_AFTER, body)
    assert run.document(Document.SNAPSHOT_AFTER) == body


@pytest.mark.parametrize("body", [None, {}, [], {"a": 1}, "x" * LARGE, {"escalator.packed/2": "x"}])
def test_whatever_is_kept_is_what_was_put(body: object) -> None:
    assert read_stored(make_stored(body)) == body


def test_a_ledger_of_before_is_brought_up_with_clouds_and_returns(
    ledger: Ledger, url: str, past: Callable[..., CampaignRun]
) -> None:
    past("one", 9)
    past("two", 3)
    past("elsewhere", 1, cloud="edge")
    before = ledger.run("campaign", "two").view().given_back
    schema.downgrade(url, "0006")
    schema.upgrade(url)
    assert ledger.run("campaign", "two").view().given_back == before
    edge = ledger.run("campaign", "elsewhere").view().given_back
    assert edge == {HOST: NOW - DAY + timedelta(minutes=9)}
    assert forgotten(ledger, Retention(age=timedelta(), runs=1)) == ["one"]
