from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import (
    DOMAIN,
    disabled,
    down,
    leased,
    make_cloud,
    make_node,
    make_plan,
)

from escalator.model.check_report import Condition
from escalator.model.lease import LeaseMark
from escalator.model.verdict import Code, Severity
from escalator.upgrade_manager.conditions.question import (
    Family,
    ask,
    check_families,
    count,
    met,
    name_domain,
    unmet,
)

FINE, WRONG = met(Code.CAPACITY, name_domain("d"), "fine"), unmet(Code.CAPACITY, name_domain("d"), "no", "x")
NOTE = replace(WRONG, severity=Severity.INFO)


def test_only_targets_that_may_be_touched_are_to_be_emptied() -> None:
    nodes = [
        make_node("a"),
        down(make_node("b")),
        disabled(make_node("c")),
        make_node("d", upgraded=True),
        make_node("e", domain="elsewhere"),
        make_node("no-target"),
    ]
    question = ask(make_plan("e", "d", "c", "b", "a", "gone"), make_cloud(nodes))
    assert question.pending == ("e", "a")
    assert question.domains == (DOMAIN, "elsewhere")
    assert question.targets_in(DOMAIN) == ("d", "c", "b", "a")
    assert question.pending_in(DOMAIN) == ("a",)
    assert question.hosts_of[DOMAIN] == ("a", "b", "c", "d", "no-target")


def test_a_node_that_the_campaign_has_out_itself_is_still_to_be_emptied() -> None:
    plan, other = make_plan("a", "b"), make_plan("a", "b", campaign="other")
    question = ask(plan, make_cloud([leased(make_node("a"), plan), leased(make_node("b"), other)]))
    assert question.pending == ("a",)
    assert [question.plan.owns(question.nodes[host]) for host in "ab"] == [True, False]


@pytest.mark.parametrize(("mark", "passing"), [(None, True), (LeaseMark.FAILED, False)])
def test_only_a_node_under_an_unmarked_lease_will_come_back(mark: LeaseMark | None, *, passing: bool) -> None:
    node = leased(make_node("b"), make_plan("b", campaign="other"), mark)
    assert ask(make_plan("a"), make_cloud([make_node("a"), node])).passing(DOMAIN) == passing


@pytest.mark.parametrize(
    ("found", "said"), [((), True), ((FINE,), True), ((NOTE,), True), ((NOTE, WRONG), False)]
)
def test_what_is_met_is_said_unless_something_worse_than_a_note_is_found(
    found: tuple[Condition, ...], *, said: bool
) -> None:
    family = Family(code=Code.DURATION, check=lambda _q, _d: iter(found), says=lambda _q, _d: "all is well")
    question = ask(make_plan("a"), make_cloud([make_node("a")]))
    conditions = list(check_families(question, cloud=(), domain=(family,)))
    assert conditions[: len(found)] == list(found)
    assert [c.message for c in conditions[len(found) :]] == (["all is well"] if said else [])


def test_the_cloud_is_looked_at_once_and_every_domain_of_a_target_by_itself() -> None:
    family = Family(code=Code.DURATION, check=lambda _q, _d: iter(()), says=lambda _q, name: f"<{name}>")
    nodes = [make_node("a", domain="x"), make_node("b", domain="y"), make_node("c", domain="z")]
    conditions = check_families(
        ask(make_plan("a", "b"), make_cloud(nodes)), cloud=(family,), domain=(family,)
    )
    # what a family of the cloud says is about no domain
    assert [c.message for c in conditions] == ["<>", "<x>", "<y>"]


@pytest.mark.parametrize(("number", "words"), [(0, "0 nodes"), (1, "1 node"), (2, "2 nodes")])
def test_numbers_have_their_word(number: int, words: str) -> None:
    assert count(number, "node") == words
