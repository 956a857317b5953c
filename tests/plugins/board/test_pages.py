from __future__ import annotations

import gzip
import html
import re
import time
from typing import Any

import pytest
from tests.board.ledgers import DAG, RUN, Stage, set_large
from tests.plugins.board.conftest import EDITS, READS, bearer

from escalator.ledger.ledger import Ledger
from escalator.model.campaign import NodeState, Step
from escalator.model.order import Verb
from escalator.model.step import Outcome
from escalator.model.verdict import Code
from escalator.orders.judging import Asked, judge_order

pytestmark = pytest.mark.airflow
LIST = "/escalator/board"
PAGE = f"{LIST}/{DAG}/{RUN.replace(':', '%3A').replace('+', '%2B')}"
LIVE = f"{PAGE}/live"
NASTY = '<img src=x onerror="alert(1)">&\u202e\x07'


def read(client: Any, path: str, who: str = READS) -> str:
    answer = client.get(path, headers=bearer(who))
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_whoever_is_not_logged_in_is_sent_to_airflow_s_log_in_and_a_poll_is_told_so(client: Any) -> None:
    answer = client.get(PAGE, follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/auth/login")
    assert client.get(LIVE).status_code == 401


def test_a_page_that_one_may_not_see_says_whom_to_ask(client: Any, ledger: Ledger) -> None:
    Stage(ledger).set()
    answer = client.get(PAGE, headers=bearer("nobody"))
    assert answer.status_code == 403
    assert "ask an administrator" in answer.text
    assert "node-01" not in answer.text


def test_a_run_that_is_not_there_is_said_so_on_a_page(client: Any) -> None:
    answer = client.get(f"{LIST}/{DAG}/nothing", headers=bearer(READS))
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "check_conditions" in answer.text


def test_the_list_leads_to_the_campaigns(client: Any, ledger: Ledger) -> None:
    Stage(ledger).set()
    assert PAGE in read(client, LIST)
    assert "no campaign that you may look at" in read(client, LIST, "nobody")


def test_a_campaign_under_way_says_what_is_out_what_moves_and_why_the_others_wait(
    client: Any, ledger: Ledger
) -> None:
    Stage(ledger, count=8, done=3, out=2, parallel=2).set()
    page = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", read(client, PAGE))))
    assert "33.0.2 → 34.0.0" in page
    assert "Out at once 2 of 2" in page
    assert "Servers that leave: 2 of 5" in page
    assert "vm-05-4 live → node-01 moving, 43 % copied" in page
    assert re.search("vm-05-5 live → node-01 moving(?!,)", page)  # Nova has no number of it
    assert "vm-05-3 live → node-01 did not arrive : ended in status error" in page
    assert "node-04, node-05: as many nodes are out as this campaign may have" in page
    assert "2 servers of 4096 MiB have no room" in page
    assert "1.34 s" in page  # the last gap of a group


def test_a_node_that_failed_says_what_to_do(client: Any, ledger: Ledger) -> None:
    stage = Stage(ledger)
    stage.fail(stage.set(), "node-04", Step.UPGRADE, Code.UPGRADE_FAILED, "exit code 1 -> look at its log")
    page = read(client, PAGE)
    assert "Needs a person" in page
    assert "<strong>What to do:</strong> look at its log" in page
    assert f"dags/{DAG}/runs/" in page


def test_a_node_that_is_left_out_says_why(client: Any, ledger: Ledger) -> None:
    stage = Stage(ledger)
    run = stage.set()
    attempt = run.begin_step("node-05", Step.ADMIT, try_number=1, now=stage.now)
    run.finish_step(
        attempt, result=Outcome.SKIPPED, now=stage.now, code=Code.ORDER_SKIP, message="ops ordered it"
    )
    run.set_progress(
        "node-05", NodeState.SKIPPED, now=stage.now, code=Code.ORDER_SKIP, message="ops ordered it"
    )
    row = re.search(r'<tr id="n5".*?</tr>', read(client, PAGE), re.DOTALL)
    assert row is not None
    assert "ops ordered it" in row[0]


def test_a_node_with_a_full_domain_name_leads_to_its_task_in_airflow(client: Any, ledger: Ledger) -> None:
    stage = Stage(ledger, name="node-{:02d}.example.net")
    stage.fail(stage.set(), stage.hosts[3], Step.UPGRADE, Code.UPGRADE_FAILED, "exit code 1")
    assert re.search(r'/tasks/node-04_example_net[.][a-z]+"', read(client, PAGE))


@pytest.mark.parametrize("field", ["name", "server"])
def test_no_name_becomes_markup(client: Any, ledger: Ledger, field: str) -> None:
    pattern = {"name": "{:02d}", "server": "{:02d}-{}"}[field]
    stage = Stage(ledger, out=2, parallel=2, **{field: NASTY + pattern})
    run = stage.set()
    stage.fail(run, stage.hosts[3], Step.UPGRADE, Code.UPGRADE_FAILED, f"{NASTY} -> {NASTY}", held=True)
    for path in (LIST, PAGE, LIVE):
        page = read(client, path)
        assert "<img" not in page
        assert not {"\u202e", "\x07"} & set(page)
    assert "&lt;img src=x" in read(client, PAGE)


def test_pages_take_nothing_from_elsewhere_and_have_no_script_in_them(client: Any, ledger: Ledger) -> None:
    Stage(ledger).set()
    answer = client.get(PAGE, headers=bearer(READS))
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\son\w+=|<script>|\sstyle=|javascript:", answer.text)
    assert not re.findall(r'(?:src|href|action)="(?!/|#|\?node=)', answer.text)


def test_what_has_not_changed_is_not_sent_again_as_time_goes_by(client: Any, ledger: Ledger) -> None:
    stage = Stage(ledger)
    run = stage.set()
    first = client.get(LIVE, headers=bearer(READS))
    again = bearer(READS) | {"If-None-Match": first.headers["ETag"]}
    assert client.get(LIVE, headers=again).status_code == 304
    assert client.get(LIVE, headers=again | bearer(EDITS)).status_code == 200  # may do more
    stage.wait(run, stage.hosts[-1], Code.CAPACITY, "other words")
    assert client.get(LIVE, headers=again).status_code == 200


def test_files_of_the_pages_need_no_log_in_and_lead_nowhere_else(client: Any) -> None:
    assert client.get(f"{LIST}/static/board.js").status_code == 200
    assert client.get(f"{LIST}/static/board.css").headers["Content-Type"].startswith("text/css")
    assert client.get(f"{LIST}/static/..%2frender.py").status_code == 404


def test_a_poll_of_five_hundred_nodes_is_short_and_quick(client: Any, ledger: Ledger) -> None:
    set_large(ledger)
    client.get(LIVE, headers=bearer(READS))  # what does not change is read once

    def poll() -> float:
        begun = time.process_time()
        body = read(client, LIVE).encode()
        assert len(gzip.compress(body, 5)) < 50_000  # as Airflow's API server sends it
        return time.process_time() - begun

    assert min(poll() for _ in range(5)) < 0.2  # seconds of CPU: others may keep the machine busy


def test_who_may_only_look_is_offered_nothing_and_told_why(client: Any, ledger: Ledger) -> None:
    Stage(ledger).set()
    page = read(client, PAGE)
    assert "needs the right to edit its DAG" in page
    assert '<form method="post"' not in page
    assert "?node=" not in page


def test_what_makes_sense_now_can_be_ordered(client: Any, ledger: Ledger) -> None:
    Stage(ledger).set()
    page = read(client, f"{PAGE}?node=node-05", EDITS)
    offered = set(re.findall(r'formaction="/escalator/v1/campaigns/[^/]+/[^/]+/([^"]+)"', page))
    assert offered == {"pause", "stop", "nodes/node-05/skip", "nodes/node-05/hold"}
    assert f'name="back" value="{PAGE}"' in page
    out = read(client, f"{PAGE}?node=node-04", EDITS)
    assert 'action="/escalator/v1/campaigns/' in out
    assert out.count('name="confirm"') == 2  # it is asked twice


def test_an_order_is_shown_with_who_gave_it_and_what_follows(client: Any, ledger: Ledger) -> None:
    stage = Stage(ledger)
    run = stage.set()
    asked = Asked(verb=Verb.PAUSE, by="<b>ops</b>", reason="a storm in the rack")
    run.orders().insert(asked, judge=judge_order, now=stage.now)
    page = html.unescape(re.sub(r"<[^>]+>", " ", read(client, PAGE, EDITS)))
    assert "Paused" in page
    assert re.search(r"<b>ops</b>\s+at\s+08:\d\d\s*: a storm in the rack", page)
    assert "/resume" in read(client, PAGE, EDITS)
