from __future__ import annotations

from typing import Any

import pytest

from escalator.system_support.playbooks.outcome import Outcome, find_trouble


def event(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "host": "node-01", "play": "Upgrade", "task": "Install", **fields}


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"name": "runner_on_ok"}, "node-01 | Upgrade | Install | ok"),
        ({"name": "runner_on_ok", "changed": True}, "node-01 | Upgrade | Install | changed"),
        ({"name": "runner_on_skipped"}, "node-01 | Upgrade | Install | skipped"),
        (
            {"name": "runner_on_failed", "said": {"msg": "no\n such  file"}},
            "node-01 | Upgrade | Install | failed: no such file",
        ),
        (
            {"name": "runner_on_failed", "ignored": True, "said": {"msg": "x"}},
            "node-01 | Upgrade | Install | failed, ignored: x",
        ),
        ({"name": "playbook_on_play_start"}, ""),
        ({"name": "playbook_on_stats", "processed": ["node-01"]}, ""),
    ],
)
def test_the_log_has_a_line_for_each_result(fields: dict[str, Any], line: str) -> None:
    assert Outcome().take(event(**fields)) == line


def test_the_last_task_that_failed_is_the_reason() -> None:
    outcome = Outcome(code=2)
    outcome.take(event("runner_on_failed", said={"msg": "one", "stderr": "two"}))
    assert outcome.reason == "task 'Install' failed on node-01: one; two"
    assert find_trouble(outcome, "node-01", 60) == f"failed: {outcome.reason}"
    outcome.take(event("runner_on_unreachable", task="Look", said={"msg": "no route"}))
    assert outcome.reason == "task 'Look' unreachable on node-01: no route"


def test_the_item_that_failed_says_more_than_its_task() -> None:
    outcome = Outcome(code=2)
    line = outcome.take(event("runner_item_on_failed", item="node-02", said={"msg": "no route"}))
    assert line == "node-01 | Upgrade | Install (node-02) | failed: no route"
    outcome.take(event("runner_on_failed", said={"msg": "One or more items failed"}))
    assert outcome.reason == "task 'Install (node-02)' failed on node-01: no route"


def test_what_is_ignored_is_no_reason() -> None:
    outcome = Outcome(code=2)
    outcome.take(event("runner_on_failed", ignored=True, said={"msg": "x"}))
    outcome.take({"name": "error", "output": "\x1b[0;31m[ERROR]: Decryption failed\x1b[0m\r\n"})
    assert outcome.reason == "Decryption failed"


def test_without_any_word_the_exit_code_is_the_reason() -> None:
    assert Outcome(code=5).reason == "exit code 5, no output"
    said = "x: 'y' is no command.\n\nDid you mean one of these?\n  z\n"
    assert Outcome(code=5, output=said).reason == "x: 'y' is no command.; Did you mean one of these?; z"


def test_a_good_end_is_one_that_worked_on_the_node() -> None:
    outcome = Outcome(code=0)
    assert find_trouble(outcome, "node-01", 60).startswith("did nothing on node-01")
    outcome.take({"name": "playbook_on_stats", "processed": ["node-01", "db-01"]})
    assert find_trouble(outcome, "node-01", 60) == ""


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(ended="limit"), "was ended after 60 s, its limit"),
        (Outcome(ended="silence"), "out of reach"),
        (Outcome(ended="nobody waits for it any more"), "nobody waits"),
        (Outcome(output="Traceback\nKeyError: 'x'"), "KeyError: 'x'"),
    ],
)
def test_what_was_ended_or_never_ran_says_why(outcome: Outcome, said: str) -> None:
    assert said in find_trouble(outcome, "node-01", 60)
