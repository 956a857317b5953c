from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.reports import campaigns as made

from escalator.model.interruption import NOT_MEASURED, Gap, ProbeMethod
from escalator.reports.document import build_report
from escalator.reports.render import render_html, render_markdown


def gap(at: float = 0.0, seconds: float = 0.3, **fields: Any) -> Gap:
    given = {"group": "sbc", "address": "10.0.0.5:5060", "cause": "refused", **fields}
    return Gap(
        cloud="lab",
        campaign="upgrade__lab__cell1-az1-general",
        run_id="manual__1",
        host="node-01",
        method=ProbeMethod.TCP,
        started_at=made.T0 + timedelta(seconds=at),
        seconds=seconds,
        **given,
    )


def report(*gaps: Gap, earlier: tuple[Gap, ...] = ()) -> dict[str, Any]:
    return build_report(made.facts(gaps=gaps, year_gaps=(*earlier, *gaps)), made.events())


def found(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(str(f["severity"]), f["code"], f["subject"]["id"]) for f in document["findings"]]


def test_the_gaps_of_each_group_are_summed_beside_those_of_the_year() -> None:
    document = report(gap(20, 0.4), gap(10, 0.3), earlier=(gap(-9000, 2.0),))
    services = document["service_interruptions"]
    assert services["limits"] == {"switch_seconds": 1.0, "year_seconds": 300.0}
    assert services["groups"] == [
        {
            "group": "sbc",
            "gaps": 2,
            "longest_seconds": 0.4,
            "sum_seconds": 0.7,
            "year_sum_seconds": 2.7,
            "not_measured_seconds": 0.0,
        }
    ]
    assert services["vnfs"] == [
        {"vnf": "sbc", **{k: v for k, v in services["groups"][0].items() if k != "group"}}
    ]
    assert [g["started"] for g in services["gaps"]] == [
        "2026-11-22T08:00:10.000Z",
        "2026-11-22T08:00:20.000Z",
    ]
    assert found(document) == []


def test_the_groups_of_a_vnf_are_summed_together() -> None:
    gaps = (gap(10, 0.4), gap(10.2, 0.4, group="web", address="10.0.0.6:80"))
    facts = made.facts(gaps=gaps, year_gaps=(gap(-900, 0.5), *gaps), vnf_of={"sbc": "voice", "web": "voice"})
    document = build_report(facts, made.events())
    (vnf,) = document["service_interruptions"]["vnfs"]
    assert (vnf["vnf"], vnf["gaps"], vnf["sum_seconds"], vnf["year_sum_seconds"]) == ("voice", 2, 0.6, 1.1)
    for page in (render_markdown(document), render_html(document)):
        assert "voice" in page


def test_more_than_a_second_at_once_and_five_minutes_a_year_are_found() -> None:
    document = report(gap(10, 1.4), earlier=tuple(gap(-9000 * n, 3.0) for n in range(1, 101)))
    assert found(document) == [
        ("warning", "interruption_switch", "sbc"),
        ("warning", "interruption_year", "sbc"),
    ]
    for page in (render_markdown(document), render_html(document)):
        assert "1.40 s" in page
        assert "301.40 s" in page
        assert "sbc was interrupted for 1.4 s at once, 1 s is allowed" in page


def test_a_gap_is_judged_by_what_the_vnf_bears() -> None:
    document = report(gap(10, 0.4, limit_seconds=0.25), gap(20, 0.2, limit_seconds=0.25), gap(30, 0.9))
    assert found(document) == [("warning", "interruption_switch", "sbc")]
    rows = document["service_interruptions"]["gaps"]
    assert [(g["allowed_seconds"], g["too_long"]) for g in rows] == [
        (0.25, True),
        (0.25, False),
        (1.0, False),
    ]
    for page in (render_markdown(document), render_html(document)):
        assert "0.25 s is allowed, as its VNF says" in page


def test_what_is_not_known_is_found_and_is_no_interruption() -> None:
    document = report(
        gap(10, 1.4, cause=NOT_MEASURED),
        gap(10, 60, group="web", cause=f"{NOT_MEASURED}: no answer yet (time-out)"),
        gap(10, 0.1, group="tiny", cause=NOT_MEASURED),
    )
    assert found(document) == [
        ("warning", "interruption_unknown", "web"),
        ("info", "interruption_unknown", "sbc"),
    ]
    assert "No gap was measured." in render_markdown(document)


def test_a_campaign_without_probes_says_so() -> None:
    document = report()
    assert document["service_interruptions"]["groups"] == []
    for page in (render_markdown(document), render_html(document)):
        assert "no service address was probed" in page


def test_words_from_outside_are_escaped() -> None:
    page = render_html(report(gap(cause="<script>", address="<b>", group="<i>")))
    assert not any(tag in page for tag in ("<script>", "<b>", "<i>"))
