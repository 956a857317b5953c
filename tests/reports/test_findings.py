import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from tests.builders import make_switch
from tests.reports import campaigns as made

from escalator.model.approval import ApprovalAnswer
from escalator.model.check_report import CheckReport, Condition, check_to_document, read_unmet_verdicts
from escalator.model.quota import FrozenQuota
from escalator.model.verdict import Code, Severity, Subject, SubjectType
from escalator.reports.document import build_report
from escalator.reports.facts import RecordedSnapshot
from escalator.reports.render import render_markdown

SERVERS = {"web-1": "node-01", "web-2": "node-03", "web-3": "node-01", "web-4": "node-03"}


def findings(after: dict[str, Any] | None) -> list[tuple[str, str, str, str]]:
    document = build_report(made.facts(snapshot_after=after), made.events())
    return [(f["severity"], f["code"], f["subject"]["id"], f["message"]) for f in document["findings"]]


def test_nothing_is_found_when_everything_is_as_it_was() -> None:
    assert findings(made.AFTER) == []


def test_who_said_that_the_campaign_goes_on_is_told() -> None:
    facts = made.facts(snapshot_after=made.AFTER)
    answers = {
        "node-01": ApprovalAnswer(go_on=True, by="ops", at=facts.started_at),
        "node-02": ApprovalAnswer(go_on=False, by="", at=facts.started_at),
    }
    document = build_report(replace(facts, view=replace(facts.view, approvals=answers)), made.events())
    found = {(f["subject"]["id"], f["severity"], f["code"]): f["message"] for f in document["findings"]}
    when = facts.started_at.isoformat(timespec="seconds")
    assert found["node-01", "info", "approval"] == f"after it the campaign goes on: ops, {when}"
    assert found["node-02", "warning", "approval_refused"] == (
        f"after it no further node goes out: nobody in time, {when}"
    )


def test_a_vanished_server() -> None:
    after = made.snapshot({name: host for name, host in SERVERS.items() if name != "web-4"})
    expected = "was on node-03, active; is not there any more"
    assert findings(after) == [("blocker", "server_vanished", "id-web-4", expected)]


def test_a_new_server() -> None:
    after = made.snapshot({**SERVERS, "web-9": "node-01"})
    expected = "came during the campaign, is on node-01"
    assert findings(after) == [("info", "server_appeared", "id-web-9", expected)]


@pytest.mark.parametrize(
    ("word", "value", "severity", "message"),
    [
        ("vm_state", "error", "blocker", "vm_state active -> error"),
        ("power_state", "paused", "warning", "power_state running -> paused"),
        ("task_state", "migrating", "warning", "task_state None -> migrating"),
    ],
)
def test_a_server_that_changed(word: str, value: str, severity: str, message: str) -> None:
    after = copy.deepcopy(made.AFTER)
    after["servers"][0][word] = value
    assert findings(after) == [(severity, "server_changed_state", "id-web-1", message)]


def test_a_server_that_came_to_a_disabled_node() -> None:
    found = findings(made.snapshot(SERVERS, node_03="disk swap"))
    assert found == [
        ("warning", "server_on_disabled_node", "id-web-2", "came to node-03, which is disabled (disk swap)"),
        ("warning", "node_changed_status", "node-03", "was enabled, is disabled (disk swap)"),
    ]


def test_a_node_with_another_reason_and_a_node_that_is_gone() -> None:
    before = made.snapshot({}, node_01="disk swap")
    after = made.snapshot({}, node_01="something else")
    after["nodes"] = after["nodes"][:2]
    document = build_report(made.facts(snapshot_before=before, snapshot_after=after), made.events())
    assert [(f["code"], f["message"]) for f in document["findings"]] == [
        ("node_changed_status", "was disabled (disk swap), is disabled (something else)"),
        ("node_vanished", "Nova does not list it any more"),
    ]


def test_a_missing_snapshot_is_said() -> None:
    assert [row[:2] for row in findings(None)] == [("warning", "snapshot_missing")]


def test_a_snapshot_that_cannot_be_read_is_as_good_as_missing_but_stays_in_the_report() -> None:
    facts = replace(made.facts(), snapshot_after=RecordedSnapshot(document={"cloud": "lab"}))
    document = build_report(facts, made.events())
    assert [row["code"] for row in document["findings"]] == ["snapshot_missing"]
    assert document["snapshot_after"] == {"cloud": "lab"}
    assert document["servers"][0]["vm_state_after"] is None


def test_what_the_check_found_names_its_server_as_the_check_did() -> None:
    subject = Subject(type=SubjectType.SERVER, id="3f", name="web-9")
    condition = Condition(
        code=Code.SERVER_LOCKED, met=False, severity=Severity.WARNING, subject=subject, message="is locked"
    )
    stored = json.loads(json.dumps(check_to_document(CheckReport(conditions=(condition,)))))
    document = build_report(made.facts(verdicts=read_unmet_verdicts(stored)), made.events())
    (row,) = document["findings"]
    assert row["subject"] == {"type": "server", "id": "3f", "name": "web-9"}
    assert "web-9" in render_markdown(document)


def test_the_gravest_come_first() -> None:
    after = made.snapshot({"web-1": "node-01", "web-2": "node-03", "web-3": "node-01", "new": "node-01"})
    after["servers"][0]["power_state"] = "paused"
    assert [severity for severity, *_ in findings(after)] == ["blocker", "warning", "info"]


WEIGHTS = {"weights": {"web": {"m": 5}}}
NOT_RESTORED = f"what its switchover by octavia changed is not restored, {WEIGHTS}"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"found": WEIGHTS}, NOT_RESTORED),
        ({"found": WEIGHTS, "not_restored": ("m is in ERROR",)}, f"{NOT_RESTORED}; m is in ERROR"),
        ({"restored_at": made.at(50), "not_restored": ("member m is gone",)}, "member m is gone"),
        ({"restored_at": made.at(50), "found": WEIGHTS}, None),
        ({"found": {"address": "192.0.2.1", "from_had": True, "to_had": False}}, None),
    ],
)
def test_what_a_switchover_changed_and_nobody_restored(fields: dict[str, Any], words: str | None) -> None:
    switch = make_switch(from_server="id-web-1", begun_at=made.at(10), **fields)
    document = build_report(replace(made.facts(), switches=(switch,)), made.events())
    found = [(row["code"], row["subject"]["id"], row["message"]) for row in document["findings"]]
    message = f"HA group web, server id-web-1: {words}"
    assert found == ([("service_not_restored", "node-01", message)] if words else [])


def test_quotas_that_could_not_be_frozen_or_are_not_as_they_were() -> None:
    frozen = tuple(
        FrozenQuota(cloud="lab", project_id=project, name="cores", found=-1, set_to=4) for project in "pq"
    )
    scaling = {"freeze": {"p": ["no freeze of p"], "q": []}, "restore": {"p": ["p was changed"]}}
    document = build_report(replace(made.facts(), scaling=scaling, frozen=frozen), made.events())
    assert [(row["code"], row["message"]) for row in document["findings"]] == [
        ("quota_not_frozen", "no freeze of p"),
        ("quota_not_restored", "p was changed"),
        ("quota_not_restored", "project q: the quota cores is frozen at 4 still, it was -1"),
    ]
