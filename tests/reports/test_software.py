"""Versions before and after in a report: as precheck and verify read them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.reports import campaigns as made

from escalator.model.campaign import Step
from escalator.reports.document import build_report
from escalator.reports.render import render_html, render_markdown
from escalator.reports.software import list_changes, list_verified_software, make_table

BEFORE = {"os": "Debian GNU/Linux 12.9", "qemu": "1:7.2+dfsg-7", "nova-compute": "3:33.0.2-0lab1"}
AFTER = {"os": "Debian GNU/Linux 12.9", "qemu": "1:10.0.2+ds-2", "ovn": "24.03.2"}


def report(**by_step: dict[str, str]) -> dict[str, Any]:
    """A report whose node-01 was read at these steps."""
    steps = tuple(
        replace(s, details={**s.details, "software": by_step[s.step]})
        if s.host == "node-01" and s.step in by_step
        else s
        for s in made.STEPS
    )
    return build_report(made.facts(steps=steps))


def read_rows(document: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    return [(row["component"], row["before"], row["after"]) for row in document["nodes"][0]["software"]]


def test_before_is_what_precheck_read_and_after_what_verify_did() -> None:
    assert read_rows(report(precheck=BEFORE, verify=AFTER)) == [
        ("os", "Debian GNU/Linux 12.9", "Debian GNU/Linux 12.9"),
        ("qemu", "1:7.2+dfsg-7", "1:10.0.2+ds-2"),
        ("nova-compute", "33.0.2", "34.0.0"),  # as the mechanism read it
        ("ovn", None, "24.03.2"),
    ]


def test_a_node_that_was_not_verified_has_no_after() -> None:
    assert ("qemu", "1:7.2+dfsg-7", None) in read_rows(report(precheck=BEFORE))
    assert report()["nodes"][0]["software"] == []


def test_what_only_the_mechanism_reads_is_known_from_the_beginning_of_the_campaign() -> None:
    before = made.snapshot({"web-1": "node-01"})
    for node in before["nodes"]:
        node["versions"] |= {"libvirt-own": "9", "hypervisor": "7.2.0", "qemu": "of the beginning"}
    precheck = next(s for s in made.STEPS if s.host == "node-01" and s.step is Step.PRECHECK)
    steps = (replace(precheck, details={"software": BEFORE}),)
    rows = read_rows(build_report(made.facts(steps=steps, snapshot_before=before)))
    assert {("libvirt-own", "9", None), ("qemu", "1:7.2+dfsg-7", None)} < set(rows)
    assert "hypervisor" not in {row[0] for row in rows}


def test_of_a_bundle_that_only_restarts_machines_nova_compute_is_what_its_package_says() -> None:
    document = build_report(
        made.facts(
            steps=tuple(
                replace(s, details={"software": BEFORE})
                for s in made.STEPS
                if s.step in {Step.PRECHECK, Step.VERIFY}
            ),
            versions_before={},
        )
    )
    assert ("nova-compute", "3:33.0.2-0lab1", "3:33.0.2-0lab1") in read_rows(document)


def test_the_first_precheck_counts_and_the_last_verify() -> None:
    first = next(s for s in made.STEPS if s.host == "node-01" and s.step is Step.PRECHECK)
    last = next(s for s in made.STEPS if s.host == "node-01" and s.step is Step.VERIFY)
    again = [
        replace(first, details={"software": BEFORE}),
        replace(first, started_at=made.at(9000), details={"software": AFTER}),
        replace(last, started_at=made.at(9001), details={"software": BEFORE}),
        replace(last, started_at=made.at(9002), details={"software": AFTER}),
        replace(last, started_at=made.at(9003), details={}),
    ]
    document = build_report(made.facts(steps=tuple(again)))
    assert ("qemu", "1:7.2+dfsg-7", "1:10.0.2+ds-2") in read_rows(document)


def test_it_is_said_once_for_nodes_that_are_alike_and_node_by_node_on_the_page() -> None:
    rows = [{"component": "qemu", "before": "7", "after": "10"}]
    nodes = [{"host": f"node-{n:03d}", "software": rows} for n in range(500)]
    nodes += [{"host": "odd", "software": [{"component": "qemu", "before": "7", "after": None}]}]
    assert list_changes(nodes) == [
        ("qemu", "7", "10", "500: node-000, node-001, node-002, node-003, node-004 and 495 more"),
        ("qemu", "7", None, "1: odd"),
    ]
    names, table = make_table([*nodes, {"host": "untold", "software": []}])
    assert (names, len(table)) == (("qemu",), 501)


def test_a_report_shows_them_and_one_of_before_has_none() -> None:
    document = report(precheck=BEFORE, verify={**AFTER, "ovn": "<script>|`"})
    text, page = render_markdown(document), render_html(document)
    assert "| qemu         | 1:7.2+dfsg-7          | 1:10.0.2+ds-2" in text
    assert "1:7.2+dfsg-7 → 1:10.0.2+ds-2" in page
    assert "<td>Debian GNU/Linux 12.9</td>" in page
    assert "<script>" not in page
    for node in document["nodes"]:
        del node["software"]
    assert "## Versions" not in render_markdown(document)


def test_only_nodes_that_were_verified_are_compared_afterwards() -> None:
    assert list_verified_software(made.facts()) == {}
    verify = next(s for s in made.STEPS if s.host == "node-01" and s.step is Step.VERIFY)
    steps = (replace(verify, details={"software": AFTER}),)
    assert list_verified_software(made.facts(steps=steps)) == {"node-01": AFTER}
