"""An Airflow that is there gets Escalator by the lines of the manual; what a campaign in it tells arrives.

The wheel, its line in the configuration and a restart are all that it gets. A node of the campaign fails, a
person holds another, one takes its time, a service is away, and a person is asked. A second campaign is
refused, as no node would be back before its window ends; a third leaves a node for the next window.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from escalator.airflow_client.records import DagRun
from escalator.demo.demo_world import CLOUD
from escalator.lab.lab import Lab
from escalator.lab.servers import ServerSpec
from escalator.model.approval import Approval, GoOnWord
from escalator.model.order import Verb
from escalator.schemas import FOLDER as SCHEMAS
from tests.campaigns.harness import DAG_ID, NEW
from tests.campaigns.installed_site import Site, installed_beside, look
from tests.events.documented import read_events, read_metrics
from tests.plugins.receivers import Served

pytestmark = [pytest.mark.lab, pytest.mark.stack, pytest.mark.proof, pytest.mark.timeout(2400)]

HOSTS = tuple(f"node-0{n}" for n in range(1, 5))
OTHERS = ("node-05", "node-06")
SLOW_SECONDS = 90
BOARD = "<title>Campaigns - Escalator</title>"
AWAY_SECONDS = 3
WINDOW_SECONDS = 300
GROUP = "web"
WHY = "its fan is loud"
METRICS = read_metrics()
ENDINGS = {"counter": "c", "gauge": "g", "timing": "ms"}


@pytest.fixture(scope="module")
def site(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with installed_beside(lab, tmp_path_factory.mktemp("site")) as found:
        yield found


@dataclass(frozen=True)
class Told:
    """Both campaigns, and what was told of them."""

    run: DagRun
    refused: DagRun
    late: DagRun
    order: tuple[str, ...]
    states: tuple[str, str, str]
    report: Mapping[str, Any]
    late_report: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]
    lines: tuple[str, ...]
    notes: tuple[Mapping[str, Any], ...]
    mails: tuple[str, ...]

    def find(self, action: str, run: DagRun | None = None) -> list[Mapping[str, Any]]:
        of = (run or self.run).run_id
        return [event for event in self.events if (event["action"], event["run_id"]) == (action, of)]


def make_vnf(members: list[dict[str, str]], port: int) -> str:
    """Write a VNF file, which is YAML as JSON is, of a service that can be probed."""
    group = {
        "id": GROUP,
        "mode": "load-balanced",
        "members": members,
        "max_number_of_impacted_instances": 2,
        "probe": {"method": "http", "url": f"http://127.0.0.1:{port}/"},
    }
    return json.dumps({"schema": "escalator.vnf/1", "name": GROUP, "groups": [group]})


def fail_for_a_while(service: Served) -> None:
    """Wait until the service is probed, then let it fail for longer than is allowed."""
    before, deadline = service.asked, time.monotonic() + 120
    while service.asked < before + 10:
        assert time.monotonic() < deadline, service
        time.sleep(0.2)
    service.status = 503
    time.sleep(AWAY_SECONDS)
    service.status = 200


def run_out_of_window(site: Site) -> DagRun:
    """Start a campaign that lets one node go, and has no time left when the next one may."""
    end = datetime.now(UTC) + timedelta(seconds=WINDOW_SECONDS)
    return site.harness.trigger(hosts=list(OTHERS), window_end=end.isoformat(), soak_seconds=3600)


@pytest.fixture(scope="module")
def told(site: Site) -> Told:
    harness, service = site.harness, site.listeners.service
    names = [f"{kind}-{host}" for kind in ("own", "web") for host in (*HOSTS, *OTHERS)]
    servers = harness.fresh([ServerSpec(name=name, host=name.partition("-")[2]) for name in names])
    members = [{"id": servers[f"web-{host}"]["id"]} for host in HOSTS]
    (harness.world.vnf_dir / "web.yaml").write_text(make_vnf(members, service.port))
    run = harness.trigger(hosts=list(HOSTS), max_parallel=2, max_failed_nodes=3, approval=Approval.CANARY)
    _, fails, held, slow = order = harness.order(run)
    harness.lab.node(fails).fault(refuse_start_release=NEW)
    harness.lab.node(slow).fault(seconds=SLOW_SECONDS)
    deadline = time.monotonic() + 900
    while not (asked := harness.client.list_required_actions(DAG_ID, run.run_id)):
        assert time.monotonic() < deadline, harness.states(run)
        time.sleep(1.0)
    harness.client.campaigns.order(DAG_ID, run.run_id, Verb.HOLD, reason=WHY, host=held)
    harness.client.respond(asked[0], [GoOnWord.GO_ON])
    harness.wait_for(run, f"{slow}.precheck", "success")
    fail_for_a_while(service)
    state = harness.wait(run)
    soon = datetime.now(UTC) + timedelta(seconds=100)
    refused = harness.trigger(hosts=list(OTHERS), window_end=soon.isoformat())
    states = (state, harness.wait(refused), harness.wait(late := run_out_of_window(site)))
    time.sleep(1.0)  # what is on its way as a datagram
    return Told(
        run=run,
        refused=refused,
        late=late,
        order=tuple(order),
        states=states,
        report=harness.report(run),
        late_report=harness.report(late),
        events=tuple(map(json.loads, site.listeners.events_file.read_text().splitlines())),
        lines=tuple(site.listeners.measured.lines),
        notes=tuple(body for _, _, body in site.listeners.posted.taken),
        mails=tuple(str(mail["subject"]) for mail in site.listeners.mailed.taken),
    )


def test_before_the_wheel_it_has_nothing_of_ours(site: Site) -> None:
    assert (site.before["plugins"], site.before["dags"], site.before["errors"]) == ([], {}, [])
    assert site.before["campaigns"].startswith("text/html")
    assert BOARD not in site.before["board"]


def test_with_the_wheel_it_shows_plugin_board_and_dags(site: Site) -> None:
    found = look(site.harness.stack)
    (plugin,) = found["plugins"]
    assert plugin["source"].startswith("escalator==")
    assert {view["name"] for view in plugin["external_views"]} == {"Escalator", "Board"}
    assert found["errors"] == []
    campaigns = {DAG_ID.replace("upgrade", verb) for verb in ("upgrade", "rollback", "restore")}
    assert found["dags"].keys() == {"inventory", f"check__{CLOUD}", f"reconcile__{CLOUD}", *campaigns}
    assert found["campaigns"] == "application/json"
    assert BOARD in found["board"]


def test_its_code_is_that_of_the_wheel(site: Site) -> None:
    dag = look(site.harness.stack)["dags"][DAG_ID]
    assert Path(dag["fileloc"]).is_relative_to(site.environment.site / "escalator_airflow" / "dags")
    assert dag["bundle_name"] == "escalator"


def test_the_campaigns_went_as_they_were_to(told: Told) -> None:
    first, fails, held, slow = told.order
    states = {node["host"]: node["state"] for node in told.report["nodes"]}
    assert states == {first: "released", fails: "failed", held: "held", slow: "released"}
    assert {node["state"] for node in told.late_report["nodes"]} <= {"released", "waiting"}
    assert told.states == ("failed", "failed", "success")


# -- events


def test_every_event_has_the_documented_fields_and_words(told: Told) -> None:
    schema = json.loads((SCHEMAS / "event.schema.json").read_text())
    rows = read_events()
    assert len(told.events) > 50
    for event in told.events:
        jsonschema.validate(event, schema)
        assert event.keys() == schema["properties"].keys()
        allowed = rows[event["action"]]
        assert allowed is None or event["result"] in {*allowed, None}, event


def test_events_say_what_happened_and_who_did_it(told: Told) -> None:
    first, fails, held, slow = told.order
    assert {event["actor"] for event in told.find("campaign_opened")} == {"admin"}
    assert [event["node"] for event in told.find("question")] == [first]
    assert [(event["node"], event["actor"]) for event in told.find("answer")] == [(first, "admin")]
    ordered = told.find("order")
    assert {(event["node"], event["actor"]) for event in ordered} == {(held, "admin")}
    assert [event["result"] for event in ordered] == ["hold"]  # it holds at once
    ends = {(e["node"], e["result"]) for e in told.find("node_state") if e["result"] in {"failed", "held"}}
    assert ends == {(fails, "failed"), (held, "held")}
    assert (slow, "migrate") in {(event["node"], event["step"]) for event in told.find("step_overdue")}
    arrived = [event["object_name"] for event in told.find("move") if event["result"] == "arrived"]
    assert sorted(arrived) == sorted(
        move["name"] for node in told.report["nodes"] for move in node["moves"] if move["succeeded"]
    )
    assert [event["result"] for event in told.find("campaign_concluded")] == ["incomplete"]
    (refusal,) = told.find("campaign_concluded", told.refused)
    assert (refusal["result"], refusal["details"]) == ("refused", {"by_window": False})
    assert "the window ends in" in refusal["message"]
    assert [event["result"] for event in told.find("campaign_concluded", told.late)] == ["window-closed"]
    (plan_hash,) = {event["plan_hash"] for event in told.find("step_ended")}
    assert plan_hash


# -- metrics


def values(told: Told, name: str) -> Iterator[tuple[tuple[str, ...], float]]:
    """Give the values of one metric in their order, each with its tags."""
    for line in told.lines:
        what, _, value = line.partition(":")
        if what.startswith(f"airflow.escalator.{name}."):
            yield tuple(what.split(".")[3:]), float(value.partition("|")[0])


def test_every_metric_is_documented_with_its_kind_and_tags(told: Told) -> None:
    ours = [line for line in told.lines if line.startswith("airflow.escalator.")]
    assert len(ours) > 50
    for line in ours:
        what, _, value = line.partition(":")
        _, _, name, *tags = what.split(".")
        kind, documented = METRICS[name]
        assert len(tags) == len(documented), line
        assert value.endswith(f"|{ENDINGS[kind]}"), line
        assert tags[documented.index("cloud")] == CLOUD, line


def test_metrics_say_what_the_reports_say(told: Told) -> None:
    nodes = [*told.report["nodes"], *told.late_report["nodes"]]
    moved = [move for node in nodes for move in node["moves"]]
    totals: Counter[tuple[str, ...]] = Counter()
    for tags, value in values(told, "moves"):
        totals[tags] += int(value)
    assert totals == {(CLOUD, "live", "arrived"): sum(move["succeeded"] for move in moved)}
    assert len(list(values(told, "move_duration"))) == sum(move["succeeded"] for move in moved)
    silent = sorted(move["interruption_ms"] for move in moved if move["interruption_ms"] is not None)
    found = list(values(told, "interruption"))
    assert sorted(value for tags, value in found if tags == (CLOUD, "guest")) == pytest.approx(silent)
    gaps = [g for r in (told.report, told.late_report) for g in r["service_interruptions"]["gaps"]]
    away = sorted(gap["seconds"] for gap in gaps if gap["measured"])  # a busy machine may add short ones
    measured = sorted(value / 1000 for tags, value in found if tags == (CLOUD, "service"))
    assert measured == pytest.approx(away, abs=0.001)
    assert AWAY_SECONDS - 0.2 <= away[-1] <= AWAY_SECONDS + 1
    over = len([gap for gap in gaps if gap["too_long"]])
    assert list(values(told, "interruptions_over_limit")) == [((CLOUD,), 1)] * over
    assert list(values(told, "questions")) == [((CLOUD,), 1)]
    ends = ("incomplete", "refused", "window-closed")
    assert list(values(told, "campaigns")) == [((CLOUD, end), 1) for end in ends]
    assert ((CLOUD, "migrate"), 1) in list(values(told, "steps_overdue"))
    steps = {tags[1:] for tags, _ in values(told, "step_duration")}
    assert {(step, "ok") for step in ("precheck", "migrate", "upgrade", "verify", "release")} <= steps
    assert ("verify", "failed") in steps
    assert {tags[1] for tags, _ in values(told, "api_calls")} >= {"precheck", "migrate", "verify", "release"}
    assert {tags[1] for tags, _ in values(told, "decisions")} >= {"wait"}


def test_the_gauge_of_nodes_goes_with_them_and_counts_in_the_end_who_stays_out(told: Told) -> None:
    """Nodes that a campaign is not about count nowhere; the node that a person held had not gone out.

    The campaign that was refused says nothing of nodes.
    """
    ends = [at for at, line in enumerate(told.lines) if line.startswith("airflow.escalator.campaigns.")]
    of_nodes = f"airflow.escalator.nodes.{CLOUD}.{DAG_ID}."

    def count(lines: tuple[str, ...]) -> dict[str, float]:
        """Return the last value of each state."""
        found = (line.removeprefix(of_nodes).partition(":") for line in lines if line.startswith(of_nodes))
        last = {state: float(value.partition("|")[0]) for state, _, value in found}
        return {state: number for state, number in last.items() if number}

    assert count(told.lines[: ends[0]]) == {"released": 2, "failed": 1, "held": 1}
    assert count(told.lines[: ends[1] + 1]) == {"failed": 1}
    assert count(told.lines) == {}


# -- notes


def test_people_are_told_once_of_each_by_webhook_and_by_mail(told: Told) -> None:
    first, fails, held, slow = told.order
    schema = json.loads((SCHEMAS / "note.schema.json").read_text())
    for note in told.notes:
        jsonschema.validate(note, schema)
    found = Counter((note["occasion"], note["event"]["node"]) for note in told.notes)
    gaps = [event for event in told.find("interruption") if event["result"] == "over the limit"]
    assert {event["object_id"] for event in gaps} == {GROUP}
    overdue = {key: found.pop(key) for key in list(found) if key[0] == "step_overdue"}
    assert found == {
        ("needs_person", first): 1,
        ("failed", fails): 1,
        ("held", held): 1,
        **{("gap_over_limit", event["node"]): 1 for event in gaps},
        ("done", None): 1,
        ("window_closed", None): 1,
    }
    assert overdue[("step_overdue", slow)] >= 1
    assert len({note["id"] for note in told.notes}) == len(told.notes)
    assert sorted(told.mails) == sorted(note["title"] for note in told.notes)


def test_notes_lead_to_the_run_and_have_the_reason(site: Site, told: Told) -> None:
    reasons = {note["occasion"]: note["event"]["code"] for note in told.notes}
    assert reasons["held"] == "order_hold"
    for note in told.notes:
        assert note["url"].startswith(f"{site.harness.stack.settings.url}/dags/{DAG_ID}/runs/")
    with httpx.Client() as web:
        assert {web.get(note["url"]).status_code for note in told.notes} == {200}
