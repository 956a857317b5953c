from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from tests.builders import NOW, make_plan
from tests.reports import campaigns as made

from escalator.board import report_cli
from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document
from escalator.model.errors import InvalidRequestError
from escalator.reports.document import build_report


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)
    return Ledger.create_or_upgrade(url)


def open_run(ledger: Ledger, run_id: str, dag_id: str = "dag") -> None:
    plan = make_plan("node-01", campaign=dag_id, run_id=run_id)
    run = ledger.run(dag_id, run_id)
    run.open(plan, dag_id=dag_id, bundle_document={}, snapshot_before={}, now=NOW)


def ask(*words: str) -> int:
    parser = argparse.ArgumentParser()
    report_cli.add_parser(parser.add_subparsers())
    return report_cli.run(parser.parse_args(["report", *words]))


def test_the_report_of_a_run_is_printed_or_written(
    ledger: Ledger, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    open_run(ledger, "run-1")
    ledger.run("dag", "run-1").set_document(Document.REPORT, build_report(made.facts(), made.events()))
    assert ask("run-1") == 0
    assert capsys.readouterr().out.startswith("# ")
    assert ask("--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["schema"].startswith("escalator.report/")
    assert ask("run-1", "--format", "html", "-o", str(tmp_path / "r.html")) == 0
    assert "<html" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_which_run_is_meant_has_to_be_clear(ledger: Ledger) -> None:
    with pytest.raises(InvalidRequestError, match="no run"):
        ask()
    open_run(ledger, "run-1")
    open_run(ledger, "run-1", dag_id="other")
    with pytest.raises(InvalidRequestError, match="2 runs have the id run-1") as refused:
        ask("run-1")
    assert "--dag" in str(refused.value.remedy)
    with pytest.raises(InvalidRequestError, match="no run run-9") as refused:
        ask("run-9")
    assert "run-1" in str(refused.value.remedy)
    with pytest.raises(InvalidRequestError, match="has no report yet"):
        ask("run-1", "--dag", "dag")
