import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.reports import campaigns as made

from escalator.model.backup import RestoreOf
from escalator.model.campaign import LedgerView, NodeProgress, NodeState, RunOf, Step, UpgradeMode
from escalator.model.verdict import Code
from escalator.reports import formatting
from escalator.reports.document import build_report
from escalator.reports.render import render_html, render_markdown
from escalator.reports.timeline import lay_out

HOSTILE = (
    '</th><script>alert(1)</script><img src=x onerror="alert(1)">'
    "\x1b[2J\u202e| `*[x](javascript:1)*`\n# title"
)


DONE = NodeProgress(host="node-01", state=NodeState.RELEASED)
LEFT = NodeProgress(host="node-02", code=Code.WINDOW_CLOSED, message="the window closed at 02:00")


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def names(self) -> set[str]:
        return {tag for tag, _ in self.tags}


def hostile_document() -> dict[str, Any]:
    moves = tuple(replace(m, server_name=HOSTILE, to_host=HOSTILE, message=HOSTILE) for m in made.MOVES)
    after = made.snapshot({HOSTILE: "node-01"}, node_02=HOSTILE)
    view = LedgerView(
        nodes=(
            NodeProgress(host="node-01", state=NodeState.FAILED, code=Code.UPGRADE_FAILED, message=HOSTILE),
            NodeProgress(host="node-02", state=NodeState.HELD, message=HOSTILE),
        )
    )
    steps = tuple(replace(s, message=HOSTILE) for s in made.STEPS)
    versions = {"node-01": HOSTILE}
    return build_report(
        made.facts(moves=moves, view=view, steps=steps, versions_after=versions, snapshot_after=after)
    )


