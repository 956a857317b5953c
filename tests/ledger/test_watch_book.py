from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.builders import make_plan
from tests.ledger.conftest import HOSTS, NOW, Open

from escalator.ledger.ledger import Ledger
from escalator.ledger.run import CampaignRun
from escalator.model.watchers import MaintenanceFlag, Silencing, Told

FLAG = MaintenanceFlag(segment_id="s", host_id="h", set_at=NOW)
SILENCING = Silencing(comment="escalator c", set_at=NOW, ends_at=NOW + timedelta(hours=1))


def test_what_a_run_told_is_by_node(ledger: Ledger, run: CampaignRun) -> None:
    run.remember("node-01", maintenance=FLAG, silencing=SILENCING)
    run.remember("node-02", silencing=SILENCING)
    run.remember("node-03", version="34.0.0")
    assert ledger.watches().of_run(run.campaign, run.run_id) == {
        "node-01": Told(maintenance=FLAG, silencing=SILENCING),
        "node-02": Told(silencing=SILENCING),
    }
    assert ledger.watches().of_run(run.campaign, "another") == {}
    assert run.facts("node-01").maintenance == FLAG


def test_the_flag_of_a_node_is_that_of_the_newest_run_that_set_one(
    ledger: Ledger, run: CampaignRun, open_campaign: Open
) -> None:
    book = ledger.watches()
    assert book.find_flag("lab", "node-01") is None
    run.remember("node-01", maintenance=FLAG)
    later = make_plan(*HOSTS, run_id="later")
    open_campaign(ledger, later)
    assert book.find_flag("lab", "node-01") == FLAG
    cleared = replace(FLAG, cleared_at=NOW)
    ledger.run(later.campaign, "later").remember("node-01", maintenance=cleared)
    assert book.find_flag("lab", "node-01") == cleared
    assert book.find_flag("lab", "node-02") is None
    assert book.find_flag("other", "node-01") is None


def test_silences_that_no_run_ended_are_found_until_they_have_run_out(
    ledger: Ledger, run: CampaignRun, open_campaign: Open
) -> None:
    book = ledger.watches()
    assert book.find_silencings("lab", "node-01", NOW) == ()
    run.remember("node-01", silencing=SILENCING)
    later = make_plan(*HOSTS, run_id="later")
    open_campaign(ledger, later)
    newer = replace(SILENCING, comment="escalator d")
    ledger.run(later.campaign, "later").remember("node-01", silencing=newer)
    assert book.find_silencings("lab", "node-01", NOW) == (newer, SILENCING)
    ledger.run(later.campaign, "later").remember("node-01", silencing=replace(newer, ended_at=NOW))
    assert book.find_silencings("lab", "node-01", NOW) == (SILENCING,)
    assert book.find_silencings("lab", "node-01", SILENCING.ends_at) == ()
    assert book.find_silencings("lab", "node-02", NOW) == ()
    assert book.find_silencings("other", "node-01", NOW) == ()
