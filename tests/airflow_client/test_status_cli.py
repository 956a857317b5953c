import argparse
from datetime import UTC, datetime
from typing import Any

import pytest
from fake_airflow import FakeAirflow, run_document
from rich.console import Console

from escalator.airflow_client import status_cli
from escalator.airflow_client.errors import AirflowUnavailableError

DAG = "upgrade__lab__cell1-az1-general"
HERE = f"/escalator/v1/campaigns/{DAG}/manual__1"
NOW = datetime(2026, 11, 22, 8, 2, 5, tzinfo=UTC)


def make_board(**changes: Any) -> dict[str, Any]:
    head = {
        "dag_id": DAG,
        "run_id": "manual__1",
        "stand": "running",
        "dry_run": False,
        "procedure": "upgrade",
        "bundle": "nova-34",
        "from_versions": ["33.0.2"],
        "target_version": "34.0.0",
        "nodes": {"done": 1, "out": 0, "waiting": 1},
        "parallel": 1,
        "failures_allowed": 0,
        "window_end": None,
    }
    node = {
        "host": "node-01",
        "state": "waiting",
        "group": "waiting",
        "since": "2026-11-22T08:00:00Z",
        "why": "[red]no markup",
        "remedy": "",
    }
    return {"campaign": head | changes, "nodes": [node]}


ORDER = {"verb": "hold", "host": "node-01", "by": "ann", "reason": "its fan", "effective_at": None}


def draw(board: dict[str, Any], orders: list[dict[str, Any]]) -> tuple[str, bool]:
    picture, over = status_cli.make_picture(board, orders, NOW)
    console = Console(width=100)
    with console.capture() as seen:
        console.print(picture)
    return seen.get(), over


def test_a_board_is_drawn_with_why_nodes_wait_and_what_was_ordered() -> None:
    text, over = draw(make_board(), [ORDER])
    assert "upgrade by nova-34, 33.0.2 -> 34.0.0" in text
    assert "1 done, 1 waiting; at most 1 out at once, 0 may fail" in text
    assert "node-01  waiting  2 min 05 s  [red]no markup" in text
    assert "ann ordered hold node-01: its fan (not in effect yet)" in text
    assert not over


def test_more_is_said_where_the_board_has_it() -> None:
    board = make_board(stand="over", window_end="2026-11-22T09:00:00Z", dry_run=True)
    board["forecast"] = {"expected": "A", "earliest": "B", "latest": "C"}
    text, over = draw(board, [ORDER | {"effective_at": "D"}])
    assert all(words in text for words in ("(dry run)", "window until", "between B and C", "took effect D"))
    assert "escalator report manual__1" in text
    assert over


def test_another_form_of_a_board_is_no_traceback() -> None:
    with pytest.raises(AirflowUnavailableError):
        status_cli.make_picture({}, [], NOW)


def run(monkeypatch: pytest.MonkeyPatch, *words: str, boards: int = 1) -> int:
    fake = FakeAirflow()
    runs = {"dag_runs": [run_document("success", dag_id=DAG, dag_run_id="manual__1")], "total_entries": 1}
    fake.on("GET", f"/api/v2/dags/{DAG}/dagRuns", (200, runs))
    shown = [(200, make_board()), (503, {"detail": "away"}), (200, make_board(stand="over"))]
    fake.on("GET", HERE, *shown[:boards])
    fake.on("GET", f"{HERE}/orders", (200, {"orders": [ORDER]}))
    monkeypatch.setattr(status_cli, "open_client", lambda _args: fake.client())
    monkeypatch.setattr(status_cli, "POLL_SECONDS", 0.0)
    parser = argparse.ArgumentParser()
    status_cli.add_parser(parser.add_subparsers())
    args = parser.parse_args(["status", "--dag", DAG, *words])
    return int(args.run(args))


def test_the_newest_run_is_shown_though_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch) == 0
    assert "node-01" in capsys.readouterr().out
    assert run(monkeypatch, "--json") == 0
    assert capsys.readouterr().out.startswith("{")


def test_watching_ends_with_the_campaign_and_outlives_an_api_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--watch", boards=3) == 0
    assert "over" in capsys.readouterr().out


def test_a_dag_that_never_ran_is_told_with_how_to_begin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeAirflow()
    fake.on("GET", f"/api/v2/dags/{DAG}/dagRuns", (200, {"dag_runs": [], "total_entries": 0}))
    monkeypatch.setattr(status_cli, "open_client", lambda _args: fake.client())
    parser = argparse.ArgumentParser()
    status_cli.add_parser(parser.add_subparsers())
    args = parser.parse_args(["status", "--dag", DAG])
    assert status_cli.run(args) == 2
    assert capsys.readouterr().err == f"escalator: {DAG} has no run yet\n  -> start one: escalator run\n"