def test_the_page_says_the_outcome_first() -> None:
    page = Page(render_html(build_report(made.facts(), made.events())))
    text = page.text[page.text.index("Upgrade of lab") :]
    assert text.index("Completed") < text.index("2 of 2 nodes upgraded to 34.0.0.") < text.index("Findings")
    assert "340 ms" in text
    assert "was not running" in text
    assert "3 min 26 s" in text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = render_html(build_report(made.facts(), made.events()))
    page = Page(text)
    assert page.names() & {"script", "img", "link", "iframe", "object", "form", "base"} == set()
    assert not [a for _, attrs in page.tags for a in attrs if a in {"src", "href"} or a.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_every_header_cell_has_a_scope() -> None:
    page = Page(render_html(build_report(made.facts(), made.events())))
    headers = [attrs for tag, attrs in page.tags if tag == "th"]
    assert len(headers) > 20
    assert all(attrs.get("scope") in {"col", "row"} for attrs in headers)
    assert ("html", {"lang": "en"}) in page.tags


def test_hostile_names_stay_text_in_the_page() -> None:
    document = hostile_document()
    page = Page(render_html(document))
    harmless = Page(render_html(build_report(made.facts(), made.events())))
    assert page.names() <= harmless.names() | {"div", "code", "strong", "ul", "li", "small"}
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on") or a in {"src", "href"}]
    assert "<script>alert(1)</script>" in page.text  # shown, not run
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_hostile_names_stay_text_in_markdown() -> None:
    text = render_markdown(hostile_document())
    assert "<" not in text
    assert "\x1b" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    assert text.count("\n# ") == 0
    tables = [line for line in text.splitlines() if line.startswith("|")]
    cells = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
    assert cells == {3, 8, 10}


def test_arrows_of_remedies_stay_arrows_in_markdown() -> None:
    assert formatting.format_markdown("33.0.2 -> 34.0.0") == "33.0.2 -> 34.0.0"
    assert formatting.format_markdown("> a quotation") == "\\> a quotation"
    assert "&gt;" not in render_markdown(hostile_document())


def test_the_tables_line_up_in_a_terminal() -> None:
    text = render_markdown(build_report(made.facts(), made.events()))
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 5
    for block in blocks:
        assert len({len(line) for line in block}) == 1


def test_a_completed_campaign_with_grave_findings_does_not_look_good() -> None:
    lost = made.snapshot({"web-1": "node-02", "web-2": "node-03", "web-3": "node-01"})
    document = build_report(made.facts(snapshot_after=lost), made.events())
    assert "<h1>Completed, but needs attention</h1>" in render_html(document)
    assert render_markdown(document).startswith("# Completed, but needs attention")


@pytest.mark.parametrize(
    ("changes", "headline", "sentence"),
    [
        ({"refused": True}, "Refused", "nothing was written to the cloud"),
        ({"plan": made.plan(dry_run=True)}, "Dry run", "A dry run over 2 nodes"),
        ({"view": LedgerView()}, "Not completed", "0 of 2 nodes upgraded to 34.0.0; 2 waiting."),
        (
            {"view": LedgerView(nodes=(DONE, LEFT))},
            "To be continued",
            "1 of 2 nodes upgraded to 34.0.0; 1 left for the next window.",
        ),
        (
            {"view": LedgerView(nodes=(replace(DONE, state=NodeState.HELD), LEFT))},
            "Not completed",
            "0 of 2 nodes upgraded to 34.0.0; 1 held, 1 waiting.",
        ),
        (
            {"bundle_document": {"mechanism": {"type": "none"}, "reboot": "always"}},
            "Completed",
            "2 of 2 nodes rebooted, proved and given back.",
        ),
        (
            {"bundle_document": {"mechanism": {"type": "none"}}},
            "Completed",
            "2 of 2 nodes proved and given back.",
        ),
    ],
)
def test_other_outcomes(changes: dict[str, Any], headline: str, sentence: str) -> None:
    document = build_report(made.facts(steps=(), moves=(), **changes))
    for text in (render_html(document), render_markdown(document)):
        assert headline in text
        assert sentence in text


def test_a_campaign_without_any_length_has_no_timeline() -> None:
    document = build_report(made.facts(ended_at=made.T0, steps=(), moves=()))
    assert lay_out(document).rows == ()
    assert "Timeline" not in render_html(document)


def test_bars_lie_within_the_line() -> None:
    timeline = lay_out(build_report(made.facts(), made.events()))
    bars = [bar for row in timeline.rows for bar in row.bars]
    assert len(bars) == 16  # 17 attempts, one without an end
    assert all(bar.left >= 0 and bar.left + bar.width <= 100.001 for bar in bars)
    first = timeline.rows[0].bars[3]
    assert (first.step, first.left, first.width) == ("migrate", 8.261, 5.217)  # 19 and 12 of 230 s
    assert [bar.step for bar in bars if bar.bad] == ["upgrade", "release"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"),
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert formatting.format_duration(seconds) == words


def test_nothing_is_said_of_servers_that_were_not_compared() -> None:
    dry = made.facts(plan=made.plan(dry_run=True), steps=(), moves=(), snapshot_after=None)
    for render in (render_html, render_markdown):
        assert "every server is there" in render(build_report(made.facts(), made.events()))
        assert "every server is there" not in render(build_report(dry))


def test_the_report_says_in_which_mode_and_with_which_spill_it_ran() -> None:
    document = build_report(made.facts(plan=made.plan(mode=UpgradeMode.NON_SMOOTH, spill=0.02)))
    assert (document["request"]["mode"], document["request"]["spill"]) == ("non-smooth", 0.02)
    assert "non-smooth, 2 % of the servers may move twice" in render_html(document)
    assert re.search(r"Servers that may move twice +\| 2 %", render_markdown(document))


def test_what_the_window_left_is_named_and_needs_nobody() -> None:
    document = build_report(made.facts(view=LedgerView(nodes=(DONE, LEFT))))
    (row,) = [f for f in document["findings"] if f["code"] == Code.WINDOW_CLOSED]
    assert (document["outcome"], row["severity"]) == ("window-closed", "info")
    assert row["message"] == "left for the next window: the window closed at 02:00"


def test_the_plan_is_shown_with_its_hash_and_the_reason_of_each_turn() -> None:
    turn = {"host": "node-01", "wave": 1, "reason": "the cheapest | node", "moves": []}
    plan = {"sha256": "c0ffee", "nodes": [turn], "expected": {"seconds": 150.0}}
    document = build_report(made.facts(plan_document=plan))
    assert document["plan"]["turns"] == [{k: turn[k] for k in ("host", "wave", "reason")}]
    for text in (render_html(document), render_markdown(document)):
        for words in ("c0ffee", "the cheapest", "2 min 30 s"):
            assert words in text


def test_what_hooks_printed_is_shown_and_steers_nothing() -> None:
    hooks = [{"when": "verify", "succeeded": False, "output": f"looking\n{HOSTILE}"}]
    steps = tuple(
        replace(s, details={**s.details, "hooks": hooks}) if s.step is Step.UPGRADE else s for s in made.STEPS
    )
    document = build_report(made.facts(steps=steps))
    page = Page(render_html(document))
    assert "What the bundle's own commands printed last." in page.text
    assert "<script>alert(1)</script>" in page.text
    assert "script" not in page.names()
    text = render_markdown(document)
    assert "## Hooks" in text
    assert re.search(r"^\| node-01 +\| verify +\| 1 +\| failed +\| looking ", text, re.MULTILINE)
    assert "## Hooks" not in render_markdown(build_report(made.facts()))
    assert "commands printed" not in render_html(build_report(made.facts()))


def test_a_rollback_is_called_one() -> None:
    facts = made.facts()
    undoes = RunOf(campaign="upgrade__lab", run_id="manual__0", version="34.0.0")
    plan = replace(facts.plan, procedure="rollback", undoes=undoes)
    document = build_report(replace(facts, plan=plan), made.events())
    assert "Rollback of lab" in Page(render_html(document)).text
    assert "2 of 2 nodes brought back to 34.0.0, as before run manual__0." in render_markdown(document)


def test_a_restore_says_which_backup_was_put_back() -> None:
    facts = made.facts()
    restores = RestoreOf(backup="node-01-abc", taken_at=facts.started_at)
    plan = replace(facts.plan, procedure="restore", restores=restores)
    document = build_report(replace(facts, plan=plan), made.events())
    assert document["restores"] == {"backup": "node-01-abc", "taken_at": document["started"]}
    said = f"2 of 2 nodes put back to backup node-01-abc of {document['started']}."
    assert said in render_markdown(document)
    assert build_report(facts, made.events())["restores"] is None
