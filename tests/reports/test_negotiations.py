from __future__ import annotations

from typing import Any

from tests.reports import campaigns as made

from escalator.model.campaign import Step
from escalator.model.notice import MOST_RUNS, Notice, NoticeRecord, NoticeState, Reply
from escalator.reports.askings import find_askings
from escalator.reports.document import build_report
from escalator.reports.render import render_html, render_markdown

PLANNED = NoticeState.PLANNED_MAINTENANCE
RUNS = (
    made.run("node-01", Step.ADMIT, 10, 12),
    made.run("node-01", Step.PRECHECK, 13, 16),
    made.run("node-01", Step.SWITCHOVER, 17, 18, result="waiting"),
    made.run("node-01", Step.SWITCHOVER, 26, 27),
    made.run("node-01", Step.MIGRATE, 28, 31),
    made.run("node-01", Step.UPGRADE, 32, 45, details={"upgrade_seconds": 10.0}),
    made.run("node-01", Step.RELEASE, 57, 58),
)


def notice(number: int, vnfm: str, asked: float, answered: float | None, **more: Any) -> NoticeRecord:
    about: dict[str, Any] = {
        "host": "node-01",
        "instance_ids": ("id-web-1",),
        "reply_at": made.at(asked + 60),
    }
    about |= more.pop("about", {})
    state = about.pop("state", PLANNED)
    reply = None if answered is None else Reply(ack=more.pop("ack", True), state=state)
    return NoticeRecord(
        id=number,
        number=number,
        notice=Notice(session_id="s", vnfm=vnfm, project_id="p", state=state, **about),
        made_at=made.at(asked),
        delivered_at=made.at(asked + 0.2),
        tries=1,
        reply=reply,
        replied_at=None if answered is None else made.at(answered),
        **more,
    )


def report(*notices: NoticeRecord) -> dict[str, Any]:
    return build_report(made.facts(steps=RUNS, moves=(), notices=notices), made.events(()))


def test_a_node_goes_on_when_the_last_manager_has_answered() -> None:
    facts = made.facts(steps=RUNS, notices=(notice(1, "a", 17, 20), notice(2, "b", 17, 25)))
    (asking,) = find_askings(facts)
    assert (asking.settled_at, asking.went_on_at) == (made.at(25), made.at(26))
    assert asking.own_seconds == 1.0


def test_waiting_for_managers_is_no_overhead_of_ours() -> None:
    without, waited = report(), report(notice(1, "a", 17, 25))
    assert waited["nodes"][0]["waited_for_vnfs_seconds"] == 8.0
    assert waited["nodes"][0]["own_overhead_seconds"] == without["nodes"][0]["own_overhead_seconds"] - 8.0
    assert waited["negotiations"]["answer_to_next_action_seconds"] == {
        "askings": 1,
        "median": 1.0,
        "max": 1.0,
    }


def test_silence_is_waited_for_until_it_was_ended_and_an_open_notice_has_no_answer_yet() -> None:
    silent = notice(1, "a", 17, None, closed_at=made.at(24))
    found = report(silent, notice(2, "b", 17, None))["negotiations"]
    assert [row["answer"] for row in found["notices"]] == ["silent", ""]
    assert found["answer_to_next_action_seconds"]["askings"] == 0
    assert report(silent)["negotiations"]["answer_to_next_action_seconds"]["median"] == 2.0


def test_who_keeps_silent_is_waited_for_until_his_time_is_over_and_what_comes_then_is_ours() -> None:
    late = notice(1, "a", 17, None, closed_at=made.at(26.2), about={"reply_at": made.at(23)})
    (asking,) = find_askings(made.facts(steps=RUNS, notices=(late,)))
    assert (asking.settled_at, asking.own_seconds) == (made.at(23), 3.0)


def test_an_answer_that_comes_while_the_step_still_asks_is_acted_on_by_its_next_attempt() -> None:
    asking = find_askings(made.facts(steps=RUNS, notices=(notice(1, "a", 17.1, 17.5),)))[0]
    assert asking.own_seconds == 8.5


def test_giving_way_is_acting_on_a_refusal() -> None:
    gave_way = made.run("node-01", Step.SWITCHOVER, 22, 23, result="waiting", code="vnf_refused")
    asking = find_askings(made.facts(steps=(*RUNS, gave_way), notices=(notice(1, "a", 17, 20, ack=False),)))[
        0
    ]
    assert asking.own_seconds == 2.0


def test_notices_are_listed_by_number_with_their_answers() -> None:
    told = notice(1, "b", 5, 6, about={"host": None, "state": NoticeState.MAINTENANCE})
    refused = notice(2, "a<b", 17, 20, ack=False, about={"round": 1})
    found = report(refused, told)
    rows = [(r["number"], r["state"], r["answer"], r["asking"]) for r in found["negotiations"]["notices"]]
    assert rows == [(1, "MAINTENANCE", "ack", 0), (2, "PLANNED_MAINTENANCE", "nack", 1)]
    page = render_html(found)
    assert "PLANNED_MAINTENANCE, again" in page
    assert "a&lt;b" in page
    assert "a<b</th>" not in page
    assert "## VNF managers" in render_markdown(found)


def test_what_another_run_of_the_session_tells_is_not_told_again() -> None:
    about = {"host": None, "state": NoticeState.MAINTENANCE, "round": 1}
    found = report(notice(1, "b", 5, 6, about=about))
    assert [row["asking"] for row in found["negotiations"]["notices"]] == [0]
    assert "MAINTENANCE, again" not in render_html(found)
    scaled = {"host": None, "state": NoticeState.SCALE_IN, "round": 1 + MOST_RUNS}
    assert "SCALE_IN, again" in render_html(report(notice(1, "b", 5, 6, about=scaled)))


def test_a_campaign_without_managers_says_nothing_of_them() -> None:
    assert "VNF managers" not in render_html(report())
    assert "VNF managers" not in render_markdown(report())
