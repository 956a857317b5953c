"""The board over a campaign that runs: every view says what Nova and the ledger say at that moment.

One person acts by keyboard alone, another may only look, on a telephone; names and reasons are markup.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from escalator.airflow_client.records import DagRun
from escalator.lab.servers import ServerSpec
from escalator.model.approval import Approval
from escalator.model.lease import LeaseMark
from tests.campaigns.board_pages import (
    CUTS_OFF,
    LIST,
    PHONE,
    Reader,
    Visitors,
    agree,
    find_page,
    visiting,
)
from tests.campaigns.harness import DAG_ID, NEW, OLD, WATCHER, Harness, host_of

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(2400)]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
HOSTS = tuple(f"node-0{n}" for n in range(1, 5))
NASTY = '<img src=x onerror="alert(1)">'
SLOW = {"lab_migrate_seconds": "30"}
WHY = "<b>storm</b> in the rack"
POLLS = 20
COPIES_SECONDS = 90.0


def servers() -> list[ServerSpec]:
    """Return two servers a node, one of which takes its time and has a name that is markup."""
    slow = [ServerSpec(name=f"{NASTY}{host}", host=host, metadata=SLOW) for host in HOSTS]
    return [*slow, *(ServerSpec(name=f"web-{host}", host=host) for host in HOSTS)]


class Drama:
    """A campaign in which a person does all that the board offers, with what its pages said then."""

    def __init__(self, harness: Harness, visitors: Visitors, folder: Path) -> None:
        self.harness, self.visitors, self.folder = harness, visitors, folder
        self.said: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, tuple[str, Counter[str]]] = {}
        self.looked: dict[str, dict[str, Any]] = {}
        self.too_wide: list[str] = []
        self.run: DagRun
        self.order: list[str] = []
        self.admin: Reader
        self.watcher: Reader

    def play(self) -> None:
        self.before = self.harness.fresh(servers())
        self.run = self.harness.trigger(
            hosts=list(HOSTS), approval=Approval.CANARY, max_failed_nodes=2, max_parallel=2
        )
        self.order = self.harness.order(self.run)
        self.harness.lab.node(self.order[1]).fault(refuse_start_release=NEW)
        path = find_page(self.run.run_id)
        self.admin = self.visitors.log_in("admin", path, viewport={"width": 1280, "height": 900})
        self.watcher = self.visitors.log_in(WATCHER, path, **PHONE)
        self.while_it_runs()
        self.while_it_is_paused()
        self.while_a_person_is_asked()
        self.while_nodes_are_held_and_fail()
        self.state = self.harness.wait(self.run)
        self.admin.wait(lambda said: "ended" in said["facts"])
        self.look("over")
        self.orders = self.harness.client.campaigns.list_orders(DAG_ID, self.run.run_id)
        self.services, self.after = self.harness.services(), self.harness.servers()
        self.nodes = {node["host"]: node for node in self.harness.report(self.run)["nodes"]}

    def look(self, when: str) -> None:
        """Look as both persons, at the campaign and the list, and take pictures."""
        self.said[when] = agree(self.harness, self.admin, self.run.run_id)
        self.looked[when] = agree(self.harness, self.watcher, self.run.run_id)
        self.admin.shoot(self.folder / f"{when}.png")
        self.watcher.shoot(self.folder / f"{when}-phone.png")
        self.too_wide += [when] if self.watcher.page.evaluate(CUTS_OFF) else []
        self.look_at_list(when)

    def look_at_list(self, when: str) -> None:
        """Look at the list while nothing changes: the ledger is asked before and after."""
        page = self.watcher.page.context.new_page()
        while when not in self.lists:
            before = self.count()
            page.goto(f"{self.watcher.address}{LIST}")
            cards = page.locator(".campaigns > li").all_inner_texts()
            if self.count() == before:
                self.lists[when] = (cards[0], before)
        self.too_wide += [f"{when}, list"] if page.evaluate(CUTS_OFF) else []
        page.screenshot(path=self.folder / f"{when}-list-phone.png", full_page=True)
        page.close()

    def count(self) -> Counter[str]:
        """Count the nodes by what they count as, by the ledger."""
        board = self.harness.client.campaigns.fetch_board(DAG_ID, self.run.run_id)
        return Counter(str(node["group"]) for node in board["nodes"])

    def while_it_runs(self) -> None:
        first = self.order[0]
        self.harness.wait_for(self.run, f"{first}.precheck", "success")
        self.copied = watch_copying(self.admin)
        flying = [n for n, s in self.harness.servers().items() if s["OS-EXT-STS:task_state"] == "migrating"]
        self.flying = {name for name in flying if host_of(self.harness.servers()[name]) == first}
        self.look("running")
        self.polls = measure(self.admin)
        (self.folder / "polls.json").write_text(json.dumps(self.polls))
        self.frames = look_into_frames(self.admin, self.run.run_id, self.folder)
        self.refused = try_to_act(self.watcher, self.run.run_id)

    def while_it_is_paused(self) -> None:
        self.admin.open_orders()
        self.admin.order(self.form(""), "Pause", WHY)
        self.look("paused")
        third = self.order[2]
        self.admin.go_to(self.admin.page.locator(".nodes tbody th a", has_text=third))
        self.admin.press("Enter")
        self.admin.order(self.form(third), "Skip", WHY)
        self.admin.wait(lambda said: said["nodes"][third]["state"] == "skipped")

    def while_a_person_is_asked(self) -> None:
        first = self.order[0]
        self.admin.wait(lambda said: said["stand"] == "Needs a person", timeout_seconds=600)
        self.look("person")
        self.out_meanwhile = [h for h, s in self.harness.services().items() if s.lease is not None]
        self.admin.open_orders()
        self.admin.order(self.form(""), "Resume", WHY)
        self.admin.order(self.admin.page.locator("#needs form.order"), "Approve", WHY)
        self.admin.wait(lambda said: said["stand"] == "Running")
        self.asked_then = self.harness.client.list_required_actions(DAG_ID, self.run.run_id)
        assert self.admin.read()["nodes"][first]["state"] == "released"

    def while_nodes_are_held_and_fail(self) -> None:
        _, second, _, fourth = self.order
        self.admin.wait(lambda said: said["nodes"][fourth]["state"] == "migrating", timeout_seconds=300)
        self.admin.go_to(self.admin.page.locator(f"#out a[href='?node={fourth}#order']"))
        self.admin.press("Enter")
        self.admin.order(self.form(fourth), "Hold", WHY)
        self.admin.wait(lambda said: said["nodes"][fourth]["state"] == "held", timeout_seconds=300)
        self.look("held")
        self.admin.wait(lambda said: said["nodes"][second]["state"] == "failed", timeout_seconds=600)
        self.look("failed")

    def form(self, host: str) -> Any:
        return self.admin.page.locator(f"#order form.order[data-order='{host}']")


def watch_copying(reader: Reader) -> str | None:
    """Return what the page says of a server of which it is known how much is copied; None: it never is."""
    deadline = time.monotonic() + COPIES_SECONDS
    while time.monotonic() < deadline:
        for _, text in reader.read()["moves"]:
            if NASTY in text and "% copied" in text:
                return str(text)
        time.sleep(0.5)
    return None


def measure(reader: Reader) -> dict[str, Any]:
    """Poll as a page does, with its session: everything anew, and with the tag of what is known."""
    cookies = {cookie["name"]: cookie["value"] for cookie in reader.page.context.cookies()}
    url = reader.address + reader.page.evaluate("document.getElementById('live').dataset.poll")
    found: dict[str, Any] = {"fresh ms": [], "known ms": [], "bytes": 0}
    with httpx.Client(cookies=cookies) as client:
        tag = ""
        for _ in range(POLLS):
            for kind, headers in (("fresh ms", {}), ("known ms", {"If-None-Match": tag})):
                begun = time.perf_counter()
                answer = client.get(url, headers=headers)
                found[kind].append((time.perf_counter() - begun) * 1000)
                assert answer.status_code in {200, 304}
                tag = answer.headers["ETag"]
                found["bytes"] = max(found["bytes"], answer.num_bytes_downloaded)
    return found


def try_to_act(reader: Reader, run_id: str) -> dict[str, tuple[int, str]]:
    """Send orders from the page of somebody who may only look, as JSON and as a form."""
    path = find_page(run_id).replace(LIST, "/escalator/v1/campaigns")
    send = """async ([path, type, body]) => {
      const answer = await fetch(path, { method: "POST", headers: { "Content-Type": type }, body });
      return [answer.status, await answer.text()]; }"""
    bodies = {"application/json": '{"reason": "mine"}', "application/x-www-form-urlencoded": "reason=mine"}
    return {
        f"{verb} {kind}": tuple(reader.page.evaluate(send, [f"{path}/{verb}", kind, body]))
        for verb in ("pause", "stop", f"nodes/{HOSTS[0]}/hold")
        for kind, body in bodies.items()
    }


def look_into_frames(reader: Reader, run_id: str, folder: Path) -> dict[str, str]:
    """Open the board where Airflow shows it: from its navigation, and as a tab of the run."""
    found = {}
    paths = {"nav": "/plugin/escalator", "tab": f"/dags/{DAG_ID}/runs/{run_id}/plugin/escalator_board"}
    for name, path in paths.items():
        page = reader.page.context.new_page()
        page.goto(f"{reader.address}{path}")
        frame = page.frame_locator("iframe")
        frame.locator("main h1").wait_for()
        found[name] = frame.locator("main").inner_text()
        page.screenshot(path=folder / f"airflow-{name}.png")
        page.close()
    return found


@pytest.fixture(scope="module")
def drama(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drama]:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("there is no chromium: apt-get install chromium")
    with visiting(harness, CHROMIUM) as visitors:
        found = Drama(harness, visitors, tmp_path_factory.mktemp("board"))
        found.play()
        yield found


def test_the_page_of_a_campaign_that_runs_says_who_moves_and_how_far(drama: Drama) -> None:
    said, first = drama.said["running"], drama.order[0]
    assert (said["stand"], said["nodes"][first]["group"]) == ("Running", "out")
    shown = {
        name for name in drama.flying if any(kind == "flies" and name in text for kind, text in said["moves"])
    }
    assert shown == drama.flying == {f"{NASTY}{first}"}
    assert drama.copied is not None
    assert NASTY in drama.copied
    assert 0 < int(drama.copied.split("% copied")[0].split(",")[-1]) < 100


def test_those_that_wait_say_for_whom(drama: Drama) -> None:
    said, first = drama.said["running"], drama.order[0]
    for host in drama.order[1:]:
        assert said["nodes"][host]["group"] == "waiting"
        assert first in said["nodes"][host]["why"]
    assert re.match(r"What keeps the others in: 3 \S \w+", said["limits"]), said["limits"]


def test_it_is_paused_skipped_resumed_approved_and_held_by_keyboard(drama: Drama) -> None:
    _, _, third, fourth = drama.order
    given = [(order["verb"], order["host"]) for order in drama.orders]
    approved = ("approve", drama.order[0])
    assert given == [("pause", None), ("skip", third), ("resume", None), approved, ("hold", fourth)]
    assert {(order["by"], order["reason"]) for order in drama.orders} == {("admin", WHY)}
    assert all(order["effective_at"] for order in drama.orders)


def test_a_pause_is_seen_by_all_with_who_and_why(drama: Drama) -> None:
    for said in (drama.said["paused"], drama.looked["paused"]):
        assert said["stand"] == "Paused"
        assert "pause by admin at" in said["ordered"][0]
        assert WHY in said["ordered"][0]
    assert "Resume" in drama.said["paused"]["buttons"]
    assert not any(button.startswith("Pause") for button in drama.said["paused"]["buttons"])


def test_a_campaign_that_waits_for_a_person_asks_with_the_button_and_nobody_is_out(drama: Drama) -> None:
    (need,) = drama.said["person"]["needs"]
    assert f"{drama.order[0]} was upgraded, verified and given back" in need
    assert "Approve" in need
    assert drama.out_meanwhile == []
    assert not drama.asked_then  # it was answered in Airflow, too
    assert drama.harness.running(drama.order[0]) == NEW


def test_a_node_that_failed_is_said_so_as_in_nova_with_what_to_do(drama: Drama) -> None:
    second, said = drama.order[1], drama.said["failed"]
    assert said["stand"] == "Needs a person"
    assert any(second in need and "What to do:" in need for need in said["needs"])
    assert drama.services[second].lease.mark is LeaseMark.FAILED


def test_a_node_that_was_held_stays_with_its_servers_that_had_not_begun_to_move(drama: Drama) -> None:
    fourth = drama.order[3]
    assert drama.services[fourth].lease.mark is LeaseMark.HELD
    assert any(fourth in need and "order_hold" in need for need in drama.said["held"]["needs"])
    assert drama.harness.running(fourth) == OLD


def test_what_is_over_says_what_came_of_it(drama: Drama) -> None:
    states = {host: node["state"] for host, node in drama.said["over"]["nodes"].items()}
    wanted = dict(zip(drama.order, ("released", "failed", "skipped", "held"), strict=True))
    assert {host: states[host] for host in wanted} == wanted
    assert {host: drama.nodes[host]["state"] for host in wanted} == wanted
    assert drama.state == "failed"
    assert drama.after.keys() == drama.before.keys()


def test_the_list_says_the_same(drama: Drama) -> None:
    stands = {"running": "Running", "paused": "Paused"}
    for when, (newest, counts) in drama.lists.items():
        assert stands.get(when, "Needs a person") in newest, (when, newest)
        assert drama.run.run_id in newest
        for group in ("done", "out", "waiting", "held", "failed"):
            assert f"{counts[group]} {group}" in newest, (when, newest)


def test_who_may_only_look_is_offered_nothing_and_refused(drama: Drama) -> None:
    for when, said in drama.looked.items():
        assert (said["buttons"], said["links"]) == ([], 0), when
    assert "needs the right to edit its DAG" in drama.looked["running"]["body"]
    for what, (status, text) in drama.refused.items():
        assert status == 403, what
        assert f"{WATCHER} may not change what this DAG does" in text, what


def test_airflow_shows_it_in_its_navigation_and_as_a_tab_of_the_run(drama: Drama) -> None:
    assert drama.run.run_id in drama.frames["nav"]
    assert "Running" in drama.frames["tab"]


def test_names_and_words_that_are_markup_are_text_everywhere(drama: Drama) -> None:
    for said in (*drama.said.values(), *drama.looked.values()):
        assert said["markup"] == 0
    assert any(NASTY in text for _, text in drama.said["running"]["moves"])
    assert all(reader.faults == [] for reader in drama.visitors.readers)


def test_a_telephone_shows_all_of_it(drama: Drama) -> None:
    assert drama.too_wide == []


def test_a_poll_is_quick_and_short(drama: Drama) -> None:
    assert min(drama.polls["fresh ms"]) < 200
    assert min(drama.polls["known ms"]) < 200
    assert drama.polls["bytes"] < 50_000
